"""Commands in the documents are ones that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from prostreg.cli.arguments import make_parser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^ *(?:\S*/)?prostreg ((?:\\\n|.)+)$", flags=re.MULTILINE)


def commands_of(page: str) -> list[str]:
    """What follows ``prostreg`` on the lines of blocks without a language, or of shells."""
    blocks = re.findall(r"^ *```(?:bash|sh)?\n(.*?)^ *```", page, flags=re.DOTALL | re.MULTILINE)
    return [found.replace("\\\n", " ") for block in blocks for found in COMMAND.findall(block)]


FOUND = [(page.name, command) for page in PAGES for command in commands_of(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "command"), FOUND)
def test_the_command_line_takes_what_the_pages_say(page: str, command: str) -> None:
    make_parser().parse_args(shlex.split(command, comments=True))


def test_there_are_such_commands() -> None:
    assert {"README.md", "own-data.md"} <= {page for page, _ in FOUND}
