"""Silence of third parties while a command runs; ``--debug`` shows their warnings."""

from __future__ import annotations

import logging
import os
import warnings

TALKATIVE_LOGGERS = ("numba", "pydicom", "PIL", "torch", "matplotlib", "cma", "lightning_fabric", "tensorboard")


def quieten_third_parties() -> None:
    """Silences Python warnings, loggers and ITK's messages for the rest of the process."""
    os.environ.setdefault("PYTHONWARNINGS", "ignore")  # reaches child processes
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    warnings.filterwarnings("ignore")
    for name in TALKATIVE_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
