"""The curves of a run for TensorBoard, where that is installed; the CSV files say the same."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from prostreg.training.run_folder import TRAINING_CURVE, VALIDATION_CURVE, RunFolder

PACKAGE = "tensorboard"
FOLDER = "tensorboard"
_FACTS = ("step", "seconds")


class TensorboardMirror:
    """Writes scalars as the rows of a run's curves come in.

    A run that goes on after a kill forgets rows that its checkpoint does not know of; so the first row begins a new
    file, with all that is left of the earlier ones.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._writer: Any = None

    def add(self, curve: str, row: Mapping[str, Any]) -> None:
        """Adds a row that was written to ``curve``."""
        if self._writer is not None:
            self._write(curve, row)
        elif importlib.util.find_spec(PACKAGE) is not None:
            self._begin()
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()

    def _begin(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        target = self._folder.path / FOLDER
        for earlier in target.glob("events.out.tfevents.*"):
            earlier.unlink()
        self._writer = SummaryWriter(str(target))
        for curve in (TRAINING_CURVE, VALIDATION_CURVE):
            for row in self._folder.rows(curve):
                self._write(curve, row)

    def _write(self, curve: str, row: Mapping[str, Any]) -> None:
        group = curve.partition(".")[0]
        for name, value in row.items():
            if name not in _FACTS:
                self._writer.add_scalar(f"{group}/{name}", float(value), int(row["step"]))
