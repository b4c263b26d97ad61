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

from prostreg.choices import Polarity
from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix, transform_points
from prostreg.images.volume import Volume
from prostreg.simulation.beam import Beam
from prostreg.simulation.bodies import Bodies
from prostreg.simulation.chords import add_rod
from prostreg.simulation.collimation import beam_share
from prostreg.simulation.fine_grid import FINEST_SPACING_MM
from prostreg.simulation.grey_values import Pixels, grey_values
from prostreg.simulation.imaging import (
    Image,
    blurred,
    detector_sigma_mm,
    focal_spot_sigma_mm,
    with_noise,
    with_scatter,
    with_uneven_beam,
)
from prostreg.simulation.instruments import instruments
from prostreg.simulation.presets import preset
from prostreg.simulation.random_streams import drawn, stream
from prostreg.simulation.settings import SimulatorSettings
from prostreg.simulation.surroundings import add_drape, add_table

SUPERSAMPLING = 2
FINE_ENOUGH_MM = 0.25
"""Detector pixels below this pitch are not divided further: the body's grid is coarser."""
OPEN_SHARE = 0.9
"""Pixels with this much of the beam count as open field: exposure and window are set by them."""


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
        finest_mm: spacing below which the body is not rendered; images of few pixels need no finer one.

    Raises:
        InputError: a mask has another shape than the CT.
    """

    def __init__(
        self,
        ct: Volume,
        settings: SimulatorSettings | None = None,
        femora: Sequence[NDArray[np.bool_]] = (),
        finest_mm: float = FINEST_SPACING_MM,
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
        self._bodies = Bodies(ct, self._settings, femora, finest_mm)

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
        beam = beam_share(settings, seed, carm)
        open_field = beam > OPEN_SHARE
        arriving = with_uneven_beam(with_scatter(primary, beam, settings, seed, pitch_mm), settings, seed)
        counted = with_noise(arriving, open_field, settings, seed, carm, detector_sigma_mm(settings, seed))
        return SimulatedXray(*grey_values(counted, open_field, settings, seed, pitch_mm))

    def femur_motions(self, seed: int) -> list[Matrix]:
        """The motion (4, 4) of each femur against the CT, in its frame, in an image of a seed; none without a joint."""
        return self._bodies.femur_motions(seed)

    def _primary(self, carm: CArm, camera_from_volume: Matrix, seed: int) -> Image:
        """The primary image (height, width), unscattered, blurred by focal spot and detector; 1 in the open."""
        settings, pitch_mm = self._settings, carm.detector_spacing_mm[0]
        factor = SUPERSAMPLING if pitch_mm > FINE_ENOUGH_MM else 1
        fine = carm.resized(factor, (carm.width * factor, carm.height * factor))
        depth_mm = float(transform_points(camera_from_volume, self._centre_mm)[2])
        lengths_mm = self._bodies.body(seed).lengths_mm(fine, camera_from_volume)
        bone_mm = transform_points(camera_from_volume, self._bodies.bone_points_mm)
        for rod in instruments(settings, seed, carm, bone_mm, depth_mm):
            add_rod(lengths_mm, fine, rod)
        add_table(lengths_mm, settings, seed, fine)
        add_drape(lengths_mm, settings, seed, fine)
        beam = Beam.of_tube(drawn(stream(seed, "tube"), settings.kilovolt))
        primary = beam.transmitted(lengths_mm).astype(np.float64)
        spot_mm = focal_spot_sigma_mm(settings, seed, carm.sdd_mm, depth_mm)
        smooth = blurred(primary, float(np.hypot(spot_mm, detector_sigma_mm(settings, seed))) / pitch_mm * factor)
        return np.asarray(smooth.reshape(carm.height, factor, carm.width, factor).mean(axis=(1, 3)))
