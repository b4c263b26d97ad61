"""case.json: reads it with all the files it names, and judges everything before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from prostreg.choices import POLARITIES
from prostreg.geometry.camera_files.reading import (
    CAMERA_FORMATS,
    CASE_FILE,
    camera_values,
    with_projection_taken_apart,
)
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_accuracy import CARM_ACCURACIES
from prostreg.geometry.carm_values import is_image_size, read_carm, read_distortion
from prostreg.geometry.distortion import Distortion, Undistortion
from prostreg.images.anatomy import anatomy_by_threshold, chosen_voxels
from prostreg.images.anatomy_check import anatomy_made_on
from prostreg.images.frames import FRAME_ADVICE, frames_of_value, is_frame_choice
from prostreg.images.reading import read_labels
from prostreg.images.volume import Volume
from prostreg.images.xray_preparation import prepare_xray
from prostreg.images.xray_reading import XRayImage, read_mask_image, read_xray_image
from prostreg.json_fields import JsonFields, json_object
from prostreg.registration.bones.bones_of_file import are_label_values, pose_in, read_bones
from prostreg.registration.case import Bone, Case, CaseFiles, RoughRelation, View, same_picture_faults
from prostreg.registration.shared_files import file_state, shared_anatomy, shared_ct

MOST_ROUGH_DEG, MOST_ROUGH_MM = 30.0, 200.0
_LONGEST_NAME = 100
_NEGATIVE = (
    "the image has grey values below 0, so the value of no radiation is not known: the darkest pixel was taken for it."
    " Give the image as the detector stored it."
)
Read = TypeVar("Read")


def read_case(path: Path, needs_views: bool = True, frame: int | None = None) -> Case:
    """Reads a case file and every file it names.

    Args:
        path: case.json, or the folder it is in; paths inside it are relative to that folder.
        needs_views: False where the X-rays may be still to come; ``views`` may then be missing or empty.
        frame: of its runs; None for the one that the case names, if any.

    Raises:
        InputError: lists every fault of the case file and of all its files.
    """
    path = _case_path(path)
    content = json_object(path, "case file")
    return case_of(content if frame is None else _with_frame(content, frame), path.parent, needs_views)


def case_of(content: Mapping[str, Any], folder: Path, needs_views: bool = True) -> Case:
    """The case that the content of a case file describes, with every file it names.

    Args:
        content: of the case file.
        folder: in which it lies or will lie; paths inside it are relative to that folder.
        needs_views: as for `read_case`.

    Raises:
        InputError: lists every fault of the content and of all its files.
    """
    return _CaseReader(folder, JsonFields(content, "The case"), needs_views).case()


def read_relation(fields: JsonFields) -> RoughRelation:
    """The field ``relation``, whose numbers have usual values where they are missing; faults are noted in `fields`."""
    inside, usual = fields.inner("relation"), RoughRelation()
    relation = RoughRelation(
        inside.number("rotation_deg", 0.0, MOST_ROUGH_DEG, usual.rotation_deg),
        inside.number("translation_mm", 0.0, MOST_ROUGH_MM, usual.translation_mm),
    )
    inside.end()
    return relation


def _with_frame(content: Mapping[str, Any], frame: int) -> dict[str, Any]:
    """The content with another frame in each view; what is no view stays, to be told as a fault."""
    views = content.get("views")
    if not isinstance(views, list):
        return dict(content)
    return {**content, "views": [{**view, "frame": frame} if isinstance(view, dict) else view for view in views]}


class _CaseReader:
    """Walks through one case's fields and the files that they name."""

    def __init__(self, folder: Path, fields: JsonFields, needs_views: bool) -> None:
        self.folder, self.fields, self.needs_views = folder, fields, needs_views
        self.faults = fields.faults
        self.xrays: list[Path] = []
        self.named: list[Path] = []
        self.pixels: dict[int, NDArray[np.float32]] = {}
        self.bones: list[Bone] = []
        self.keeps_joints = False

    def case(self) -> Case:
        name = self._name()
        ct, anatomy = self._ct_and_anatomy()
        views = self._views()
        relation = self._relation(len(views))
        initial, _ = pose_in(self.fields, "initial")
        truth, landmarks = pose_in(self.fields, "truth")
        self.fields.end()
        self.faults.raise_if_any()
        if ct is None or anatomy is None:
            raise AssertionError("a CT or anatomy that is missing is a fault")
        files = CaseFiles(self.folder / self.fields.text("ct"), tuple(self.xrays), tuple(self.named))
        return Case(
            name, ct, anatomy, tuple(views), initial, truth, landmarks, files, tuple(self.bones),
            keeps_joints=self.keeps_joints, relation=relation,
        )  # fmt: skip

    def _name(self) -> str:
        name = self.fields.text("name", advice="give a short text, results are filed under it")
        if name in (".", "..") or any(c in '/\\:*?"<>|' or ord(c) < 32 for c in name) or name != name.strip():
            self.faults.add(f"The case's name \"{name}\" cannot be a folder's name: use letters, digits, - and _.")
        if len(name) > _LONGEST_NAME:
            self.faults.add(f"The case's name has {len(name)} characters: give {_LONGEST_NAME} at most.")
        return name

    def _ct_and_anatomy(self) -> tuple[Volume | None, NDArray[np.bool_] | None]:
        ct = self._read(shared_ct, self.fields, "ct")
        if "anatomy" not in self.fields:
            return ct, None if ct is None else self.faults.collect(
                lambda: shared_anatomy(ct, "by threshold", lambda: anatomy_by_threshold(ct))
            )
        inside = self.fields.inner("anatomy")
        labels = self._read(read_labels, inside, "labels")
        mask_of = None if labels is None else partial(self._mask_of, ct, labels, inside)
        if "bones" in inside:
            return ct, self._bones(inside, mask_of, is_ct_there=ct is not None)
        advice = 'give a list of one or more whole numbers, for example [25, 77], or "bones" that move'
        values: list[int] = inside.checked("values", are_label_values, advice, [])
        inside.end()
        if mask_of is None or not values:
            return ct, None
        anatomy = self.faults.collect(lambda: mask_of(values))
        return ct, None if ct is None else anatomy

    def _bones(
        self, inside: JsonFields, mask_of: Callable[[list[int]], NDArray[np.bool_]] | None, is_ct_there: bool
    ) -> NDArray[np.bool_] | None:
        """Reads the bones; gives all of them as one anatomy."""
        if "values" in inside:
            self.faults.add(
                '"anatomy" has "values" and "bones": give "values" for one bone, "bones" for several that move.'
            )
        bones = read_bones(inside, mask_of)
        self.keeps_joints = inside.flag("keep_joints", False)
        inside.end()
        if not bones or not is_ct_there:
            return None
        self.bones = bones
        return np.asarray(np.any([bone.anatomy for bone in bones], axis=0))

    def _mask_of(self, ct: Volume | None, labels: Volume, inside: JsonFields, values: list[int]) -> NDArray[np.bool_]:
        """The voxels of the CT with one of some values; those of the labels where there is no CT to judge them by."""
        if ct is None:
            return chosen_voxels(labels, values)
        origin = file_state(self.folder / inside.text("labels")), tuple(values)
        return shared_anatomy(ct, origin, lambda: anatomy_made_on(ct, labels, values))

    def _views(self) -> list[View]:
        entries: list[Any] = self.fields.checked(
            "views",
            lambda given: isinstance(given, list) and (given or not self.needs_views),
            "give a list of one or more X-ray images",
            [],
            *([] if self.needs_views else [[]]),
        )
        views = []
        for number, entry in enumerate(entries, start=1):
            fields = JsonFields(entry, f"View {number}", self.faults)
            view = self._view(fields, number, len(entries)) if isinstance(entry, dict) else None
            views += [] if view is None else [view]
        self.faults.extend(same_picture_faults(self.pixels))
        return views

    def _relation(self, view_count: int) -> RoughRelation | None:
        """The accuracy of further views against the first, where it is told."""
        if "relation" not in self.fields:
            return None
        relation = read_relation(self.fields)
        if self.bones:
            self.faults.add(
                '"relation" and "bones" exclude each other: register the bones with known views, or as one.'
            )
        elif view_count == 1:
            self.faults.add('"relation" is about several views, and the case has one: leave it out.')
        return relation

    def _view(self, fields: JsonFields, number: int, count: int) -> View | None:
        frame = fields.checked("frame", is_frame_choice, FRAME_ADVICE, None, None)
        frames = None if frame is None else frames_of_value(frame)
        image = self._read(lambda path: read_xray_image(path, frames), fields, "image")
        camera = self._camera(fields, image, number)
        is_unreadable = camera is None and "camera" in fields
        if count > 1 and not is_unreadable and (camera is None or "camera_from_world" not in camera):
            self.faults.add(
                f'View {number}: "camera" lacks camera_from_world: with several views, each has to say where it stands.'
            )
        distortion = None if camera is None else read_distortion(camera)
        carm, size = (None, None) if is_unreadable else self._carm(camera, image, fields.where)
        polarity = fields.choice("polarity", POLARITIES, "auto")
        mask = self._mask(fields, image)
        is_flipped = fields.flag("flip") if "flip" in fields else None
        fields.end()
        if image is None:
            return None
        self.pixels[number] = image.pixels
        if size is not None and size != image.pixels.shape[::-1]:
            self.faults.add(
                f"{fields.where} has an image of {_in_words(image.pixels.shape[::-1])} pixels, but its camera "
                f"says {_in_words(size)}: K and size must belong to this very image."
            )
        is_told = camera is not None and "K" in camera
        carm_note = None if is_told else image.note
        polarity_note = image.polarity_note if polarity == "auto" else None
        notes = [note for note in (*image.notes, carm_note, polarity_note) if note is not None]
        is_side_known = is_flipped is not None or (image.side is not None and image.side.is_told)
        if is_flipped is None and image.side is not None:
            is_flipped = image.side.is_from_detector
            notes.append(f'{image.side.sentence} "flip" of the view overrules this.')
        pixels, mask = image.pixels, image.open_part if mask is None else mask
        undistortion = self._undistortion(carm, distortion, pixels, f"{fields.where}: ")
        if undistortion is not None:
            pixels, mask = undistortion.image(pixels), undistortion.mask(mask)
        if is_flipped:
            pixels = np.ascontiguousarray(pixels[:, ::-1])
            mask = None if mask is None else np.ascontiguousarray(mask[:, ::-1])
            carm = None if carm is None else carm.mirrored()
        xray = self.faults.collect(
            lambda: prepare_xray(pixels, polarity, mask, likelier=image.polarity), f"{fields.where}: "
        )
        if xray is None or carm is None:
            return None
        if xray.polarity == "bone-dark" and float((pixels if mask is None else pixels[mask]).min()) < 0:
            notes.append(_NEGATIVE)
        said = tuple(f"{fields.where}: {note}" for note in notes)
        self.xrays.append(self.folder / fields.text("image"))
        told = () if is_told else image.numbers
        return View(xray, carm, said, is_side_known, told, image.frames, bool(is_flipped), undistortion)

    def _camera(self, fields: JsonFields, image: XRayImage | None, number: int) -> JsonFields | None:
        """The content of a view's "camera", or of the file that it names; None without one, or with faults."""
        if "camera" not in fields:
            return None
        where, camera = f'"camera" of view {number}', fields.raw("camera")
        if isinstance(camera, str):
            name = fields.text("camera", advice=f"give an object, or the path of a file: {CAMERA_FORMATS}")
            # An image that cannot be read is a fault of its own, so that it has no size need not be said.
            size = (1, 1) if image is None else (image.pixels.shape[1], image.pixels.shape[0])
            camera = self.faults.collect(lambda: camera_values(self._path(name), 1, lambda: size)) if name else None
        elif isinstance(camera, dict):
            camera = self.faults.collect(lambda: with_projection_taken_apart(camera, where))
        return None if camera is None else JsonFields(camera, where, self.faults)

    def _carm(
        self, camera: JsonFields | None, image: XRayImage | None, where: str
    ) -> tuple[CArm | None, tuple[int, int] | None]:
        """The C-arm that the case or the DICOM tags describe, and the size that it says."""
        described = None if image is None else image.carm
        if camera is None:
            if image is not None and described is None:
                told = "has no DICOM tags." if image.note is None else f"tells no C-arm in its DICOM tags: {image.note}"
                self.faults.add(f'{where} has no "camera", and its image {told} Give "camera" with "K" and "size".')
            return described, None if described is None else described.size
        if described is None or "K" in camera or "size" in camera:
            carm, said = read_carm(camera, f"{where}: "), camera.raw("size")
            return carm, (int(said[0]), int(said[1])) if is_image_size(said) and min(said) >= 1 else None
        if "spacing_mm" in camera:
            self.faults.add(
                f'{where}: "spacing_mm" stands without "K" and "size": the DICOM tags give all three, leave it out.'
            )
        pose = camera.raw("camera_from_world", np.eye(4))
        accuracy = camera.choice("accuracy", list(CARM_ACCURACIES), described.accuracy)
        camera.end()
        carm = self.faults.collect(lambda: replace(described, camera_from_world=pose, accuracy=accuracy), f"{where}: ")
        return carm, described.size

    def _undistortion(
        self, carm: CArm | None, distortion: Distortion | None, pixels: NDArray[np.float32], prefix: str
    ) -> Undistortion | None:
        """The way from pixels (height, width) to those of a pinhole; None where they are such, or cannot be made so."""
        if carm is None or distortion is None or carm.size != pixels.shape[::-1]:
            return None
        return self.faults.collect(lambda: Undistortion(carm.intrinsics, carm.size, distortion), prefix)

    def _mask(self, fields: JsonFields, image: XRayImage | None) -> NDArray[np.bool_] | None:
        if "mask" not in fields:
            return None
        mask = self._read(read_mask_image, fields, "mask")
        if mask is None or image is None or mask.shape == image.pixels.shape:
            return mask
        self.faults.add(
            f"{fields.where} has a mask of {_in_words(mask.shape[::-1])} pixels and an image of "
            f"{_in_words(image.pixels.shape[::-1])}: they must be equal."
        )
        return None

    def _read(self, reader: Callable[[Path], Read], fields: JsonFields, key: str) -> Read | None:
        name = fields.text(key, advice="give the path of a file, relative to the case file")
        return self.faults.collect(lambda: reader(self._path(name))) if name else None

    def _path(self, name: str) -> Path:
        """The path of a file that the case names."""
        self.named.append(self.folder / name)
        return self.named[-1]


def _case_path(path: Path) -> Path:
    path = Path(path)
    return path / CASE_FILE if path.is_dir() else path


def _in_words(size: tuple[int, ...]) -> str:
    return "{} x {}".format(*size)
