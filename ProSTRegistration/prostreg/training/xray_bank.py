"""Simulated X-rays of a patient with their true poses, as a network sees them; equal seeds give equal banks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.files import complete_file
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, transform_points
from prostreg.geometry.standard_views import standard_view
from prostreg.images.anatomy import anatomy_bounds
from prostreg.images.xray_preparation import prepare_xray
from prostreg.registration.case import Case
from prostreg.simulation.fluoroscopy import FluoroscopySimulator
from prostreg.training.config import ImagingSetup

MOST_DRAWS = 100


@dataclass(frozen=True, eq=False)
class XrayBank:
    """X-rays of one patient.

    Attributes:
        images: (n, s, s) float32 line integrals from 0 to 1; 0 where masked.
        camera_from_volume: true poses (n, 4, 4).
        base: (n, 4, 4) standard views of the same C-arms; poses are told in their charts.
        sdd_mm: (n,) source-detector distances.
        field_mm: (n,) sides of the detectors.
    """

    images: NDArray[np.float32]
    camera_from_volume: NDArray[np.float64]
    base: NDArray[np.float64]
    sdd_mm: NDArray[np.float64]
    field_mm: NDArray[np.float64]

    def carm(self, number: int) -> CArm:
        """The C-arm of image ``number``; the camera is the world."""
        return _carm(float(self.sdd_mm[number]), float(self.field_mm[number]), self.images.shape[-1])

    @classmethod
    def joined(cls, banks: Sequence[XrayBank]) -> XrayBank:
        """All X-rays of several banks of one patient."""
        return cls(**{name: np.concatenate([getattr(b, name) for b in banks]) for name in cls.__dataclass_fields__})

    def save(self, path: Path) -> None:
        """Writes the bank to a .npz file, in one piece."""
        with complete_file(path) as unfinished:
            np.savez(unfinished, **self.__dict__)

    @classmethod
    def load(cls, path: Path) -> XrayBank:
        """Reads what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})


def trained_centre_mm(patient: Case) -> NDArray[np.float64]:
    """Centre (3,) of the box of the anatomy's indices, in the volume frame.

    A registration's `anatomy_centre_mm` is that of a thinned sample of points and lies up to some voxels beside it.
    Banks, starts and residuals of the shipped weights were made with this one: another centre is other weights.
    """
    first, size = anatomy_bounds(patient.anatomy)
    return transform_points(patient.ct.volume_from_index, np.array(first) + (np.array(size) - 1) / 2)


def simulated_bank(
    simulator: FluoroscopySimulator,
    patient: Case,
    scene: ImagingSetup,
    image_size: int,
    number: int,
    seed: Sequence[int],
) -> XrayBank:
    """Simulates ``number`` X-rays of a patient.

    Args:
        simulator: of the patient's CT with the scene's settings; making one, and each of its bodies, takes seconds.
        seed: of all of them, apart from those of other patients and other renewals.

    Raises:
        InputError: none of many drawn poses gives an image with something on it.
    """
    centre_mm = trained_centre_mm(patient)
    images, poses, bases, carms = [], [], [], []
    for index in range(number):
        rng = np.random.default_rng([*seed, index])
        for _ in range(MOST_DRAWS):
            sdd_mm, field_mm = rng.uniform(*scene.sdd_mm), rng.uniform(*scene.field_mm)
            base = standard_view(scene.view, centre_mm, sdd_mm * rng.uniform(*scene.isocentre_share))
            pose = PoseChart(base, np.eye(4), centre_mm).world_from_volume_at(scene.truth.parameters(rng))[0]
            image = _image(simulator, _carm(sdd_mm, field_mm, image_size), pose, int(rng.integers(2**31)))
            if image is not None:
                break
        else:
            raise InputError(f"The patient {patient.name}: of {MOST_DRAWS} poses none gives a usable X-ray.")
        images.append(image)
        poses.append(pose)
        bases.append(base)
        carms.append((sdd_mm, field_mm))
    sdd_mm, field_mm = np.array(carms).T
    return XrayBank(np.array(images), np.array(poses), np.array(bases), sdd_mm, field_mm)


def _image(simulator: FluoroscopySimulator, carm: CArm, pose: Matrix, seed: int) -> NDArray[np.float32] | None:
    simulated = simulator.image(carm, pose, seed)
    try:
        xray = prepare_xray(simulated.pixels.astype(np.float32), simulated.polarity, None)
    except InputError:
        return None
    return np.where(xray.mask, xray.line_integrals, np.float32(0.0))


def _carm(sdd_mm: float, field_mm: float, image_size: int) -> CArm:
    return CArm.from_sdd(sdd_mm, (field_mm / image_size,) * 2, (image_size, image_size))
