"""The documents as a site: every page is in its navigation, and it is built without a warning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


def test_every_page_is_in_the_navigation(repository: Path, tracked_files: list[str]) -> None:
    """mkdocs says so too, where it is installed."""
    config = (repository / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(
        re.findall(r"([\w/-]+\.md)$", config[config.index("\nnav:") : config.index("\nvalidation:")], flags=re.M)
    )
    pages = {name.removeprefix("docs/") for name in tracked_files if re.fullmatch(r"docs/(?:adr/)?[^/]+\.md", name)}
    assert pages <= listed
    assert {name.lower() for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")} <= listed


@pytest.fixture(scope="module")
def site(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("material", reason="mkdocs-material is not installed: make site")
    pytest.importorskip("mkdocstrings_handlers.python", reason="mkdocstrings-python is not installed: make site")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=repository, env=quiet, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return folder


def test_links_that_leave_the_documents_are_turned(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="evaluation/"' in home
    assert 'src="Resources/Screenshots/demo-overlay.png"' in home
    assert (site / "Resources/Screenshots/demo-overlay.png").is_file()
    extending = (site / "extending/index.html").read_text(encoding="utf-8")
    assert re.search(r'href="https://github\.com/[\w./-]+/blob/main/ProSTRegistration/prostreg/choices\.py"', extending)
    method = (site / "method/index.html").read_text(encoding="utf-8")
    assert 'href="../#the-method-and-whom-to-cite"' in method


def test_docstrings_are_told_with_their_types(site: Path) -> None:
    reference = (site / "reference/index.html").read_text(encoding="utf-8")
    assert 'id="prostreg.register"' in reference
    assert "lists every fault of the case file and of all its files" in reference
    assert 'id="prostreg.similarity.selection.Similarity.confirmed_structure"' in reference
