"""The outcome of a registration of several bones."""

from __future__ import annotations

from dataclasses import dataclass

from prostreg.geometry.frames import Matrix
from prostreg.registration.bones.motion import RelativeMotion
from prostreg.registration.case import Bone
from prostreg.registration.result import WORST_FIRST, Result, Status


@dataclass(frozen=True, eq=False)
class FoundBone:
    """One bone and what came of it.

    Attributes:
        result: None where the run was stopped before its turn.
        start_world_from_volume: from which it was found, rigid (4, 4); None where there was none.
        before: what was found of it before the refinement with the other bones, where that moved it.
        moved_mm: by how much the refinement with the other bones moved it, as a mean over its points; 0 where what was
            found before was kept.
        free: what was found of it by its image alone, where its joints moved it.
    """

    bone: Bone
    result: Result | None
    start_world_from_volume: Matrix | None = None
    before: Result | None = None
    moved_mm: float = 0.0
    free: Result | None = None

    @property
    def is_placed(self) -> bool:
        """True if it has a place in the images."""
        return self.result is not None and self.result.status != "failed"


@dataclass(frozen=True)
class FoundJoint:
    """The joint of two bones that were to stay together in it.

    Attributes:
        bone, against: their names.
        is_ball: True where its centre is that of a head; else it is the middle of the surfaces that face each other.
        image_gap_mm: how far apart the images alone have the two centres of the joint.
        gap_mm: the same at the poses given.
        is_in_place: False where the images show it out of place: then it was not closed.
    """

    bone: str
    against: str
    is_ball: bool
    image_gap_mm: float
    gap_mm: float
    is_in_place: bool

    def sentence(self) -> str:
        """All of it on one line."""
        by_images = f"Joint of {self.bone} and {self.against}: {self.image_gap_mm:.1f} mm apart by the images"
        return f"{by_images}, {self.gap_mm:.1f} mm " + ("held together" if self.is_in_place else "left as it is")


@dataclass(frozen=True)
class Together:
    """The scores of the refinement of all bones together: means over the bones of DRRs with all of them."""

    rounds: int
    score_before: float
    score_after: float


@dataclass(frozen=True, eq=False)
class BonesResult:
    """The outcome of a registration of several bones.

    Attributes:
        name: of the case.
        bones: in the order of the case.
        motions: between each two that have a place, the later one in the frame of the earlier.
        together: None where fewer than two bones have a place, or the run was stopped before.
        warnings: sentences on bones that lie in or far off each other.
        seconds: from images in memory to poses.
        stopped: why the run ended early, None if it ran to its end.
        joints: in which the bones were to stay together; empty where nobody asked for that.
    """

    name: str
    bones: tuple[FoundBone, ...]
    motions: tuple[RelativeMotion, ...]
    together: Together | None
    warnings: tuple[str, ...]
    seconds: float
    stopped: str | None = None
    joints: tuple[FoundJoint, ...] = ()

    @property
    def status(self) -> Status:
        """The worst of the bones' verdicts; "failed" where a bone has none."""
        found = {"failed" if bone.result is None else bone.result.status for bone in self.bones}
        return next(status for status in WORST_FIRST if status in found)
