"""A camera in a file of its own, or in a case: what is needed to simulate an image before there is one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prostreg.errors import FaultList, InputError
from prostreg.geometry.carm import CArm
from prostreg.registration.case_file import carm_of_camera, json_object

_CAMERA_KEYS = {"K", "size", "camera_from_world", "spacing_mm"}
SAID_BY = 'a case\'s "camera" (K, size, camera_from_world, spacing_mm), or a case.json, whose views have one each'


def read_camera(path: Path, view: int = 1) -> CArm:
    """Reads a C-arm from SAID_BY.

    Args:
        path: JSON file, or the folder of a case.json.
        view: of a case, 1 for the first.

    Raises:
        InputError: lists every fault of the camera.
    """
    path = Path(path)
    path = path / "case.json" if path.is_dir() else path
    content = json_object(path, "camera")
    camera = _camera_of_view(content["views"], path, view) if "views" in content else content
    faults = FaultList()
    missing = [key for key in ("K", "size") if key not in camera]
    if missing:
        faults.add(f"The camera in {path} lacks {' and '.join(missing)}. Give {SAID_BY}.")
    unknown = sorted(set(camera) - _CAMERA_KEYS)
    if unknown:
        faults.add(f"The camera in {path} has unknown keys ({', '.join(unknown)}): known are K, size, "
                   "camera_from_world, spacing_mm.")  # fmt: skip
    faults.raise_if_any()
    try:
        return carm_of_camera(camera)
    except InputError as error:
        raise InputError([f"The camera in {path}: {fault}" for fault in error.faults]) from None


def _camera_of_view(views: Any, path: Path, view: int) -> Mapping[str, Any]:
    if not isinstance(views, list) or not all(isinstance(entry, dict) for entry in views):
        raise InputError(f'"views" in {path} must be a list of objects, each with a "camera".')
    if view > len(views):
        raise InputError(f"There is no view {view}: the case {path} has {len(views)}. Choose another --view.")
    camera = views[view - 1].get("camera")
    if not isinstance(camera, dict):
        raise InputError(f'View {view} of {path} has no "camera". Give {SAID_BY}.')
    return camera
