"""The figures of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.rows import Row


def write_figures(folder: Path, protocol: Protocol, methods: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Writes the figures; gives their names."""
    return []
