"""The sheet of the worst cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prostreg.evaluation.case_source import CaseSource
from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.rows import Row


def write_worst_cases(folder: Path, protocol: Protocol, rows: Sequence[Row], source: CaseSource) -> list[str]:
    """Writes the sheet; gives its name."""
    return []
