"""Reads the HDF5 file of the DeepFluoro data set as it is stored; its layout is in ``deepfluoro_layout``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.evaluation.sources.deepfluoro_layout import LayoutCheck, Projection
from prostreg.geometry.frames import Matrix


@dataclass(frozen=True, eq=False)
class StoredImage:
    """One projection as stored: intensities (height, width), volume (LPS) from world, and whether its head is down."""

    pixels: NDArray[np.float32]
    volume_from_world: Matrix
    head_is_down: bool


@dataclass(frozen=True, eq=False)
class StoredVolume:
    """Values [k, j, i] and the matrix from index (i, j, k) to LPS mm."""

    values: NDArray[np.float32]
    lps_from_index: Matrix


class DeepFluoroFile:
    """An open description of the file; every read opens it anew, so that it can be handed to other processes.

    Args:
        path: the HDF5 file with full-resolution data.

    Raises:
        InputError: lists everything that is missing or wrong in the file, or says that h5py is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        check = LayoutCheck()
        with _opened(self.path) as file:
            check.file(file)
        check.faults.raise_if_any()
        if check.camera is None:
            raise AssertionError("a camera that is missing is a fault")
        self.camera = check.camera
        self.projections = tuple(check.projections)

    def image(self, projection: Projection) -> StoredImage:
        """Reads one projection; InputError if its pixels cannot be used."""
        where = f"projection {projection.number} of specimen {projection.specimen}"
        with _opened(self.path) as file:
            group = file[projection.specimen]["projections"][projection.number]
            pixels = _pixels(group["image"]["pixels"], where)
            pose = np.array(group["gt-poses"]["cam-to-pelvis-vol"][()], dtype=np.float64)
            return StoredImage(pixels, pose, bool(np.ravel(group["rot-180-for-up"][()])[0]))

    def ct(self, specimen: str) -> StoredVolume:
        """Reads a specimen's CT in HU."""
        with _opened(self.path) as file:
            return _volume(file[specimen]["vol"], f"the CT of specimen {specimen}")

    def labels(self, specimen: str) -> StoredVolume:
        """Reads a specimen's segmentation: 1, 2 hemipelves (left, right), 3 vertebrae, 4 upper sacrum, 5, 6 femora
        (left, right), 7 lower sacrum."""
        with _opened(self.path) as file:
            return _volume(file[specimen]["vol-seg"]["image"], f"the segmentation of specimen {specimen}")

    def landmarks_lps_mm(self, specimen: str) -> dict[str, NDArray[np.float64]]:
        """A specimen's anatomical landmarks (3,) by name."""
        with _opened(self.path) as file:
            group = file[specimen]["vol-landmarks"]
            return {name: np.array(group[name][()], dtype=np.float64).ravel() for name in sorted(group)}


def _opened(path: Path) -> Any:
    try:
        import h5py
    except ImportError:
        raise InputError(
            "Reading the DeepFluoro data needs the package h5py, which is not installed: install it with"
            ' pip install "prostreg[evaluation]" or pip install h5py.'
        ) from None
    try:
        return h5py.File(path, "r")
    except FileNotFoundError:
        raise InputError(f"The DeepFluoro file {path} does not exist: check the path.") from None
    except OSError:
        raise InputError(
            f"The DeepFluoro file {path} cannot be opened as HDF5: it is damaged, cut off or another kind of file."
            " Download it again."
        ) from None


def _pixels(data: Any, where: str) -> NDArray[np.float32]:
    try:
        pixels = np.asarray(data[()], dtype=np.float32)
    except OSError:
        raise InputError(f"The pixels of {where} are damaged: download the DeepFluoro file again.") from None
    if not np.isfinite(pixels).all():
        raise InputError(f"The pixels of {where} contain NaN or infinity: download the DeepFluoro file again.")
    return pixels


def _volume(group: Any, where: str) -> StoredVolume:
    lps_from_index = np.eye(4)
    spacing, origin = (np.ravel(group[name][()]).astype(np.float64) for name in ("spacing", "origin"))
    lps_from_index[:3, :3] = np.reshape(group["dir-mat"][()], (3, 3)) * spacing
    lps_from_index[:3, 3] = origin
    return StoredVolume(_pixels(group["pixels"], where), lps_from_index)
