"""CITATION.cff is what its schema allows, and names the papers and the licence that the README and the package name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FILE = "CITATION.cff"


def test_it_is_what_the_schema_allows(repository: Path) -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed: make setup")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format"]
    checked = subprocess.run([*command, str(repository / FILE)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_papers_and_licence_are_those_of_readme_and_package(repository: Path) -> None:
    citation, readme, package = (
        (repository / name).read_text(encoding="utf-8") for name in (FILE, "README.md", "pyproject.toml")
    )
    papers = readme.partition("whom to cite")[2].partition("## Sample data")[0]
    assert set(re.findall(r"doi: (\S+)", citation)) == set(re.findall(r"doi\.org/([^)\s]+)", papers))
    assert re.findall(r"^license: (\S+)", citation, re.M) == re.findall(r'^license = "(\S+)"', package, re.M)
