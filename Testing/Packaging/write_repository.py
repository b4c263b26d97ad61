"""Writes the repository's address wherever it stands: ``make repository URL=https://github.com/OWNER/SlicerNAME``.

CMakeLists.txt is the source. The catalogue reads its addresses as plain text, so that no CMake variable can stand for
them; neither can JSON, the s4ext, TOML, YAML and the module's help text have one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACES = (
    "CMakeLists.txt",
    "ProSTRegistration.json",
    "ProSTRegistration.s4ext",
    "ProSTRegistration/ProSTRegistration.py",
    "README.md",
    "mkdocs.yml",
    "pyproject.toml",
)
"""Every file that names the repository."""


def repository_url(root: Path) -> str:
    """The address in CMakeLists.txt, "https://github.com/OWNER/NAME"."""
    text = (root / "CMakeLists.txt").read_text(encoding="utf-8")
    found = re.search(r'set\(EXTENSION_HOMEPAGE "([^"]+)"\)', text)
    if found is None:
        raise ValueError("CMakeLists.txt has no EXTENSION_HOMEPAGE.")
    return found[1]


def write_url(root: Path, url: str) -> None:
    """Puts another address in all places, those of the pictures included.

    Args:
        root: the repository's folder.
        url: "https://github.com/OWNER/NAME"; the catalogue wants "Slicer" in the name.

    Raises:
        ValueError: the address is another one; nothing is written.
    """
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]*slicer[\w.-]*(?<!\.git)", url, flags=re.I):
        raise ValueError(f"{url!r} is not https://github.com/OWNER/NAME with Slicer in the name: give such an address.")
    old, new = (address.removeprefix("https://github.com/") for address in (repository_url(root), url))
    for place in PLACES:
        text = (root / place).read_text(encoding="utf-8")
        for host in ("https://github.com/", "https://raw.githubusercontent.com/"):
            text = text.replace(host + old, host + new)
        (root / place).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        write_url(ROOT, sys.argv[1] if len(sys.argv) == 2 else "")
    except ValueError as error:
        sys.exit(str(error))
