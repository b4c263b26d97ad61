"""The folder of a training run: curves, checkpoint, simulated X-rays; and its continuation after a kill."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from prostreg.errors import InputError
from prostreg.files import complete_file

CHECKPOINT_FILE = "checkpoint.pt"
CONFIG_FILE = "config.json"
TRAINING_CURVE, VALIDATION_CURVE = "training.csv", "validation.csv"


def check_same_run(path: Path, config: Mapping[str, Any]) -> None:
    """Refuses a folder that is not new and holds no run of this configuration.

    Raises:
        InputError: it holds a run of another one.
    """
    written = path / CONFIG_FILE
    if written.is_file() and written.read_text(encoding="utf-8", errors="replace") != _text(config):
        raise InputError(
            f"The folder {path} holds a run with another configuration ({CONFIG_FILE}): give another --out, or the"
            " configuration that it was begun with."
        )


def _text(config: Mapping[str, Any]) -> str:
    return json.dumps(config, indent=1, ensure_ascii=False) + "\n"


class RunFolder:
    """One folder for one run.

    Args:
        path: made where it is missing.
        config: of the run, plain values; a folder with another one is refused.

    Raises:
        InputError: the folder holds a run of another configuration.
    """

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        self.path = path
        check_same_run(path, config)
        if not (path / CONFIG_FILE).is_file():
            path.mkdir(parents=True, exist_ok=True)
            with complete_file(path / CONFIG_FILE) as unfinished:
                unfinished.write_text(_text(config), encoding="utf-8")

    def bank_file(self, renewal: int, patient: str) -> Path:
        """The path of a patient's simulated X-rays."""
        return self.path / "xrays" / str(renewal) / f"{patient}.npz"

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Writes all that a run goes on from, in one piece."""
        with complete_file(self.path / CHECKPOINT_FILE) as unfinished:
            torch.save(dict(state), unfinished)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The last checkpoint of `save_checkpoint`; None at the beginning.

        Raises:
            InputError: the file is damaged.
        """
        file = self.path / CHECKPOINT_FILE
        if not file.is_file():
            return None
        try:
            return dict(torch.load(file, map_location="cpu", weights_only=True))
        except Exception as error:  # torch raises errors of many libraries for damaged files
            raise InputError(
                f"The checkpoint {file} cannot be read ({type(error).__name__}): delete it to begin anew."
            ) from error

    def add_row(self, curve: str, row: Mapping[str, Any]) -> None:
        """Appends to a CSV file; the first row decides its columns."""
        file = self.path / curve
        is_new = not file.is_file() or file.stat().st_size == 0
        with file.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(row))
            if is_new:
                writer.writeheader()
            writer.writerow(row)

    def rows(self, curve: str) -> list[dict[str, str]]:
        """The rows of a CSV file; none where there is no file."""
        file = self.path / curve
        if not file.is_file():
            return []
        with file.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    def forget_after(self, step: int) -> None:
        """Removes rows of steps that the checkpoint does not know of."""
        for curve in (TRAINING_CURVE, VALIDATION_CURVE):
            rows = self.rows(curve)
            kept = [row for row in rows if int(row["step"]) <= step]
            if len(kept) == len(rows):
                continue
            unfinished = f"{curve}.unfinished"
            (self.path / unfinished).unlink(missing_ok=True)
            for row in kept:
                self.add_row(unfinished, row)
            (self.path / unfinished).touch()
            (self.path / unfinished).replace(self.path / curve)
