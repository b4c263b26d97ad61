"""The motion of one bone against another between CT and X-ray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.geometry.rotations import vector_from_rotation

AXES = "RAS"


@dataclass(frozen=True, eq=False)
class RelativeMotion:
    """A bone's motion in the frame of another, against the CT.

    Attributes:
        bone: that moved.
        against: the bone in whose frame that is told.
        rotation_ras_deg: (3,) rotation vector: the axis of the turn in the patient's RAS axes of the CT, as long as its
            angle in degrees; a turn is positive as a right-handed screw along the axis.
        translation_ras_mm: (3,) of the bone's centre.
    """

    bone: str
    against: str
    rotation_ras_deg: NDArray[np.float64]
    translation_ras_mm: NDArray[np.float64]

    @property
    def rotation_deg(self) -> float:
        """Angle of the turn."""
        return float(np.linalg.norm(self.rotation_ras_deg))

    @property
    def translation_mm(self) -> float:
        """Distance that the bone's centre has moved."""
        return float(np.linalg.norm(self.translation_ras_mm))

    def sentence(self) -> str:
        """All of it on one line."""
        return (
            f"{self.bone} against {self.against}: turned by {self.rotation_deg:.1f} degrees"
            f" (about {_by_axes(self.rotation_ras_deg)}), centre shifted by {self.translation_mm:.1f} mm"
            f" ({_by_axes(self.translation_ras_mm)})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "bone": self.bone,
            "against": self.against,
            "rotation_deg": self.rotation_deg,
            "rotation_ras_deg": self.rotation_ras_deg.tolist(),
            "translation_mm": self.translation_mm,
            "translation_ras_mm": self.translation_ras_mm.tolist(),
        }


def volume_motion(world_from_bone: Matrix, world_from_against: Matrix) -> Matrix:
    """The motion (4, 4) of a bone in the CT's frame when the other bone is thought to rest there."""
    return np.asarray(invert_rigid(world_from_against) @ world_from_bone)


def relative_motion(bone: str, against: str, motion: Matrix, centre_mm: NDArray[np.float64]) -> RelativeMotion:
    """The motion of a bone by its `volume_motion`, about its centre (3,) in the volume frame."""
    turn_deg = np.rad2deg(vector_from_rotation(motion[:3, :3]))
    return RelativeMotion(bone, against, turn_deg, transform_points(motion, centre_mm) - centre_mm)


def _by_axes(numbers: NDArray[np.float64]) -> str:
    return ", ".join(f"{axis} {number:+.1f}" for axis, number in zip(AXES, numbers, strict=True))
