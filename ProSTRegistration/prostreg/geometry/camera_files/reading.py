"""C-arms in files: those of cases, and those that other programs calibrated; what is in a file tells its kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prostreg.errors import FaultList, InputError, system_refusal
from prostreg.files import text_of
from prostreg.geometry.camera_files.mayacam import FIRST_LABEL, SHAPE_1, mayacam_1_camera, mayacam_2_camera
from prostreg.geometry.camera_files.opencv_calibration import SUFFIXES, opencv_camera
from prostreg.geometry.camera_files.projection_matrix import LARGEST_NUMBER, camera_of_projection
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_values import carm_from_values, read_distortion
from prostreg.geometry.distortion import Distortion
from prostreg.json_fields import JsonFields, json_object

CAMERA_FORMATS = (
    "JSON (K or P, and size), OpenCV's YAML, a MayaCam file of XMALab or Autoscoper, or a text with 3 rows of 4 numbers"
)
MOST_BYTES = 1 << 20
CASE_FILE = "case.json"

_SAID_BY = (
    'a case\'s "camera" (K or P, size, camera_from_world, spacing_mm, distortion, accuracy), or a case.json,'
    " whose views have one"
)
_BETWEEN = re.compile(r"[\s,;]+")

Size = tuple[int, int]


def read_camera(path: Path, view: int = 1, image_size: Callable[[], Size] | None = None) -> CArm:
    """Reads a C-arm whose images are not distorted, from a file of any of CAMERA_FORMATS, or from a case.

    Args:
        path: the file, or the folder of a case.json.
        view: of a case, 1 for the first.
        image_size: tells (width, height) of the image, for a file that has nothing to say about it.

    Raises:
        InputError: lists every fault of the camera; one of them may be its distortion.
    """
    carm, distortion = read_calibration(path, view, image_size)
    if distortion is not None:
        raise InputError(
            f"The camera in {path} has a distortion, which is only taken out of the X-rays of a case: give it to"
            " `prostreg case` or `prostreg register`, or undistort the X-ray first and set it to 0."
        )
    return carm


def read_calibration(
    path: Path, view: int = 1, image_size: Callable[[], Size] | None = None
) -> tuple[CArm, Distortion | None]:
    """Reads a C-arm, and how its images are distorted; None where they are not.

    Args:
        path, view, image_size: as for `read_camera`.

    Raises:
        InputError: lists every fault of the camera.
    """
    where = f"The camera in {path}"
    values = camera_values(path, view, image_size)
    faults = FaultList()
    distortion = _distortion_of(values, where, faults)
    if "size" not in values or values["size"] is not None:
        carm = faults.collect(lambda: carm_from_values(values, where))
        faults.raise_if_any()
        if carm is None:
            raise AssertionError("a camera that cannot be made is a fault")
        return carm, distortion
    faults.add(
        f"{where} does not tell the size of its image, which is needed here: give a JSON file with its K,"
        ' camera_from_world and "size", [width, height].'
    )
    faults.collect(lambda: carm_from_values(values | {"size": [1, 1]}, where))  # lets the rest be judged as well
    raise InputError(faults.faults)


def _distortion_of(values: dict[str, Any], where: str, faults: FaultList) -> Distortion | None:
    """Takes the distortion out of a "camera"."""
    distortion = read_distortion(JsonFields(values, where, faults))
    values.pop("distortion", None)
    return distortion


def camera_values(path: Path, view: int = 1, image_size: Callable[[], Size] | None = None) -> dict[str, Any]:
    """The "camera" of a case that a file describes, unjudged; "size" is None where a text could not tell it.

    Args:
        path, view, image_size: as for `read_camera`.

    Raises:
        InputError: lists what is wrong with the file itself.
    """
    path, text = _path_and_text(path)
    where = f"The camera in {path}"
    if path.suffix.lower() == ".json" or text.lstrip().startswith("{"):
        return with_projection_taken_apart(_json_camera(path, view, where), where)
    if path.suffix.lower() in SUFFIXES:
        return opencv_camera(text, where)
    values = _camera_of_rows(_labelled_rows(text, where), where, image_size)
    if "size" not in values:
        values["size"] = None if image_size is None else list(image_size())
    return values


def with_projection_taken_apart(camera: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A "camera" as it stands, but with "K" and "camera_from_world" in the place of "P", a 3x4 matrix.

    Raises:
        InputError: "P" is no C-arm's matrix, or stands beside what it tells.
    """
    if camera.get("P") is None:
        return dict(camera)
    beside = [key for key in ("K", "camera_from_world") if camera.get(key) is not None]
    if beside:
        raise InputError(f'{where} has "P" and {" and ".join(beside)}, which tell the same: leave one of them out.')
    rest = {key: value for key, value in camera.items() if key != "P"}
    return rest | camera_of_projection(camera["P"], where)


