"""What a registration begins with: starts that are refused or not, and the part of the image that is searched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import transform_points
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.everywhere import RESTARTS_OF_ROUNDS, meeting_point_mm
from prostreg.registration.levels import Levels
from prostreg.registration.pipeline import mtre_mm
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm, shows_start, start_in_sight, start_pose

EDGE = 15
CENTRE = np.full(3, 2 * (EDGE - 1) / 2 + 20)
WIDTH, HEIGHT, PITCH = 240, 220, 1.0
SDD = 1000.0


def case_of(depth_mm: float = 500.0, principal_point: tuple[float, float] | None = None, views: int = 1) -> Case:
    """A cube with an edge of 28 mm between its outer voxel centres, in the middle of each image."""
    values = np.zeros((EDGE + 20,) * 3, dtype=np.float32)
    values[10 : 10 + EDGE, 10 : 10 + EDGE, 10 : 10 + EDGE] = 800
    ct = Volume(values, np.diag([2.0, 2.0, 2.0, 1.0]))
    carm = CArm.from_sdd(SDD, (PITCH, PITCH), (WIDTH, HEIGHT), principal_point, standard_view("AP", CENTRE, depth_mm))
    xray = XRay(np.random.default_rng(0).random((HEIGHT, WIDTH)).astype(np.float32), np.ones((HEIGHT, WIDTH), bool))
    return Case("cube", ct, values > 0, (View(xray, carm),) * views, np.eye(4))


def moved(case: Case, camera_shift_mm: tuple[float, float, float]) -> Case:
    """The start shifted along the axes of the camera."""
    pose = np.eye(4)
    pose[:3, 3] = case.views[0].carm.camera_from_world[:3, :3].T @ np.array(camera_shift_mm)
    return replace(case, initial_world_from_volume=pose)


HALF = EDGE - 1.0  # mm from the cube's centre to its outermost voxel centres


@pytest.mark.parametrize("nearest_mm", [-900.0, -30.0, -1.0])
def test_a_start_with_any_part_of_the_anatomy_behind_the_source_is_refused(nearest_mm):
    case = case_of()
    with pytest.raises(InputError) as raised:
        start_pose(moved(case, (0, 0, nearest_mm + HALF - 500.0)))
    (fault,) = raised.value.faults
    assert "behind the X-ray source of view 1" in fault
    assert f"its nearest point lies {nearest_mm:.0f} mm along the beam" in fault


def test_a_start_just_before_the_source_is_used_as_it_is():
    case = moved(case_of(), (0, 0, 1.0 + HALF - 500.0))
    assert start_pose(case) is case.initial_world_from_volume


def test_every_view_is_looked_at_and_every_fault_told_at_once():
    case = case_of(views=3)
    aside = replace(case.views[0], carm=replace(case.views[0].carm, camera_from_world=turned_away()))
    three = moved(replace(case, views=(case.views[0], aside, case.views[2])), (0, 0, -550.0))
    with pytest.raises(InputError) as raised:
        start_pose(three)
    assert [f"view {number}" in fault for number, fault in zip((1, 3), raised.value.faults, strict=True)] == [True] * 2


def turned_away() -> np.ndarray:
    """A camera that sees the start wherever it goes."""
    far = standard_view("left lateral", CENTRE, 9000.0)
    return far


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("side", [1, -1])
def test_a_start_is_used_as_it_is_up_to_the_images_border_and_moved_inside_from_beyond(axis, side):
    case = case_of()
    half_image_mm = PITCH * (WIDTH, HEIGHT)[axis] / 2 * 500.0 / SDD
    for beyond_mm, is_moved in ((-0.5, False), (0.5, True), (300.0, True)):
        shift = [0.0, 0.0, 0.0]
        shift[axis] = side * (half_image_mm + beyond_mm)
        start = moved(case, tuple(shift))
        assert shows_start(start, start.initial_world_from_volume) is not is_moved
        used = start_in_sight(start)
        if not is_moved:
            assert used is start.initial_world_from_volume
            continue
        assert shows_start(start, used)
        centre = transform_points(start.views[0].carm.camera_from_world @ used, CENTRE)
        given = transform_points(start.views[0].carm.camera_from_world @ start.initial_world_from_volume, CENTRE)
        assert centre[2] == pytest.approx(given[2])  # along the detector, not along the beam
        assert centre[1 - axis] == pytest.approx(given[1 - axis], abs=1e-6)
        pixel = start.views[0].carm.project(centre)[axis]
        inset = 0.1 * (WIDTH, HEIGHT)[axis]
        assert pixel == pytest.approx(inset if side < 0 else (WIDTH, HEIGHT)[axis] - inset)


def test_a_start_so_far_away_that_nothing_is_seen_comes_nearer_along_its_ray():
    size_mm = 2 * HALF
    farthest_mm = size_mm * SDD / 0.02 / WIDTH
    for depth_mm, expected_mm in ((0.999 * farthest_mm, 0.999 * farthest_mm), (1e5, farthest_mm)):
        start = moved(case_of(), (0.03 * depth_mm, -0.02 * depth_mm, depth_mm - 500.0))
        centre = transform_points(start.views[0].carm.camera_from_world @ start_in_sight(start), CENTRE)
        np.testing.assert_allclose(centre, np.array([0.03, -0.02, 1.0]) * expected_mm, rtol=1e-6)


def test_a_case_without_a_start_has_no_start_pose():
    with pytest.raises(InputError, match="no start pose"):
        start_pose(replace(case_of(), initial_world_from_volume=None))


def test_without_a_start_the_patient_is_thought_to_be_at_061_of_the_source_detector_distance():
    view = case_of().views[0]
    in_camera = transform_points(view.carm.camera_from_world, meeting_point_mm((view,)))
    np.testing.assert_allclose(np.linalg.norm(in_camera), 0.61 * view.carm.sdd_mm, rtol=1e-3)


def test_the_centre_is_that_of_the_box_and_not_the_mean():
    points = np.array([[0.0, 0, 0], [0, 0, 0], [0, 0, 0], [10, 20, 30]])
    np.testing.assert_allclose(anatomy_centre_mm(points), [5, 10, 15])


def test_points_are_voxel_centres_in_millimetres():
    points = anatomy_points_mm(case_of())
    np.testing.assert_allclose(points.min(axis=0), 20)
    np.testing.assert_allclose(points.max(axis=0), 20 + 2 * HALF)


@pytest.mark.parametrize("spread_mm", [0.0, 10.0, 20.0])
def test_the_region_searched_is_the_anatomy_with_a_margin_of_spreads_and_of_its_size(spread_mm):
    """The cube spans 28 mm: on its near face, at 486 mm, about 58 pixels."""
    case = case_of()
    levels = levels_of(case, spread_mm, pixels=1000)
    (view,) = levels.coarse._views
    size_px = 2 * HALF / (500.0 - HALF) * SDD / PITCH
    margin_px = 1.5 * spread_mm / (500.0 * PITCH / SDD) + 0.15 * size_px
    for have in view.carm.size:
        assert size_px + 2 * margin_px + 1 <= have < size_px + 2 * margin_px + 3
    # The cut is a part of the same picture at the same place.
    left, top = (np.array(case.views[0].carm.principal_point) - view.carm.principal_point).round().astype(int)
    whole = case.views[0].xray.line_integrals
    np.testing.assert_array_equal(
        view.xray.line_integrals, whole[top : top + view.carm.height, left:][:, : view.carm.width]
    )


def test_the_region_ends_at_the_images_border():
    case = moved(case_of(), (HALF * 4, 0, 0))
    (view,) = levels_of(case, 500.0, pixels=1000).coarse._views
    assert view.carm.size == (WIDTH, HEIGHT)


def test_levels_have_the_pixels_over_the_anatomy_that_were_asked_for():
    case, size_px = case_of(), 2 * HALF / (500.0 - HALF) * SDD / PITCH
    for pixels, factor in ((58, 1), (29, 2), (16, 4)):
        (view,) = levels_of(case, 20.0, pixels).coarse._views
        assert round(size_px / pixels) == factor
        assert view.carm.detector_spacing_mm == pytest.approx((PITCH * factor,) * 2)
    levels = levels_of(case, 20.0, pixels=29)
    assert levels.middle._views[0].carm.detector_spacing_mm[0] == pytest.approx(PITCH)
    # Pixels of 1 and 2 mm at the anatomy: voxels are twice as large where poses are searched.
    assert levels.coarse.projector._inputs._index_from_volume[0, 0] == pytest.approx(1 / 2)
    assert levels_of(case, 20.0, pixels=16).coarse.projector._inputs._index_from_volume[0, 0] == pytest.approx(1 / 4)


def levels_of(case: Case, spread_mm: float, pixels: int) -> Levels:
    points = anatomy_points_mm(case)
    config = RegistrationConfig(search_pixels=min(pixels, 1024), judge_pixels=max(58, pixels))
    return Levels(case, case.initial_world_from_volume, points, anatomy_centre_mm(points), spread_mm, config)


def test_mtre_is_the_mean_of_distances_and_not_their_root_mean_square():
    case = replace(case_of(), truth_world_from_volume=np.eye(4), landmarks_mm=np.array([[0.0, 0, 0], [10, 0, 0]]))
    quarter_turn = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert mtre_mm(case, quarter_turn) == pytest.approx(np.sqrt(200) / 2)
    assert mtre_mm(case, np.eye(4)) == 0
    assert mtre_mm(replace(case, landmarks_mm=None), np.eye(4)) is None


def test_views_meet_where_their_middle_rays_cross():
    place = np.array([12.0, -34.0, 56.0])
    views = tuple(
        View(
            case_of().views[0].xray,
            CArm.from_sdd(SDD, (2.0, 2.0), (WIDTH, HEIGHT), None, standard_view(name, place, distance)),
        )
        for name, distance in (("AP", 700.0), ("left lateral", 500.0))
    )
    np.testing.assert_allclose(meeting_point_mm(views), place, atol=1e-6)
    alone = views[0].carm.camera_from_world @ np.append(meeting_point_mm(views[:1]), 1)
    np.testing.assert_allclose(alone[:3], [0, 0, 610], atol=4)
    same = views[0].carm.camera_from_world @ np.append(meeting_point_mm((views[0], views[0])), 1)
    np.testing.assert_allclose(same, alone)


def test_each_round_of_a_search_without_a_start_is_four_times_as_long():
    assert RESTARTS_OF_ROUNDS == (4, 16, 64)
