"""Cases that stand in case.json files, as `prostreg register` reads them: the kind of source "case-folders"."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prostreg.errors import FaultList, InputError
from prostreg.evaluation.protocol import Protocol, protocol_from_dict
from prostreg.file_digest import sha256_of
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


def with_cases_of(protocol: Protocol, folder: Path) -> Protocol:
    """The protocol's methods and settings on the cases of a folder, instead of its own cases."""
    files = [{"file": path.relative_to(folder).as_posix(), "sha256": sha256_of(path)} for path in case_files(folder)]
    if not files:
        raise InputError(f"There is no {CASE_FILE} in {folder}, nor in a folder directly inside it.")
    own = ("starts", "motion", "landmarks_mm", "papers")
    kept = {key: value for key, value in protocol.content.items() if key not in own}
    source = {"kind": "case-folders", "files": files}
    return protocol_from_dict({**kept, "source": source, "cases": len(files)})


def source_faults(fields: Mapping[str, Any]) -> list[str]:
    """What is wrong with a "source" of this kind."""
    faults = FaultList()
    _read(fields, faults)
    return faults.faults


def make_source(protocol: Protocol, data_folder: Path | None) -> CaseFolders:
    """Finds the case files.

    Raises:
        InputError: there is no folder, a file is missing, or it has changed since the protocol listed it.
    """
    files = _read(protocol.source, FaultList())
    if data_folder is None:
        raise InputError(f"The protocol {protocol.name} needs a folder with {CASE_FILE} files: name it with --cases.")
    return CaseFolders([data_folder / file for file in files] if files else case_files(data_folder), data_folder)


def _read(fields: Mapping[str, Any], faults: FaultList) -> list[str]:
    inside = JsonFields(fields, '"source"', faults)
    inside.raw("kind", "")
    files = []
    for entry in inside.inners("files", ()):
        files.append(entry.text("file"))
        entry.text("sha256", "")
        entry.end()
    inside.end()
    return files


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
