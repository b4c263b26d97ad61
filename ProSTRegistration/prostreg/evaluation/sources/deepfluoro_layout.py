"""The layout of the DeepFluoro data set's HDF5 file, and everything that a file lacks of it.

Layout, as its authors describe it (R. Grupp et al., IPCAI 2020; data CC BY-NC 4.0), with LPS, mm and pixels throughout:

- ``proj-params``: ``intrinsic`` (3, 3), ``extrinsic`` (4, 4; camera from world), ``num-cols``, ``num-rows``,
  ``pixel-col-spacing``, ``pixel-row-spacing``; one camera for all images. Its z axis points from the detector
  to the source, so what is imaged has negative z and both focal lengths are negative.
- every other group is a specimen: ``vol`` and ``vol-seg/image`` (``pixels`` [k, j, i], ``spacing``, ``origin``,
  ``dir-mat``), ``vol-landmarks`` (name to 3D point) and ``projections``.
- each projection: ``image/pixels`` [row, column] raw intensities, ``gt-poses/cam-to-pelvis-vol`` (4, 4; volume from
  world), ``gt-landmarks`` (name to column, row) and ``rot-180-for-up``. Vectors may be stored as columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import FaultList
from prostreg.geometry.frames import Matrix, rigid_faults

CAMERA_GROUP = "proj-params"
LANDMARK_TOLERANCE_PX = 10.0
"""Most that the stored pose may miss the stored 2D landmarks by; a mirrored or inverted pose misses by hundreds."""


@dataclass(frozen=True)
class Projection:
    """The place of one X-ray image in the file."""

    specimen: str
    number: str


@dataclass(frozen=True, eq=False)
class StoredCamera:
    """The camera as stored: K (3, 3) with negative focal lengths, camera from world, (width, height), pixel pitch."""

    intrinsics: Matrix
    camera_from_world: Matrix
    size: tuple[int, int]
    spacing_mm: tuple[float, float]


class LayoutCheck:
    """Walks through the file and collects what is wrong with it."""

    def __init__(self) -> None:
        self.faults = FaultList()
        self.camera: StoredCamera | None = None
        self.projections: list[Projection] = []

    def file(self, file: Any) -> None:
        parameters = self._group(file, CAMERA_GROUP, "The file")
        if parameters is not None:
            self.camera = self._camera(parameters)
        specimens = [name for name in sorted(file) if name != CAMERA_GROUP]
        if not specimens:
            self.faults.add("The file has no specimens: give the full-resolution DeepFluoro file.")
        for name in specimens:
            specimen = self._group(file, name, "The file")
            if specimen is not None:
                self._specimen(specimen, name)

    def _camera(self, group: Any) -> StoredCamera | None:
        where = f"'{CAMERA_GROUP}'"
        intrinsics = self._numbers(group, "intrinsic", (3, 3), where)
        extrinsics = self._pose(group, "extrinsic", where)
        if intrinsics is not None and (intrinsics[0, 0] >= 0 or intrinsics[1, 1] >= 0):
            self.faults.add(
                f"{where}: the focal lengths in 'intrinsic' are {intrinsics[0, 0]:g} and {intrinsics[1, 1]:g} pixels;"
                " in this data set both are negative, since its camera looks along its negative z axis."
            )
            intrinsics = None
        scalars = []
        for name in ("num-cols", "num-rows", "pixel-col-spacing", "pixel-row-spacing"):
            value = self._numbers(group, name, (), where)
            if value is not None and value <= 0:
                self.faults.add(f"{where}: '{name}' is {value:g}, it must be positive.")
            elif value is not None:
                scalars.append(float(value))
        if intrinsics is None or extrinsics is None or len(scalars) < 4:
            return None
        columns, rows, across, down = scalars
        return StoredCamera(intrinsics, extrinsics, (round(columns), round(rows)), (across, down))

    def _specimen(self, group: Any, name: str) -> None:
        where = f"Specimen {name}"
        self._volume_group(group, ("vol",), where)
        self._volume_group(group, ("vol-seg", "image"), where)
        landmarks = self._points(group, "vol-landmarks", 3, where)
        projections = self._group(group, "projections", where)
        for number in sorted(projections or ()):
            projection = self._group(projections, number, where)
            if projection is not None:
                self._projection(projection, f"{where}, projection {number}", landmarks)
                self.projections.append(Projection(name, number))
        if projections is not None and not len(projections):
            self.faults.add(f"{where} has no projections.")

    def _volume_group(self, group: Any, path: tuple[str, ...], where: str) -> None:
        volume = group
        for name in path:
            volume = self._group(volume, name, where)
            if volume is None:
                return
        here = f"{where}, '{'/'.join(path)}'"
        self._pixel_data(volume, 3, None, here)
        spacing = self._numbers(volume, "spacing", (3,), here)
        self._numbers(volume, "origin", (3,), here)
        directions = self._numbers(volume, "dir-mat", (3, 3), here)
        if spacing is not None and (spacing <= 0).any():
            self.faults.add(f"{here}: 'spacing' is {spacing.tolist()}, it must be positive.")
        if directions is not None and not np.allclose(directions @ directions.T, np.eye(3), atol=1e-3):
            self.faults.add(f"{here}: the axes in 'dir-mat' are not at right angles and of length one.")

    def _projection(self, group: Any, where: str, landmarks: dict[str, NDArray[np.float64]]) -> None:
        image = self._group(group, "image", where)
        if image is not None:
            size = None if self.camera is None else self.camera.size[::-1]
            self._pixel_data(image, 2, size, where)
        self._numbers(group, "rot-180-for-up", (), where)
        poses = self._group(group, "gt-poses", where)
        pose = None if poses is None else self._pose(poses, "cam-to-pelvis-vol", where)
        seen = self._points(group, "gt-landmarks", 2, where)
        common = sorted(seen.keys() & landmarks.keys())
        if pose is None or self.camera is None or not common:
            return
        points = np.stack([landmarks[name] for name in common])
        projected = projected_lps(self.camera, pose, points)
        missed = np.median(np.linalg.norm(projected - np.stack([seen[name] for name in common]), axis=1))
        if not missed < LANDMARK_TOLERANCE_PX:
            self.faults.add(
                f"{where}: the pose in 'cam-to-pelvis-vol' projects the 3D landmarks {missed:.0f} pixels away from"
                " 'gt-landmarks': pose, camera and landmarks do not belong together."
            )

    def _group(self, parent: Any, name: str, where: str) -> Any | None:
        group = parent.get(name) if name in parent else None
        if group is None or not hasattr(group, "keys"):
            self.faults.add(f"{where} has no group '{name}'.")
            return None
        return group

    def _numbers(self, parent: Any, name: str, shape: tuple[int, ...], where: str) -> NDArray[np.float64] | None:
        node = parent.get(name) if name in parent else None
        if node is None or hasattr(node, "keys"):
            self.faults.add(f"{where} has no '{name}'.")
            return None
        try:
            values = np.asarray(node[()], dtype=np.float64)
        except (OSError, TypeError, ValueError):
            self.faults.add(f"{where}: '{name}' cannot be read as numbers.")
            return None
        if values.size != np.prod(shape, dtype=int):
            expected = " x ".join(map(str, shape)) or "one number"
            self.faults.add(f"{where}: '{name}' has {values.size} numbers instead of {expected}.")
            return None
        if not np.isfinite(values).all():
            self.faults.add(f"{where}: '{name}' contains NaN or infinity.")
            return None
        return values.reshape(shape)

    def _pose(self, parent: Any, name: str, where: str) -> Matrix | None:
        pose = self._numbers(parent, name, (4, 4), where)
        if pose is None:
            return None
        faults = rigid_faults(pose, f"{where}: '{name}'")
        self.faults.extend(faults)
        return None if faults else pose

    def _points(self, parent: Any, name: str, dimensions: int, where: str) -> dict[str, NDArray[np.float64]]:
        group = self._group(parent, name, where)
        if group is None:
            return {}
        if not len(group):
            self.faults.add(f"{where}: '{name}' is empty.")
        found = {key: self._numbers(group, key, (dimensions,), f"{where}, '{name}'") for key in sorted(group)}
        return {key: point for key, point in found.items() if point is not None}

    def _pixel_data(self, group: Any, dimensions: int, shape: tuple[int, ...] | None, where: str) -> None:
        data = group.get("pixels") if "pixels" in group else None
        if data is None or not hasattr(data, "shape"):
            self.faults.add(f"{where} has no 'pixels'.")
        elif data.dtype.kind not in "iuf":
            self.faults.add(f"{where}: 'pixels' are not numbers.")
        elif len(data.shape) != dimensions or 0 in data.shape:
            self.faults.add(f"{where}: 'pixels' has the shape {data.shape}, {dimensions} dimensions are needed.")
        elif shape is not None and data.shape != shape:
            self.faults.add(f"{where}: 'pixels' has the shape {data.shape}, but '{CAMERA_GROUP}' says {shape}.")


def projected_lps(camera: StoredCamera, volume_from_world: Matrix, points_lps_mm: NDArray[np.float64]) -> Matrix:
    """Pixels (n, 2; column, row of the stored image) of points (n, 3), by the authors' formula as it stands."""
    camera_from_volume = camera.camera_from_world @ np.linalg.inv(volume_from_world)
    points = points_lps_mm @ camera_from_volume[:3, :3].T + camera_from_volume[:3, 3]
    homogeneous = points @ camera.intrinsics.T
    depth = np.where(homogeneous[:, 2:] < 0, homogeneous[:, 2:], np.nan)
    return np.asarray(homogeneous[:, :2] / depth)
