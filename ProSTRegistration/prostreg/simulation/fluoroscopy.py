"""Simulated fluoroscopy images: what a CT would look like on a detector, unlike a plain DRR.

The CT is taken apart into materials on a finer grid, by cubic B-splines, and rendered on a detector of twice the
resolution, so that the image is not the mirror image of what the registration renders. A tube's spectrum, scatter,
blur, an uneven beam, photon noise and the processing for a monitor follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix, transform_points
from prostreg.images.polarity import Polarity
from prostreg.images.volume import Volume
from prostreg.simulation.beam import Beam
from prostreg.simulation.body import Body
from prostreg.simulation.continuation import continued
from prostreg.simulation.fine_grid import affordable, refined
from prostreg.simulation.imaging import (
    Image,
    blurred,
    detector_sigma_mm,
    focal_spot_sigma_mm,
    with_noise,
    with_scatter,
    with_uneven_beam,
)
from prostreg.simulation.monitor import Pixels, grey_values
from prostreg.simulation.presets import preset
from prostreg.simulation.random_streams import drawn, stream
from prostreg.simulation.settings import SimulatorSettings

SUPERSAMPLING = 2
FINE_ENOUGH_MM = 0.25
"""Detector pixels below this pitch are not divided further: the body's grid is coarser."""


@dataclass(frozen=True, eq=False)
class SimulatedXray:
    """A simulated X-ray image.

    Attributes:
        pixels: grey values (height, width), uint16 or uint8.
        polarity: whether bone is dark or bright in it.
    """

    pixels: Pixels
    polarity: Polarity


class FluoroscopySimulator:
    """Makes fluoroscopy images of one CT.

    Args:
        ct: HU; all of it is seen, soft tissue included.
        settings: how strong each effect is; None for the preset ``paper``.
        femora: masks in the CT's grid, one per femur, that may turn against the pelvis.

    Raises:
        InputError: a mask has another shape than the CT.
    """

    def __init__(
        self, ct: Volume, settings: SimulatorSettings | None = None, femora: Sequence[NDArray[np.bool_]] = ()
    ) -> None:
        faults = [
            f"A mask of the femora {mask.shape} has another shape than the CT {ct.values.shape}."
            for mask in femora
            if mask.shape != ct.values.shape
        ]
        if faults:
            raise InputError(faults)
        self._settings = settings or preset("paper")
        self._centre_mm = ct.centre_mm
        whole, _ = continued(*affordable(ct, femora))
        self._body = Body(refined(whole))

    def image(self, carm: CArm, world_from_volume: ArrayLike, seed: int) -> SimulatedXray:
        """An X-ray image of the patient at a pose.

        Args:
            carm: view; its ``detector_spacing_mm`` scales blur, scatter and noise.
            world_from_volume: rigid (4, 4).
            seed: of everything that is drawn; equal seeds give equal images.
        """
        camera_from_volume = carm.camera_from_world @ np.asarray(world_from_volume, dtype=np.float64)
        pitch_mm, settings = carm.detector_spacing_mm[0], self._settings
        primary = self._primary(carm, camera_from_volume, seed)
        arriving = with_uneven_beam(with_scatter(primary, settings, seed, pitch_mm), settings, seed)
        counted = with_noise(arriving, settings, seed, carm, detector_sigma_mm(settings, seed))
        open_field = np.ones(counted.shape, dtype=bool)
        return SimulatedXray(*grey_values(counted, open_field, settings, seed, pitch_mm))

    def _primary(self, carm: CArm, camera_from_volume: Matrix, seed: int) -> Image:
        """What arrives without being scattered (height, width), blurred by focal spot and detector; 1 in the open."""
        settings, pitch_mm = self._settings, carm.detector_spacing_mm[0]
        factor = SUPERSAMPLING if pitch_mm > FINE_ENOUGH_MM else 1
        fine = carm.resized(factor, (carm.width * factor, carm.height * factor))
        beam = Beam.of_tube(drawn(stream(seed, "tube"), settings.kilovolt))
        primary = beam.transmitted(self._body.lengths_mm(fine, camera_from_volume))
        depth_mm = float(transform_points(camera_from_volume, self._centre_mm)[2])
        spot_mm = focal_spot_sigma_mm(settings, seed, carm.sdd_mm, depth_mm)
        sigma_mm = float(np.hypot(spot_mm, detector_sigma_mm(settings, seed)))
        smooth = blurred(primary.astype(np.float64), sigma_mm / pitch_mm * factor)
        return np.asarray(smooth.reshape(carm.height, factor, carm.width, factor).mean(axis=(1, 3)))
