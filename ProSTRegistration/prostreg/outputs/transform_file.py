"""Poses in files: ITK transforms as 3D Slicer reads and writes them, result.json, and plain 4x4 text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from prostreg.errors import InputError
from prostreg.files import text_of
from prostreg.geometry.frames import Matrix, invert_rigid, lps_transform_from_ras, rigid_faults
from prostreg.json_fields import json_object
from prostreg.outputs.itk_transform import HEADER, matrix_of_hdf5, matrix_of_text

POSE_FORMATS = ".tfm or .h5 (ITK, as 3D Slicer saves them), .json with world_from_volume, .txt with 4 rows of 4 numbers"


def write_transform(path: Path, world_from_volume: ArrayLike) -> None:
    """Writes a pose so that 3D Slicer loads it as exactly this transform node.

    ITK resamples, so its transforms map points of the parent back into the moved volume: the file
    holds the inverse of the pose, in LPS. A CT put under the loaded node lies at world_from_volume.

    Args:
        path: the .tfm file to write.
        world_from_volume: rigid (4, 4), RAS mm.
    """
    from_parent_lps = lps_transform_from_ras(invert_rigid(world_from_volume))
    parameters = [*from_parent_lps[:3, :3].ravel(), *from_parent_lps[:3, 3]]
    lines = [
        f"{HEADER} V1.0",
        "#Transform 0",
        "Transform: AffineTransform_double_3_3",
        "Parameters: " + " ".join(repr(float(value)) for value in parameters),
        "FixedParameters: 0 0 0",
        "",
    ]
    path.write_text("\n".join(lines), encoding="ascii")


def read_pose(path: Path) -> Matrix:
    """Reads world_from_volume, rigid (4, 4) in RAS mm, from any of POSE_FORMATS.

    Raises:
        InputError: for a file that is missing, unreadable, of another kind, or not a rigid pose.
    """
    if not path.is_file():
        raise InputError(f"The pose {path} does not exist or is not a file. Give {POSE_FORMATS}.")
    suffix = path.suffix.lower()
    if suffix == ".json":
        pose = _pose_from_json(path)
    elif suffix in (".tfm", ".h5") or (suffix == ".txt" and _is_itk_text(path)):
        pose = _pose_from_itk(path)
    elif suffix == ".txt":
        pose = _pose_from_numbers(path)
    else:
        raise InputError(f"The pose {path} has an unknown ending. Give {POSE_FORMATS}.")
    faults = rigid_faults(pose, f"The pose in {path}")
    if faults:
        raise InputError(faults)
    return np.asarray(pose, dtype=np.float64)


def _is_itk_text(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(HEADER)) == HEADER.encode()


def _pose_from_itk(path: Path) -> Matrix:
    from_parent_lps = matrix_of_hdf5(path) if path.suffix.lower() == ".h5" else matrix_of_text(path)
    faults = rigid_faults(from_parent_lps, f"The pose in {path}")
    if faults:
        raise InputError(faults)
    return invert_rigid(lps_transform_from_ras(from_parent_lps))


def _pose_from_json(path: Path) -> ArrayLike:
    content = json_object(path, "pose", f"Give {POSE_FORMATS}.")
    if "world_from_volume" not in content:
        raise InputError(f"The pose {path} has no entry world_from_volume; a result.json has one.")
    pose: ArrayLike = content["world_from_volume"]
    return pose


def _pose_from_numbers(path: Path) -> ArrayLike:
    try:
        rows = [line.replace(",", " ").split() for line in text_of(path).splitlines()]
        return [[float(number) for number in row] for row in rows if row]
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"The pose {path} does not hold 4 rows of 4 numbers: {error}.") from error
