"""Rows of a measurement, kept in a file of JSON lines as they come: a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class KeptRows:
    """The rows of a file and those that are added.

    Args:
        path: of the file, which need not exist yet.
        key: the field by which a row is known.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self._done = {json.dumps(row[key]) for row in self.rows}

    def __contains__(self, key: object) -> bool:
        return json.dumps(key) in self._done

    def add(self, row: dict[str, Any]) -> None:
        """Keeps a row, and prints it."""
        line = json.dumps(row)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self.rows.append(row)
        self._done.add(json.dumps(row[self._key]))
        print(line, flush=True)
