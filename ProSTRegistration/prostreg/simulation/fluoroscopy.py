"""A simulated fluoroscopy image: what a CT would look like on a detector, unlike a plain DRR.

The CT is resampled with cubic splines and rendered on a detector of twice the resolution, so that
the image is not the mirror image of what the registration renders. Two energies harden the beam;
scatter, focal spot and detector blur, and photon noise follow.

Attenuation: NIST X-ray mass attenuation coefficients (J. H. Hubbell, S. M. Seltzer, NISTIR 5632,
tables 3 and 4) of liquid water and ICRU-44 cortical bone (1.92 g/cm^3) at 40 and 80 keV.
"""

from __future__ import annotations

import numpy as np
import SimpleITK
from numpy.typing import ArrayLike, NDArray

from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector

ENERGY_SHARES = (0.5, 0.5)
WATER_PER_MM = (0.02683, 0.01837)
CORTICAL_BONE_PER_MM = (0.1278, 0.0428)
BONE_STARTS_HU = 150.0
CORTICAL_BONE_HU = 1600.0
MOST_HU = 3000.0

PHOTONS_PER_MM2 = 2e5
SCATTER_FRACTION = 0.25
SCATTER_SIGMA_MM = 25.0
BLUR_SIGMA_MM = 0.35
SUPERSAMPLING = 2
FINEST_SPACING_MM = 1.0
WHITE = 60000.0


class FluoroscopySimulator:
    """Makes fluoroscopy images of one CT.

    Args:
        ct: HU; all of it is seen, soft tissue included.
    """

    def __init__(self, ct: Volume) -> None:
        self._projectors = [make_projector(material) for material in _materials(ct)]

    def image(self, carm: CArm, world_from_volume: ArrayLike, seed: int) -> NDArray[np.uint16]:
        """Grey values (height, width), dark where bone is.

        Args:
            carm: view; its ``detector_spacing_mm`` scales blur, scatter and noise.
            world_from_volume: rigid (4, 4).
            seed: of the noise.
        """
        fine_carm = carm.resized(SUPERSAMPLING, (carm.width * SUPERSAMPLING, carm.height * SUPERSAMPLING))
        camera_from_volume = carm.camera_from_world @ np.asarray(world_from_volume, dtype=np.float64)
        water, bone = (projector.render(camera_from_volume[None], fine_carm)[0] for projector in self._projectors)
        energies = zip(ENERGY_SHARES, WATER_PER_MM, CORTICAL_BONE_PER_MM, strict=True)
        primary = np.asarray(sum(share * np.exp(-(w * water + b * bone)) for share, w, b in energies))
        spacing = carm.detector_spacing_mm[0]
        primary = _smooth(primary, BLUR_SIGMA_MM / spacing * SUPERSAMPLING)
        primary = primary.reshape(carm.height, SUPERSAMPLING, carm.width, SUPERSAMPLING).mean(axis=(1, 3))
        scatter = SCATTER_FRACTION * _smooth(primary, SCATTER_SIGMA_MM / spacing)
        photons = PHOTONS_PER_MM2 * float(np.prod(carm.detector_spacing_mm))
        noisy = np.random.default_rng(seed).poisson((primary + scatter) * photons) / photons
        grey: NDArray[np.uint16] = np.clip(noisy * _gain(noisy), 0, WHITE).astype(np.uint16)
        return grey


def _materials(ct: Volume) -> tuple[Volume, Volume]:
    """Share of water and of cortical bone, 0 to about 1, on a finer grid."""
    fine = _resampled(ct)
    hu = np.clip(fine.values, -1000, MOST_HU)
    bone = np.clip((hu - BONE_STARTS_HU) / (CORTICAL_BONE_HU - BONE_STARTS_HU), 0, None)
    water = np.clip(1 + np.minimum(hu, BONE_STARTS_HU) / 1000, 0, None) * np.clip(1 - bone, 0, 1)
    return fine.with_values(water.astype(np.float32)), fine.with_values(bone.astype(np.float32))


def _resampled(ct: Volume) -> Volume:
    """The CT on a grid of half the spacing, but not below FINEST_SPACING_MM, by cubic B-splines."""
    factors = np.maximum(1.0, np.minimum(2.0, ct.spacing_mm / FINEST_SPACING_MM))
    size = np.ceil(np.array(ct.size) * factors).astype(int)
    image = SimpleITK.GetImageFromArray(ct.values)
    spacing = 1 / factors
    grid = {"size": size.tolist(), "outputSpacing": spacing.tolist(), "outputOrigin": (spacing / 2 - 0.5).tolist()}
    fine = SimpleITK.Resample(image, interpolator=SimpleITK.sitkBSpline, defaultPixelValue=-1000.0, **grid)
    index_from_fine = np.diag([*spacing, 1.0])
    index_from_fine[:3, 3] = spacing / 2 - 0.5
    return Volume(SimpleITK.GetArrayFromImage(fine), ct.volume_from_index @ index_from_fine)


def _smooth(image: NDArray[np.float64], sigma_pixels: float) -> NDArray[np.float64]:
    filtered = SimpleITK.SmoothingRecursiveGaussian(
        SimpleITK.GetImageFromArray(image.astype(np.float64)), max(sigma_pixels, 0.1)
    )
    return np.asarray(SimpleITK.GetArrayFromImage(filtered))


def _gain(intensity: NDArray[np.float64]) -> float:
    """Exposure control: the patient's brighter parts reach white, open air clips."""
    return WHITE / max(float(np.percentile(intensity, 95)), 1e-6)
