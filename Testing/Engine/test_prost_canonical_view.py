"""What a network sees of an image lies where it lay: squares of any image show every point at its computed pixel."""

from __future__ import annotations

import numpy as np
import pytest

from prostreg.geometry.carm import CArm
from prostreg.images.xray import XRay
from prostreg.prost.canonical_view import canonical_view

POINT_MM = np.array([21.0, -13.0, 600.0])


def image_of_point(carm: CArm) -> XRay:
    """A Gaussian blob of 12 mm on the detector around the point's pixel."""
    u, v = carm.project(POINT_MM)
    columns, rows = np.meshgrid(np.arange(carm.width), np.arange(carm.height))
    pitch_u, pitch_v = carm.detector_spacing_mm
    squared_mm2 = ((columns - u) * pitch_u) ** 2 + ((rows - v) * pitch_v) ** 2
    blob = np.exp(-squared_mm2 / (2 * 12.0**2)).astype(np.float32)
    return XRay(blob, np.ones_like(blob, dtype=bool))


@pytest.mark.parametrize("size", [(256, 256), (300, 200), (97, 160), (64, 64), (50, 40)])
def test_a_point_falls_on_its_computed_pixel_in_the_square(size):
    pitch_mm = 300.0 / max(size)
    carm = CArm.from_sdd(1000.0, (pitch_mm, pitch_mm), size, principal_point=(0.45 * size[0], 0.55 * size[1]))
    image, square = canonical_view(image_of_point(carm), carm, 64)
    assert image.shape == (64, 64)
    assert square.size == (64, 64)
    weights = image / image.sum()
    rows, columns = np.indices(image.shape)
    centroid = [(weights * columns).sum(), (weights * rows).sum()]
    np.testing.assert_allclose(centroid, square.project(POINT_MM), atol=0.1)


def test_masked_pixels_and_the_bars_beside_a_narrow_image_are_zero():
    carm = CArm.from_sdd(1000.0, (2.0, 2.0), (64, 128))
    values = np.ones((128, 64), dtype=np.float32)
    mask = np.ones_like(values, dtype=bool)
    mask[:32] = False
    image, _ = canonical_view(XRay(values, mask), carm, 64)
    assert (image[:, :15] == 0).all()
    assert (image[:, -15:] == 0).all()
    assert (image[:15] == 0).all()
    np.testing.assert_allclose(image[18:62, 18:46], 1.0, atol=1e-6)


def test_the_camera_stays_where_it_stood():
    standing = np.eye(4)
    standing[:3, 3] = 1, 2, 3
    carm = CArm.from_sdd(1000.0, (2.0, 2.0), (128, 128), camera_from_world=standing)
    _, square = canonical_view(XRay(np.zeros((128, 128), np.float32), np.ones((128, 128), bool)), carm, 64)
    np.testing.assert_array_equal(square.camera_from_world, standing)
