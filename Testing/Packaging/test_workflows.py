"""The workflows of the build service are what its schema allows, and run what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from resolve_packages import NUMPY_OF_SLICER

WORKFLOWS = ".github/workflows/"


@pytest.fixture(scope="module")
def workflows(repository: Path, tracked_files: list[str]) -> list[Path]:
    files = [repository / name for name in tracked_files if name.startswith(WORKFLOWS)]
    assert files
    return files


def check(*files: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed: make setup")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    return subprocess.run([*command, *map(str, files)], capture_output=True, text=True)


def test_workflows_are_what_the_schema_allows(workflows: list[Path]) -> None:
    checked = check(*workflows)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_check_sees_a_misspelt_key(workflows: list[Path], tmp_path: Path) -> None:
    misspelt = tmp_path / "misspelt.yml"
    misspelt.write_text(workflows[0].read_text(encoding="utf-8").replace("runs-on:", "run-on:"), encoding="utf-8")
    assert check(misspelt).returncode == 1


def test_files_that_workflows_name_are_there(workflows: list[Path], tracked_files: list[str]) -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in workflows)
    named = set(re.findall(r"(?:Testing|ProSTRegistration)/[\w./]+\.\w+", text))
    assert "Testing/Slicer/walk.py" in named
    assert named <= set(tracked_files)


def test_slicer_runs_the_walk_and_what_ctest_runs(repository: Path) -> None:
    text = (repository / WORKFLOWS / "tests.yml").read_text(encoding="utf-8")
    script = re.search(
        r"SCRIPT \S+/Slicer/(\w+)\.py", (repository / "Testing/CMakeLists.txt").read_text(encoding="utf-8")
    )
    assert script is not None
    assert f"runUnitTest(['$PWD/Testing/Slicer'], '{script[1]}')" in text
    walk = text[text.index("--python-script") : text.index("Test of the application")]
    folder = re.search(r'--out "\$PWD/(\w+)"', walk)
    assert folder is not None
    assert f"path: {folder[1]}\n          if-no-files-found: error" in text
    minutes = re.search(r"timeout-minutes: (\d+)", text[text.index("  slicer:") :])
    deadline = re.search(r"--deadline (\d+)", walk)
    assert minutes is not None
    assert deadline is not None
    # The walk ends by itself, with its report, before the service ends it without one.
    assert int(deadline[1]) < 60 * int(minutes[1])


def test_slicers_own_files_are_tested_for_each_slicer_that_is_supported(repository: Path) -> None:
    """Tests skip what needs those sources where a variable does not name them."""
    text = (repository / WORKFLOWS / "tests.yml").read_text(encoding="utf-8")
    job = text[text.index("  sources:") : text.index("  slicer:")]
    branches = re.search(r"branch: \[(.+)\]", job)
    assert branches is not None
    assert branches[1] == ", ".join(f'"{version}"' for version in NUMPY_OF_SLICER)
    asked = {
        name
        for file in (repository / "Testing").rglob("*.py")
        for name in re.findall(r"\b(?:SLICER|CTK)_(?:BASE_PYTHON|SOURCE)\b", file.read_text(encoding="utf-8"))
    }
    assert {name for name in asked if f"{name}: ${{{{ github.workspace }}}}/sources/" in job} == asked


def test_windows_runs_what_make_runs(repository: Path, workflows: list[Path]) -> None:
    """make test installs and runs in .venv; Windows does the same without it, and both change together."""
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    text = (repository / WORKFLOWS / "tests.yml").read_text(encoding="utf-8")
    recipe = makefile[makefile.index("\ntest: lint") : makefile.index("\nfigures:")]
    commands = [line.removeprefix("\t$(BIN)/") for line in recipe.splitlines() if line.startswith("\t$(BIN)/")]
    assert len(commands) == 5
    for command in commands:
        assert re.search(rf"^ +{re.escape(command)}$", text, flags=re.M), command
    editable = re.search(r'--editable "\.\[scene[^"]+"', makefile)
    assert editable is not None
    assert editable[0] in text


def test_only_what_publishes_may_write_and_only_for_the_repository_itself(workflows: list[Path]) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: make setup")
    for file in workflows:
        workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert workflow["permissions"] == {"contents": "read"}, file.name
        writing = {name: job for name, job in workflow["jobs"].items() if "permissions" in job}
        assert set(writing) <= {"publish"}, file.name
        for job in writing.values():
            assert "default_branch" in job["if"] or "github.ref_type == 'tag'" in job["if"]
            # What is published was built by a job that may not write.
            assert not any("run" in step and "mkdocs" in step["run"] for step in job["steps"])
