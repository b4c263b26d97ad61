"""case.json: reads it with all the files it names, and judges everything before anything runs."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix, rigid_faults
from prostreg.images.anatomy import anatomy_by_threshold, anatomy_from_labels, chosen_voxels
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.volume import Volume
from prostreg.images.xray_preparation import POLARITIES, prepare_xray
from prostreg.images.xray_reading import XRayImage, read_mask_image, read_xray_image
from prostreg.registration.case import Case, View

_CASE_KEYS = {"name", "ct", "anatomy", "views", "initial", "truth"}
_ANATOMY_KEYS = {"labels", "values"}
_VIEW_KEYS = {"image", "camera", "polarity", "mask"}
_CAMERA_KEYS = {"K", "size", "camera_from_world", "spacing_mm"}
_INITIAL_KEYS = {"world_from_volume"}
_TRUTH_KEYS = {"world_from_volume", "landmarks"}

_MOST_DIGITS = 16
_LONGEST_NAME = 100

Read = TypeVar("Read")


def read_case(path: Path, needs_views: bool = True) -> Case:
    """Reads a case file and every file it names.

    Args:
        path: case.json, or the folder it is in; paths inside it are relative to that folder.
        needs_views: False where the X-rays may be still to come; ``views`` may then be missing or empty.

    Raises:
        InputError: lists every fault of the case file and of all its files.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "case.json"
    content = json_object(path)
    return _CaseReader(path.parent, content, needs_views).case()


def json_object(path: Path, kind: str = "case") -> Mapping[str, Any]:
    """The JSON object in a file of a ``kind`` that messages name; InputError says what it is instead."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), parse_int=_number)
    except FileNotFoundError:
        raise InputError(f"The {kind} file {path} does not exist: check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The {kind} file {path} cannot be read as text: {error}.") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"The {kind} file {path} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise InputError(f"The {kind} file {path} cannot be read: its brackets are nested without end.") from None
    if not isinstance(content, dict):
        raise InputError(f"The {kind} file {path} must be a JSON object, {{...}}.")
    return content


def _number(digits: str) -> int | float:
    """A whole number, or a float (infinite at worst) where no integer of the machine would hold it."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


