"""Links of the documents lead to files and headings that are there, as the repository's site shows them."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import pytest

BLOCK = re.compile(r"^ *```.*?^ *```", flags=re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
ELSEWHERE = ("https://", "http://", "mailto:")


def without_code(text: str) -> str:
    """A page without its blocks and spans of code, where brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", BLOCK.sub("", text))


def anchors(text: str) -> set[str]:
    """Names of a page's headings: lower case, spaces as hyphens, punctuation left out, repeated ones counted."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", BLOCK.sub("", text), flags=re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number = 0
        while (numbered := name if number == 0 else f"{name}-{number}") in found:
            number += 1
        found.add(numbered)
    return found


def broken(page: str, text: str, files: dict[str, str]) -> list[str]:
    """Links of a page that lead nowhere; ``files`` are the repository's, with the texts of the pages among them."""
    faults = []
    for link in LINK.findall(without_code(text)):
        if link.startswith(ELSEWHERE):
            continue
        path, _, anchor = link.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
        is_folder = any(name.startswith(f"{target}/") for name in files)
        if (target not in files and not is_folder) or (anchor and anchor not in anchors(files.get(target, ""))):
            faults.append(f"{page}: {link}")
    return faults


@pytest.fixture(scope="module")
def files(repository: Path, tracked_files: list[str]) -> dict[str, str]:
    return {
        name: (repository / name).read_text(encoding="utf-8") if name.endswith(".md") else "" for name in tracked_files
    }


def test_every_link_leads_somewhere(files: dict[str, str]) -> None:
    pages = {name: text for name, text in files.items() if name.endswith(".md")}
    assert sum(len(LINK.findall(text)) for text in pages.values()) > 100
    assert [fault for name, text in pages.items() for fault in broken(name, text, files)] == []


@pytest.mark.parametrize(
    ("link", "is_broken"),
    [
        ("own-data.md#3-judge", False),
        ("own-data.md#judge", True),
        ("nowhere.md", True),
        ("../README.md#licence", False),
        ("#here-twice-1", False),
        ("#here-twice-2", True),
        ("https://example.org/nowhere", False),
    ],
)
def test_a_broken_link_is_seen(files: dict[str, str], link: str, is_broken: bool) -> None:
    text = f"# Here, twice\n\n## Here twice\n\n[text]({link})\n"
    assert bool(broken("docs/new.md", text, {**files, "docs/new.md": text})) == is_broken
