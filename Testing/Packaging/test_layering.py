"""Imports go down only: the engine knows nothing of Slicer, and the Slicer side does not load torch."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SLICER_SIDE = {
    "slicer",
    "qt",
    "ctk",
    "vtk",
    "vtkmodules",
    "slicer_core",
    "mrml",
    "ProSTRegistrationLib",
    "ProSTRegistration",
}
HEAVY = {"torch"}

IMPORT_ALL = """
import importlib, pkgutil, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ImportError(f"{name} must not be imported here")

package, blocked = sys.argv[1], set(sys.argv[2].split(","))
sys.meta_path.insert(0, Blocker())
names = [package]
for info in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
    if not info.name.endswith(".__main__"):
        importlib.import_module(info.name)
        names.append(info.name)
assert not blocked & {name.partition(".")[0] for name in sys.modules}
print(len(names))
"""


def count_modules_imported(repository: Path, package: str, blocked: set[str]) -> int:
    """Imports every module of a package in a fresh interpreter where some others cannot be imported."""
    command = [sys.executable, "-c", IMPORT_ALL, package, ",".join(sorted(blocked))]
    done = subprocess.run(command, cwd=repository / "ProSTRegistration", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


def imported_roots(file: Path) -> set[str]:
    """First parts of the names of all modules that a file imports anywhere, inside functions too."""
    roots: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            roots.add(node.module.partition(".")[0])
    return roots


def offenders(repository: Path, python_files: list[str], prefix: str, forbidden: set[str]) -> dict[str, set[str]]:
    files = [name for name in python_files if name.startswith(prefix)]
    assert files, f"there are no files under {prefix}"
    found = {name: imported_roots(repository / name) & forbidden for name in files}
    return {name: roots for name, roots in found.items() if roots}


def test_engine_imports_without_slicer(repository: Path) -> None:
    assert count_modules_imported(repository, "prostreg", SLICER_SIDE) > 20


def test_engine_never_names_slicer(repository: Path, python_files: list[str]) -> None:
    assert offenders(repository, python_files, "ProSTRegistration/prostreg/", SLICER_SIDE) == {}


@pytest.mark.skipif(importlib.util.find_spec("slicer") is None, reason="needs slicer-core: pip install .[scene]")
def test_slicer_side_imports_without_torch(repository: Path) -> None:
    assert count_modules_imported(repository, "ProSTRegistrationLib", HEAVY) > 3


@pytest.mark.parametrize(
    "prefix", ["ProSTRegistration/ProSTRegistrationLib/", "ProSTRegistration/ProSTRegistration.py"]
)
def test_slicer_side_never_names_torch(repository: Path, python_files: list[str], prefix: str) -> None:
    assert offenders(repository, python_files, prefix, HEAVY) == {}


def test_slicer_takes_one_module_from_its_folder(python_files: list[str]) -> None:
    beside_each_other = [name for name in python_files if Path(name).parent == Path("ProSTRegistration")]
    assert beside_each_other == ["ProSTRegistration/ProSTRegistration.py"]


def test_module_file_has_the_classes_that_slicer_looks_for(repository: Path) -> None:
    tree = ast.parse((repository / "ProSTRegistration" / "ProSTRegistration.py").read_text(encoding="utf-8"))
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert {"ProSTRegistration", "ProSTRegistrationWidget"} <= classes
