"""The objective's derivative, and the searches that climb it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from prostreg.errors import Stopped
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import invert_rigid
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.projector.selection import make_projector
from prostreg.search.cmaes import cmaes_search
from prostreg.search.objective import OFF_IMAGE, Objective
from prostreg.search.polish import polish
from prostreg.similarity.correlation import PatchGradNcc
from prostreg.similarity.likelihood import PatchLikelihood

CENTRE = np.array([4.0, -6.0, 3.0])
SPREAD = np.array([0.3, 0.3, 0.3, 15.0, 15.0, 30.0])


def blobs() -> Volume:
    k, j, i = np.indices((40, 44, 48))
    rng = np.random.default_rng(4)
    values = np.zeros(k.shape)
    for _ in range(12):
        centre, width = rng.uniform(10, 34, 3), rng.uniform(2.0, 4.0)
        squares = (k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2
        values += 0.03 * np.exp(-squares / (2 * width**2))
    volume_from_index = np.diag([2.0, 2.0, 2.0, 1.0])
    volume_from_index[:3, 3] = CENTRE - 2.0 * np.array([23.5, 21.5, 19.5])
    return Volume(values.astype(np.float32), volume_from_index)


@pytest.fixture(scope="module")
def scene() -> tuple[Objective, PoseChart]:
    """Two views of blobs; the chart's origin is the true pose."""
    projector, truth = make_projector(blobs()), np.eye(4)
    truth[:3, 3] = 10.0, 20.0, -5.0
    views = []
    for name in ("AP", "left lateral"):
        camera_from_world = standard_view(name, CENTRE, 600.0) @ invert_rigid(truth)
        carm = CArm.from_sdd(1000.0, (4.0, 4.0), (60, 56), camera_from_world=camera_from_world)
        image = projector.render((camera_from_world @ truth)[None], carm)[0]
        views.append((XRay(image, np.ones(image.shape, dtype=bool)), carm))
    objective = Objective(projector, views, CENTRE, 4, 2, PatchGradNcc)
    return objective, PoseChart(truth, views[0][1].camera_from_world, CENTRE)


def test_gradient_over_all_views_equals_finite_differences(scene):
    objective, chart = scene
    parameters = np.array([0.08, -0.05, 0.06, 3.0, -2.0, 8.0])
    score, gradient = objective.score_and_gradient(chart, parameters)
    assert score == pytest.approx(objective.scores(chart.world_from_volume_at(parameters))[0], abs=1e-5)
    steps = np.diag([2e-3] * 3 + [0.1, 0.1, 0.4])
    scores = objective.scores(chart.world_from_volume_at(np.concatenate([parameters + steps, parameters - steps])))
    difference = (scores[:6] - scores[6:]) / (2 * np.diag(steps))
    np.testing.assert_allclose(gradient * np.diag(steps), difference * np.diag(steps), rtol=0.08, atol=2e-4)


def test_bones_around_lie_in_every_drr_whatever_else_changes(scene):
    objective, chart = scene
    around, pose = np.eye(4), chart.world_from_volume[None]
    around[:3, 3] = 30.0, 0.0, 10.0
    both = objective.with_others([(objective.projector, around)])
    added = [both_image - alone for both_image, alone in zip(both.images(pose), objective.images(pose), strict=True)]
    assert min(float(image.max()) for image in added) > 0.1
    by_likelihood = both.with_similarity(PatchLikelihood)
    for image, same in zip(both.images(pose), by_likelihood.images(pose), strict=True):
        np.testing.assert_array_equal(same, image)
    alone = objective.with_similarity(PatchLikelihood)
    assert by_likelihood.scores(pose)[0] != alone.scores(pose)[0]

    def nearer(carm: CArm) -> CArm:
        return replace(carm, intrinsics=carm.intrinsics * np.array([[1.05, 1, 1], [1, 1.05, 1], [1, 1, 1]]))

    changed = zip(both.with_carms(nearer).images(pose), objective.with_carms(nearer).images(pose), added, strict=True)
    for image, alone_image, others in changed:
        np.testing.assert_allclose(image - alone_image, others, atol=1e-5)


def test_poses_out_of_sight_get_the_lowest_score(scene):
    objective, chart = scene
    poses = chart.world_from_volume_at([[0, 0, 0, 300.0, 0, 0], [0, 0, 0, 0, 0, -900.0], [0, 0, 0, 0, 0, 0]])
    scores = objective.scores(poses)
    np.testing.assert_array_equal(scores[:2], OFF_IMAGE)
    assert scores[2] > 0.3


