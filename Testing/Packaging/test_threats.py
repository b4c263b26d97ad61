"""docs/threats.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path


def test_every_test_that_holds_a_threat_is_there(repository: Path, python_files: list[str]) -> None:
    named = set(re.findall(r"`(test_\w+)`", (repository / "docs" / "threats.md").read_text(encoding="utf-8")))
    tests = [repository / name for name in python_files if name.startswith("Testing/")]
    there = {found for file in tests for found in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}
    assert len(named) > 20
    assert named - there == set()
