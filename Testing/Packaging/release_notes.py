"""Prints what the change log says of the version, for the page of its release.

    python Testing/Packaging/release_notes.py [TAG]

Ends with 1 where the tag does not name the version of the sources, or where the change log has no part for it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def version_of(root: Path) -> str:
    """The version of the sources in ``root``, "0.2.0"."""
    text = (root / "ProSTRegistration" / "prostreg" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.M)
    if found is None:
        raise ValueError("prostreg/__init__.py has no __version__.")
    return found[1]


def notes_of(change_log: str, version: str) -> str:
    """The part of a version, in Markdown without its headline.

    Raises:
        ValueError: no part has that version and a date, or nothing is in it.
    """
    headline = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    parts = re.split(headline, change_log, maxsplit=1, flags=re.M)
    if len(parts) == 1:
        raise ValueError(f'The change log has no part "## [{version}] - YEAR-MONTH-DAY".')
    notes = re.split(r"^(?:## |\[[^\]]+\]: )", parts[1], maxsplit=1, flags=re.M)[0].strip()
    if not notes:
        raise ValueError(f"The change log says nothing of {version}.")
    return notes


def main(arguments: list[str]) -> int:
    version = version_of(ROOT)
    if arguments and arguments[0] != f"v{version}":
        print(f"The tag {arguments[0]} does not name the version of the sources, v{version}.", file=sys.stderr)
        return 1
    try:
        print(notes_of((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version))
    except ValueError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
