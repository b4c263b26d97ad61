"""Where a registration computes: on a GPU only where it was asked for and computes as the CPU does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from FakeGpu import NAME, FakeDriver, fake_gpu
from Patience import PATIENCE_S
from prostreg.cli.main import main
from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.machine import processor_name
from prostreg.projector.selection import make_projector
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.device import gpu as gpu_module
from prostreg.registration.device.gpu import LEFT_ALONE, WRONG, checked_gpu, found_gpu
from prostreg.registration.registering import register
from prostreg.registration.result import Result
from prostreg.worker.self_check import self_check

CARM = CArm.from_sdd(1000.0, (4.0, 4.0), (48, 40), None, standard_view("AP", (39.0, 39.0, 39.0), 600.0))
QUICK = {"method": "cmaes", "population": 20, "generations": 6, "search_pixels": 24, "judge_pixels": 32,
         "polish_pixels": 40, "time_limit_s": PATIENCE_S}  # fmt: skip
GIVEN_UP = "The GPU was given up during the registration, which began again on the CPU: "


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROSTREG_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    return fake_gpu(monkeypatch)


@pytest.fixture(scope="module")
def case() -> Case:
    k, j, i = np.indices((40, 40, 40))
    hu = np.full(k.shape, -1000.0, np.float32)
    for centre, radius in [((12, 14, 20), 7), ((26, 20, 12), 6), ((20, 28, 28), 8)]:
        hu[(k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2 < radius**2] = 900.0
    ct = Volume(hu, np.diag([2.0, 2.0, 2.0, 1.0]))
    dense = ct.with_values(np.where(ct.values > 0, 0.04, 0.0).astype(np.float32))
    image = make_projector(dense).render(CARM.camera_from_world[None], CARM)[0]
    start = np.eye(4)
    start[:3, 3] = (4.0, -3.0, 5.0)
    return Case("blobs", ct, ct.values > 0, (View(XRay(image, np.ones(image.shape, bool)), CARM),), start, np.eye(4))


@pytest.fixture(scope="module")
def on_cpu(case: Case) -> Result:
    return registered(case, "cpu")


def registered(case: Case, device: str, **settings: Any) -> Result:
    return register(case, RegistrationConfig(device=device, **{**QUICK, **settings}))


def assert_begun_again(result: Result, on_cpu: Result, note: str) -> None:
    np.testing.assert_array_equal(result.world_from_volume, on_cpu.world_from_volume)
    assert (result.device, result.projector) == (f"cpu {processor_name()}", "fused-cpu")
    assert result.config["device"] == "cuda"
    assert result.config["time_limit_s"] == PATIENCE_S
    assert result.warnings == (note,)


def test_a_registration_runs_on_the_gpu_that_was_asked_for(driver: FakeDriver, case: Case, on_cpu: Result) -> None:
    result = registered(case, "cuda")
    assert (result.device, result.projector) == (f"cuda {NAME}", "fused-cuda")
    assert result.config["device"] == "cuda"
    assert result.warnings == ()
    assert {"project", "project_with_derivative"} == set(driver.launches)
    off_mm = (result.world_from_volume - on_cpu.world_from_volume) @ [*case.ct.centre_mm, 1]
    assert np.linalg.norm(CARM.camera_from_world[:2] @ off_mm) < 0.5
    np.testing.assert_array_equal(registered(case, "cuda").world_from_volume, result.world_from_volume)


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_by_itself_a_gpu_is_left_alone(driver: FakeDriver, case: Case, on_cpu: Result, device: str) -> None:
    result = registered(case, device)
    np.testing.assert_array_equal(result.world_from_volume, on_cpu.world_from_volume)
    assert (result.device, result.warnings) == (f"cpu {processor_name()}", ())
    assert driver.launches == []


def test_without_a_gpu_the_cpu_computes_and_a_sentence_says_so(
    case: Case, on_cpu: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr("sys.platform", "linux")
    note = "The GPU is not used: this torch was built without CUDA. With an NVIDIA GPU, install one that has it."
    assert_begun_again(registered(case, "cuda"), on_cpu, note)


def test_a_gpu_that_computes_wrongly_is_not_begun_with(driver: FakeDriver, case: Case, on_cpu: Result) -> None:
    driver.change = lambda images: np.multiply(images, 1.01, out=images)
    note = "The GPU is not used: it gave another result than the CPU. Update its driver."
    assert_begun_again(registered(case, "cuda"), on_cpu, note)
    assert len(driver.launches) == 1


def test_one_that_computes_wrongly_later_is_found_out_by_the_pose(
    driver: FakeDriver, case: Case, on_cpu: Result
) -> None:
    assert checked_gpu().fault is None
    driver.change = lambda images: np.copyto(images[..., ::2], 0)
    note = f"{GIVEN_UP}it gave another result than the CPU. Update its driver."
    assert_begun_again(registered(case, "cuda"), on_cpu, note)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
         "its memory is full. Close other programs that use it."),
        (RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be"),
         "CUDA error: an illegal memory access was encountered"),
    ],
)  # fmt: skip
def test_one_that_fails_on_the_way_is_given_up(
    driver: FakeDriver, case: Case, on_cpu: Result, error: Exception, reason: str
) -> None:
    def fail_later(images: np.ndarray) -> None:
        if len(driver.launches) == 12:
            raise error

    driver.change = fail_later
    assert_begun_again(registered(case, "cuda"), on_cpu, f"{GIVEN_UP}{reason}")


def test_a_projector_that_has_a_name_computes_on_the_cpu(driver: FakeDriver, case: Case, on_cpu: Result) -> None:
    result = registered(case, "cuda", projector="fused-cpu")
    np.testing.assert_array_equal(result.world_from_volume, on_cpu.world_from_volume)
    assert result.warnings == ("The GPU is not used: the projector 'fused-cpu' computes on the CPU. Choose 'auto'.",)
    assert driver.launches == []


def test_the_check_is_made_once_for_a_driver_and_a_card(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    assert (checked_gpu().name, checked_gpu().fault) == (NAME, None)
    assert len(driver.launches) == 1
    monkeypatch.setattr(gpu_module, "driver_version", lambda: 12080)
    driver.change = lambda images: np.negative(images[:, 3], out=images[:, 3])
    assert "another result" in checked_gpu().fault
    assert "another result" in checked_gpu().fault
    assert len(driver.launches) == 2
    (cache / "checked-gpus.json").write_text("{", encoding="utf-8")
    checked_gpu()
    assert len(driver.launches) == 3


def test_a_derivative_that_is_wrong_at_one_pixel_is_found_out(driver: FakeDriver) -> None:
    """At a corner, where a score says little of it."""

    def change(images: np.ndarray) -> None:
        images[:, 1:, 0, 0] += 0.002 * np.abs(images).max()

    driver.change = change
    assert checked_gpu().fault == f"{WRONG}."


def test_a_check_that_had_no_memory_is_made_again(driver: FakeDriver) -> None:
    driver.statuses["cuLaunchKernel"] = 2
    assert "its check failed" in checked_gpu().fault
    driver.statuses.clear()
    assert checked_gpu().fault is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"sys.platform": "darwin", "torch.version.cuda": None}, "GPUs of Apple are not served"),
        ({"torch.version.cuda": None, "torch.version.hip": "6.2"}, "GPUs of AMD are not served"),
        ({"torch.cuda.is_available": lambda: False}, "no NVIDIA GPU was found"),
        ({"torch.cuda.get_device_capability": lambda *_: (7, 0)}, "older than NVIDIA's Turing"),
        ({"prostreg.registration.device.gpu.KERNELS_AVAILABLE": False}, "needs the package numba"),
    ],
)
def test_what_is_not_served_is_said(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], fault: str
) -> None:
    for place, value in changes.items():
        monkeypatch.setattr(place, value)
    assert fault in found_gpu().fault
    assert checked_gpu() == found_gpu()
    verdict = self_check("cuda")["verdict"]
    assert f"The GPU is not used: {found_gpu().fault}" in verdict
    assert "GPU" not in self_check("auto")["verdict"]
    assert driver.launches == []


def test_panel_and_info_say_what_is_used_and_why(driver: FakeDriver, capsys: pytest.CaptureFixture[str]) -> None:
    told = self_check("auto")
    assert told["device"] == "cpu"
    assert told["verdict"].endswith(f"There is a GPU, {NAME}. {LEFT_ALONE}")
    assert driver.launches == []
    told = self_check("cuda")
    assert told["device"] == "cuda"
    assert told["verdict"].endswith(f"Registrations run on the GPU, {NAME}.")
    assert told["cuda"] == {"works": True, "name": NAME, "fault": None, "total_gib": 8.0, "free_gib": 7.0}
    assert "GPU" not in self_check("cpu")["verdict"]
    assert main(["info"]) == 0
    assert f"{NAME}: {LEFT_ALONE}" in capsys.readouterr().out
