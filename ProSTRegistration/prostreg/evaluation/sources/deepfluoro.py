"""Cases of the DeepFluoro data set: real X-rays of six cadaveric pelves, with poses that its authors found.

Their camera looks along its negative z axis, x along columns and y along rows. Seen by a camera that looks along
its positive axis, as ours does, the stored images are mirror images (they show what one sees from the detector). So
the columns are flipped once, here, and the camera is turned half round about its y axis: no mirror is left.

The true poses were found by a renderer that took voxel i to reach from i to i + 1; here its centre is at i. The
authors correct for it in their later programs by half a voxel, and so does this loader unless the protocol says
``"half_voxel_shift": "as stored"``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.evaluation.sources.case_series import CaseSeries
from prostreg.evaluation.sources.data_files import DataFile, found_files, read_data_file
from prostreg.evaluation.sources.deepfluoro_file import DeepFluoroFile, StoredImage, StoredVolume
from prostreg.evaluation.sources.deepfluoro_layout import StoredCamera
from prostreg.evaluation.sources.starts import Starts, with_start
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import RAS_FROM_LPS, Matrix, invert_rigid, ras_from_lps, transform_points
from prostreg.images.anatomy import anatomy_from_labels
from prostreg.images.volume import Volume
from prostreg.images.xray_preparation import prepare_xray
from prostreg.json_fields import JsonFields
from prostreg.registration.case import Case, View

_HALF_TURN_ABOUT_Y: Matrix = np.diag([-1.0, 1.0, -1.0, 1.0])
_HALF_TURN_ABOUT_Z: Matrix = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class _Choice:
    """The part of the data set that is used, and how.

    Attributes:
        data: the HDF5 file.
        labels: values of the segmentation that are registered.
        border_px: cut off at each side of an image, where the collimator shows.
        half_voxel_shift: whether the stored poses are corrected by half a voxel.
    """

    data: DataFile
    labels: tuple[int, ...]
    border_px: int
    half_voxel_shift: bool


def read_source(fields: JsonFields) -> _Choice:
    """Reads the HDF5 file, and how it is used."""
    return _Choice(
        read_data_file(fields.inner("data")),
        fields.wholes("labels"),
        fields.whole("border_px", 0, 1000),
        fields.choice("half_voxel_shift", ("corrected", "as stored")) == "corrected",
    )


def make_source(series: CaseSeries, data_folder: Path | None) -> DeepFluoroCases:
    """Opens the data set and checks its whole layout.

    Raises:
        InputError: the file is missing, h5py is, or the protocol has no starts; or all that is wrong in the file.
    """
    choice: _Choice = series.source
    if series.starts is None:
        raise InputError(f'The protocol {series.name} has no "starts", and DeepFluoro has none of its own.')
    (path,) = found_files((choice.data,), data_folder, series.name)
    return DeepFluoroCases(DeepFluoroFile(path), choice, series.starts, series.seed)


@dataclass(frozen=True, eq=False)
class _Specimen:
    ct: Volume
    anatomy: NDArray[np.bool_]
    landmarks_mm: NDArray[np.float64]
    volume_shift: Matrix


class DeepFluoroCases:
    """One case per X-ray image, in the file's order, with a start drawn around its true pose.

    Args:
        file: the data set.
        choice: what of it is used, and how.
        starts: distribution of the starts.
        seed: of the starts.
    """

    def __init__(self, file: DeepFluoroFile, choice: _Choice, starts: Starts, seed: int) -> None:
        if 2 * choice.border_px >= min(file.camera.size):
            size = "{} x {}".format(*file.camera.size)
            raise InputError(f'"border_px" of "source" is {choice.border_px}: nothing remains of {size} pixels.')
        self._file, self._choice, self._starts, self._seed = file, choice, starts, seed
        self._specimen = lru_cache(maxsize=1)(self._read_specimen)

    def __len__(self) -> int:
        return len(self._file.projections)

    def case(self, number: int) -> Case:
        """The image ``number`` with its specimen, truth, landmarks and start.

        Raises:
            InputError: damaged pixels, or labels that the specimen lacks.
        """
        projection = self._file.projections[number]
        specimen = self._specimen(projection.specimen)
        view, camera_from_volume = registered_view(
            self._file.camera, self._file.image(projection), self._choice.border_px
        )
        case = Case(
            name=f"deepfluoro-{projection.specimen}-{projection.number}",
            ct=specimen.ct,
            anatomy=specimen.anatomy,
            views=(view,),
            truth_world_from_volume=camera_from_volume @ specimen.volume_shift,
            landmarks_mm=specimen.landmarks_mm,
        )
        return with_start(case, self._starts, number, np.random.default_rng([self._seed, number]))

    def _read_specimen(self, name: str) -> _Specimen:
        stored = self._file.ct(name)
        ct, labels = _in_ras(stored), _in_ras(self._file.labels(name))
        landmarks = np.stack(list(self._file.landmarks_lps_mm(name).values()))
        shift = np.eye(4)
        if self._choice.half_voxel_shift:
            shift[:3, 3] = ct.volume_from_index[:3, :3] @ (0.5, 0.5, 0.5)
        return _Specimen(
            ct, anatomy_from_labels(ct, labels, self._choice.labels), transform_points(RAS_FROM_LPS, landmarks), shift
        )


def registered_view(camera: StoredCamera, image: StoredImage, border_px: int) -> tuple[View, Matrix]:
    """The stored image and camera in this project's convention, with the head up; and camera_from_volume (RAS).

    The world is the camera. ``border_px`` pixels are cut off at each side.
    """
    width, height = camera.size
    mirrored = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    # K maps (x, y, z) to s (u, v, 1) with negative s; the turned camera sees the same points with positive s.
    intrinsics = mirrored @ -camera.intrinsics @ _HALF_TURN_ABOUT_Y[:3, :3]
    pixels = image.pixels[:, ::-1]
    camera_from_volume = (
        _HALF_TURN_ABOUT_Y @ camera.camera_from_world @ invert_rigid(image.volume_from_world) @ RAS_FROM_LPS
    )
    if image.head_is_down:
        pixels = pixels[::-1, ::-1]
        intrinsics[:2, 2] = (width - 1, height - 1) - intrinsics[:2, 2]
        camera_from_volume = _HALF_TURN_ABOUT_Z @ camera_from_volume
    size = (width - 2 * border_px, height - 2 * border_px)
    inside = np.ascontiguousarray(pixels[border_px : border_px + size[1], border_px : border_px + size[0]])
    carm = CArm(intrinsics, (width, height), spacing_mm=camera.spacing_mm).cropped(border_px, border_px, size)
    return View(prepare_xray(inside, "bone-dark"), carm), camera_from_volume


def _in_ras(stored: StoredVolume) -> Volume:
    return Volume(stored.values, ras_from_lps(stored.lps_from_index))
