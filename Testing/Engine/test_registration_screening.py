"""Likely views: a body turned by any angle is among the first, in an image of either polarity."""

from __future__ import annotations

import numpy as np
import pytest

from prostreg.errors import Stopped
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.rotations import vector_from_rotation
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.projector.selection import make_projector
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.levels import Levels
from prostreg.registration.screening import screened_around, screened_starts
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.search.view_match import match_views

CENTRE = np.array([39.0, 35.0, 37.0])
DEPTH_MM = 610.0
CARM = CArm.from_sdd(1000.0, (2.5, 2.5), (96, 96))


@pytest.fixture(scope="module")
def projector(body):
    return make_projector(Volume(np.where(body.values > 500, 0.02, 0).astype(np.float32), body.volume_from_index))


@pytest.fixture(scope="module")
def turned() -> np.ndarray:
    """A view far from any standard one, turned in the picture too."""
    chart = PoseChart(standard_view("AP", CENTRE, DEPTH_MM), np.eye(4), CENTRE)
    return chart.world_from_volume_at([0.5, -0.6, 0.8, 12.0, -8.0, 15.0])[0]


def test_the_best_of_the_likely_views_is_the_true_one_with_either_polarity(body, projector, turned):
    image = projector.render(turned[None], CARM)[0]
    everywhere = np.ones(image.shape, dtype=bool)
    misread = XRay(-image, everywhere, "bone-dark", XRay(image, everywhere, "bone-bright"))
    place = np.array([0.0, 0.0, DEPTH_MM])
    for xray in (XRay(image, everywhere), misread):
        case = Case("body", body, body.values > 500, (View(xray, CARM),))
        first, *others = screened_starts(case, RegistrationConfig(), place, np.random.default_rng(0), lambda: None)
        turn_deg = np.rad2deg(np.linalg.norm(vector_from_rotation(first[:3, :3] @ turned[:3, :3].T)))
        assert turn_deg < 10
        assert np.linalg.norm((first @ [*CENTRE, 1] - turned @ [*CENTRE, 1])[:2]) < 5
        assert len(others) < 6


def test_a_start_far_off_is_mended_by_a_screening_around_it(body, projector, turned):
    """By a radian and 50 mm: further than a CMA-ES run reaches."""
    image = projector.render(turned[None], CARM)[0]
    view = View(XRay(image, np.ones(image.shape, dtype=bool)), CARM)
    case = Case("body", body, body.values > 500, (view,))
    points_mm = anatomy_points_mm(case)
    centre_mm = anatomy_centre_mm(points_mm)
    start = PoseChart(turned, np.eye(4), centre_mm).world_from_volume_at([-0.6, 0.6, 0.5, 40.0, -30.0, 50.0])[0]
    spread = np.array([0.5, 0.5, 0.5, 30.0, 30.0, 60.0])
    config = RegistrationConfig()
    coarse = Levels(case, start, points_mm, centre_mm, 30.0, config).coarse
    first, *others = screened_around(
        case, config, coarse, PoseChart(start, np.eye(4), centre_mm), spread, np.random.default_rng(0), lambda: None
    )
    turn_deg = np.rad2deg(np.linalg.norm(vector_from_rotation(first[:3, :3] @ turned[:3, :3].T)))
    assert turn_deg < 10
    assert np.linalg.norm((first @ [*CENTRE, 1] - turned @ [*CENTRE, 1])[:2]) < 5
    assert len(others) < 6


def test_a_view_is_put_where_it_fits_and_shows_there_what_it_showed_ahead(projector):
    aside = PoseChart(standard_view("AP", CENTRE, DEPTH_MM), np.eye(4), CENTRE).world_from_volume_at(
        [0, 0, 0, 30.0, -20.0, 0]
    )[0]
    image = projector.render(aside[None], CARM)[0]
    xray = XRay(image, np.ones(image.shape, dtype=bool))
    rotations = np.array([standard_view(name, CENTRE, DEPTH_MM)[:3, :3] for name in ("left lateral", "AP")])
    depths = np.full(2, DEPTH_MM)
    match = match_views(projector, xray, CARM, CENTRE, 70.0, rotations, depths, lambda: None)
    assert match.scores[1] > match.scores[0]
    found, true = (CARM.project(pose[:3, :3] @ CENTRE + pose[:3, 3]) for pose in (match.camera_from_volume[1], aside))
    np.testing.assert_allclose(found, true, atol=1.5)
    misread = XRay(-image, xray.mask, "bone-dark", XRay(image, xray.mask, "bone-bright"))
    either_way = match_views(projector, misread, CARM, CENTRE, 70.0, rotations, depths, lambda: None)
    assert either_way.scores[1] == pytest.approx(match.scores[1], rel=1e-4)


def test_a_screening_can_be_ended(body, projector, turned):
    image = projector.render(turned[None], CARM)[0]
    case = Case("body", body, body.values > 500, (View(XRay(image, np.ones(image.shape, dtype=bool)), CARM),))

    def stop() -> None:
        raise Stopped("cancelled")

    with pytest.raises(Stopped, match="cancelled"):
        screened_starts(case, RegistrationConfig(), np.array([0.0, 0.0, DEPTH_MM]), np.random.default_rng(0), stop)
