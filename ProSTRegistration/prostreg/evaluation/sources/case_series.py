"""The part of a protocol that a source of cases is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prostreg.evaluation.sources.misspecified import NONE, Misspecification
from prostreg.evaluation.sources.motion import Motion
from prostreg.evaluation.sources.starts import Starts


@dataclass(frozen=True)
class CaseSeries:
    """Numbered cases that are to be made.

    Attributes:
        name: of the protocol; stands in the names of the cases.
        source_kind: where the cases come from, a key of SOURCES.
        source: "source" as the module of that kind read it.
        starts: how starts are drawn; None where the source or the motion says where to start.
        motion: of the anatomy over a sequence of frames, each starting at the truth of the one before.
        cases: how many; a source with fewer gives all it has.
        seed: case ``n`` derives from (seed, n) and nothing else.
        landmarks_mm: (n, 3) in the volume frame, over which the mTRE is taken; empty where cases bring their own.
        misspecified: what cases are told wrongly, in turn; empty where they are told as they are.
    """

    name: str
    source_kind: str
    source: Any
    starts: Starts | None
    motion: Motion | None
    cases: int
    seed: int
    landmarks_mm: tuple[tuple[float, float, float], ...]
    misspecified: tuple[Misspecification, ...]

    def misspecification(self, number: int) -> Misspecification:
        """The misspecification of case ``number``."""
        return self.misspecified[number % len(self.misspecified)] if self.misspecified else NONE
