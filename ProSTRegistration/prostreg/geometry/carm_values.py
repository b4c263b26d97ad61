"""A C-arm as plain values and back: K, size, camera_from_world, spacing_mm, accuracy; in files, nodes and messages."""

from __future__ import annotations

from typing import Any

import numpy as np

from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_accuracy import CALIBRATED, CARM_ACCURACIES
from prostreg.geometry.distortion import MOST_COEFFICIENTS, Distortion
from prostreg.json_fields import JsonFields, is_number


def carm_to_values(carm: CArm) -> dict[str, Any]:
    """Plain values of a C-arm, ready for JSON; `carm_from_values` is the way back."""
    return {
        "K": carm.intrinsics.tolist(),
        "size": list(carm.size),
        "camera_from_world": carm.camera_from_world.tolist(),
        "spacing_mm": None if carm.spacing_mm is None else list(carm.spacing_mm),
        "accuracy": carm.accuracy,
    }


def carm_from_values(values: object, where: str) -> CArm:
    """The C-arm of plain values.

    Args:
        where: what sentences about them begin with, for example ``"The camera"``.

    Raises:
        InputError: lists every fault.
    """
    fields = JsonFields(values, where)
    carm = read_carm(fields, f"{where}: ")
    fields.faults.raise_if_any()
    if carm is None:
        raise AssertionError("a camera that cannot be made is a fault")
    return carm


def read_carm(camera: JsonFields, prefix: str) -> CArm | None:
    """The C-arm of a "camera", whose fields end here; None where it has faults, which are noted behind ``prefix``."""
    intrinsics = camera.checked("K", lambda _: True, "give 3 rows of 3 numbers", None)
    advice = "give [width, height], two whole numbers of pixels"
    size: list[float] | None = camera.checked("size", is_image_size, advice, None)
    advice = "give two numbers, the pixel spacing along columns and along rows"
    spacing: list[float] | None = camera.checked("spacing_mm", _is_pair, advice, None, None)
    pose = camera.raw("camera_from_world", np.eye(4))
    accuracy = camera.choice("accuracy", list(CARM_ACCURACIES), CALIBRATED)
    camera.end()
    if intrinsics is None:
        return None
    # A stand-in for what is already known to be wrong lets the rest be judged as well.
    width, height = (1, 1) if size is None else (int(size[0]), int(size[1]))
    pitch = None if spacing is None else (float(spacing[0]), float(spacing[1]))
    carm = camera.faults.collect(lambda: CArm(intrinsics, (width, height), pose, pitch, accuracy), prefix)
    if carm is not None:
        camera.faults.collect(carm.check_pixels, prefix)
    return None if size is None else carm


def read_distortion(camera: JsonFields) -> Distortion | None:
    """The "distortion" of a "camera"; None where it has none, or faults, which are noted."""
    advice = "give the list [k1, k2, p1, p2, k3] of OpenCV, from 1 to 5 numbers; no other model is known here"
    given: list[float] = camera.checked("distortion", _are_coefficients, advice, [], [])
    if given and "K" not in camera:
        camera.faults.add(f'{camera.where} has "distortion" without "K", by which it counts: give both.')
    distortion = Distortion.of(given)
    return None if distortion.is_none else distortion


def _are_coefficients(value: object) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= MOST_COEFFICIENTS and all(map(is_number, value))


def is_image_size(value: Any) -> bool:
    """True for a list of two whole numbers."""
    return _is_pair(value) and all(number == int(number) for number in value)


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(is_number, value))
