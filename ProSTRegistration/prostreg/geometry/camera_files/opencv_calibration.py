"""Camera calibrations as OpenCV writes them (FileStorage YAML), and programs that follow it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from prostreg.errors import FaultList

SUFFIXES = (".yml", ".yaml")
NO_DISTORTION = 1e-9
_MATRIX = r"rows:\s*(\d+)\s+cols:\s*(\d+)\s+(?:dt:\s*\S+\s+)?data:\s*\[([^\]]*)\]"


def opencv_camera(text: str, where: str) -> dict[str, Any]:
    """The "camera" of a case that a calibration describes: K and size; OpenCV counts pixels as this project does.

    Args:
        text: of the file.
        where: what sentences about the file begin with.

    Raises:
        InputError: lists what is missing, or says that the image is distorted.
    """
    faults = FaultList()
    matrix = _matrix(text, ("camera_matrix", "Camera_Matrix", "K"), (3, 3))
    size = [_whole(text, key) for key in ("image_width", "image_height")]
    if matrix is None:
        faults.add(f'{where} lacks "camera_matrix", 3 rows of 3 numbers: give a file that OpenCV has written.')
    if None in size:
        faults.add(f'{where} lacks "image_width" or "image_height": add the size of the image it was made with.')
    if _is_distorted(text):
        faults.add(
            f"{where} has distortion_coefficients other than 0, which are not taken into account: undistort the X-ray"
            " first, then set them to 0."
        )
    faults.raise_if_any()
    assert matrix is not None  # or it was raised
    return {"K": matrix.tolist(), "size": size}


def _is_distorted(text: str) -> bool:
    keys = ("distortion_coefficients", "Distortion_Coefficients", "dist_coeffs")
    found = (_matrix(text, (key,), None) for key in keys)
    return any(matrix is not None and bool(np.abs(matrix).max(initial=0) > NO_DISTORTION) for matrix in found)


def _matrix(text: str, keys: tuple[str, ...], shape: tuple[int, int] | None) -> np.ndarray[Any, Any] | None:
    for key in keys:
        found = re.search(rf"^\s*{key}:\s*(?:!!opencv-matrix)?\s*{_MATRIX}", text, re.MULTILINE)
        if found is None:
            continue
        try:
            values = np.array([float(word) for word in re.split(r"[,\s]+", found[3].strip()) if word])
            matrix = values.reshape(int(found[1]), int(found[2]))
        except ValueError:
            return None
        return matrix if shape in (None, matrix.shape) else None
    return None


def _whole(text: str, key: str) -> int | None:
    found = re.search(rf"^\s*{key}:\s*(\d{{1,9}})\s*$", text, re.MULTILINE)
    return None if found is None else int(found[1])