def _path_and_text(path: Path) -> tuple[Path, str]:
    try:
        path = path / CASE_FILE if path.is_dir() else path
        if not path.is_file():
            raise InputError(f"The camera file {path} does not exist, or is no file: check the path.")
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"The camera file {path} has more than {MOST_BYTES >> 20} MiB: give the C-arm alone.")
        return path, text_of(path)
    except OSError as error:
        raise InputError(f"The camera file {path} cannot be read. {system_refusal(error)}") from None
    except ValueError as error:
        raise InputError(f"The camera file {path} cannot be read as text ({error}): save it as UTF-8.") from None


def _json_camera(path: Path, view: int, where: str) -> dict[str, Any]:
    content = json_object(path, "camera file")
    camera = _camera_of_view(content["views"], path, view) if "views" in content else content
    if not any(key in camera for key in ("K", "P", "size")):
        raise InputError(f'{where} lacks "K" and "size". Give {_SAID_BY}.')
    return camera


def _camera_of_view(views: Any, path: Path, view: int) -> dict[str, Any]:
    if not isinstance(views, list) or not all(isinstance(entry, dict) for entry in views):
        raise InputError(f'"views" in {path} must be a list of objects, each with a "camera".')
    if view > len(views):
        raise InputError(f"There is no view {view}: the case {path} has {len(views)}. Choose another --view.")
    camera = views[view - 1].get("camera")
    if not isinstance(camera, dict):
        raise InputError(f'View {view} of {path} has no "camera". Give {_SAID_BY}.')
    return camera


def _camera_of_rows(
    parts: dict[str, list[list[float]]], where: str, image_size: Callable[[], Size] | None
) -> dict[str, Any]:
    if FIRST_LABEL in parts:
        return mayacam_2_camera(parts, where)
    rows = parts.get("", [])
    lengths = [len(row) for row in rows]
    if len(parts) == 1 and lengths == [SHAPE_1[1]] * SHAPE_1[0]:
        height = 0 if any(rows[4][1:]) or image_size is None else image_size()[1]
        return mayacam_1_camera(rows, height, where)
    if len(parts) == 1 and lengths == [4] * 3:
        return camera_of_projection(rows, where)
    raise InputError(f"{where} is none that is read here. Give {CAMERA_FORMATS}.")


def _labelled_rows(text: str, where: str) -> dict[str, list[list[float]]]:
    """Rows of numbers by the words above them, "" for the first; what follows a # is a remark."""
    parts: dict[str, list[list[float]]] = {}
    label, faults = "", FaultList()
    for line in text.splitlines():
        words = [word for word in _BETWEEN.split(line.partition("#")[0]) if word]
        try:
            row = [float(word) for word in words]
        except ValueError:
            label = " ".join(words).lower()
            if label in parts:
                faults.add(f'{where} has "{label}" twice: give one C-arm alone.')
            parts.setdefault(label, [])
            continue
        if not all(abs(number) < LARGEST_NUMBER for number in row):
            faults.add(f'{where} has "{line.strip()}": give finite numbers.')
        if row:
            parts.setdefault(label, []).append(row)
    faults.raise_if_any()
    return parts
