"""A 3x4 projection matrix taken apart into K and the place of the camera."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from prostreg.errors import FaultList, InputError
from prostreg.geometry.carm_limits import LARGEST_FOCAL_LENGTH_PX, MOST_SKEW
from prostreg.geometry.frames import Matrix

LARGEST_NUMBER = 1e12
LEAST_INDEPENDENCE = 1e-9


def camera_of_projection(projection: ArrayLike, where: str) -> dict[str, Any]:
    """The "K" and "camera_from_world" with ``K [R t]`` the given matrix, but for its scale and sign.

    The sign of a projection matrix says nothing, so a mirror and a camera that looks away from the world's origin are
    one and the same; no C-arm does the latter, since the origin of a calibration lies where the patient will.

    Args:
        projection: (3, 4), ``s [u v 1]^T = P [X Y Z 1]^T``; mm, pixels, v down, (0, 0) the first pixel's centre.
        where: what sentences about it begin with, for example ``"The camera in c.txt"``.

    Raises:
        InputError: lists what keeps it from being a C-arm's: another shape, parallel rays, a mirror, oblique axes.
    """
    matrix = _numbers(projection, where)
    lengths = np.linalg.norm(matrix[:, :3], axis=1)
    is_flat = bool(lengths.max() >= LARGEST_NUMBER * lengths.min())
    independence = 0.0 if is_flat else float(np.linalg.det(matrix[:, :3] / lengths[:, None]))
    if abs(independence) < LEAST_INDEPENDENCE:
        raise InputError(
            f'{where} has a "P" whose left 3x3 part is singular: its rays do not start in one point. Give the matrix of'
            " a camera with a source, with all of its digits."
        )
    sign = np.sign(independence)
    intrinsics, rotation, shift = _taken_apart(sign * matrix / lengths[2])
    faults = FaultList()
    if shift[2] < 0 or (sign < 0 and shift[2] == 0):
        faults.add(
            f'{where} has a "P" that is mirrored, or whose origin lies behind the source: rows count from the top,'
            " columns from the left. Flip the axis that counts the other way, or give K and camera_from_world."
        )
    if max(intrinsics[0, 0], intrinsics[1, 1]) > LARGEST_FOCAL_LENGTH_PX:
        faults.add(
            f'{where} has a "P" with a focal length of {max(intrinsics[0, 0], intrinsics[1, 1]):.3g} pixels: its rays'
            f" are parallel, or it is not in pixels and mm. C-arms have {LARGEST_FOCAL_LENGTH_PX:g} at most."
        )
    skew = intrinsics[0, 1] / intrinsics[0, 0]
    if abs(skew) > MOST_SKEW:
        faults.add(
            f'{where} has a "P" that is sheared: the axes of its image stand at {90 - np.rad2deg(np.arctan(skew)):.1f}'
            " degrees. Check its numbers and their order, three rows of four."
        )
    faults.raise_if_any()
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3], camera_from_world[:3, 3] = rotation, shift
    return {"K": intrinsics.tolist(), "camera_from_world": camera_from_world.tolist()}


def _numbers(projection: ArrayLike, where: str) -> Matrix:
    advice = "give 3 rows of 4 numbers"
    try:
        matrix = np.asarray(projection, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f'{where} has a "P" that is not a matrix of numbers: {advice}.') from None
    if matrix.shape != (3, 4):
        raise InputError(f'{where} has a "P" of shape {"x".join(map(str, matrix.shape))}: {advice}.')
    if not (np.abs(matrix) < LARGEST_NUMBER).all():
        raise InputError(f'{where} has a "P" with NaN, infinity or numbers beyond {LARGEST_NUMBER:g}: {advice}.')
    return matrix


def _taken_apart(scaled: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """K, rotation and shift of ``K [R t]``, whose third row (its first three numbers) has length 1."""
    beam = scaled[2, :3]
    cy = float(scaled[1, :3] @ beam)
    along_v = scaled[1, :3] - cy * beam
    fy = float(np.linalg.norm(along_v))
    down = along_v / fy
    right = np.cross(down, beam)
    fx, skew, cx = (float(scaled[0, :3] @ axis) for axis in (right, down, beam))
    intrinsics = np.array([[fx, skew, cx], [0, fy, cy], [0, 0, 1]])
    return intrinsics, np.array([right, down, beam]), np.linalg.solve(intrinsics, scaled[:, 3])
