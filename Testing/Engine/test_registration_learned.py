"""Registrations with a network: the gradient that is followed, the stages of each method, and the choice of weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PhantomImages import phantom_simulator, the_phantom
from torch.nn.functional import avg_pool2d

from Patience import PATIENCE_S
from prostreg.errors import WeightsError
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PARAMETERS, PoseChart
from prostreg.geometry.frames import invert_rigid
from prostreg.geometry.standard_views import standard_view
from prostreg.images.xray import XRay
from prostreg.images.xray_preparation import prepare_xray
from prostreg.prost.card import Card, DataSource, MadeFor, Training
from prostreg.prost.feature_projection import feature_projection
from prostreg.prost.learned_similarity import LearnedSimilarity, LearnedView
from prostreg.prost.light import ProSTLight
from prostreg.prost.model import configuration_of_model, load_model
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.network_volume import network_volume
from prostreg.prost.weight_cache import adapted_path, patient_of
from prostreg.prost.weights import save_weights
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.learned_search import LearnedSearch, projection_of
from prostreg.registration.registering import register
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.search.learned_descent import LONGEST_STEP, LONGEST_WAY, learned_descent

SPREAD = np.array([*np.deg2rad([20.0] * 3), 30.0, 30.0, 60.0])
PIXELS = 64
QUICK = {
    "search_pixels": 32,
    "judge_pixels": 48,
    "polish_pixels": 64,
    "population": 24,
    "generations": 12,
    "time_limit_s": PATIENCE_S,
}


class SmoothDifference(ProSTNetwork):
    """Nothing learned: the mean squared difference of two smoothed images, whose gradient is known to be useful."""

    volume_channels = 1
    feature_channels = 1
    image_size = PIXELS
    learns_volume_features = False

    def volume_features(self, attenuation):
        return attenuation

    def fixed_features(self, xray):
        return (avg_pool2d(xray, 8, 2),)

    def similarity(self, moving, fixed):
        return 40 * ((avg_pool2d(moving, 8, 2) - fixed[0]) ** 2).flatten(1).mean(1)


@pytest.fixture(scope="module")
def case() -> Case:
    """The phantom from the front and from the side, the start 8 degrees and 15 mm off."""
    phantom = the_phantom()
    centre = phantom.vertebra_centres_mm.mean(axis=0)
    frontal, lateral = standard_view("AP", centre, 620.0), standard_view("left lateral", centre, 620.0)
    simulator = phantom_simulator()
    views = []
    for camera_from_volume in (frontal, lateral):
        carm = CArm.from_sdd(
            1020.0,
            (298.0 / PIXELS,) * 2,
            (PIXELS, PIXELS),
            camera_from_world=camera_from_volume @ invert_rigid(frontal),
        )
        simulated = simulator.image(carm, frontal, 0)
        views.append(View(prepare_xray(simulated.pixels.astype(np.float32), simulated.polarity, None), carm))
    anatomy = phantom.labels.values > 0
    whole = Case("phantom", phantom.ct, anatomy, tuple(views), None, frontal, phantom.vertebra_centres_mm)
    chart = PoseChart(frontal, np.eye(4), anatomy_centre_mm(anatomy_points_mm(whole)))
    start = chart.world_from_volume_at([0.1, -0.08, 0.06, 12.0, -9.0, 10.0])[0]
    return replace(whole, initial_world_from_volume=start)


@pytest.fixture(scope="module")
def similarity(case: Case) -> LearnedSimilarity:
    """L_N of the phantom's own DRRs at the truth, in two views."""
    network = SmoothDifference()
    projection = feature_projection(network, network_volume(case.ct, case.anatomy, 1))
    views = []
    for view in case.views:
        with torch.no_grad():
            true_pose = view.carm.camera_from_world @ case.truth_world_from_volume
            drr = projection.moving(true_pose[None], torch.zeros(1, 6), view.carm)
        views.append(LearnedView(network.fixed_features(drr), view.carm))
    return LearnedSimilarity(network, projection, views, anatomy_centre_mm(anatomy_points_mm(case)), SPREAD)


