"""Cases simulated from one CT: the kind of source "simulated"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.evaluation.sources.case_series import CaseSeries
from prostreg.evaluation.sources.imaging_setup import ImagingSetup, read_imaging_setup
from prostreg.evaluation.sources.landmarks import surface_landmarks_mm
from prostreg.evaluation.sources.motion import Motion
from prostreg.evaluation.sources.patient import PatientFiles, open_patient, read_patient_files
from prostreg.evaluation.sources.starts import with_start
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix
from prostreg.images.anatomy import anatomy_from_labels
from prostreg.images.volume import Volume
from prostreg.images.xray_preparation import prepare_xray
from prostreg.json_fields import JsonFields
from prostreg.registration.case import Case, View
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.simulation.fluoroscopy import FluoroscopySimulator

TRUTH, START, SIMULATOR, MOTION = range(4)
"""Independent streams of random numbers of one case."""


def read_source(fields: JsonFields) -> tuple[ImagingSetup, PatientFiles, tuple[int, ...]]:
    """Reads the C-arm, its views and the simulator, the CT, its labels, and the values of the femora in them."""
    return read_imaging_setup(fields), read_patient_files(fields), fields.wholes("femora", ())


def make_source(series: CaseSeries, data_folder: Path | None) -> SimulatedCases:
    """Reads the CT and its labels.

    Raises:
        InputError: a file is missing or another one than the protocol names.
    """
    setup, files, femora = series.source
    ct, labels = open_patient(files, data_folder, series.name)
    return SimulatedCases(series, setup, ct, labels, [anatomy_from_labels(ct, labels, [value]) for value in femora])


class SimulatedCases:
    """Makes cases of one CT; a case depends on the protocol's seed and its number alone.

    Args:
        series: with starts or a motion; where it has no landmarks, points of the anatomy's surface are taken.
        scene: C-arm, views, truth and simulator.
        ct: HU; all of it is seen in the images.
        labels: of which the scene's anatomy is registered.
        femora: bool masks of what may turn in its joint between CT and X-ray.

    Raises:
        InputError: the protocol says nothing about starts.
    """

    def __init__(
        self,
        series: CaseSeries,
        scene: ImagingSetup,
        ct: Volume,
        labels: Volume,
        femora: Sequence[NDArray[np.bool_]] = (),
    ) -> None:
        if series.starts is None and series.motion is None:
            raise InputError(f'The protocol {series.name} has neither "starts" nor "motion": simulated cases need one.')
        self._series, self._scene, self._ct = series, scene, ct
        self._anatomy = anatomy_from_labels(ct, labels, scene.anatomy)
        whole = Case(series.name, ct, self._anatomy, ())
        self._centre_mm = anatomy_centre_mm(anatomy_points_mm(whole))
        self._landmarks_mm = _landmarks_mm(series, ct, self._anatomy)
        self._carms = scene.carms(self._centre_mm)
        self._simulator = FluoroscopySimulator(ct, scene.simulator, femora)

    def __len__(self) -> int:
        return self._series.cases

    def case(self, number: int) -> Case:
        """Simulates case ``number``.

        Raises:
            InputError: no start can be drawn for it.
        """
        motion = self._series.motion
        truth = self._true_pose(number) if motion is None else self._moving_pose(number, motion, frames_back=0)
        image_seed = int(self._rng(number, SIMULATOR).integers(2**31))
        # One seed for all views of a case: what deforms the patient is the same in each.
        views = tuple(self._view(carm, truth, image_seed) for carm in self._carms)
        name = f"{self._series.name}-{number:04d}"
        case = Case(name, self._ct, self._anatomy, views, None, truth, self._landmarks_mm)
        if motion is not None:
            return replace(case, initial_world_from_volume=self._moving_pose(number, motion, frames_back=1))
        if self._series.starts is None:
            raise InputError(f"The protocol {self._series.name} says nothing about starts.")
        return with_start(case, self._series.starts, number, self._rng(number, START))

    def _true_pose(self, number: int) -> Matrix:
        return self._scene.true_pose(self._centre_mm, self._rng(number, TRUTH))

    def _moving_pose(self, number: int, motion: Motion, frames_back: int) -> Matrix:
        sequence, frame = motion.sequence_and_frame(number)
        chart = PoseChart(self._true_pose(sequence), np.eye(4), self._centre_mm)
        moved = motion.parameters(frame - frames_back, self._rng(sequence, MOTION))
        return np.asarray(chart.world_from_volume_at(moved)[0])

    def _view(self, carm: CArm, truth: Matrix, seed: int) -> View:
        image = self._simulator.image(carm, truth, seed)
        polarity = image.polarity if self._scene.is_polarity_known else "auto"
        return View(prepare_xray(image.pixels.astype(np.float32), polarity, None), carm)

    def _rng(self, number: int, stream: int) -> np.random.Generator:
        return np.random.default_rng([self._series.seed, number, stream])


def _landmarks_mm(series: CaseSeries, ct: Volume, anatomy: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.array(series.landmarks_mm) if series.landmarks_mm else surface_landmarks_mm(ct, anatomy)
