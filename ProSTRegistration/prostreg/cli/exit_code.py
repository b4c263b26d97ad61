"""The exit codes of every command."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    DEFECT = 1
    BAD_INPUT = 2
    NOT_ACCEPTED = 3
    STOPPED = 4
