"""What a run says about itself: confidence from evidence, and the expected error against errors that did happen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from prostreg.evaluation.protocol import protocol_names, read_protocol
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.projector.selection import make_projector
from prostreg.registration.attempts import AttemptLog
from prostreg.registration.case import Case, View
from prostreg.registration.confidence import confidence_model, features
from prostreg.registration.evidence import Evidence
from prostreg.registration.expected_error import STEPS, expected_error, pose_covariance, pose_parabola
from prostreg.search.objective import FootprintScore, Objective
from prostreg.search.polish import polish
from prostreg.similarity.correlation import PatchGradNcc

CENTRE = np.array([4.0, -6.0, 3.0])
SPREAD = np.array([0.35, 0.35, 0.35, 30.0, 30.0, 60.0])
GOOD = Evidence(
    confirmed=0.7, patches=100.0, seen=0.9, runner_up=0.1, agreement=1.0, restarts=2.0, surprise=1.0
)  # fmt: skip


def blobs() -> Volume:
    k, j, i = np.indices((40, 44, 48))
    rng = np.random.default_rng(4)
    values = np.zeros(k.shape)
    for _ in range(25):
        centre, width = rng.uniform(6, 36, 3), rng.uniform(1.5, 3.0)
        squares = (k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2
        values += 0.03 * np.exp(-squares / (2 * width**2))
    volume_from_index = np.diag([2.0, 2.0, 2.0, 1.0])
    volume_from_index[:3, 3] = CENTRE - 2.0 * np.array([23.5, 21.5, 19.5])
    return Volume(values.astype(np.float32), volume_from_index)


def noisy_objective(names: tuple[str, ...], noise: float, seed: int) -> tuple[Objective, PoseChart]:
    """Views of blobs with noise; the chart's origin is the true pose, the identity."""
    projector = make_projector(blobs())
    rng = np.random.default_rng(seed)
    views = []
    for name in names:
        carm = CArm.from_sdd(1000.0, (4.0, 4.0), (60, 56), camera_from_world=standard_view(name, CENTRE, 600.0))
        image = projector.render(carm.camera_from_world[None], carm)[0]
        noisy = image + rng.normal(0, noise * image.std(), image.shape).astype(np.float32)
        views.append((XRay(noisy, np.ones(image.shape, dtype=bool)), carm))
    objective = Objective(projector, views, CENTRE, 5, 2, PatchGradNcc)
    return objective, PoseChart(np.eye(4), views[0][1].camera_from_world, CENTRE)


def deviations(names: tuple[str, ...], noise: float) -> np.ndarray:
    objective, chart = noisy_objective(names, noise, seed=0)
    found = polish(objective, chart, np.zeros(6), 30, lambda _: None)
    there = replace(chart, world_from_volume=chart.world_from_volume_at(found.parameters)[0])
    return np.sqrt(np.diag(pose_covariance(pose_parabola(objective, there), SPREAD, 1.0)))


def test_expected_errors_are_those_that_happen_under_noise():
    expected, happened = [], []
    for seed in range(24):
        objective, chart = noisy_objective(("AP",), 0.15, seed)
        found = polish(objective, chart, np.zeros(6), 30, lambda _: None)
        there = replace(chart, world_from_volume=chart.world_from_volume_at(found.parameters)[0])
        expected.append(np.diag(pose_covariance(pose_parabola(objective, there), SPREAD, 1.0)))
        happened.append(found.parameters**2)
    ratio = np.sqrt(np.mean(happened, axis=0) / np.mean(expected, axis=0))
    assert (ratio > 0.4).all(), ratio
    assert (ratio < 3.5).all(), ratio


def test_depth_is_the_worst_with_one_view_and_a_second_view_fixes_it():
    one, two = deviations(("AP",), 0.1), deviations(("AP", "left lateral"), 0.1)
    assert one[5] > 3 * max(one[3], one[4])
    assert two[5] < 0.4 * one[5]


def test_more_noise_means_a_larger_expected_error():
    assert (deviations(("AP",), 0.3) > 1.5 * deviations(("AP",), 0.1)).all()


def test_what_the_image_leaves_open_keeps_the_uncertainty_of_the_start():
    objective, chart = noisy_objective(("AP",), 0.1, seed=0)
    far_off = replace(chart, world_from_volume=chart.world_from_volume_at([0, 0, 0, 0, 0, -540.0])[0])
    covariance = pose_covariance(pose_parabola(objective, far_off), SPREAD, 1.0)
    assert np.isfinite(covariance).all()
    assert (np.sqrt(np.diag(covariance)) <= SPREAD * 1.001).all()


