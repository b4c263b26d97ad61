"""What a registration reports: progress while it runs, a result at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from prostreg.geometry.frames import Matrix

Status = Literal["accepted", "uncertain", "failed"]


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
    """

    stage: str
    fraction: float
    score: float
    world_from_volume: Matrix
    message: str
    seconds_left: float | None = None


@dataclass(frozen=True)
class StageReport:
    """What one stage of a run did."""

    name: str
    evaluations: int
    seconds: float
    score: float
    starts: int


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of a registration; fields as in result.json.

    Attributes:
        stopped: why the run ended early ("cancelled", "time limit"), None if it ran to its end.
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
    reasons: tuple[str, ...] = field(default=())