class _CaseReader:
    """Walks through one case's content and collects faults on the way."""

    def __init__(self, folder: Path, content: Mapping[str, Any], needs_views: bool) -> None:
        self.folder = folder
        self.content = content
        self.needs_views = needs_views
        self.faults = FaultList()

    def case(self) -> Case:
        self._check_keys(self.content, _CASE_KEYS, "The case")
        name = self._name()
        ct, anatomy = self._ct_and_anatomy()
        views = self._views()
        initial = self._pose("initial", _INITIAL_KEYS)
        truth = self._pose("truth", _TRUTH_KEYS)
        landmarks = self._landmarks()
        self.faults.raise_if_any()
        if ct is None or anatomy is None:
            raise AssertionError("a CT or anatomy that is missing is a fault")
        return Case(name, ct, anatomy, tuple(views), initial, truth, landmarks)

    def _name(self) -> str:
        name = self.content.get("name")
        if not isinstance(name, str) or not name.strip():
            self.faults.add('The case has no "name": give a short text, results are filed under it.')
            return ""
        if name in (".", "..") or any(c in '/\\:*?"<>|' or ord(c) < 32 for c in name) or name != name.strip():
            self.faults.add(f"The case's name \"{name}\" cannot be a folder's name: use letters, digits, - and _.")
        if len(name) > _LONGEST_NAME:
            self.faults.add(f"The case's name has {len(name)} characters: give {_LONGEST_NAME} at most.")
        return name

    def _ct_and_anatomy(self) -> tuple[Volume | None, NDArray[np.bool_] | None]:
        ct_path = self._path(self.content, "ct", "The case")
        ct = self._read(read_ct, ct_path)
        given = self.content.get("anatomy")
        if given is None:
            return ct, None if ct is None else self._collect(lambda: anatomy_by_threshold(ct))
        if not isinstance(given, dict):
            self.faults.add('"anatomy" must be an object with "labels" and "values".')
            return ct, None
        self._check_keys(given, _ANATOMY_KEYS, '"anatomy"')
        labels = self._read(read_labels, self._path(given, "labels", '"anatomy"'))
        values = given.get("values")
        if not isinstance(values, list) or not values or not all(type(v) is int for v in values):
            self.faults.add('"values" in "anatomy" must be a list of one or more whole numbers, for example [25, 77].')
            return ct, None
        if labels is None:
            return ct, None
        if ct is None:
            self._collect(lambda: chosen_voxels(labels, values))  # can be judged without the CT
            return None, None
        return ct, self._collect(lambda: anatomy_from_labels(ct, labels, values))

    def _views(self) -> list[View]:
        given = self.content.get("views")
        if not given and not self.needs_views:
            return []
        if not isinstance(given, list) or not given:
            self.faults.add('The case has no "views": give a list of one or more X-ray images.')
            return []
        views = []
        for number, entry in enumerate(given):
            where = f"View {number + 1}"
            if not isinstance(entry, dict):
                self.faults.add(f'{where} must be an object with "image" and "camera".')
                continue
            view = self._view(entry, where)
            if len(given) > 1 and not _says_where_it_stands(entry):
                self.faults.add(
                    f'{where}: "camera" lacks camera_from_world: with several views, each has to say where it stands.'
                )
            if view is not None:
                views.append(view)
        return views

    def _view(self, entry: Mapping[str, Any], where: str) -> View | None:
        self._check_keys(entry, _VIEW_KEYS, where)
        image = self._read(read_xray_image, self._path(entry, "image", where))
        carm = self._carm(entry, image, where)
        polarity = entry.get("polarity", "auto")
        if polarity not in POLARITIES:
            self.faults.add(f'{where} has the polarity "{polarity}": give one of {", ".join(POLARITIES)}.')
            return None
        mask = self._mask(entry, image, where)
        if image is None:
            return None
        said = carm.size if carm is not None else _size_in(entry)
        if said is not None and said != image.pixels.shape[::-1]:
            self.faults.add(
                f"{where} has an image of {image.pixels.shape[1]} x {image.pixels.shape[0]} pixels, but its camera "
                f"says {said[0]} x {said[1]}: K and size must belong to this very image."
            )
        if polarity == "auto" and image.polarity is not None:
            polarity = image.polarity
        xray = self._collect(lambda: prepare_xray(image.pixels, polarity, mask), where)
        return None if xray is None or carm is None else View(xray, carm)

    def _carm(self, entry: Mapping[str, Any], image: XRayImage | None, where: str) -> CArm | None:
        camera = entry.get("camera")
        if camera is None:
            if image is not None and image.carm is None:
                self.faults.add(
                    f'{where} has no "camera", and its image has no DICOM tags that tell the source-detector '
                    'distance and the detector\'s pixel spacing: give "camera" with "K" and "size".'
                )
            return None if image is None else image.carm
        if not isinstance(camera, dict):
            self.faults.add(f'{where}: "camera" must be an object with "K" and "size".')
            return None
        self._check_keys(camera, _CAMERA_KEYS, f'"camera" of {where[0].lower()}{where[1:]}')
        described = None if image is None else image.carm
        if described is not None and not {"K", "size"} & camera.keys():
            return self._collect(lambda: _standing(described, camera), where)
        missing = [key for key in ("K", "size") if key not in camera]
        if missing:
            self.faults.add(f'{where}: "camera" lacks {" and ".join(missing)}.')
            return None
        return self._collect(lambda: carm_of_camera(camera), where)

    def _mask(self, entry: Mapping[str, Any], image: XRayImage | None, where: str) -> NDArray[np.bool_] | None:
        if entry.get("mask") is None:
            return None
        mask = self._read(read_mask_image, self._path(entry, "mask", where))
        if mask is None or image is None or mask.shape == image.pixels.shape:
            return mask
        self.faults.add(
            f"{where} has a mask of {mask.shape[1]} x {mask.shape[0]} pixels and an image of "
            f"{image.pixels.shape[1]} x {image.pixels.shape[0]}: they must be equal."
        )
        return None

    def _pose(self, key: str, known_keys: set[str]) -> Matrix | None:
        given = self.content.get(key)
        if given is None:
            return None
        if not isinstance(given, dict) or "world_from_volume" not in given:
            self.faults.add(f'"{key}" must be an object with "world_from_volume".')
            return None
        self._check_keys(given, known_keys, f'"{key}"')
        faults = rigid_faults(given["world_from_volume"], f'world_from_volume of "{key}"')
        self.faults.extend(faults)
        return None if faults else np.array(given["world_from_volume"], dtype=np.float64)

    def _landmarks(self) -> NDArray[np.float64] | None:
        truth = self.content.get("truth")
        if not isinstance(truth, dict) or truth.get("landmarks") is None:
            return None
        try:
            landmarks = np.array(truth["landmarks"], dtype=np.float64)
        except (TypeError, ValueError):
            landmarks = np.empty(0)
        if landmarks.ndim != 2 or landmarks.shape[1] != 3 or not np.isfinite(landmarks).all():
            self.faults.add('"landmarks" in "truth" must be a list of points [r, a, s] in mm, one or more.')
            return None
        return landmarks

    def _path(self, entry: Mapping[str, Any], key: str, where: str) -> Path | None:
        given = entry.get(key)
        if not isinstance(given, str) or not given:
            self.faults.add(f'{where} has no "{key}": give the path of a file, relative to the case file.')
            return None
        return self.folder / given

    def _read(self, reader: Callable[[Path], Read], path: Path | None) -> Read | None:
        return None if path is None else self._collect(lambda: reader(path))

    def _collect(self, make: Callable[[], Read], where: str = "") -> Read | None:
        try:
            return make()
        except InputError as error:
            self.faults.extend(f"{where}: {fault}" if where else fault for fault in error.faults)
        except OSError as error:
            self.faults.add(f"The file {error.filename} cannot be read ({error.strerror}): check its path and rights.")
        return None

    def _check_keys(self, given: Mapping[str, Any], known: set[str], where: str) -> None:
        for key in given:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(sorted(known))}."
                self.faults.add(f'{where} has the unknown key "{key}": {hint}')