def test_expected_mtre_over_points_is_that_of_random_motions():
    chart = PoseChart(standard_view("AP", CENTRE, 600.0), np.eye(4), CENTRE)
    rng = np.random.default_rng(1)
    root = rng.normal(0, 0.1, (6, 6)) * STEPS[:, None]
    points = rng.normal(0, 40, (50, 3)) + CENTRE
    error = expected_error(root @ root.T, chart, points)
    moved = chart.world_from_volume_at(rng.standard_normal((4000, 6)) @ root.T)
    there = np.einsum("nij,pj->npi", moved[:, :3, :3], points) + moved[:, None, :3, 3]
    here = points @ chart.world_from_volume[:3, :3].T + chart.world_from_volume[:3, 3]
    assert error.mtre_mm == pytest.approx(np.sqrt(((there - here) ** 2).sum(axis=-1).mean()), rel=0.05)
    np.testing.assert_allclose(error.translation_mm, np.sqrt(np.diag(root @ root.T))[3:])


def test_blocks_of_the_score_add_up_to_its_changes():
    objective, chart = noisy_objective(("AP", "left lateral"), 0.1, seed=3)
    steps = np.random.default_rng(0).normal(0, 0.2, (5, 6)) * STEPS
    ahead, behind = chart.world_from_volume_at(steps), chart.world_from_volume_at(-steps)
    origin = objective.images(chart.world_from_volume[None])
    change = np.subtract(*(objective.block_shares(objective.images(poses), origin) for poses in (ahead, behind)))
    scores = objective.scores(ahead) - objective.scores(behind)
    np.testing.assert_allclose(change.sum(axis=1), scores, atol=0.03 * abs(scores).max())


def test_confidence_rises_with_the_score_and_falls_with_the_expected_error():
    model = confidence_model()
    scores = [model.probability(replace(GOOD, confirmed=score)) for score in (0.05, 0.2, 0.4, 0.6)]
    assert scores == sorted(scores)
    assert model.probability(GOOD) > model.accepted_from
    assert model.probability(replace(GOOD, expected_mtre_mm=2.0)) == pytest.approx(model.probability(GOOD), abs=1e-3)
    assert model.probability(replace(GOOD, expected_mtre_mm=12.0)) < 0.6
    assert model.probability(replace(GOOD, patches=0.0)) == 0


def test_the_model_weighs_what_there_is_and_was_fitted_on_no_case_that_is_reported():
    model = confidence_model()
    assert set(model.weights) == set(features(GOOD))
    fitted_on = {origin["protocol"] for origin in model.card["fitted_on"]}
    assert all(name.startswith("confidence-") for name in fitted_on)
    seeds = {name: read_protocol(name).seed for name in protocol_names()}
    reported = {seed for name, seed in seeds.items() if not name.startswith("confidence-")}
    assert not reported & {seeds[name] for name in fitted_on}
    assert model.card["held_out"]["precision"] >= 0.99


def test_attempts_know_their_rivals_and_what_is_seen():
    ct = Volume(np.zeros((40, 40, 40), dtype=np.float32), np.eye(4))
    anatomy = np.zeros((40, 40, 40), dtype=bool)
    anatomy[10:30, 10:30, 10:30] = True
    camera_from_volume = standard_view("AP", (19.5, 19.5, 19.5), 600.0)
    carm = CArm.from_sdd(1000.0, (2.0, 2.0), (100, 100))
    mask = np.ones((100, 100), dtype=bool)
    mask[:, :50] = False
    case = Case("cube", ct, anatomy, (View(XRay(np.zeros((100, 100), dtype=np.float32), mask), carm),))
    points = np.argwhere(anatomy)[:, ::-1].astype(np.float64)
    log = AttemptLog(case, PoseChart(camera_from_volume, np.eye(4), np.full(3, 19.5)), points, SPREAD)
    here, there = np.zeros(6), np.array([0, 0, 0, 30.0, 0, 0])
    log.add(there, FootprintScore(0.3, 50.0), restarts=1)
    log.add(here, FootprintScore(0.5, 50.0), restarts=2)
    log.add(here, FootprintScore(0.6, 50.0), restarts=2)
    first, second, third = (attempt.evidence for attempt in log.attempts)
    assert (first["runner_up"], first["agreement"]) == (0.0, 0.0)
    assert (second["runner_up"], second["agreement"]) == (0.3, 0.0)
    assert (third["runner_up"], third["agreement"]) == (0.3, 1.0)
    assert second["seen"] == pytest.approx(0.5)
    assert first["seen"] > 0.99
    assert first["surprise"] == pytest.approx(np.sqrt(1 / 6))
    assert log.evidence(here, FootprintScore(0.6, 50.0), 2, is_kept=True).agreement == 1
