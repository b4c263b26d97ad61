"""The fused projector of GPUs and its launcher, against a driver that computes in the CPU's memory."""

from __future__ import annotations

import numpy as np
import pytest

from FakeGpu import FakeDriver, fake_gpu
from prostreg.errors import DeviceError
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.projector import cuda_driver
from prostreg.projector.cuda_driver import PTX
from prostreg.projector.selection import make_projector
from prostreg.search import objective as objective_module
from prostreg.search.objective import OFF_IMAGE, Objective
from prostreg.similarity.correlation import PatchGradNcc
from prostreg.similarity.likelihood import PatchLikelihood

CENTRE = np.array([30.0, 34.0, 40.0])
VIEWS = ("AP", "left lateral")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    return fake_gpu(monkeypatch)


def blobs() -> Volume:
    k, j, i = np.indices((40, 34, 30))
    rng = np.random.default_rng(4)
    values = np.zeros(k.shape)
    for _ in range(12):
        place, width = rng.uniform(6, 26, 3), rng.uniform(1.5, 3.5)
        squares = (k - place[0]) ** 2 + (j - place[1]) ** 2 + (i - place[2]) ** 2
        values += 0.03 * np.exp(-squares / (2 * width**2))
    return Volume(values.astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))


def carm_of(name: str) -> CArm:
    return CArm.from_sdd(1000.0, (4.0, 4.0), (48, 44), camera_from_world=standard_view(name, CENTRE, 600.0))


def objective_on(device: str, make_similarity: type[PatchGradNcc] = PatchGradNcc, is_open: bool = False) -> Objective:
    on_cpu, views = make_projector(blobs()), []
    for name in VIEWS:
        image = on_cpu.render(carm_of(name).camera_from_world[None], carm_of(name))[0]
        mask = np.ones(image.shape, bool)
        mask[:9, :7] = False
        other = XRay(1 - image, mask) if is_open else None
        views.append((XRay(image, mask, other=other), carm_of(name)))
    return Objective(make_projector(blobs(), device=device), views, CENTRE, 4, 2, make_similarity)


CHART = PoseChart(np.eye(4), carm_of("AP").camera_from_world, CENTRE)
PARAMETERS = np.random.default_rng(2).normal(0, 1, (7, 6)) * [0.1, 0.1, 0.1, 5, 5, 15]


def test_it_renders_what_the_cpu_renders_with_one_launch_for_many_poses_and_cameras(gpu: FakeDriver) -> None:
    carms = [carm_of(name) for name in VIEWS]
    poses = np.stack([carm.camera_from_world for carm in carms])
    there, here = make_projector(blobs(), device="cuda"), make_projector(blobs())
    assert (there.name, there.is_on_gpu, here.is_on_gpu) == ("fused-cuda", True, False)
    np.testing.assert_array_equal(there.render(poses, *carms), here.render(poses, *carms))
    np.testing.assert_array_equal(
        there.project_with_derivative(poses, *carms), here.project_with_derivative(poses, *carms)
    )
    assert gpu.launches == ["project", "project_with_derivative"]
    assert gpu.ptx == PTX.read_bytes() + b"\0"


def test_a_projector_that_has_a_name_computes_where_it_does(gpu: FakeDriver) -> None:
    assert make_projector(blobs(), "reference", "cuda").name == "reference"
    assert gpu.launches == []


@pytest.mark.parametrize("is_open", [False, True])
def test_scores_are_those_of_the_cpu(gpu: FakeDriver, is_open: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    there, here = objective_on("cuda", is_open=is_open), objective_on("cpu", is_open=is_open)
    poses = CHART.world_from_volume_at(np.concatenate([PARAMETERS, [[0, 0, 0, 400.0, 0, 0]]]))
    scores = here.scores(poses)
    np.testing.assert_allclose(there.scores(poses), scores, atol=2e-5)
    assert scores[-1] == OFF_IMAGE
    assert len(set(gpu.launches)) == 1
    assert len(gpu.launches) == len(VIEWS), "all poses of a view in one launch"
    monkeypatch.setattr(objective_module, "MOST_PIXELS", 3 * 48 * 44)
    np.testing.assert_allclose(there.scores(poses), scores, atol=2e-5)
    assert len(gpu.launches) == len(VIEWS) + 3 * len(VIEWS), "as many as the memory takes"
    assert there.reading_at(poses[0]) == here.reading_at(poses[0])


@pytest.mark.parametrize("make_similarity", [PatchGradNcc, PatchLikelihood])
def test_gradients_are_those_of_the_cpu(gpu: FakeDriver, make_similarity: type[PatchGradNcc]) -> None:
    there, here = objective_on("cuda", make_similarity), objective_on("cpu", make_similarity)
    scores, gradients = there.scores_and_gradients(CHART, PARAMETERS)
    expected, expected_gradients = here.scores_and_gradients(CHART, PARAMETERS)
    np.testing.assert_allclose(scores, expected, atol=2e-5)
    size = np.abs(expected_gradients).max(axis=0)
    np.testing.assert_allclose(gradients / size, expected_gradients / size, atol=1e-4)
    assert len(gpu.launches) == len(VIEWS)
    one = np.array([here.score_and_gradient(CHART, parameters)[1] for parameters in PARAMETERS])
    np.testing.assert_allclose(one / size, expected_gradients / size, atol=1e-6)


def test_footprint_and_blocks_are_those_of_the_cpu(gpu: FakeDriver) -> None:
    there, here = objective_on("cuda"), objective_on("cpu")
    pose = CHART.world_from_volume_at(PARAMETERS)
    assert there.footprint_score(pose[0]).score == pytest.approx(here.footprint_score(pose[0]).score, abs=1e-5)
    shares = [one.block_shares(one.images(pose), one.images(np.eye(4)[None])) for one in (there, here)]
    np.testing.assert_allclose(*shares, atol=1e-6)


def test_scores_that_are_no_numbers_are_refused(gpu: FakeDriver) -> None:
    there = objective_on("cuda")
    gpu.change = lambda images: images.fill(np.nan)
    with pytest.raises(DeviceError, match="no numbers"):
        there.scores(CHART.world_from_volume_at(PARAMETERS))


@pytest.mark.parametrize("name", ["cuInit", "cuDevicePrimaryCtxRetain", "cuModuleLoadData", "cuLaunchKernel"])
def test_what_the_driver_refuses_is_told_in_a_sentence(gpu: FakeDriver, name: str) -> None:
    gpu.statuses[name] = 209
    with pytest.raises(DeviceError, match=rf"cannot be used \({name}: it is imaginary\): update its driver"):
        make_projector(blobs(), device="cuda").render(carm_of("AP").camera_from_world[None], carm_of("AP"))


def test_a_machine_without_a_driver_is_told_so(gpu: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(cuda_driver, "_library", missing)
    with pytest.raises(DeviceError, match="driver's library was not found: install"):
        make_projector(blobs(), device="cuda").render(carm_of("AP").camera_from_world[None], carm_of("AP"))
