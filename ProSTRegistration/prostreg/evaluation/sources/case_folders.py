"""Cases that stand in case.json files, as `prostreg register` reads them: the kind of source "case-folders"."""

from __future__ import annotations

from pathlib import Path

from prostreg.errors import FaultList, InputError
from prostreg.evaluation.sources.case_series import CaseSeries
from prostreg.json_fields import JsonFields
from prostreg.registration.case import Case
from prostreg.registration.case_file import read_case

CASE_FILE = "case.json"


def case_files(folder: Path) -> list[Path]:
    """The case.json files directly in a folder, or one level down, in the order of their names."""
    own = folder / CASE_FILE
    if own.is_file():
        return [own]
    return sorted(folder.glob(f"*/{CASE_FILE}"))


def read_source(fields: JsonFields) -> list[str]:
    """Reads ``{"files": [{"file": ..., "sha256": ...}, ...]}``; without it, all that the folder has are meant."""
    files = []
    for entry in fields.inners("files", ()):
        files.append(entry.text("file"))
        entry.text("sha256", "")
        entry.end()
    return files


def make_source(series: CaseSeries, data_folder: Path | None) -> CaseFolders:
    """Finds the case files.

    Raises:
        InputError: there is no folder, a file is missing, or it has changed since the protocol listed it.
    """
    if data_folder is None:
        raise InputError(f"The protocol {series.name} needs a folder with {CASE_FILE} files: name it with --cases.")
    files = [data_folder / file for file in series.source]
    return CaseFolders(files or case_files(data_folder), data_folder)


class CaseFolders:
    """Reads cases from their files, one at a time.

    Raises:
        InputError: there are no case files, or one is missing.
    """

    def __init__(self, files: list[Path], folder: Path) -> None:
        faults = FaultList()
        if not files:
            faults.add(f"There is no {CASE_FILE} in {folder}, nor in a folder directly inside it.")
        faults.extend(f"The case file {file} does not exist." for file in files if not file.is_file())
        faults.raise_if_any()
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def case(self, number: int) -> Case:
        """Reads case ``number``.

        Raises:
            InputError: lists every fault of its files.
        """
        return read_case(self._files[number])
