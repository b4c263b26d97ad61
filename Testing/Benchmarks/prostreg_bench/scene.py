"""What every renderer of the benchmark renders: one volume, one view, and the image that is right.

The volume is a soft-tissue body with bones in it, all ellipsoids: a ray's line integral is the sum
of its chords, each a closed form. The voxels hold the ellipsoids with edges one voxel wide, so that
a renderer's error is that of its quadrature and its geometry, not that of a staircase.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix, invert_rigid
from prostreg.images.volume import Volume

EDGE_MM = 256.0
"""Edge of the cubic volume, whatever its number of voxels."""
SDD_MM = 1020.0
SOURCE_ISOCENTRE_MM = 700.0
FIELD_MM = 307.0
VIEW_DEG = (24.0, -33.0, 11.0)
"""Turns about the camera's x, y and z axes, in this order, that make the view oblique."""


@dataclass(frozen=True)
class Ellipsoid:
    """A solid that adds ``attenuation`` (1/mm) to what is there; centre and radii in RAS mm, axes along RAS."""

    centre_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]
    attenuation: float


ELLIPSOIDS = (
    Ellipsoid((0.0, 4.0, 0.0), (112.0, 78.0, 118.0), 0.019),
    Ellipsoid((-46.0, 16.0, -18.0), (30.0, 22.0, 41.0), 0.002),
    Ellipsoid((3.0, -22.0, 62.0), (23.0, 17.0, 15.0), 0.022),
    Ellipsoid((-2.0, -26.0, 24.0), (24.0, 18.0, 16.0), 0.022),
    Ellipsoid((1.0, -25.0, -15.0), (25.0, 19.0, 16.0), 0.022),
    Ellipsoid((2.0, -54.0, 20.0), (7.0, 15.0, 9.0), 0.026),
    Ellipsoid((57.0, -8.0, -62.0), (32.0, 21.0, 30.0), 0.018),
    Ellipsoid((-55.0, -10.0, -66.0), (35.0, 20.0, 27.0), 0.018),
    Ellipsoid((61.0, 34.0, 48.0), (11.0, 9.0, 26.0), 0.024),
)


@dataclass(frozen=True, eq=False)
class Scene:
    """One volume seen in one view.

    Attributes:
        volume: attenuation in 1/mm.
        carm: its camera_from_world is the identity.
        camera_from_volume: rigid (4, 4), mm.
    """

    volume: Volume
    carm: CArm
    camera_from_volume: Matrix

    @property
    def volume_from_camera(self) -> Matrix:
        return invert_rigid(self.camera_from_volume)


def make_scene(values: NDArray[np.float32], pixels: int) -> Scene:
    """The scene of a volume from `make_values`, with an image of ``pixels`` x ``pixels``."""
    volume_from_index = np.diag([EDGE_MM / len(values)] * 3 + [1.0])
    volume_from_index[:3, 3] = _voxel_centres_mm(len(values))[0]
    spacing = FIELD_MM / pixels
    carm = CArm.from_sdd(SDD_MM, (spacing, spacing), (pixels, pixels))
    return Scene(Volume(values, volume_from_index), carm, oblique_pose())


def make_values(voxels: int) -> NDArray[np.float32]:
    """The ellipsoids in ``voxels``^3 voxels about the origin, attenuation in 1/mm, [k, j, i]."""
    centres = _voxel_centres_mm(voxels)
    spacing = EDGE_MM / voxels
    values = np.zeros((voxels, voxels, voxels), dtype=np.float32)
    for solid in ELLIPSOIDS:
        near = [
            np.flatnonzero(np.abs(centres - centre) < radius + spacing)
            for centre, radius in zip(solid.centre_mm, solid.radii_mm, strict=True)
        ]
        i, j, k = (centres[places] - centre for places, centre in zip(near, solid.centre_mm, strict=True))
        offsets = np.broadcast_arrays(i, j[:, None], k[:, None, None])
        values[np.ix_(*reversed(near))] += solid.attenuation * _share_inside(offsets, solid.radii_mm, spacing)
    return values


def _voxel_centres_mm(voxels: int) -> NDArray[np.float64]:
    return np.asarray(EDGE_MM / voxels * (np.arange(voxels) - (voxels - 1) / 2))


def _share_inside(
    offsets: Sequence[NDArray[np.float64]], radii: tuple[float, float, float], spacing: float
) -> NDArray[np.float32]:
    """How much of each voxel lies in an ellipsoid, from its distance to the surface to first order."""
    level = np.sqrt(sum((offset / radius) ** 2 for offset, radius in zip(offsets, radii, strict=True)))
    gradient = np.sqrt(sum((offset / radius**2) ** 2 for offset, radius in zip(offsets, radii, strict=True)))
    depth_mm = (1.0 - level) * level / np.maximum(gradient, 1e-9)
    return np.asarray(np.where(level < 0.5, 1.0, np.clip(0.5 + depth_mm / spacing, 0.0, 1.0)), dtype=np.float32)


def oblique_pose() -> Matrix:
    """camera_from_volume (4, 4): the volume's centre on the optical axis, seen obliquely."""
    pose = np.eye(4)
    for axis, angle in enumerate(np.deg2rad(VIEW_DEG)):
        turn = np.eye(4)
        following, last = (axis + 1) % 3, (axis + 2) % 3
        turn[following, following] = turn[last, last] = np.cos(angle)
        turn[last, following], turn[following, last] = np.sin(angle), -np.sin(angle)
        pose = turn @ pose
    pose[2, 3] = SOURCE_ISOCENTRE_MM
    return pose


def exact_image(camera_from_volume: Matrix, carm: CArm) -> NDArray[np.float64]:
    """The closed form: line integrals (height, width) from the ellipsoids' chords."""
    volume_from_camera = invert_rigid(camera_from_volume)
    v, u = np.mgrid[: carm.height, : carm.width]
    pixels = np.stack([u, v, np.ones_like(u)], axis=-1)
    directions = pixels @ np.linalg.inv(carm.intrinsics).T @ volume_from_camera[:3, :3].T
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    image = np.zeros((carm.height, carm.width))
    for solid in ELLIPSOIDS:
        start = (volume_from_camera[:3, 3] - solid.centre_mm) / solid.radii_mm
        along = directions / solid.radii_mm
        square = (along**2).sum(axis=-1)
        half_chord = (along @ start) ** 2 - square * (start @ start - 1.0)
        image += solid.attenuation * 2.0 * np.sqrt(np.maximum(half_chord, 0.0)) / square
    return image


def pixel_weights(carm: CArm) -> NDArray[np.float32]:
    """What the gradient sums the image with: a residual, as a squared difference of two views gives it."""
    pose = oblique_pose()
    moved = pose.copy()
    moved[:3, 3] += (6.0, -4.0, 15.0)
    return np.asarray(exact_image(moved, carm) - exact_image(pose, carm), dtype=np.float32)
