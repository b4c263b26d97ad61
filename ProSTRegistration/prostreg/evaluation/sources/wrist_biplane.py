"""A real wrist in two calibrated X-rays: the kind of source "wrist-biplane".

Nobody knows the true pose. What stands for it is a reference: the registration to both views at once, whose outline
was seen to follow the bone in both. Errors are against that reference, and those of one view are mostly depth, which
the other view shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.evaluation.sources.case_series import CaseSeries
from prostreg.evaluation.sources.data_files import DataFile, found_files, read_data_file
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, rigid_faults
from prostreg.geometry.rotations import nearest_rotation
from prostreg.images.reading import read_ct
from prostreg.images.volume import Volume
from prostreg.images.xray_preparation import prepare_xray
from prostreg.images.xray_reading import read_xray_image
from prostreg.json_fields import JsonFields, json_object
from prostreg.registration.case import Case, View
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm

CAMERAS = ("cam01", "cam02")
VIEWS_USED = {"both": slice(0, 2), "first": slice(0, 1), "second": slice(1, 2)}


@dataclass(frozen=True, eq=False)
class WristSource:
    """A protocol's words about its wrist.

    Attributes:
        geometry: of both cameras.
        images: one per camera.
        bone: CT of one segmented bone, zero around it.
        start_turn_deg: angle between reference and start, about a random axis through the bone's centre.
        start_shift_mm: distance of that centre at the start, in a random direction.
        reference_world_from_volume: the pose from both views, rigid (4, 4).
    """

    geometry: DataFile
    images: tuple[DataFile, DataFile]
    bone: DataFile
    start_turn_deg: float
    start_shift_mm: float
    reference_world_from_volume: Matrix


def read_source(fields: JsonFields) -> WristSource:
    """Reads the files, the distances of the starts, and the reference."""
    images = fields.inner("images")
    pose = fields.judged("reference_world_from_volume", rigid_faults, "give 4 rows of 4 numbers", np.eye(4))
    source = WristSource(
        read_data_file(fields.inner("geometry")),
        (read_data_file(images.inner(CAMERAS[0])), read_data_file(images.inner(CAMERAS[1]))),
        read_data_file(fields.inner("bone")),
        fields.number("start_turn_deg", 0.0, 180.0),
        fields.number("start_shift_mm", 0.0, 1000.0),
        np.array(pose, dtype=np.float64),
    )
    images.end()
    return source


def make_source(series: CaseSeries, data_folder: Path | None) -> WristCases:
    """Reads the images, the cameras and the bone.

    Raises:
        InputError: a file is missing or another one than the protocol names, or the protocol has starts of its own.
    """
    if series.starts is not None or series.motion is not None:
        raise InputError(f"The protocol {series.name} has starts or a motion: the wrist's source makes its own starts.")
    return WristCases(series, data_folder)


class WristCases:
    """Each start from both views, from the first alone and from the second alone.

    Case ``n`` has start ``n // 3`` and the views ``n % 3`` of VIEWS_USED.

    Args:
        series: with landmarks.
        folder: with the files.
    """

    def __init__(self, series: CaseSeries, folder: Path | None) -> None:
        source: WristSource = series.source
        files = (source.geometry, *source.images, source.bone)
        geometry, first, second, bone = found_files(files, folder, series.name)
        if not series.landmarks_mm:
            raise InputError(f'The protocol {series.name} has no "landmarks_mm": the wrist\'s errors need them.')
        self._series, self._source = series, source
        self._ct = read_ct(bone)
        cameras = _cameras(geometry)
        self._views = tuple(wrist_view(path, camera) for path, camera in zip((first, second), cameras, strict=True))

    def __len__(self) -> int:
        return self._series.cases

    def case(self, number: int) -> Case:
        """Case ``number``; its truth is the reference."""
        start, chosen = divmod(number, len(VIEWS_USED))
        name = tuple(VIEWS_USED)[chosen]
        case = replace(self.whole_case(), name=f"{self._series.name}-start{start}-{name}")
        return replace(case, views=self._views[VIEWS_USED[name]], initial_world_from_volume=self._start(case, start))

    def whole_case(self) -> Case:
        """Both views, the bone, and the reference as truth; no start."""
        return Case(
            name=self._series.name,
            ct=self._ct,
            anatomy=bone_mask(self._ct),
            views=self._views,
            truth_world_from_volume=self._source.reference_world_from_volume,
            landmarks_mm=np.array(self._series.landmarks_mm),
        )

    def _start(self, case: Case, start: int) -> Matrix:
        rng = np.random.default_rng([self._series.seed, start])
        axis, direction = (vector / np.linalg.norm(vector) for vector in rng.standard_normal((2, 3)))
        centre = anatomy_centre_mm(anatomy_points_mm(case))
        chart = PoseChart(self._source.reference_world_from_volume, self._views[0].carm.camera_from_world, centre)
        turn, shift = np.deg2rad(self._source.start_turn_deg) * axis, self._source.start_shift_mm * direction
        return np.asarray(chart.world_from_volume_at(np.concatenate([turn, shift]))[0])


def bone_mask(ct: Volume) -> NDArray[np.bool_]:
    """The voxels of a segmented bone: everything around it is zero."""
    return np.asarray(ct.values > 0)


def wrist_view(image: Path, carm: CArm) -> View:
    """One prepared X-ray and its camera."""
    return View(prepare_xray(read_xray_image(image).pixels, "bone-dark", None), carm)


def _cameras(path: Path) -> tuple[CArm, CArm]:
    """Both cameras of geometry.json: OpenCV's pinhole, so this project's; only R needs its digits restored.

    Raises:
        InputError: the file is no such geometry.
    """
    try:
        cameras = json_object(path, "geometry")["cameras"]
        first, second = (_camera(cameras[name]) for name in CAMERAS)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not describe the cameras {' and '.join(CAMERAS)}: {error}.") from None
    return first, second


def _camera(camera: Mapping[str, Any]) -> CArm:
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3], camera_from_world[:3, 3] = nearest_rotation(camera["R"]), camera["t_mm"]
    width, height = camera["image_size"]
    return CArm(np.array(camera["K"]), (width, height), camera_from_world)
