"""Evidence: a run's knowledge of a pose that it found, without the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class MirrorFit:
    """The mirrored image's best pose beside the one found in the image as it is.

    Attributes:
        score: share of the mirrored pose's structure that the mirrored image confirms.
        margin: the advantage of the mirrored image's pose in explaining it, in standard deviations of that; may be
            negative.
    """

    score: float
    margin: float


@dataclass(frozen=True)
class Evidence:
    """The facts from which a confidence is made.

    Attributes:
        confirmed: share of the DRR's structure that the image confirms over the DRR's footprint.
        patches: number of patches that fit side by side into that footprint.
        seen: share of the anatomy that lies inside the images.
        runner_up: ``confirmed`` of the best other place that the run refined; 0 where there is none.
        agreement: refined poses of other CMA-ES runs that ended at this place.
        restarts: CMA-ES runs so far.
        surprise: how many spreads of the start the pose lies from it, as a root mean square over the six parameters.
        expected_mtre_mm: root mean square error over the anatomy if this is the right place; 0 while it is not known.
        expected_across_mm: the part of it across the first view's beam.
        expected_along_mm: the part of it along that.
        by_bones_around: the part of ``confirmed`` that bones around add, where they clearly fit as they lie in the CT.
    """

    confirmed: float
    patches: float
    seen: float
    runner_up: float
    agreement: float
    restarts: float
    surprise: float
    expected_mtre_mm: float = 0.0
    expected_across_mm: float = 0.0
    expected_along_mm: float = 0.0
    by_bones_around: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Plain numbers by name."""
        return asdict(self)


def confirmed_alone(evidence: Mapping[str, float]) -> float:
    """The share that the image confirms of the anatomy's own structure, from a result's evidence."""
    return evidence["confirmed"] - evidence["by_bones_around"]
