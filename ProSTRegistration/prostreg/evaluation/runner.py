"""Runs an evaluation in this process, on all its cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.rows import Key, Row, RowMaker
from prostreg.evaluation.sources.case_source import CaseSource


def run_here(
    protocol: Protocol,
    source: CaseSource,
    keys: Sequence[Key],
    on_row: Callable[[Row], None],
    is_cancelled: Callable[[], bool],
) -> None:
    """Makes the rows one after the other.

    Args:
        keys: case number and method of the rows to make; those of one case in a row make it once.
        on_row: given each row as soon as it is there.
        is_cancelled: asked between and during registrations; a registration that was cancelled gives no row.
    """
    maker = RowMaker(protocol, source)
    for number, method in keys:
        if is_cancelled():
            return
        row = maker.row(number, method, is_cancelled)
        if row is not None:
            on_row(row)
