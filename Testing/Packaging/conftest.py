"""What the tests of the repository itself share: where it is, and which files belong to it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tracked_files(repository: Path) -> list[str]:
    """Paths of all files that git tracks and that exist, relative to the repository, with forward slashes."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listing = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True).stdout
    files = [name for name in listing.split("\0") if name and (repository / name).exists()]
    assert "pyproject.toml" in files
    return files


@pytest.fixture(scope="session")
def python_files(tracked_files: list[str]) -> list[str]:
    return [name for name in tracked_files if name.endswith(".py")]
