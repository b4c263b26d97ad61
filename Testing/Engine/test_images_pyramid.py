"""Coarser levels lie exactly where the fine ones do, and lose no attenuation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from prostreg.geometry.carm import CArm
from prostreg.images.pyramid import reduced_volume, reduced_xray
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay

GRADIENT = np.array([0.3, -0.7, 0.2])


def oblique_grid() -> NDArray[np.float64]:
    volume_from_index = np.eye(4)
    volume_from_index[:3, :3] = Rotation.from_euler("xyz", [15, -25, 35], degrees=True).as_matrix() @ np.diag(
        [0.7, -0.7, 2.0]
    )
    volume_from_index[:3, 3] = [12, -40, 7]
    return volume_from_index


def voxel_centres_mm(volume: Volume) -> NDArray[np.float64]:
    k, j, i = np.mgrid[tuple(slice(n) for n in volume.values.shape)]
    return np.stack([i, j, k], axis=-1) @ volume.volume_from_index[:3, :3].T + volume.volume_from_index[:3, 3]


@pytest.mark.parametrize(("target_mm", "factors"), [(2.0, (3, 3, 1)), (4.0, (6, 6, 2)), (0.5, (1, 1, 1))])
def test_a_ramp_in_space_stays_the_same_ramp(target_mm: float, factors: tuple[int, int, int]) -> None:
    fine = Volume(np.zeros((12, 24, 36), np.float32), oblique_grid())
    fine = fine.with_values((voxel_centres_mm(fine) @ GRADIENT).astype(np.float32))
    coarse = reduced_volume(fine, target_mm)
    assert coarse.size == tuple(n // f for n, f in zip(fine.size, factors, strict=True))
    np.testing.assert_allclose(coarse.spacing_mm, fine.spacing_mm * factors, rtol=1e-12)
    np.testing.assert_allclose(coarse.values, voxel_centres_mm(coarse) @ GRADIENT, atol=1e-4)


@pytest.mark.parametrize("target_mm", [1.4, 2.1, 4.0, 9.0])
def test_sizes_that_do_not_divide_lose_no_attenuation(target_mm: float) -> None:
    fine = Volume(np.random.default_rng(3).uniform(0, 0.05, (11, 23, 35)).astype(np.float32), oblique_grid())
    coarse = reduced_volume(fine, target_mm)
    assert coarse.values.dtype == np.float32
    assert total_attenuation(coarse) == pytest.approx(total_attenuation(fine), rel=1e-5)


def total_attenuation(volume: Volume) -> float:
    voxel_mm3 = abs(np.linalg.det(volume.volume_from_index[:3, :3]))
    return float(voxel_mm3 * volume.values.sum(dtype=np.float64))


@pytest.mark.parametrize("target_mm", [1.4, 2.1, 4.0])
def test_a_blob_keeps_its_centroid(target_mm: float) -> None:
    fine = Volume(np.zeros((23, 61, 67), np.float32), oblique_grid())
    centre = fine.centre_mm + np.array([1.3, -0.6, 0.9])
    squared = np.sum((voxel_centres_mm(fine) - centre) ** 2, axis=-1)
    coarse = reduced_volume(fine.with_values(np.exp(-squared / (2 * 4.0**2)).astype(np.float32)), target_mm)
    centroid = np.tensordot(coarse.values, voxel_centres_mm(coarse), axes=3) / coarse.values.sum(dtype=np.float64)
    np.testing.assert_allclose(centroid, centre, atol=2e-2)


def test_the_outer_corner_stays() -> None:
    fine = Volume(np.ones((12, 24, 36), np.float32), oblique_grid())
    np.testing.assert_allclose(reduced_volume(fine, 4.0).corners_mm(), fine.corners_mm(), atol=1e-9)


def carm_of(width: int, height: int) -> CArm:
    intrinsics = np.array([[5200, 0, 130.3], [0, 5100, 88.9], [0, 0, 1.0]])
    return CArm(intrinsics, (width, height), spacing_mm=(0.194, 0.1978))


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_a_ramp_over_rays_stays_the_same_ramp(factor: int) -> None:
    """A value that is linear in the ray's direction has the same value on the coarse pixel's ray."""
    carm = carm_of(267, 190)
    xray = XRay(direction_ramp(carm), np.ones((190, 267), bool))
    coarse, coarse_carm = reduced_xray(xray, carm, factor)
    assert coarse.size == coarse_carm.size == (267 // factor, 190 // factor)
    np.testing.assert_allclose(coarse.line_integrals, direction_ramp(coarse_carm), atol=1e-6)
    assert coarse.mask.all()


def direction_ramp(carm: CArm) -> NDArray[np.float32]:
    v, u = np.mgrid[: carm.height, : carm.width]
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(carm.intrinsics).T
    return (2.0 * rays[..., 0] - 3.0 * rays[..., 1] + 1.0).astype(np.float32)


def test_masked_pixels_do_not_enter_the_averages() -> None:
    values = np.random.default_rng(5).uniform(0, 1, (8, 12)).astype(np.float32)
    mask = np.ones((8, 12), bool)
    mask[:4, :4] = False
    mask[0, 0] = True  # one of 16: not enough to be valid
    mask[4:6, 8:] = False  # half of a block
    spoiled = np.where(mask, values, 1e6).astype(np.float32)
    coarse, _ = reduced_xray(XRay(spoiled, mask), carm_of(12, 8), 4)
    np.testing.assert_array_equal(coarse.mask, [[False, True, True], [True, True, True]])
    assert coarse.line_integrals[0, 0] == pytest.approx(values[0, 0], rel=1e-5)
    assert coarse.line_integrals[1, 2] == pytest.approx(values[6:, 8:].mean(), rel=1e-5)
    assert coarse.line_integrals[1, 1] == pytest.approx(values[4:, 4:8].mean(), rel=1e-5)
