"""The extension, configured, built and installed by Slicer's own macros, without Slicer.

Runs where SLICER_SOURCE and CTK_SOURCE name source folders of Slicer and CTK, of which only the folder CMake is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
from test_metadata import SHIPPED

SOURCES = {name: os.environ.get(name, "") for name in ("SLICER_SOURCE", "CTK_SOURCE")}
MODULES_FOLDER = "lib/Slicer-5.12/qt-scripted-modules"

# Stands for what Slicer's build tree tells an extension; packaging needs that tree and is left out.
SLICER_CONFIG = """
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake")
"""
USE_SLICER = """
set(Slicer_USE_PYTHONQT ON)
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR @MODULES_FOLDER@)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR @MODULES_FOLDER@)
set(PYTHONINTERP_FOUND TRUE)
set(PYTHONLIBS_FOUND TRUE)
set(PYTHON_EXECUTABLE "@PYTHON@")
set(PYTHON_LIBRARIES "@PYTHON@")
set(CTK_CMAKE_DIR "@CTK_SOURCE@/CMake")
include("${CTK_CMAKE_DIR}/ctkFunctionExtractOptimizedLibrary.cmake")
include("${CTK_CMAKE_DIR}/ctkMacroCompilePythonScript.cmake")
include("@SLICER_SOURCE@/CMake/SlicerMacroBuildScriptedModule.cmake")
"""

pytestmark = [
    pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake"),
    pytest.mark.skipif(
        not all(source and (Path(source) / "CMake").is_dir() for source in SOURCES.values()),
        reason="needs SLICER_SOURCE and CTK_SOURCE, source folders of Slicer and CTK",
    ),
]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


@pytest.fixture
def slicer_folder(tmp_path: Path) -> Path:
    """A folder in which find_package(Slicer) finds the macros."""
    folder = tmp_path / "slicer"
    folder.mkdir()
    values = {**SOURCES, "MODULES_FOLDER": MODULES_FOLDER, "PYTHON": sys.executable}
    text = USE_SLICER
    for name, value in values.items():
        text = text.replace(f"@{name}@", PurePosixPath(value).as_posix())
    (folder / "UseSlicer.cmake").write_text(text)
    (folder / "SlicerConfig.cmake").write_text(SLICER_CONFIG)
    (folder / "Nothing.cmake").write_text("")
    return folder


@pytest.fixture
def copied_extension(repository: Path, tracked_files: list[str], tmp_path: Path) -> Path:
    """What git tracks of the extension, and nothing that lies about beside it."""
    folder = tmp_path / "extension with ü"
    for name in tracked_files:
        if name == "CMakeLists.txt" or name.startswith(("ProSTRegistration/", "Testing/CMakeLists")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(repository / name, folder / name)
    return folder


def test_everything_of_the_module_is_installed_and_compiles(
    slicer_folder: Path, copied_extension: Path, tmp_path: Path
) -> None:
    build, installed = tmp_path / "build", tmp_path / "installed"
    done = run("cmake", "-S", copied_extension, "-B", build, f"-DSlicer_DIR={slicer_folder}")
    assert done.returncode == 0, done.stderr
    done = run("cmake", "--build", build)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SyntaxError" not in done.stdout + done.stderr
    done = run("cmake", "--install", build, "--prefix", installed)
    assert done.returncode == 0, done.stderr
    folder = installed / MODULES_FOLDER
    found = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    source = copied_extension / "ProSTRegistration"
    expected = {
        file.relative_to(source).as_posix()
        for file in source.rglob("*")
        if file.suffix in SHIPPED and file.name != "CMakeLists.txt"
    }
    assert {name for name in found if not name.endswith(".pyc")} == expected
    assert len([name for name in found if name.endswith(".pyc")]) == len(
        [name for name in expected if name.endswith(".py")]
    )


def test_a_listed_file_that_is_gone_stops_the_configuration(
    slicer_folder: Path, copied_extension: Path, tmp_path: Path
) -> None:
    (copied_extension / "ProSTRegistration/ProSTRegistrationLib/Logic.py").unlink()
    done = run("cmake", "-S", copied_extension, "-B", tmp_path / "build", f"-DSlicer_DIR={slicer_folder}")
    assert done.returncode != 0
    assert "ProSTRegistrationLib/Logic.py" in done.stderr
