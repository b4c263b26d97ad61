"""Sample cases on demand, so that a first registration needs no data of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prostreg.errors import InputError, Stopped
from prostreg.files import output_folder_faults

KINDS = ("spine", "phantom")
SEED = 0


def make_sample(
    kind: str, folder: Path, say: Callable[[str], None], is_cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """Writes a case with CT, labels, a simulated X-ray and a rough start.

    Args:
        kind: ``spine``, from a real CT that is downloaded once (35 MB), or ``phantom``, which is computed.
        folder: made where it is missing.
        say: told what is going on.
        is_cancelled: asked while the download runs, and before anything is written.

    Returns:
        ``case``, the path of its case.json, and ``attribution`` of the data, None for the phantom.

    Raises:
        InputError: the CT cannot be downloaded, or the folder cannot be written.
        Stopped: cancelled.
    """
    # The simulator is slow to import and of no use to most sessions.
    from prostreg.samples.demo_case import write_phantom_case, write_sample_case
    from prostreg.samples.sample_ct import fetch_sample_ct, is_cached

    faults = output_folder_faults(folder)
    if faults:
        raise InputError(faults)
    if kind == "phantom":
        say("Computing a phantom and an X-ray of it")
        _stop_if(is_cancelled)
        return {"case": str(write_phantom_case(folder, SEED)), "attribution": None}
    say("Reading the sample CT" if is_cached() else "Downloading the sample CT, 35 MB, once")
    sample = fetch_sample_ct(is_cancelled)
    say("Simulating an X-ray of its spine")
    _stop_if(is_cancelled)
    return {"case": str(write_sample_case(folder, sample, SEED)), "attribution": sample.attribution}


def _stop_if(is_cancelled: Callable[[], bool]) -> None:
    if is_cancelled():
        raise Stopped("cancelled")
