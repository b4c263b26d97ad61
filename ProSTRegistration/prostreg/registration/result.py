"""Reports of a registration: progress while it runs, a result at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.frames import Matrix
from prostreg.registration.readings import PolarityUsed

Status = Literal["accepted", "uncertain", "failed"]
WORST_FIRST: tuple[Status, ...] = ("failed", "uncertain", "accepted")


@dataclass(frozen=True, eq=False)
class Progress:
    """A sign of life between two evaluations.

    Attributes:
        stage: name of the running stage.
        fraction: 0..1 of the whole run, by its planned work.
        score: best similarity so far at this stage.
        world_from_volume: the best pose so far, rigid (4, 4).
        message: one short line for people.
        seconds_left: estimate, None while there is none.
        bone: name of the one of several bones that the pose is of; "" where all move, and in a case of one.
    """

    stage: str
    fraction: float
    score: float
    world_from_volume: Matrix
    message: str
    seconds_left: float | None = None
    bone: str = ""


@dataclass(frozen=True)
class StageReport:
    """The account of one stage of a run."""

    name: str
    evaluations: int
    seconds: float
    score: float
    starts: int


@dataclass(frozen=True, eq=False)
class ExpectedError:
    """The expected error of a right pose, as standard deviations.

    Attributes:
        rotation_deg: (3,) about the axes of the pose's `PoseChart`: tilts about u and v, in-plane turn; if the C-arm is
            as given.
        translation_mm: (3,) of the anatomy's centre along them: along u, along v, depth; likewise.
        across_mm: root mean square over the anatomy's points, across the first view's beam; with what is not known of
            the C-arm.
        along_mm: the same along the beam.
    """

    rotation_deg: NDArray[np.float64]
    translation_mm: NDArray[np.float64]
    across_mm: float
    along_mm: float

    @property
    def mtre_mm(self) -> float:
        """Root mean square over the anatomy's points in 3D."""
        return math.hypot(self.across_mm, self.along_mm)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "rotation_deg": self.rotation_deg.tolist(),
            "translation_mm": self.translation_mm.tolist(),
            "across_mm": self.across_mm,
            "along_mm": self.along_mm,
            "mtre_mm": self.mtre_mm,
        }


@dataclass(frozen=True)
class CArmFit:
    """The C-arm that the image fits best, with standard deviations.

    Attributes:
        given_sdd_mm: what the result's pose belongs to; 1000 stands for what is not known.
        sdd_mm: what the image says, the principal point as well known as it was given.
        sdd_deviation_mm: of ``sdd_mm``.
        given_principal_point: (cx, cy) in pixels of the first view, what the result's pose belongs to.
        principal_point: what the image says, the distance as well known as it was given.
        principal_point_deviation_px: of ``principal_point``.
    """

    given_sdd_mm: float
    sdd_mm: float
    sdd_deviation_mm: float
    given_principal_point: tuple[float, float]
    principal_point: tuple[float, float]
    principal_point_deviation_px: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Attempt:
    """A pose that a run refined and judged on its way.

    Attributes:
        evidence: what was known about it; see `prostreg.registration.evidence.Evidence`.
    """

    world_from_volume: Matrix
    confidence: float
    evidence: Mapping[str, float]


@dataclass(frozen=True)
class ComparedPlace:
    """A place that looks like the anatomy's, compared by the bones around it.

    Attributes:
        offset_mm: RAS: of the anatomy from where it was found.
        confirmed: share of the structure of the bones around that the image confirms.
    """

    offset_mm: tuple[float, float, float]
    confirmed: float


@dataclass(frozen=True)
class FoundView:
    """The place of a further view's C-arm as its image has it, where it was only roughly known.

    Attributes:
        view: its number, counted from 1.
        status: the verdict on the anatomy in this image alone.
        rotation_deg: angle by which the C-arm is turned from where it was said to stand against the first.
        translation_mm: by how much it is shifted, at the anatomy.
    """

    view: int
    status: Status
    rotation_deg: float
    translation_mm: float


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of a registration; fields as in result.json.

    Attributes:
        name: of the case.
        status: the verdict: "accepted", "uncertain" or "failed".
        confidence: probability that the mTRE is below 10 mm, 0 to 1.
        world_from_volume: the pose, rigid (4, 4): from the CT's RAS to the C-arms' world, mm.
        camera_from_volume: the same for each view, into its camera's frame.
        stages: what was done, in order.
        seconds: from images in memory to the pose.
        device: where it was computed.
        projector: which one rendered.
        mtre_mm: the error, where the case knows the truth; None elsewhere.
        config: the settings, as `RegistrationConfig.to_dict` gives them.
        versions: of the engine and what it computes with.
        warnings: sentences on files and devices that have to be known beside the result.
        reasons: for the verdict, in words, the weightiest first.
        evidence: what the confidence was made from; see `prostreg.registration.evidence.Evidence`.
        expected_error: None where the pose explains nothing.
        carm_fit: None where the result is not one that could be accepted.
        attempts: every pose that was judged, in order; the result is the most convincing one, polished.
        weights: title, kind and sha256 of the network's weights; None where there was no network.
        polarities: with which each view was read.
        look_alikes: the place found and those that it was compared with, where the CT has any that look alike.
        stopped: why the run ended early ("cancelled", "time limit"), None if it ran to its end.
        relation: of further views, where their places were only roughly known.
        is_settled: whether the search was convinced: what is doubted nevertheless, no more searching mends.
    """

    name: str
    status: Status
    confidence: float
    world_from_volume: Matrix
    camera_from_volume: tuple[Matrix, ...]
    stages: tuple[StageReport, ...]
    seconds: float
    device: str
    projector: str
    mtre_mm: float | None
    config: dict[str, Any]
    versions: dict[str, str]
    warnings: tuple[str, ...] = ()
    stopped: str | None = None
    reasons: tuple[str, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)
    expected_error: ExpectedError | None = None
    carm_fit: CArmFit | None = None
    attempts: tuple[Attempt, ...] = ()
    weights: Mapping[str, str] | None = None
    polarities: tuple[PolarityUsed, ...] = ()
    look_alikes: tuple[ComparedPlace, ...] = ()
    is_settled: bool = False
    relation: tuple[FoundView, ...] = ()
