"""Sources of cases: one list of their kinds, each a module that reads and opens its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from prostreg.evaluation.sources import case_folders, deepfluoro, phantom_cases, simulated_cases, wrist_biplane
from prostreg.evaluation.sources.case_series import CaseSeries
from prostreg.evaluation.sources.misspecified import Misspecifier
from prostreg.json_fields import JsonFields
from prostreg.registration.case import Case


class CaseSource(Protocol):
    """Makes cases by their numbers, always the same case for the same number."""

    def __len__(self) -> int: ...

    def case(self, number: int) -> Case:
        """Case ``number``, counted from 0.

        Raises:
            InputError: this case cannot be made; the others may.
        """
        ...


class SourceModule(Protocol):
    """A kind of source."""

    def read_source(self, fields: JsonFields) -> Any:
        """Reads the "source" of a protocol; faults are noted, and the caller ends the fields."""
        ...

    def make_source(self, series: CaseSeries, data_folder: Path | None) -> CaseSource:
        """Opens the source; InputError names every file that is missing or another one than it should be."""
        ...


SOURCES: dict[str, SourceModule] = {
    "simulated": simulated_cases,
    "phantom": phantom_cases,
    "case-folders": case_folders,
    "deepfluoro": deepfluoro,
    "wrist-biplane": wrist_biplane,
}


def read_source(fields: JsonFields) -> tuple[str, Any]:
    """The kind of a "source", and what its module read of it; of an unknown kind, nothing can be judged."""
    kinds = tuple(SOURCES)
    kind: str = fields.checked("kind", lambda kind: kind in kinds, f"choose one of {', '.join(kinds)}", "")
    if not kind:
        return "", None
    source = SOURCES[kind].read_source(fields)
    fields.end()
    return kind, source


def make_case_source(series: CaseSeries, data_folder: Path | None) -> CaseSource:
    """Opens the cases of a protocol.

    Args:
        series: says which.
        data_folder: where its files are; None for a protocol that needs none.

    Raises:
        InputError: lists the files that are missing, with where they come from.
    """
    source = SOURCES[series.source_kind].make_source(series, data_folder)
    if not series.misspecified:
        return source
    return _ToldWrongly(source, series, Misspecifier(series.seed, data_folder, series.name))


class _ToldWrongly:
    """Cases of another source, as a protocol tells them wrongly."""

    def __init__(self, source: CaseSource, series: CaseSeries, misspecifier: Misspecifier) -> None:
        self._source, self._series, self._misspecifier = source, series, misspecifier

    def __len__(self) -> int:
        return len(self._source)

    def case(self, number: int) -> Case:
        wrong = self._series.misspecification(number)
        return self._misspecifier.told(self._source.case(number), number, wrong)