def test_cmaes_finds_the_truth_and_repeats_itself(scene):
    objective, chart = scene

    def search() -> list:
        starts = np.array([[0.3, -0.2, 0.2, 10.0, -10.0, 20.0], [-0.2, 0.2, 0.3, -12.0, 8.0, -15.0]])
        return cmaes_search(
            objective, [chart] * len(starts), starts, SPREAD, 40, 40, np.random.default_rng(1), lambda *_: None
        )

    first, second = search(), search()
    truth = objective.scores(chart.world_from_volume[None])[0]
    assert max(candidate.score for candidate in first) > 0.97 * truth
    best = max(first, key=lambda candidate: candidate.score)
    assert np.abs(best.parameters / SPREAD).max() < 0.1
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.parameters, other.parameters)


def test_cmaes_leaves_numpys_global_random_numbers_alone(scene):
    objective, chart = scene
    np.random.seed(12)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(12)  # noqa: NPY002
    cmaes_search(objective, [chart], np.zeros((1, 6)), SPREAD, 10, 2, np.random.default_rng(1), lambda *_: None)
    assert np.random.random() == expected  # noqa: NPY002


def test_a_search_can_be_stopped_between_generations(scene):
    objective, chart = scene
    seen = []

    def stop_at_third(generation: int, best) -> None:
        seen.append(generation)
        if generation == 2:
            raise Stopped("cancelled")

    with pytest.raises(Stopped):
        cmaes_search(objective, [chart], np.zeros((1, 6)), SPREAD, 10, 40, np.random.default_rng(1), stop_at_third)
    assert seen == [0, 1, 2]


def test_polish_ends_at_the_truth_and_never_below_its_start(scene):
    objective, chart = scene
    start = np.array([0.05, -0.04, 0.05, 2.0, -2.0, 6.0])
    seen = []
    result = polish(objective, chart, start, 40, lambda best: seen.append(best.score))
    assert result.score >= seen[0]
    assert seen == sorted(seen)
    assert result.score > 0.999 * objective.scores(chart.world_from_volume[None])[0]
    assert np.rad2deg(np.abs(result.parameters[:3])).max() < 1.5
    assert np.abs(result.parameters[3:5]).max() < 0.5
    assert abs(result.parameters[5]) < 1.5


def test_a_climb_that_only_finds_worse_places_ends_where_it_began(scene):
    _, chart = scene

    class Cliff:
        """Lower everywhere but at the start, while its gradient promises more."""

        def score_and_gradient(self, chart, parameters):
            return 1.0 - 100 * np.abs(parameters).sum(), np.ones(6)

    result = polish(Cliff(), chart, np.zeros(6), 5, lambda best: None)
    assert result.score == 1.0
    np.testing.assert_array_equal(result.parameters, np.zeros(6))


def test_footprint_score_is_high_at_the_truth_and_counts_patches(scene):
    objective, chart = scene
    right = objective.footprint_score(chart.world_from_volume)
    wrong = objective.footprint_score(chart.world_from_volume_at([[0.9, 0.7, 1.5, 0, 0, 0]])[0])
    gone = objective.footprint_score(chart.world_from_volume_at([[0, 0, 0, 0, 900.0, 0]])[0])
    assert right.score > 0.8
    assert wrong.score < 0.5 * right.score
    assert right.patches > 5
    assert gone.patches == 0


def test_libraries_that_are_slow_to_import_come_while_something_else_is_done_or_not_at_all() -> None:
    source = """
import sys, threading
from prostreg.registration.registering import register
assert "cma" not in sys.modules
from prostreg.search.libraries import begin_to_load
begin_to_load()
for thread in threading.enumerate():
    if thread.name == "prostreg-libraries":
        thread.join()
assert "cma" in sys.modules
assert not {"scipy.stats", "matplotlib"} & set(sys.modules), "what a search does not use is loaded"
import matplotlib.pyplot, scipy.stats  # others have them all the same

import torch
from prostreg.search.polish import CompilerlessLbfgs
place = torch.ones(2, requires_grad=True)
def height():
    place.grad = 2 * place.detach()
    return float((place.detach() ** 2).sum())
CompilerlessLbfgs([place], line_search_fn="strong_wolfe").step(height)
assert place.abs().max() < 1e-3
assert "torch._dynamo" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
