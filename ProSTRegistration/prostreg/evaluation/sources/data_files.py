"""Files that a protocol needs and the program does not carry: found, and checked to be the very ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prostreg.errors import FaultList
from prostreg.files import sha256_of
from prostreg.json_fields import JsonFields


@dataclass(frozen=True)
class DataFile:
    """A file by its name below the data folder.

    Attributes:
        sha256: of its bytes; empty where any file of that name will do.
        origin: where it comes from, for whoever lacks it.
        licence: under which it is shared.
    """

    file: str
    sha256: str
    origin: str
    licence: str


def read_data_file(fields: JsonFields) -> DataFile:
    """Reads ``{"file": ..., "sha256": ..., "origin": ..., "licence": ...}``; only "file" must be there."""
    data_file = DataFile(
        fields.text("file"), fields.sha256("sha256", ""), fields.text("origin", ""), fields.text("licence", "")
    )
    fields.end()
    return data_file


def found_files(files: Sequence[DataFile], folder: Path | None, protocol_name: str) -> list[Path]:
    """The paths of a protocol's files.

    Raises:
        InputError: names every file that is missing or another one, and where the right one comes from.
    """
    faults = FaultList()
    if folder is None:
        names = " and ".join(file.file for file in files)
        faults.add(f"The protocol {protocol_name} needs {names}: name their folder with --cases.{_sources(files)}")
        faults.raise_if_any()
        return []
    for file in files:
        path = folder / file.file
        if not path.is_file():
            faults.add(f"The protocol {protocol_name} needs {file.file}, and {path} does not exist.{_sources([file])}")
        elif file.sha256 and sha256_of(path) != file.sha256:
            faults.add(
                f"{path} is another file than the protocol {protocol_name} was made for: its sha256 is"
                f" {sha256_of(path)}, not {file.sha256}.{_sources([file])}"
            )
    faults.raise_if_any()
    return [folder / file.file for file in files]


def _sources(files: Sequence[DataFile]) -> str:
    told = dict.fromkeys((file.origin, file.licence) for file in files if file.origin)
    return "".join(f" It comes from: {origin}{f' ({licence})' if licence else ''}." for origin, licence in told)
