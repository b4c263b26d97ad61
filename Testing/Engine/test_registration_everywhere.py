"""Registrations without a start: found from behind and from the side, ended in time, and told as one run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PhantomImages import phantom_simulator, the_phantom

from Patience import PATIENCE_S
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import invert_rigid
from prostreg.geometry.standard_views import standard_view
from prostreg.images.xray import XRay
from prostreg.images.xray_preparation import prepare_xray
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.everywhere import meeting_point_mm, register_everywhere

PIXELS = 128
QUICK = {
    "search_pixels": 48,
    "judge_pixels": 64,
    "polish_pixels": 128,
    "population": 40,
    "generations": 30,
    "most_restarts": 2,
    "time_limit_s": PATIENCE_S,
}


@pytest.fixture(scope="module")
def phantom():
    return the_phantom()


@pytest.fixture(scope="module")
def simulator(phantom):
    return phantom_simulator()


@pytest.fixture(scope="module")
def seen_from(phantom, simulator):
    """Makes a case without a start, seen about as in a standard view."""
    centre = phantom.vertebra_centres_mm.mean(axis=0)

    def make(view: str) -> Case:
        base = PoseChart(standard_view(view, centre, 620.0), np.eye(4), centre)
        truth = base.world_from_volume_at([0.15, -0.1, 0.1, 12.0, -15.0, 25.0])[0]
        carm = CArm.from_sdd(1020.0, (298.0 / PIXELS,) * 2, (PIXELS, PIXELS))
        simulated = simulator.image(carm, truth, 0)
        xray = prepare_xray(simulated.pixels.astype(np.float32), simulated.polarity, None)
        anatomy = phantom.labels.values > 0
        return Case("phantom", phantom.ct, anatomy, (View(xray, carm),), None, truth, phantom.vertebra_centres_mm)

    return make


def of_noise(case: Case) -> Case:
    noise = np.random.default_rng(3).normal(1000, 50, (PIXELS, PIXELS)).astype(np.float32)
    return replace(case, views=(replace(case.views[0], xray=prepare_xray(noise, "bone-dark", None)),))


@pytest.mark.parametrize("view", ["PA", "right lateral"])
def test_a_patient_seen_from_behind_or_from_the_side_is_found(seen_from, view):
    events = []
    config = RegistrationConfig(method="cmaes", restarts=2, **QUICK)
    result = register_everywhere(seen_from(view), config, events.append)
    assert result.status == "accepted"
    assert result.mtre_mm < 10
    assert result.stopped is None
    assert "no start was given; views tried as starts: AP, PA" in result.reasons[-1]
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1
    assert "trying AP:" in events[0].message
    last = events[-1].message.split("trying ")[1].split(":")[0]
    assert last != "AP"
    assert f"found from {last}" in result.reasons[-1]
    assert {stage.name.split(":")[0] for stage in result.stages} >= {"AP", last}
    assert sum(stage.seconds for stage in result.stages) <= result.seconds


def test_equal_seeds_give_equal_results_and_a_given_start_is_not_looked_at(seen_from):
    config = RegistrationConfig(method="cmaes", seed=4, **{**QUICK, "generations": 6})
    case = seen_from("AP")
    misleading = replace(case, initial_world_from_volume=standard_view("left lateral", (0, 0, 0), 500.0))
    one, other = register_everywhere(case, config), register_everywhere(misleading, config)
    np.testing.assert_array_equal(one.world_from_volume, other.world_from_volume)
    assert one.reasons == other.reasons
    assert [(s.name, s.evaluations) for s in one.stages] == [(s.name, s.evaluations) for s in other.stages]
    assert one.config["seed"] == 4


def test_cancel_ends_all_of_it_at_once(seen_from):
    events = []
    config = RegistrationConfig(method="cmaes", **QUICK)
    case = of_noise(seen_from("AP"))
    result = register_everywhere(case, config, events.append, lambda: "trying PA" in events[-1].message)
    assert result.stopped == "cancelled"
    assert result.status != "accepted"
    assert sum("trying PA" in event.message for event in events) == 1
    assert "AP, PA;" in result.reasons[-1]


def test_the_time_limit_is_that_of_all_views_together(seen_from, count_looks_as_seconds):
    config = RegistrationConfig(**{**QUICK, "time_limit_s": 120.0})
    result = register_everywhere(of_noise(seen_from("AP")), config)
    assert result.stopped == "time limit"
    assert result.status != "accepted"
    assert "AP, PA" in result.reasons[-1]
    assert result.config["time_limit_s"] == 120.0
    assert 120 <= result.seconds < 140


def test_several_views_meet_where_their_middle_rays_do():
    centre, truth = np.array([15.0, -8.0, 30.0]), np.eye(4)
    truth[:3, 3] = 40.0, 5.0, -20.0
    xray = XRay(np.zeros((80, 100), np.float32), np.ones((80, 100), bool))

    def view(name: str, depth_mm: float) -> View:
        """A view whose principal point is far from the middle of its image."""
        pose = standard_view(name, centre, depth_mm) @ invert_rigid(truth)
        carm = CArm.from_sdd(1000.0, (2.0, 2.0), (100, 80), camera_from_world=pose)
        return View(xray, carm.cropped(20, 0, (100, 80)).cropped(-20, 0, (100, 80)))

    two = (view("AP", 500.0), view("left lateral", 700.0))
    np.testing.assert_allclose(meeting_point_mm(two), centre + truth[:3, 3], atol=1e-9)
    alone = two[0].carm.project_world(meeting_point_mm(two[:1]))
    np.testing.assert_allclose(alone, [49.5, 39.5])
    np.testing.assert_allclose(meeting_point_mm((two[0], view("AP", 500.0))), meeting_point_mm(two[:1]))