def card(**changes: object) -> Card:
    source = (DataSource("phantom", "computed", "none"),)
    plain = Card(
        title="untrained",
        training_data=source,
        held_out_data=source,
        configuration=configuration_of_model(SPREAD, np.full(6, 0.5), {}),
        commit="none",
        training=Training(0, 0.0, "cpu", ()),
        results={"success": 0},
        intended_use="tests",
        not_for="patients",
        licence="none",
    )
    return replace(plain, **changes)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A file of weights that know nothing."""
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    save_weights(path, ProSTLight(), "prost-light", {}, card())
    return path


def test_gradient_is_that_of_the_value_in_whitened_parameters_of_the_first_camera(case, similarity):
    chart = PoseChart(case.initial_world_from_volume, case.views[0].carm.camera_from_world, similarity.centre_mm)
    _, gradient = similarity.values_and_gradients(case.initial_world_from_volume[None])
    step = 0.01
    for parameter, name in enumerate(PARAMETERS):
        offset = np.zeros((2, 6))
        offset[:, parameter] = step, -step
        values, _ = similarity.values_and_gradients(chart.world_from_volume_at(offset * SPREAD))
        assert gradient[0, parameter] == pytest.approx((values[0] - values[1]) / (2 * step), rel=0.03, abs=2e-3), name


def test_descents_from_several_starts_at_once_go_down_to_the_truth(case, similarity):
    chart = PoseChart(case.truth_world_from_volume, np.eye(4), similarity.centre_mm)
    starts = chart.world_from_volume_at(np.random.default_rng(2).normal(size=(3, 6)) * SPREAD / 4)
    before, _ = similarity.values_and_gradients(starts)
    descent = learned_descent(similarity, starts, most_steps=200)
    after, _ = similarity.values_and_gradients(descent.world_from_volume)
    assert (after < 0.02 * before).all()
    for pose in descent.world_from_volume:
        assert np.abs(chart.parameters_of(pose)[3:5]).max() < 3


def test_a_descent_that_may_be_stopped_is_stopped(case, similarity):
    def stop(step, poses, values):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learned_descent(similarity, case.truth_world_from_volume[None], stop)


@pytest.mark.parametrize(
    ("method", "stages"),
    [
        ("prost", ["prost", "refine", "polish"]),
        ("prost+cmaes", ["prost", "refine", "cmaes", "refine", "polish"]),
    ],
)
def test_methods_have_their_stages_and_say_which_weights_they_had(case, untrained, method, stages):
    config = RegistrationConfig(method=method, weights=str(untrained), descents=3, **QUICK)
    one_view = replace(case, views=case.views[:1])
    first, second = register(one_view, config), register(one_view, config)
    assert [stage.name for stage in first.stages][: len(stages)] == stages
    assert first.stages[0].starts == 3
    assert first.weights["title"] == "untrained"
    assert len(first.weights["sha256"]) == 64
    np.testing.assert_array_equal(first.world_from_volume, second.world_from_volume)


def test_a_network_that_knows_nothing_does_not_keep_auto_from_finding_the_pose(case, untrained):
    config = RegistrationConfig(weights=str(untrained), descents=2, seed=1)
    result = register(case, config)
    assert result.status == "accepted"
    assert result.mtre_mm < 3


def test_a_run_cancelled_in_the_descent_keeps_the_best_pose_so_far(case, untrained):
    asked = iter([False] * 5)
    config = RegistrationConfig(method="prost", weights=str(untrained), **QUICK)
    result = register(case, config, is_cancelled=lambda: next(asked, True))
    assert result.stopped == "cancelled"
    assert result.status != "accepted"


def test_weights_adapted_to_this_patient_are_found_and_those_of_another_are_refused(case, tmp_path, monkeypatch):
    monkeypatch.setenv("PROSTREG_CACHE", str(tmp_path))
    path = adapted_path(case.ct, case.anatomy)
    adapted = card(title="adapted to the phantom", made_for=patient_of(case.ct, case.anatomy))
    save_weights(path, ProSTLight(), "prost-light", {}, adapted)
    config = RegistrationConfig(method="prost", descents=1, **QUICK)
    assert register(case, config).weights["kind"] == "adapted"
    foreign = tmp_path / "foreign.safetensors"
    save_weights(foreign, ProSTLight(), "prost-light", {}, card(made_for=MadeFor("0" * 64, "1" * 64)))
    with pytest.raises(WeightsError, match="another CT"):
        register(case, replace(config, weights=str(foreign)))
    assert register(case, replace(config, weights=str(foreign), foreign_weights=True)).weights["kind"] == "adapted"


def test_missing_adapted_weights_are_named_with_what_to_do(case, tmp_path, monkeypatch):
    monkeypatch.setenv("PROSTREG_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="prostreg adapt"):
        register(case, RegistrationConfig(method="prost", weights="adapted"))


def test_what_descents_leave_is_told_in_the_spread_of_this_registration(case, untrained):
    model = load_model(untrained)  # 0.5 spreads of 20 degrees, 30 mm and 60 mm
    centre_mm, start = anatomy_centre_mm(anatomy_points_mm(case)), case.initial_world_from_volume
    wide = LearnedSearch(case, model, start, centre_mm, SPREAD)
    np.testing.assert_allclose(wide.share_left(), 0.75)
    twice = LearnedSearch(case, model, start, centre_mm, 2 * SPREAD)
    np.testing.assert_allclose(twice.share_left(), 0.375)
    assert wide.is_believed
    assert twice.is_believed
    narrow = LearnedSearch(case, model, start, centre_mm, SPREAD / 10)
    assert not narrow.is_believed
    np.testing.assert_allclose(narrow.share_left(), 1.0)


def test_views_unlike_those_of_the_training_take_no_part(case, untrained):
    centre_mm, start = anatomy_centre_mm(anatomy_points_mm(case)), case.initial_world_from_volume
    model = load_model(untrained)
    poses = np.repeat(start[None], 2, axis=0)

    def values(views: tuple[View, ...]) -> np.ndarray:
        search = LearnedSearch(replace(case, views=views), model, start, centre_mm, SPREAD)
        return search.descents(poses, lambda *_: None).values

    np.testing.assert_array_equal(values(case.views), values(case.views[:1]))
    lateral = LearnedSearch(replace(case, views=case.views[1:]), model, start, centre_mm, SPREAD)
    assert not lateral.is_believed


def test_auto_leaves_out_a_network_that_narrows_nothing(case, tmp_path):
    path = tmp_path / "poor.safetensors"
    poor = configuration_of_model(SPREAD, np.full(6, 1.1), {})
    save_weights(path, ProSTLight(), "prost-light", {}, card(configuration=poor))
    result = register(case, RegistrationConfig(weights=str(path), restarts=1, **QUICK))
    assert result.weights is None
    assert "prost" not in [stage.name for stage in result.stages]


def test_a_pose_that_runs_away_stays_where_it_lost_its_way(case):
    class Slope:
        """Falls for ever, towards the source."""

        camera_from_world = np.eye(4)
        centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
        spread = SPREAD

        def values_and_gradients(self, world_from_volume):
            return np.zeros(len(world_from_volume)), np.tile([0.0, 0, 0, 0, 0, 9.0], (len(world_from_volume), 1))

    ended = learned_descent(Slope(), case.truth_world_from_volume[None], most_steps=100).world_from_volume[0]
    way = PoseChart(case.truth_world_from_volume, np.eye(4), Slope.centre_mm).parameters_of(ended) / SPREAD
    np.testing.assert_allclose(way[:5], 0, atol=1e-6)
    assert -LONGEST_WAY - 1e-6 <= way[5] <= -LONGEST_WAY + LONGEST_STEP + 1e-6


def test_an_image_without_anything_on_it_does_not_break_a_descent(case, untrained):
    empty = XRay(np.zeros((PIXELS, PIXELS), np.float32), np.ones((PIXELS, PIXELS), bool))
    blank = replace(case, views=(View(empty, case.views[0].carm),))
    result = register(blank, RegistrationConfig(method="prost", weights=str(untrained), descents=2, **QUICK))
    assert result.status != "accepted"
    assert np.isfinite(result.world_from_volume).all()


def test_features_of_a_patient_are_computed_once_for_the_same_ct_anatomy_and_weights(case, untrained):
    model = load_model(untrained)
    first = projection_of(case, model)
    assert projection_of(replace(case, name="again"), model) is first
    other_anatomy = case.anatomy.copy()
    other_anatomy[: len(other_anatomy) // 2] = False
    assert projection_of(replace(case, anatomy=other_anatomy), model) is not first


def test_a_file_of_weights_that_was_replaced_is_read_again(case, untrained, tmp_path):
    path = tmp_path / "mine.safetensors"
    config = RegistrationConfig(method="prost", weights=str(path), descents=1, **QUICK)
    digests = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        save_weights(path, ProSTLight(), "prost-light", {}, card())
        digests.append(register(case, config).weights["sha256"])
    assert digests[0] != digests[1]
