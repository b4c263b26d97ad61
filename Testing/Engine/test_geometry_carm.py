"""The C-arm: projection, resizing and cropping leave every point on its pixel; faults are all named."""

from __future__ import annotations

import numpy as np
import pytest

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import lps_transform_from_ras, ras_from_lps, rigid_faults, transform_points

POINTS = np.array([[12.0, -30.0, 600.0], [-55.0, 8.0, 710.0], [3.0, 4.0, 900.0]])


def carm() -> CArm:
    return CArm(np.array([[900.0, 2.0, 70.0], [0, 950.0, 40.0], [0, 0, 1]]), (120, 96), spacing_mm=(1.1, 1.05))


def test_projection_follows_the_pinhole_formula():
    u, v = carm().project(POINTS[0])
    assert u == pytest.approx((900 * 12 + 2 * -30) / 600 + 70)
    assert v == pytest.approx(950 * -30 / 600 + 40)


def test_points_at_or_behind_the_source_have_no_pixel():
    assert np.isnan(carm().project([[1.0, 2.0, 0.0], [1.0, 2.0, -5.0]])).all()


def test_built_from_the_source_detector_distance():
    built = CArm.from_sdd(1020.0, (0.5, 0.4), (200, 300), principal_point=(90.0, 160.0))
    u, v = built.project([10.0, 20.0, 510.0])
    assert (u, v) == pytest.approx((90 + 10 * 2 / 0.5, 160 + 20 * 2 / 0.4))
    assert built.sdd_mm == pytest.approx(1020)
    centred = CArm.from_sdd(1020.0, (0.5, 0.4), (200, 300))
    assert centred.principal_point == (99.5, 149.5)


def test_downsampling_averages_blocks_so_centres_move_with_them():
    before, after = carm().project(POINTS), carm().downsampled(4).project(POINTS)
    np.testing.assert_allclose(after, (before + 0.5) / 4 - 0.5)
    assert carm().downsampled(4).size == (30, 24)
    assert carm().downsampled(4).sdd_mm == pytest.approx(carm().sdd_mm)
    assert carm().downsampled(4).spacing_mm == pytest.approx((4.4, 4.2))


def test_cropping_shifts_pixels():
    np.testing.assert_allclose(carm().cropped(10, 5, (50, 50)).project(POINTS), carm().project(POINTS) - [10, 5])


def test_every_fault_is_named_at_once():
    with pytest.raises(InputError) as caught:
        CArm(np.array([[-900.0, 0, 70], [0, 0.0, 40], [0, 0, 1]]), (0, 96), np.diag([1.0, 1, -1, 1]), (1.0, -1.0))
    message = str(caught.value)
    for part in ("fx", "fy", "size", "left-handed", "spacing"):
        assert part in message


@pytest.mark.parametrize(
    ("matrix", "word"),
    [
        (np.diag([1.0, 1, 1.1, 1]), "not rigid"),
        (np.diag([-1.0, 1, 1, 1]), "left-handed"),
        (np.full((4, 4), np.nan), "NaN"),
        (np.eye(3), "3x3"),
        ([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]], "last row"),
        ("nonsense", "not a matrix"),
        ([[1e308, 0, 0, 0], [0, 1e308, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "not rigid"),
        ([[1, 0, 0, 1.1e6], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "shifts by 1.1e+06 mm"),
    ],
)
def test_what_is_not_a_rigid_transform_is_said_in_words(matrix, word):
    assert any(word in fault for fault in rigid_faults(matrix, "the pose"))


@pytest.mark.parametrize("size", [(10**308, 96), (128, 100_001), (0, 96)])
def test_an_image_larger_than_any_detector_is_refused(size):
    with pytest.raises(InputError, match="from 1 to 100000"):
        CArm(np.array([[900.0, 0, 70], [0, 900.0, 40], [0, 0, 1]]), size)


def test_a_focal_length_that_no_float_holds_is_no_number():
    with pytest.raises(InputError, match="K is not a matrix of numbers"):
        CArm([[10**400, 0, 70], [0, 900.0, 40], [0, 0, 1]], (128, 96))


@pytest.mark.parametrize(("focal_length", "is_refused"), [(1e-9, True), (39.0, True), (41.0, False)])
def test_a_beam_that_opens_as_no_c_arm_does_is_refused(focal_length, is_refused):
    intrinsics = np.array([[focal_length, 0, 150], [0, 1000, 100], [0, 0, 1]])
    if is_refused:
        with pytest.raises(InputError, match=r"opens by 1[5-8][0-9] degrees"):
            CArm(intrinsics, (300, 200))
    else:
        assert CArm(intrinsics, (300, 200)).width == 300


def test_points_are_turned_and_then_shifted():
    target_from_source = np.array([[0.0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]])
    np.testing.assert_allclose(
        transform_points(target_from_source, [[1.0, 0, 0], [0, 2, 3]]), [[10, 21, 30], [8, 20, 33]]
    )


def test_lps_and_ras_differ_by_two_signs_and_back():
    point = ras_from_lps(np.array([[1.0, 0, 0, 10], [0, 1, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]]))[:, 3]
    np.testing.assert_allclose(point, [-10, -20, 30, 1])
    pose = np.eye(4)
    pose[:3, 3] = 1, 2, 3
    np.testing.assert_allclose(lps_transform_from_ras(lps_transform_from_ras(pose)), pose)


def test_an_image_shows_what_lies_within_the_outer_edges_of_its_pixels():
    carm = CArm.from_sdd(1000.0, (0.5, 0.5), (8, 6))
    inside = np.array([[-0.49, -0.49], [7.49, 5.49], [3.0, 2.0]])
    outside = np.array([[-0.51, 2.0], [7.51, 2.0], [3.0, -0.51], [3.0, 5.51], [np.nan, 2.0]])
    assert carm.shows(inside).all()
    assert not carm.shows(outside).any()
    assert carm.shows(inside[0]).shape == ()
