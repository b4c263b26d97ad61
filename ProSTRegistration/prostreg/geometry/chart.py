"""Six decoupled numbers for a pose: turns about the anatomy's centre and shifts along the viewing ray.

The axes are the camera's, tilted so that the third runs from the source through the anatomy's
centre. Then depth does not move the anatomy in the image, and a turn about the third axis is
an in-plane rotation: every optimiser profits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.geometry.se3 import exp_so3, left_jacobian_so3, log_so3

PARAMETERS = ("tilt about u", "tilt about v", "in-plane turn", "shift along u", "shift along v", "depth")


@dataclass(frozen=True, eq=False)
class PoseChart:
    """Coordinates around one pose.

    Attributes:
        world_from_volume: the pose at the origin of the chart, rigid (4, 4).
        camera_from_world: the camera whose axes are used, rigid (4, 4).
        centre_mm: the anatomy's centre in the volume frame (3,).
    """

    world_from_volume: Matrix
    camera_from_world: Matrix
    centre_mm: NDArray[np.float64]

    @property
    def camera_from_volume(self) -> Matrix:
        return self.camera_from_world @ self.world_from_volume

    @property
    def centre_camera_mm(self) -> NDArray[np.float64]:
        """The anatomy's centre in the camera frame at the chart's origin."""
        return transform_points(self.camera_from_volume, self.centre_mm)

    @property
    def camera_from_axes(self) -> NDArray[np.float64]:
        """(3, 3) rotation whose columns are the chart's axes in the camera frame."""
        ray = self.centre_camera_mm / np.linalg.norm(self.centre_camera_mm)
        across = np.cross([0.0, 0.0, 1.0], ray)
        sine, cosine = np.linalg.norm(across), ray[2]
        if sine < 1e-12:
            return np.eye(3)
        return _exp(across / sine * np.arctan2(sine, cosine))

    def world_from_volume_at(self, parameters: ArrayLike) -> NDArray[np.float64]:
        """Poses (n, 4, 4) of parameters (n, 6): three rotations in rad, three shifts in mm."""
        values = np.atleast_2d(np.asarray(parameters, dtype=np.float64))
        axes, centre = self.camera_from_axes, self.centre_camera_mm
        rotation = _exp(values[:, :3] @ axes.T)
        motion = np.zeros((len(values), 4, 4))
        motion[:, :3, :3] = rotation
        motion[:, :3, 3] = centre + values[:, 3:] @ axes.T - rotation @ centre
        motion[:, 3, 3] = 1
        return np.asarray(invert_rigid(self.camera_from_world) @ motion @ self.camera_from_volume)

    def parameters_of(self, world_from_volume: ArrayLike) -> NDArray[np.float64]:
        """Parameters (6,) of a pose (4, 4): the inverse of `world_from_volume_at`."""
        camera_from_volume = self.camera_from_world @ np.asarray(world_from_volume, dtype=np.float64)
        motion = camera_from_volume @ invert_rigid(self.camera_from_volume)
        axes, centre = self.camera_from_axes, self.centre_camera_mm
        shift = motion[:3, 3] + motion[:3, :3] @ centre - centre
        rotation_vector = log_so3(torch.from_numpy(motion[:3, :3])).numpy()
        return np.concatenate([axes.T @ rotation_vector, axes.T @ shift])

    def twist_from_parameters(self, parameters: ArrayLike, camera_from_world: Matrix) -> NDArray[np.float64]:
        """Jacobian (n, 6, 6): change of parameters to twist about a camera's source, at parameters (n, 6).

        The twist (rotation in rad, translation in mm) moves points of the camera frame of
        ``camera_from_world`` by ``omega x X + v``, as the projectors' derivatives have it.
        """
        values = np.atleast_2d(np.asarray(parameters, dtype=np.float64))
        other_from_chart = camera_from_world @ invert_rigid(self.camera_from_world)
        axes = other_from_chart[:3, :3] @ self.camera_from_axes
        moved_centre = self.centre_camera_mm + values[:, 3:] @ self.camera_from_axes.T
        centre = transform_points(other_from_chart, moved_centre)
        turning = axes @ left_jacobian_so3(torch.from_numpy(values[:, :3])).numpy()
        jacobian = np.zeros((len(values), 6, 6))
        jacobian[:, :3, :3] = turning
        jacobian[:, 3:, :3] = np.cross(centre[:, None, :], turning, axisb=1, axisc=1)
        jacobian[:, 3:, 3:] = axes
        return jacobian


def _exp(rotation_vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(exp_so3(torch.from_numpy(np.ascontiguousarray(rotation_vector))).numpy())
