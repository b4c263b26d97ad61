"""Cases simulated from one CT: the kind of source "simulated"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.sources.data_files import found_files, read_data_file
from prostreg.evaluation.sources.imaging_setup import ImagingSetup, read_imaging_setup
from prostreg.evaluation.sources.motion import Motion
from prostreg.evaluation.sources.starts import with_start
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix
from prostreg.images.anatomy import anatomy_from_labels
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.volume import Volume
from prostreg.images.xray_preparation import prepare_xray
from prostreg.json_fields import JsonFields
from prostreg.registration.case import Case, View
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.simulation.fluoroscopy import FluoroscopySimulator

TRUTH, START, SIMULATOR, MOTION = range(4)
"""Independent streams of random numbers of one case."""


def source_faults(fields: Mapping[str, Any]) -> list[str]:
    """What is wrong with a "source" of this kind."""
    faults = FaultList()
    _read(fields, faults)
    return faults.faults


def make_source(protocol: Protocol, data_folder: Path | None) -> SimulatedCases:
    """Reads the CT and its labels.

    Raises:
        InputError: a file is missing or another one than the protocol names.
    """
    faults = FaultList()
    scene, ct_file, labels_file, femora = _read(protocol.source, faults)
    ct_path, labels_path = found_files((ct_file, labels_file), data_folder, protocol.name)
    ct, labels = read_ct(ct_path), read_labels(labels_path)
    return SimulatedCases(protocol, scene, ct, labels, [anatomy_from_labels(ct, labels, [value]) for value in femora])


def _read(fields: Mapping[str, Any], faults: FaultList) -> tuple[Any, ...]:
    inside = JsonFields(fields, '"source"', faults)
    inside.raw("kind", "")
    scene = read_imaging_setup(inside)
    files = read_data_file(inside.inner("ct")), read_data_file(inside.inner("labels"))
    femora = inside.wholes("femora", ())
    inside.end()
    return scene, *files, femora


class SimulatedCases:
    """Makes cases of one CT; a case depends on the protocol's seed and its number alone.

    Args:
        protocol: with landmarks, and with starts or a motion.
        scene: C-arm, views, truth and simulator.
        ct: HU; all of it is seen in the images.
        labels: of which the scene's anatomy is registered.
        femora: bool masks of what may turn in its joint between CT and X-ray.

    Raises:
        InputError: the protocol has no landmarks or says nothing about starts.
    """

    def __init__(
        self,
        protocol: Protocol,
        scene: ImagingSetup,
        ct: Volume,
        labels: Volume,
        femora: Sequence[NDArray[np.bool_]] = (),
    ) -> None:
        faults = FaultList()
        if not protocol.landmarks_mm:
            faults.add(f'The protocol {protocol.name} has no "landmarks_mm": simulated cases need them for the mTRE.')
        if protocol.starts is None and protocol.motion is None:
            faults.add(f'The protocol {protocol.name} has neither "starts" nor "motion": simulated cases need one.')
        faults.raise_if_any()
        self._protocol, self._scene, self._ct = protocol, scene, ct
        self._anatomy = anatomy_from_labels(ct, labels, scene.anatomy)
        whole = Case(protocol.name, ct, self._anatomy, ())
        self._centre_mm = anatomy_centre_mm(anatomy_points_mm(whole))
        self._landmarks_mm = np.array(protocol.landmarks_mm)
        self._carms = scene.carms(self._centre_mm)
        self._simulator = FluoroscopySimulator(ct, scene.simulator, femora)

    def __len__(self) -> int:
        return self._protocol.cases

    def case(self, number: int) -> Case:
        """Simulates case ``number``.

        Raises:
            InputError: no start can be drawn for it.
        """
        motion = self._protocol.motion
        truth = self._true_pose(number) if motion is None else self._moving_pose(number, motion, frames_back=0)
        image_seed = int(self._rng(number, SIMULATOR).integers(2**31))
        # One seed for all views of a case: what deforms the patient is the same in each.
        views = tuple(self._view(carm, truth, image_seed) for carm in self._carms)
        name = f"{self._protocol.name}-{number:04d}"
        case = Case(name, self._ct, self._anatomy, views, None, truth, self._landmarks_mm)
        if motion is not None:
            return replace(case, initial_world_from_volume=self._moving_pose(number, motion, frames_back=1))
        if self._protocol.starts is None:
            raise InputError(f"The protocol {self._protocol.name} says nothing about starts.")
        return with_start(case, self._protocol.starts, number, self._rng(number, START))

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
        return np.random.default_rng([self._protocol.seed, number, stream])
