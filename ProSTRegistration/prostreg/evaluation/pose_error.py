"""The error of a pose, split into what an X-ray shows well and what it shows badly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix
from prostreg.registration.case import Case
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm


@dataclass(frozen=True, eq=False)
class PoseError:
    """A pose's difference from the truth in the pose chart at the truth.

    Attributes:
        turns_deg: (3,) rotation vector: tilts about u and v, in-plane turn.
        shifts_mm: (3,) of the anatomy's centre: along u, along v, along the ray (depth).
    """

    turns_deg: NDArray[np.float64]
    shifts_mm: NDArray[np.float64]

    @property
    def rotation_deg(self) -> float:
        return float(np.linalg.norm(self.turns_deg))

    @property
    def in_plane_rotation_deg(self) -> float:
        return float(abs(self.turns_deg[2]))

    @property
    def out_of_plane_rotation_deg(self) -> float:
        return float(np.linalg.norm(self.turns_deg[:2]))

    @property
    def translation_mm(self) -> float:
        return float(np.linalg.norm(self.shifts_mm))

    @property
    def in_plane_translation_mm(self) -> float:
        return float(np.linalg.norm(self.shifts_mm[:2]))

    @property
    def depth_mm(self) -> float:
        return float(abs(self.shifts_mm[2]))


def pose_error(case: Case, world_from_volume: Matrix) -> PoseError:
    """The error of a pose, in the axes of the first view.

    Raises:
        InputError: the case has no true pose.
    """
    if case.truth_world_from_volume is None:
        raise InputError(f"The case {case.name} has no true pose to measure an error from.")
    centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
    chart = PoseChart(case.truth_world_from_volume, case.views[0].carm.camera_from_world, centre_mm)
    parameters = chart.parameters_of(world_from_volume)
    return PoseError(np.rad2deg(parameters[:3]), parameters[3:])