def carm_of_camera(camera: Mapping[str, Any]) -> CArm:
    """Builds the C-arm of a case's "camera"; InputError lists what is wrong with it."""
    faults = FaultList()
    size, spacing = camera["size"], camera.get("spacing_mm")
    if not _are_numbers(size, 2) or any(n != int(n) for n in size):
        faults.add('"size" must be [width, height], two whole numbers of pixels.')
    if spacing is not None and not _are_numbers(spacing, 2):
        faults.add('"spacing_mm" must be two numbers: the pixel spacing along columns and along rows.')
    try:
        # A stand-in for what is already known to be wrong lets the rest be judged as well.
        good_spacing = None if spacing is None or faults else (float(spacing[0]), float(spacing[1]))
        good_size = (1, 1) if faults else (int(size[0]), int(size[1]))
        carm = CArm(camera["K"], good_size, _pose_of(camera), good_spacing)
    except InputError as error:
        faults.extend(error.faults)
    faults.raise_if_any()
    return carm


def _size_in(view: Mapping[str, Any]) -> tuple[int, int] | None:
    """The image size that a view's "camera" names; None where that is no size, which is a fault of its own."""
    camera = view.get("camera")
    size = camera.get("size") if isinstance(camera, dict) else None
    if not isinstance(size, list) or not _are_numbers(size, 2) or any(n < 1 or n != int(n) for n in size):
        return None
    return int(size[0]), int(size[1])


def _standing(carm: CArm, camera: Mapping[str, Any]) -> CArm:
    """The C-arm that the DICOM tags describe, where the case says that it stands."""
    spacing = camera.get("spacing_mm")
    if spacing is not None:
        raise InputError('"spacing_mm" stands without "K" and "size": the DICOM tags give all three, leave it out.')
    return CArm(carm.intrinsics, carm.size, _pose_of(camera), carm.spacing_mm)


def _says_where_it_stands(view: Mapping[str, Any]) -> bool:
    camera = view.get("camera")
    return isinstance(camera, dict) and camera.get("camera_from_world") is not None


def _pose_of(camera: Mapping[str, Any]) -> Matrix:
    pose = camera.get("camera_from_world")
    return np.eye(4) if pose is None else pose


def _are_numbers(value: object, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in value)
    )
