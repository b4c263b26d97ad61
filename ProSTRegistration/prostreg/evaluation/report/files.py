"""Writes what an evaluation leaves beside its rows: the table, the figures, and the sheet of the worst cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.report.summary import summarise
from prostreg.evaluation.report.table import table_text
from prostreg.evaluation.rows import Row
from prostreg.evaluation.sources.case_source import CaseSource
from prostreg.files import complete_file

TABLE_FILE = "table.md"


def write_report(
    folder: Path,
    protocol: Protocol,
    methods: Sequence[str],
    rows: Sequence[Row],
    planned: int,
    source: CaseSource | None,
) -> list[str]:
    """Writes everything into ``folder``; gives the files' names, the table first.

    Args:
        methods: in the order in which they are shown.
        planned: rows of the complete evaluation.
        source: to draw the worst cases from; None leaves them out.
    """
    summaries = [summarise(rows, method, protocol.success_mm) for method in methods]
    with complete_file(folder / TABLE_FILE) as unfinished:
        unfinished.write_text(table_text(protocol, summaries, rows, planned), encoding="utf-8")
    files = [TABLE_FILE]
    if rows:
        from prostreg.evaluation.report.figures import write_figures

        files += write_figures(folder, protocol, methods, rows)
    if rows and source is not None:
        from prostreg.evaluation.report.worst_cases import write_worst_cases

        files += write_worst_cases(folder, protocol, rows, source)
    return files
