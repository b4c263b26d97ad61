"""results.jsonl: takes one row at a time, survives a kill at any moment, and never mixes two evaluations."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from prostreg.errors import InputError
from prostreg.evaluation.engine_digest import engine_digest
from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.rows import Key, Row
from prostreg.files import ordinary_bytes
from prostreg.json_fields import parsed_json

RESULTS_FILE = "results.jsonl"


class RowFile:
    """The rows of an evaluation, in memory and on disk.

    A line that a kill has torn is cut off when rows are added again.

    Args:
        path: need not exist yet.
        protocol: whose rows these are.

    Raises:
        InputError: the file cannot be read, is none of ours, or belongs to another protocol or another version of it.
    """

    def __init__(self, path: Path, protocol: Protocol) -> None:
        self._path = path
        self.rows: dict[Key, Row] = {}
        self._whole_bytes = 0
        try:
            content = path.read_bytes() if path.exists() and ordinary_bytes(path) else b""
        except OSError as error:
            raise InputError(f"The results {path} cannot be read ({error.strerror}).") from None
        *lines, torn = content.split(b"\n")
        self._whole_bytes = len(content) - len(torn)
        for number, line in enumerate(lines, start=1):
            row = self._row_of(line, number)
            self._check_origin(row, protocol)
            self.rows[row.key] = row

    def check_same_weights(self, weights: Mapping[str, str]) -> None:
        """True if the rows that are there had the weights that further ones would have.

        Args:
            weights: first digits of their SHA256 for each method that has a network.

        Raises:
            InputError: names every method that had others.
        """
        others = {
            row.method
            for row in self.rows.values()
            if row.weights is not None and row.weights != weights.get(row.method, row.weights)
        }
        if others:
            raise InputError(
                f"The results {self._path} have rows of {', '.join(sorted(others))} that were made with other weights:"
                " give another --out, or bring those weights back."
            )

    def missing(self, keys: Iterable[Key]) -> list[Key]:
        """Those of the keys that have no row yet."""
        return [key for key in keys if key not in self.rows]

    def check_same_engine(self) -> None:
        """Before rows are added.

        Raises:
            InputError: the rows that are there were made by another state of the program.
        """
        others = {row.engine for row in self.rows.values()} - {engine_digest()}
        if others:
            raise InputError(
                f"The results {self._path} were made by another version of the program ({', '.join(sorted(others))};"
                f" this is {engine_digest()}), and their evaluation is not complete: choose another --out, or remove"
                " the file to begin anew."
            )

    def append(self, row: Row) -> None:
        """Adds a row; it is on the disk when this returns.

        Raises:
            InputError: the file cannot be written.
        """
        if row.key in self.rows:
            return
        line = json.dumps(row.to_dict(), allow_nan=False, ensure_ascii=False).encode() + b"\n"
        try:
            with self._path.open("r+b" if self._path.exists() else "xb") as file:
                file.truncate(self._whole_bytes)
                file.seek(self._whole_bytes)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"The results {self._path} cannot be written ({error.strerror}).") from None
        self._whole_bytes += len(line)
        self.rows[row.key] = row

    def sort(self) -> None:
        """Brings the lines into the order of cases and methods, so that the file does not tell how it was made."""
        lines = [json.dumps(self.rows[key].to_dict(), allow_nan=False, ensure_ascii=False) for key in sorted(self.rows)]
        content = "".join(line + "\n" for line in lines).encode()
        if not lines or self._path.read_bytes() == content:
            return
        scratch = self._path.with_name(f".{self._path.name}.sorting")
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self._path)
        self._whole_bytes = len(content)

    def _row_of(self, line: bytes, number: int) -> Row:
        try:
            values = parsed_json(line.decode())
            if isinstance(values, dict):
                return Row.from_dict(values)
        except (ValueError, RecursionError, InputError):
            pass
        raise InputError(
            f"Line {number} of {self._path} is no row of results: the file is damaged or none of ours. Choose another"
            " --out, or remove the file."
        )

    def _check_origin(self, row: Row, protocol: Protocol) -> None:
        if row.protocol != protocol.name:
            raise InputError(
                f"The results {self._path} belong to the protocol {row.protocol}, not to {protocol.name}: choose"
                " another --out."
            )
        if row.version != protocol.version:
            raise InputError(
                f"The results {self._path} belong to another version of the protocol {protocol.name} (other cases,"
                " starts, seed or settings): choose another --out, or remove the file to begin anew."
            )
