"""The repository's address is the same in all places, and one command sets it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from write_repository import PLACES, repository_url, write_url

OTHER = "https://github.com/somebody/SlicerOther"


def test_address_stands_in_the_listed_places_and_nowhere_else(repository: Path, tracked_files: list[str]) -> None:
    path = repository_url(repository).removeprefix("https://github.com/")
    texts = {".txt", ".json", ".s4ext", ".py", ".md", ".toml", ".yml", ".ui"}
    naming = {
        name
        for name in tracked_files
        if Path(name).suffix in texts and path in (repository / name).read_text(encoding="utf-8")
    }
    assert naming == set(PLACES)


def test_each_place_that_is_read_has_the_same_address(repository: Path) -> None:
    url = repository_url(repository)
    patterns = {
        "ProSTRegistration.json": r'"scm_url": "([^"]+)"',
        "ProSTRegistration.s4ext": r"^(?:scmurl|homepage) (\S+)$",
        "ProSTRegistration/ProSTRegistration.py": r'<a href="([^"]+)">documentation',
        "README.md": r"^<(https://github\.com/\S+)>",
        "mkdocs.yml": r"^repo_url: (\S+)$",
        "pyproject.toml": r'^Homepage = "([^"]+)"',
    }
    for name, pattern in patterns.items():
        found = set(re.findall(pattern, (repository / name).read_text(encoding="utf-8"), flags=re.M))
        assert found == {url}, name


def test_one_command_sets_it_everywhere(repository: Path, tmp_path: Path) -> None:
    old = repository_url(repository).removeprefix("https://github.com/")
    for name in PLACES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(repository / name, tmp_path / name)
    write_url(tmp_path, OTHER)
    assert repository_url(tmp_path) == OTHER
    for name in PLACES:
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert old not in text
        assert "somebody/SlicerOther" in text


@pytest.mark.parametrize(
    "url", ["", "https://github.com/somebody", "git@github.com:a/SlicerB", "https://github.com/a/B", OTHER + ".git"]
)
def test_another_kind_of_address_is_refused_and_nothing_written(repository: Path, tmp_path: Path, url: str) -> None:
    shutil.copy(repository / "CMakeLists.txt", tmp_path)
    with pytest.raises(ValueError, match="give such an address"):
        write_url(tmp_path, url)
    assert repository_url(tmp_path) == repository_url(repository)
