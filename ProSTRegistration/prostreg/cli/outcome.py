"""The end of a command: its exit code, report and text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from prostreg.cli.exit_code import ExitCode

ANOTHER_OUT = "Choose another --out."
"""Advice of the command line where a file cannot be written."""


@dataclass(frozen=True)
class Outcome:
    """A finished command.

    Attributes:
        exit_code: as the process returns it.
        report: the one object that ``--json`` prints.
        text: what is printed on stdout without ``--json``; empty where all was said on the way.
    """

    exit_code: ExitCode
    report: dict[str, Any] = field(default_factory=dict)
    text: str = ""
