"""Writes the lists of files that Slicer installs into ProSTRegistration/CMakeLists.txt: `make manifest`."""

from __future__ import annotations

import re
from pathlib import Path

MODULE = Path(__file__).resolve().parents[2] / "ProSTRegistration"
PACKAGES = ("ProSTRegistrationLib", "prostreg")
DATA = {".json", ".ptx", ".safetensors"}


def scripts() -> list[str]:
    """Python files that are installed, the module first."""
    return ["${MODULE_NAME}.py", *_files(PACKAGES, {".py"})]


def resources() -> list[str]:
    """Icons, forms and data that are installed."""
    return [*_files(("Resources",), {".png", ".svg", ".ui", ".txt"}), *_files(PACKAGES, DATA)]


def _files(folders: tuple[str, ...], suffixes: set[str]) -> list[str]:
    found = (path for folder in folders for path in (MODULE / folder).rglob("*") if path.suffix in suffixes)
    return sorted((path.relative_to(MODULE).as_posix() for path in found), key=_order)


def _order(name: str) -> tuple[str, ...]:
    return tuple(name.split("/"))


def with_lists(cmake: str) -> str:
    """The content of CMakeLists.txt with both lists made anew."""
    for variable, names in (("MODULE_PYTHON_SCRIPTS", scripts()), ("MODULE_PYTHON_RESOURCES", resources())):
        listed = "".join(f"  {name}\n" for name in names)
        cmake = re.sub(rf"set\({variable}\n.*?\n  \)", lambda _: f"set({variable}\n{listed}  )", cmake, flags=re.S)  # noqa: B023
    return cmake


if __name__ == "__main__":
    file = MODULE / "CMakeLists.txt"
    file.write_text(with_lists(file.read_text(encoding="utf-8")), encoding="utf-8")
