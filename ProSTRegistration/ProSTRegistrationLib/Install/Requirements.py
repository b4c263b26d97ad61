"""The packages that the engine needs of a Python: those that Slicer brings, and those that it lacks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

OLDEST_PYTHON = (3, 10)
TORCH_REQUIREMENT = "torch>=2.4.1"
"""Older ones were built for numpy 1, and Slicer ships numpy 2."""
WANTED = ("numba",)
"""The worker is slower without them; the other requirements it cannot do without."""
BROUGHT_BY_SLICER = ("numpy>=1.26", "SimpleITK>=2.3", "pydicom>=2.4")
REQUIREMENTS_FILE = Path(__file__).resolve().parents[2] / "Resources" / "requirements.txt"


@dataclass(frozen=True)
class Requirement:
    """A package with the oldest version that does; ``text`` is what pip reads, as in "numba>=0.60"."""

    text: str

    @property
    def name(self) -> str:
        return self.text.partition(">=")[0]

    @property
    def oldest(self) -> str:
        return self.text.partition(">=")[2]

    def isMetBy(self, version: str | None) -> bool:
        """True for a version, as text, that is new enough; False for None, which stands for no package."""
        return version is not None and release(version) >= release(self.oldest)

    def lackOf(self, version: str | None) -> str:
        """The words for what is missing where there is this version, or none."""
        return self.name if version is None else f"{self.name} ({version} is too old, {self.oldest} is needed)"


def requirements() -> list[Requirement]:
    """All that the worker needs beyond what Slicer ships, torch first."""
    lines = (line.strip() for line in REQUIREMENTS_FILE.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in (TORCH_REQUIREMENT, *lines) if line and not line.startswith("#")]


def brought() -> list[Requirement]:
    """All that the worker needs and Slicer ships."""
    return [Requirement(text) for text in BROUGHT_BY_SLICER]


def release(version: str) -> tuple[int, ...]:
    """The numbers in front: (2, 13, 0) for "2.13.0+cpu"."""
    return tuple(int(number) for number in re.findall(r"^[\d.]*\d", version)[0].split("."))
