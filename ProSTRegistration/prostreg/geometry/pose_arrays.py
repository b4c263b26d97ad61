"""The pose chart for many poses at once, each in the chart at itself: what a descent and a training step need.

Poses are camera_from_volume (n, 4, 4); centres are the anatomies' in the volume frame, (3,) or (n, 3); parameters
(n, 6) are those of `prostreg.geometry.chart.PoseChart` with the camera as its world.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from prostreg.geometry.frames import invert_rigid
from prostreg.geometry.se3 import exp_so3, log_so3

Array = NDArray[np.float64]


def moved_poses(camera_from_volume: Array, centres_mm: Array, parameters: Array) -> Array:
    """Poses (n, 4, 4) at parameters of the charts at the given poses."""
    centres, axes = centres_and_axes(camera_from_volume, centres_mm)
    rotation = _exp(np.einsum("nij,nj->ni", axes, parameters[:, :3]))
    shift = np.einsum("nij,nj->ni", axes, parameters[:, 3:])
    motion = np.zeros_like(camera_from_volume)
    motion[:, :3, :3] = rotation
    motion[:, :3, 3] = centres + shift - np.einsum("nij,nj->ni", rotation, centres)
    motion[:, 3, 3] = 1
    return np.asarray(motion @ camera_from_volume)


def parameters_between(camera_from_volume: Array, target_from_volume: Array, centres_mm: Array) -> Array:
    """Parameters (n, 6) of target poses (n, 4, 4) in the charts at the given poses."""
    centres, axes = centres_and_axes(camera_from_volume, centres_mm)
    motion = target_from_volume @ invert_rigid(camera_from_volume)
    shift = motion[:, :3, 3] + np.einsum("nij,nj->ni", motion[:, :3, :3], centres) - centres
    rotation = log_so3(torch.from_numpy(np.ascontiguousarray(motion[:, :3, :3]))).numpy()
    in_axes = np.stack([rotation, shift], axis=-1)
    return np.asarray(np.einsum("nji,njk->nki", axes, in_axes).reshape(-1, 6))


def twists_from_parameters(
    camera_from_volume: Array, centres_mm: Array, other_from_camera: Array | None = None
) -> Array:
    """(n, 6, 6): small parameters to twists (rotation about the source, translation) in a camera's frame.

    Args:
        other_from_camera: rigid (4, 4) to that camera; the same one if None.
    """
    centres, axes = centres_and_axes(camera_from_volume, centres_mm)
    if other_from_camera is not None:
        centres = centres @ other_from_camera[:3, :3].T + other_from_camera[:3, 3]
        axes = other_from_camera[:3, :3] @ axes
    jacobian = np.zeros((len(axes), 6, 6))
    jacobian[:, :3, :3] = axes
    jacobian[:, 3:, :3] = np.cross(centres[:, :, None], axes, axis=1)
    jacobian[:, 3:, 3:] = axes
    return jacobian


def centres_and_axes(camera_from_volume: Array, centres_mm: Array) -> tuple[Array, Array]:
    """The centres (n, 3) in the camera frame, and the charts' axes (n, 3, 3), as columns in it."""
    centres = np.einsum(
        "nij,nj->ni", camera_from_volume[:, :3, :3], np.broadcast_to(centres_mm, (len(camera_from_volume), 3))
    )
    centres = centres + camera_from_volume[:, :3, 3]
    x, y, z = (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T
    # The shortest turn of the beam's axis onto the ray (x, y, z).
    share = 1 / (1 + z)
    axes = np.array([[1 - share * x * x, -share * x * y, x], [-share * x * y, 1 - share * y * y, y], [-x, -y, z]])
    return centres, np.ascontiguousarray(np.moveaxis(axes, 2, 0))


def _exp(rotation_vectors: Array) -> Array:
    return np.asarray(exp_so3(torch.from_numpy(np.ascontiguousarray(rotation_vectors))).numpy())
