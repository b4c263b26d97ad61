"""The poses of a CT whose bone a hand has taken hold of in the X-ray."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from ProSTRegistrationLib.StartPose import PoseSliders
from ProSTRegistrationLib.Views.MouseGrab import Grip

TILT_DEG_PER_WIDTH = 90.0
"""A tilt by a drag over the whole width of the detector."""
DEPTH_STEP_MM = 5.0


class PoseDrag:
    """Poses during one drag.

    Args:
        worldFromVolume: the pose at its beginning, rigid (4, 4).
        carm: CArm in the world.
        centreMm: the anatomy's centre (3,) in the CT's own frame.
        grip: Grip.
        placeMm: (3,) where it began on the detector, in the world.
    """

    def __init__(
        self,
        worldFromVolume: Matrix,
        carm: CArm,
        centreMm: NDArray[np.float64],
        grip: Grip,
        placeMm: NDArray[np.float64],
    ) -> None:
        self._pose, self._carm, self._grip = worldFromVolume, carm, grip
        self._start = self._onDetector(placeMm)
        self._sliders = PoseSliders(worldFromVolume, carm, centreMm)
        self._centre = transform_points(carm.camera_from_world @ worldFromVolume, centreMm)

    def at(self, placeMm: NDArray[np.float64]) -> Matrix:
        """world_from_volume (4, 4) when the hand has come to a place (3,) on the detector, in the world.

        A shift keeps the bone under the hand and its depth. A tilt takes the bone's near side along. A turn goes about
        the anatomy's centre in the picture.
        """
        place = self._onDetector(placeMm)
        right, down = place - self._start
        if self._grip is Grip.SHIFT:
            motion = np.eye(4)
            motion[:2, 3] = np.array([right, down]) * self._centre[2] / self._carm.sdd_mm
            cameraFromWorld = self._carm.camera_from_world
            return np.asarray(invert_rigid(cameraFromWorld) @ motion @ cameraFromWorld @ self._pose)
        if self._grip is Grip.TILT:
            perMm = TILT_DEG_PER_WIDTH / (self._carm.width * self._carm.detector_spacing_mm[0])
            return self._sliders.poseAt([0, 0, 0, down * perMm, -right * perMm, 0])
        axis = self._centre[:2] * self._carm.sdd_mm / self._centre[2]
        before, now = (np.arctan2(*(end - axis)[::-1]) for end in (self._start, place))
        return self._sliders.poseAt([0, 0, 0, 0, 0, np.rad2deg(now - before)])

    def _onDetector(self, placeMm: NDArray[np.float64]) -> NDArray[np.float64]:
        """To the right and down (2,) in mm from the central ray."""
        return transform_points(self._carm.camera_from_world, placeMm)[:2]


def deeper(worldFromVolume: Matrix, carm: CArm, centreMm: NDArray[np.float64], steps: int) -> Matrix:
    """world_from_volume (4, 4) of a CT so many steps further from the source, along the ray through its centre."""
    return PoseSliders(worldFromVolume, carm, centreMm).poseAt([0, 0, steps * DEPTH_STEP_MM, 0, 0, 0])
