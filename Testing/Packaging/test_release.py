"""A release: the notes are the version's own, every action is pinned, and the package works where nothing else lies."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import release_notes

from prostreg import __version__

CHANGE_LOG = """# Change log

## [Unreleased]

- not yet

## [1.10.0] - 2026-02-03

### Added

- ten

## [1.1.0] - 2026-01-02

- one

[1.1.0]: https://example.org/compare
"""
PACKAGES = {"prostreg": "ProSTRegistration", "ProSTRegistrationLib": "ProSTRegistration"}
"""Each package, and the folder of the repository in which it lies."""


def test_notes_are_the_versions_own() -> None:
    assert release_notes.notes_of(CHANGE_LOG, "1.10.0") == "### Added\n\n- ten"
    assert release_notes.notes_of(CHANGE_LOG, "1.1.0") == "- one"


@pytest.mark.parametrize("version", ["1.1", "1.0.0", "1x1.0", "Unreleased"])
def test_a_version_without_a_part_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="no part"):
        release_notes.notes_of(CHANGE_LOG, version)


def test_a_part_without_a_word_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing of 1"):
        release_notes.notes_of("## [1.0.0] - 2026-01-01\n\n## [0.9.0] - 2025-01-01\n\n- old\n", "1.0.0")


def test_this_version_has_notes_and_only_its_own_tag(capsys: pytest.CaptureFixture[str]) -> None:
    assert release_notes.version_of(release_notes.ROOT) == __version__
    assert release_notes.main([f"v{__version__}"]) == 0
    assert "- " in capsys.readouterr().out
    assert release_notes.main(["v999.0.0"]) == 1
    assert f"v{__version__}" in capsys.readouterr().err


def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(
    repository: Path, tracked_files: list[str]
) -> None:
    files = [name for name in tracked_files if name.startswith(".github/workflows/")]
    used = [
        line.strip()
        for name in files
        for line in (repository / name).read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert used
    pinned = re.compile(r"(?:- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in used if not pinned.fullmatch(line)] == []
    # One version of each action: what was tried is what releases.
    assert len({line.split("@")[0].removeprefix("- ") for line in used}) == len(
        {line.removeprefix("- ") for line in used}
    )


@pytest.fixture(scope="module")
def checkout(repository: Path, tracked_files: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone holds, without what builds have left here."""
    pytest.importorskip("setuptools", "77", reason="setuptools is not installed, or older than pyproject.toml asks for")
    folder = tmp_path_factory.mktemp("checkout")
    for name in tracked_files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(repository / name, folder / name)
    return folder


def built(kind: str, sources: Path, out: Path) -> Path:
    """The wheel or the archive of sources, as pip has them made."""
    code = f"import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, str(out)], cwd=sources, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", checkout, tmp_path_factory.mktemp("wheel"))


def files_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path, tracked_files: list[str]) -> None:
    """A data file that pyproject.toml forgets is missed first by a user."""
    expected = {
        name.removeprefix(f"{folder}/")
        for name in tracked_files
        for package, folder in PACKAGES.items()
        if name.startswith(f"{folder}/{package}/")
    }
    inside = {name for name in files_in(wheel) if name.split("/")[0] in PACKAGES}
    assert inside == expected


def test_the_wheel_brings_nothing_else_but_the_benchmarks(wheel: Path) -> None:
    assert {name.split("/")[0] for name in files_in(wheel)} == {*PACKAGES, "prostreg_bench"}


def test_the_sources_make_the_same_wheel(checkout: Path, wheel: Path, tmp_path: Path) -> None:
    archive = built("sdist", checkout, tmp_path / "sdist")
    with tarfile.open(archive) as sources:
        sources.extractall(tmp_path, filter="data")
    again = built("wheel", tmp_path / f"prostreg-{__version__}", tmp_path / "wheel")
    assert files_in(again) == files_in(wheel)


def test_the_wheel_works_where_no_checkout_is(wheel: Path, tmp_path: Path) -> None:
    """Names, protocols and the shipped weights come from the wheel's own files."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import prostreg\n"
        "assert prostreg.__file__.startswith(sys.argv[1]), prostreg.__file__\n"
        "from prostreg.cli.main import main\n"
        "sys.exit(main(['info']) or main(['evaluate', '--list']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert __version__ in done.stdout
    assert "prost-pelvis" in done.stdout
