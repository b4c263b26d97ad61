"""The C-arm, its views, and the true poses of simulated cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_limits import LARGEST_SDD_MM, SMALLEST_SDD_MM
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, invert_rigid
from prostreg.geometry.standard_views import STANDARD_VIEWS, standard_view
from prostreg.json_fields import JsonFields
from prostreg.simulation.pose_draws import PoseDraw, read_pose_draw
from prostreg.simulation.presets import read_simulator
from prostreg.simulation.settings import SimulatorSettings

POLARITIES = ("known", "auto")


@dataclass(frozen=True)
class SceneView:
    """A standard view, turned by degrees about the camera's axes (image right, image down, beam) at the isocentre."""

    standard_view: str
    turn_deg: tuple[float, ...]


@dataclass(frozen=True)
class ImagingSetup:
    """The imaging that simulated cases have in common.

    Attributes:
        sdd_mm: source-detector distance.
        isocentre_to_detector_mm: the anatomy's centre lies in the isocentre before the true pose is drawn.
        field_mm: side of the square detector.
        pixels: along that side.
        views: one or more; the world's frame is the camera of the first.
        truth: how the true pose is drawn, in the pose chart of the first view.
        anatomy: label values of what is registered.
        simulator: settings of the X-ray simulator.
        is_polarity_known: False where the registration has to find out by itself.
    """

    sdd_mm: float
    isocentre_to_detector_mm: float
    field_mm: float
    pixels: int
    views: tuple[SceneView, ...]
    truth: PoseDraw
    anatomy: tuple[int, ...]
    simulator: SimulatorSettings
    is_polarity_known: bool

    def base_poses(self, centre_mm: NDArray[np.float64]) -> list[Matrix]:
        """camera_from_volume of each view, with the anatomy's centre in the isocentre."""
        depth_mm = self.sdd_mm - self.isocentre_to_detector_mm
        poses = []
        for view in self.views:
            chart = PoseChart(standard_view(view.standard_view, centre_mm, depth_mm), np.eye(4), centre_mm)
            poses.append(chart.world_from_volume_at(np.concatenate([np.deg2rad(view.turn_deg), np.zeros(3)]))[0])
        return poses

    def carms(self, centre_mm: NDArray[np.float64]) -> list[CArm]:
        """One C-arm for each view."""
        pitch_mm, size = self.field_mm / self.pixels, (self.pixels, self.pixels)
        first, *_ = poses = self.base_poses(centre_mm)
        return [
            CArm.from_sdd(self.sdd_mm, (pitch_mm, pitch_mm), size, camera_from_world=pose @ invert_rigid(first))
            for pose in poses
        ]

    def true_pose(self, centre_mm: NDArray[np.float64], rng: np.random.Generator) -> Matrix:
        """A true world_from_volume."""
        base = PoseChart(self.base_poses(centre_mm)[0], np.eye(4), centre_mm)
        return np.asarray(base.world_from_volume_at(self.truth.parameters(rng))[0])


def read_imaging_setup(fields: JsonFields) -> ImagingSetup:
    """Reads the parts of a simulated "source" that describe C-arm, views, truth and simulator."""
    carm = fields.inner("carm")
    faults_before = len(carm.faults.faults)
    sdd_mm = carm.number("sdd_mm", SMALLEST_SDD_MM, LARGEST_SDD_MM)
    is_sdd_known = len(carm.faults.faults) == faults_before
    isocentre_mm = carm.number("isocentre_to_detector_mm", 0.0, 10000.0)
    field_mm, pixels = carm.number("field_mm", 1.0, 2000.0), carm.whole("pixels", 16, 4096)
    carm.end()
    if is_sdd_known and isocentre_mm >= sdd_mm:
        fields.faults.add('"isocentre_to_detector_mm" must be smaller than "sdd_mm": the isocentre is in between.')
    return ImagingSetup(
        sdd_mm=sdd_mm,
        isocentre_to_detector_mm=isocentre_mm,
        field_mm=field_mm,
        pixels=pixels,
        views=_read_views(fields),
        truth=read_pose_draw(fields.inner("truth")),
        anatomy=_read_anatomy(fields),
        simulator=read_simulator(fields),
        is_polarity_known=fields.choice("polarity", POLARITIES, "known") == "known",
    )


def _read_views(fields: JsonFields) -> tuple[SceneView, ...]:
    views = []
    for entry in fields.inners("views"):
        name = entry.choice("standard_view", STANDARD_VIEWS)
        views.append(SceneView(name, entry.numbers("turn_deg", 3, (0.0, 0.0, 0.0))))
        entry.end()
    if "views" in fields and not views:
        fields.faults.add('"views" is empty: give one view or more.')
    return tuple(views)


def _read_anatomy(fields: JsonFields) -> tuple[int, ...]:
    values = fields.wholes("anatomy")
    if "anatomy" in fields and not values:
        fields.faults.add('"anatomy" is empty: give the label values of what is registered.')
    return values
