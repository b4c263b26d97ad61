"""docs/troubleshooting.md quotes sentences that the program says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SAYING = ("ProSTRegistration/prostreg/", "ProSTRegistration/ProSTRegistrationLib/")
OPEN = "\0"
"""Stands in a sentence of the program for what a case fills in, as … does on the page."""


def quoted_sentences(page: str) -> list[str]:
    """First cells of the tables, without their heads."""
    cells = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("|")]
    return [cell for cell in cells if cell not in ("you see", "---")]


def strings_in(source: str) -> Iterator[str]:
    """Texts of a Python file as they are said, with the places that are filled in open."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else OPEN for part in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\{\w*(?::[^}]*)?\}", OPEN, node.value)


@pytest.fixture(scope="module")
def said(repository: Path, python_files: list[str]) -> list[str]:
    found = (repository / "Makefile").read_text(encoding="utf-8").splitlines()
    for name in python_files:
        if name.startswith(SAYING):
            found += strings_in((repository / name).read_text(encoding="utf-8"))
    return found


def is_said(sentence: str, text: str) -> bool:
    """Whether the parts between … stand in a text, in their order."""
    at = 0
    for part in sentence.split("…"):
        at = text.find(part.strip(), at)
        if at < 0:
            return False
        at += len(part.strip())
    return True


def test_each_sentence_is_one_that_the_program_says(repository: Path, said: list[str]) -> None:
    sentences = quoted_sentences((repository / "docs/troubleshooting.md").read_text(encoding="utf-8"))
    assert len(sentences) > 60
    assert [sentence for sentence in sentences if not any(is_said(sentence, text) for text in said)] == []


def test_each_sentence_is_there_once_and_long_enough_to_find_it(repository: Path) -> None:
    sentences = quoted_sentences((repository / "docs/troubleshooting.md").read_text(encoding="utf-8"))
    assert len(set(sentences)) == len(sentences)
    assert [sentence for sentence in sentences if len(sentence.replace("…", "").split()) < 3] == []


def test_a_sentence_that_changed_is_seen(said: list[str]) -> None:
    assert any(is_said("The labels do not overlap the CT", text) for text in said)
    assert not any(is_said("The labels do not lie in the CT at all", text) for text in said)
    assert not any(is_said("better when moved … the labels fit", text) for text in said)
