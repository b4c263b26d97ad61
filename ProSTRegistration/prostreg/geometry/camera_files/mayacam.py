"""MayaCam files, as XMALab writes and Autoscoper reads them.

MayaCam 2 is OpenCV's camera: K, and R and t of camera_from_world. MayaCam 1 is the same camera as Maya sees it:

1. the source in the world;
2. turns about x, y and z in degrees, ``Rz Ry Rx``, to axes that point right, up and against the beam;
3. the middle of the image plane, which the next lines tell as well;
4. the principal point, counted from 1 and from the image's last row upwards, and the focal length with a minus;
5. a scale without meaning, the image's width and height.

Both hold for the image without distortion. Lengths are in the unit of the calibration object, mm or cm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prostreg.errors import FaultList
from prostreg.geometry.frames import RIGID_TOLERANCE, Matrix
from prostreg.geometry.rotations import nearest_rotation, rotation_from_vector

Rows = Sequence[Sequence[float]]

FIRST_LABEL = "image size"
SHAPES_2 = {FIRST_LABEL: (1, 2), "camera matrix": (3, 3), "rotation": (3, 3), "translation": (3, 1)}
SHAPE_1 = (5, 3)
NEAREST_SOURCE_MM = 150.0
"""No source comes so near to the calibration object's origin; in centimetres, all do."""


def mayacam_2_camera(parts: Mapping[str, Rows], where: str) -> dict[str, Any]:
    """The "camera" of a MayaCam 2 file; without "size" where the file has zeros for it.

    Args:
        parts: rows of numbers by the words above them.
        where: what sentences about the file begin with.

    Raises:
        InputError: lists the parts that lack or have another shape, and says where the lengths are in cm.
    """
    faults = FaultList()
    for label, (rows, columns) in SHAPES_2.items():
        if [len(row) for row in parts.get(label, ())] != [columns] * rows:
            faults.add(f'{where} lacks {rows} x {columns} numbers below "{label}": export it anew as MayaCam 2.0.')
    faults.extend(
        f'{where} has "{label}", which no MayaCam 2.0 has: export it anew.' for label in parts if label not in SHAPES_2
    )
    faults.raise_if_any()
    told, shift = np.array(parts["rotation"]), np.array(parts["translation"])[:, 0]
    near = nearest_rotation(told)
    rotation = near if np.allclose(near, told, atol=RIGID_TOLERANCE) else told
    return _camera(parts["camera matrix"], parts[FIRST_LABEL][0], rotation, shift, where, 'the "translation"')


def mayacam_1_camera(rows: Rows, image_height: float, where: str) -> dict[str, Any]:
    """The "camera" of a MayaCam 1 file; without "size" where the file has zeros for it.

    Args:
        rows: of the file, 5 with 3 numbers each.
        image_height: for a file with zeros.
        where: what sentences about the file begin with.

    Raises:
        InputError: its lengths are in cm.
    """
    source, turns_deg, _, (u, v, focal_length), (_, width, height) = map(np.array, rows)
    turn_x, turn_y, turn_z = rotation_from_vector(np.diag(np.deg2rad(turns_deg)))
    rotation = np.diag([1.0, -1.0, -1.0]) @ (turn_z @ turn_y @ turn_x).T
    focal_px = abs(focal_length)
    principal_point = u - 1, (height or image_height) - v
    intrinsics = [[focal_px, 0.0, principal_point[0]], [0.0, focal_px, principal_point[1]], [0.0, 0.0, 1.0]]
    return _camera(intrinsics, (width, height), rotation, -rotation @ source, where, "the first line")


def _camera(
    intrinsics: Rows, size: Sequence[float], rotation: Matrix, shift: Matrix, where: str, lengths: str
) -> dict[str, Any]:
    faults, distance = FaultList(), float(np.linalg.norm(shift))
    if 0 < distance < NEAREST_SOURCE_MM:
        faults.add(
            f"{where} has its source {distance:.3g} from the origin: lengths must be in mm, these look like cm."
            f" Multiply {lengths} by 10."
        )
    faults.raise_if_any()
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3], camera_from_world[:3, 3] = rotation, shift
    told = {} if not any(size) else {"size": [float(length) for length in size]}
    return {"K": np.array(intrinsics).tolist(), **told, "camera_from_world": camera_from_world.tolist()}
