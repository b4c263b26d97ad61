"""Six decoupled numbers for a pose: turns about the anatomy's centre and shifts along the viewing ray.

The axes are the camera's, tilted so that the third runs from the source through the anatomy's
centre. Then depth does not move the anatomy in the image, and a turn about the third axis is
an in-plane rotation: every optimiser profits.

`PoseChart` has many poses in the chart at one. The functions below it have each of many poses in the chart at itself:
what a descent and a training step need. There poses are camera_from_volume (n, 4, 4), and centres are the anatomies'
in the volume frame, (3,) or (n, 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.geometry.rotations import left_jacobian, rotation_from_vector, vector_from_rotation

Array = NDArray[np.float64]

ON_AXIS = 1e-12
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
    centre_mm: Array

    @cached_property
    def camera_from_volume(self) -> Matrix:
        return self.camera_from_world @ self.world_from_volume

    @cached_property
    def centre_camera_mm(self) -> Array:
        """The anatomy's centre in the camera frame at the chart's origin."""
        return transform_points(self.camera_from_volume, self.centre_mm)

    @cached_property
    def camera_from_axes(self) -> Array:
        """(3, 3) rotation whose columns are the chart's axes in the camera frame."""
        return _axes_along(self.centre_camera_mm)

    def world_from_volume_at(self, parameters: ArrayLike) -> Array:
        """Poses (n, 4, 4) of parameters (n, 6): three rotations in rad, three shifts in mm."""
        values = np.atleast_2d(np.asarray(parameters, dtype=np.float64))
        axes, centre = self.camera_from_axes, self.centre_camera_mm
        rotations = rotation_from_vector(values[:, :3] @ axes.T)
        motion = _motions(rotations, centre + values[:, 3:] @ axes.T - rotations @ centre)
        return np.asarray(invert_rigid(self.camera_from_world) @ motion @ self.camera_from_volume)

    def parameters_of(self, world_from_volume: ArrayLike) -> Array:
        """Parameters (6,) of a pose (4, 4): the inverse of `world_from_volume_at`."""
        camera_from_volume = self.camera_from_world @ np.asarray(world_from_volume, dtype=np.float64)
        motion = camera_from_volume @ invert_rigid(self.camera_from_volume)
        axes, centre = self.camera_from_axes, self.centre_camera_mm
        shift = motion[:3, 3] + motion[:3, :3] @ centre - centre
        return np.concatenate([axes.T @ vector_from_rotation(motion[:3, :3]), axes.T @ shift])

    def twist_from_parameters(self, parameters: ArrayLike, camera_from_world: Matrix) -> Array:
        """Jacobian (n, 6, 6): change of parameters to twist about a camera's source, at parameters (n, 6).

        The twist (rotation in rad, translation in mm) moves points of the camera frame of
        ``camera_from_world`` by ``omega x X + v``, as the projectors' derivatives have it.
        """
        values = np.atleast_2d(np.asarray(parameters, dtype=np.float64))
        other_from_chart = camera_from_world @ invert_rigid(self.camera_from_world)
        axes = other_from_chart[:3, :3] @ self.camera_from_axes
        moved_centre = self.centre_camera_mm + values[:, 3:] @ self.camera_from_axes.T
        centre = transform_points(other_from_chart, moved_centre)
        return _twists(centre, axes @ left_jacobian(values[:, :3]), axes)


def moved_poses(camera_from_volume: Array, centres_mm: Array, parameters: Array) -> Array:
    """Poses (n, 4, 4) at parameters (n, 6) of the charts at the given poses."""
    centres, axes = centres_and_axes(camera_from_volume, centres_mm)
    rotations = rotation_from_vector(_times(axes, parameters[:, :3]))
    shifts = centres + _times(axes, parameters[:, 3:]) - _times(rotations, centres)
    return np.asarray(_motions(rotations, shifts) @ camera_from_volume)


def parameters_between(camera_from_volume: Array, target_from_volume: Array, centres_mm: Array) -> Array:
    """Parameters (n, 6) of target poses (n, 4, 4) in the charts at the given poses."""
    centres, axes = centres_and_axes(camera_from_volume, centres_mm)
    motions = target_from_volume @ invert_rigid(camera_from_volume)
    shifts = motions[:, :3, 3] + _times(motions[:, :3, :3], centres) - centres
    turns = vector_from_rotation(motions[:, :3, :3])
    axes_from_camera = np.swapaxes(axes, -1, -2)
    return np.concatenate([_times(axes_from_camera, turns), _times(axes_from_camera, shifts)], axis=1)


def twists_from_parameters(
    camera_from_volume: Array, centres_mm: Array, other_from_camera: Array | None = None
) -> Array:
    """(n, 6, 6): small parameters to twists (rotation about the source, translation) in a camera's frame.

    Args:
        other_from_camera: rigid (4, 4) to that camera; the same one if None.
    """
    centres, axes = centres_and_axes(camera_from_volume, centres_mm)
    if other_from_camera is not None:
        centres = transform_points(other_from_camera, centres)
        axes = other_from_camera[:3, :3] @ axes
    return _twists(centres, axes, axes)


def centres_and_axes(camera_from_volume: Array, centres_mm: Array) -> tuple[Array, Array]:
    """The centres (n, 3) in the camera frame, and the charts' axes (n, 3, 3), as columns in it."""
    centres = np.broadcast_to(centres_mm, (len(camera_from_volume), 3))
    centres = _times(camera_from_volume[:, :3, :3], centres) + camera_from_volume[:, :3, 3]
    return centres, _axes_along(centres)


def _axes_along(centres: Array) -> Array:
    """(..., 3, 3): the shortest turn of the beam's axis (0, 0, 1) onto the rays to centres (..., 3).

    Onto a ray straight backwards, where no turn is the shortest, it is half a turn about u.
    """
    rays = centres / _lengths(centres)
    across = np.cross([0.0, 0.0, 1.0], rays)
    sine, cosine = _lengths(across), rays[..., 2:]
    is_on_axis = sine < ON_AXIS
    direction = np.where(is_on_axis, [1.0, 0.0, 0.0], across / np.where(is_on_axis, 1.0, sine))
    angle = np.where(is_on_axis, np.pi * (cosine < 0), np.arctan2(sine, cosine))
    return rotation_from_vector(direction * angle)


def _lengths(vectors: Array) -> Array:
    """Lengths (..., 1) to the last bit those that np.linalg.norm has for single vectors (..., 3)."""
    return np.asarray(np.sqrt(vectors[..., None, :] @ vectors[..., :, None])[..., 0])


def _motions(rotations: Array, shifts: Array) -> Array:
    motions = np.zeros((len(rotations), 4, 4))
    motions[:, :3, :3], motions[:, :3, 3], motions[:, 3, 3] = rotations, shifts, 1
    return motions


def _times(matrices: Array, vectors: Array) -> Array:
    return np.asarray(np.einsum("...ij,...j->...i", matrices, vectors))


def _twists(centres: Array, turning: Array, shifting: Array) -> Array:
    """Jacobians (n, 6, 6) of turns (..., 3, 3) about centres (n, 3) and of shifts (..., 3, 3)."""
    jacobians = np.zeros((len(centres), 6, 6))
    jacobians[:, :3, :3] = turning
    jacobians[:, 3:, :3] = np.cross(centres[:, :, None], turning, axis=-2)
    jacobians[:, 3:, 3:] = shifting
    return jacobians
