"""Camera calibrations as OpenCV writes them (FileStorage YAML), and programs that follow it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from prostreg.errors import FaultList
from prostreg.geometry.distortion import MOST_COEFFICIENTS

SUFFIXES = (".yml", ".yaml")
NO_DISTORTION = 1e-9
PLAIN_MODEL = "plumb_bob"
_MATRIX = r"rows:\s*(\d+)\s+cols:\s*(\d+)\s+(?:dt:\s*\S+\s+)?data:\s*\[([^\]]*)\]"


def opencv_camera(text: str, where: str) -> dict[str, Any]:
    """The "camera" of a case that a calibration describes: K and size, and "distortion" where there is some.

    OpenCV counts pixels as this project does.

    Args:
        text: of the file.
        where: what sentences about the file begin with.

    Raises:
        InputError: lists what is missing, or says that the distortion follows another model.
    """
    faults = FaultList()
    matrix = _matrix(text, ("camera_matrix", "Camera_Matrix", "K"), (3, 3))
    size = [_whole(text, key) for key in ("image_width", "image_height")]
    if matrix is None:
        faults.add(f'{where} lacks "camera_matrix", 3 rows of 3 numbers: give a file that OpenCV has written.')
    if None in size:
        faults.add(f'{where} lacks "image_width" or "image_height": add the size of the image it was made with.')
    distortion = _distortion(text)
    model = re.search(r"^\s*distortion_model:\s*[\"']?(\w+)", text, re.MULTILINE)
    is_other_model = model is not None and model[1] != PLAIN_MODEL
    if any(distortion[MOST_COEFFICIENTS:]) or (is_other_model and any(distortion)):
        faults.add(
            f"{where} has the distortion of another model (fisheye, rational, or more than 5 coefficients): calibrate"
            " with k1, k2, p1, p2, k3 alone, or undistort the X-ray first and set them to 0."
        )
    faults.raise_if_any()
    assert matrix is not None  # or it was raised
    bent = {"distortion": distortion[:MOST_COEFFICIENTS]} if any(distortion) else {}
    return {"K": matrix.tolist(), "size": size} | bent


def _distortion(text: str) -> list[float]:
    """The coefficients, 0 where they are as good as none."""
    for key in ("distortion_coefficients", "Distortion_Coefficients", "dist_coeffs"):
        matrix = _matrix(text, (key,), None)
        if matrix is not None:
            return [float(value) if abs(value) > NO_DISTORTION else 0.0 for value in matrix.ravel()]
    return []


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
