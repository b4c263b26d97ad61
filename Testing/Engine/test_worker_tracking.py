"""A run that is tracked in the real worker process: a word for each frame, the track, cancel, and faults in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PhantomImages import the_phantom

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import mean_distance_mm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.attenuation import moving_volume
from prostreg.images.xray_preparation import prepare_xray
from prostreg.projector.selection import make_projector
from prostreg.registration.case import Case, View
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.worker.run_request import MOST_FRAMES

PIXELS, COUNT, FIRST, BLANK = 96, 6, 3, 5
STEP = np.array([*np.deg2rad([1.0, -1.5, 1.0]), 2.5, -2.0, 3.0])
CONFIG = {"search_pixels": 32, "judge_pixels": 64, "polish_pixels": 64}


@pytest.fixture(scope="module")
def worker(start_worker):
    return start_worker()


@pytest.fixture(scope="module")
def run(worker) -> SimpleNamespace:
    """A phantom's spine that moves steadily; in one frame the beam is off. Also its truth, and a request's fields."""
    phantom = the_phantom()
    carm = CArm.from_sdd(1020.0, (298.0 / PIXELS,) * 2, (PIXELS, PIXELS))
    start = standard_view("AP", phantom.vertebra_centres_mm.mean(axis=0), 620.0)
    anatomy = phantom.labels.values > 0
    blank = prepare_xray(np.tile(np.linspace(0, 1, PIXELS, dtype=np.float32), (PIXELS, 1)), "bone-bright")
    points_mm = anatomy_points_mm(Case("run", phantom.ct, anatomy, (View(blank, carm),)))
    chart = PoseChart(start, np.eye(4), anatomy_centre_mm(points_mm))
    truth = chart.world_from_volume_at(np.arange(COUNT)[:, None] * STEP)
    everything = moving_volume(phantom.ct, np.ones(anatomy.shape, dtype=bool))
    images = make_projector(everything).render(truth, carm)
    images = (images + np.random.default_rng(0).normal(0, 0.01 * float(images.max()), images.shape)).astype(np.float32)
    images[BLANK - 1] = np.random.default_rng(1).normal(0.5, 0.005, images[0].shape)
    first = {
        "world_from_volume": truth[FIRST - 1].tolist(), "status": "accepted", "confidence": 0.99,
        "evidence": {"confirmed": 0.8, "seen": 1.0}, "polarity": [{"used": "bone-bright", "certainty": 1.0}],
    }  # fmt: skip
    fields = {
        **worker.load_patient(phantom.ct, anatomy), "views": [worker.load_view(carm, images[FIRST - 1])],
        "frame": FIRST, "first": first, "config": CONFIG, "name": "run",
    }  # fmt: skip
    return SimpleNamespace(images=images, truth=truth, points_mm=points_mm, fields=fields)


def begin(worker, run: SimpleNamespace, **changes: Any) -> SimpleNamespace:
    return worker.begin("track", {"run0": run.images}, **{**run.fields, **changes})


def test_every_frame_is_told_and_the_track_has_its_pose(worker, run) -> None:
    answer = worker.end(begin(worker, run, times_s=[0.1 * number for number in range(COUNT)]))
    assert answer.error is None, str(answer.error)
    told, poses = answer.reply, answer.arrays["poses"]
    assert [told[name] for name in ("name", "first_frame", "frames_in_run", "stopped")] == ["run", FIRST, COUNT, None]
    assert [frame["frame"] for frame in told["frames"]] == list(range(1, COUNT + 1))
    assert told["lost"] == [BLANK]
    assert told["frames"][BLANK - 1]["reasons"] == [f"Frame {BLANK} shows nothing, or noise alone."]
    assert told["frames"][1]["time_s"] == pytest.approx(0.1)
    assert np.isnan(poses[BLANK - 1]).all()
    np.testing.assert_allclose(poses[FIRST - 1], run.truth[FIRST - 1])
    for number in set(range(COUNT)) - {BLANK - 1}:
        assert mean_distance_mm(poses[number], run.truth[number], run.points_mm) < 6  # so few pixels tell no depth
    by_frame = {progress["frame"]: progress for progress in answer.progress}
    assert set(by_frame) == set(range(1, COUNT + 1))
    assert (by_frame[BLANK]["status"], by_frame[BLANK]["world_from_volume"]) == ("lost", None)
    assert by_frame[FIRST]["status"] == "tracked"
    np.testing.assert_allclose(by_frame[2]["world_from_volume"], poses[1])
    fractions = [progress["fraction"] for progress in answer.progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_no_frame_is_surer_than_an_uncertain_first_one(worker, run) -> None:
    first = {**run.fields["first"], "status": "uncertain", "confidence": 0.6}
    answer = worker.end(begin(worker, run, first=first))
    assert answer.error is None, str(answer.error)
    assert answer.reply["tracked"] == []
    assert FIRST in answer.reply["uncertain"]


def test_cancel_ends_with_the_frames_so_far(worker, run) -> None:
    tracking = begin(worker, run)
    worker.pump(lambda: len(tracking.progress) >= 2)
    error = worker.error("register")
    assert (error.kind, "A run is being tracked" in str(error)) == ("input", True)
    worker.reply("cancel")
    assert worker.end(tracking).error is None
    assert tracking.reply["stopped"] == "cancelled"
    assert 2 <= len(tracking.reply["frames"]) < COUNT
    assert worker.reply("status")["state"] == "ready"


def test_all_faults_of_the_request_come_at_once(worker, run) -> None:
    broken = {"status": "perhaps", "confidence": 2, "world_from_volume": [[1]], "evidence": {"seen": "x"}}
    error = worker.error("track", {"run0": run.images}, **{**run.fields, "frame": COUNT + 1, "first": broken})
    assert (error.kind, len(error.faults)) == ("input", 5)
    assert f'"frame" of the request is {COUNT + 1}: give a whole number from 1 to {COUNT}' in str(error)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "The array run0 is missing"),
        ({"run0": np.zeros((COUNT, 4, 5), np.float32)}, "The frames of view 1 have 5 x 4 pixels"),
        ({"run0": np.zeros((MOST_FRAMES + 1, 1, 1), np.uint8)}, f"{MOST_FRAMES} are the most"),
    ],
)
def test_runs_that_cannot_be_tracked_are_refused_in_words(worker, run, arrays, words) -> None:
    error = worker.error("track", arrays, **{**run.fields, "frame": 1})
    assert (error.kind, words in str(error)) == ("input", True), str(error)
    assert worker.reply("status")["state"] == "ready"
