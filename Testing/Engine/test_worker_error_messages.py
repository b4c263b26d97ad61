"""What the real worker process says when packages are missing, memory runs out, or there is no GPU."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from MissingPackages import without

from prostreg import machine
from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.memory_need import registration_bytes
from prostreg.worker import self_check
from prostreg.worker.error_messages import error_content

CARM = CArm.from_sdd(1000.0, (4.0, 4.0), (72, 64))
POSE = standard_view("AP", np.zeros(3), 620.0)
COMMANDS = ("load_ct", "render", "register", "track", "adapt", "adapted", "sample", "check")


@pytest.fixture(scope="module")
def worker(start_worker):
    """A worker for all that needs no environment of its own."""
    return start_worker()


class TestMissingPackages:
    @pytest.mark.parametrize("package", ["torch", "cma", "safetensors"])
    def test_every_command_names_the_package_and_the_worker_lives_on(
        self, start_worker, monkeypatch, tmp_path, package
    ):
        (tmp_path / "sitecustomize.py").write_text(without(package))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        worker = start_worker()
        for command in COMMANDS:
            error = worker.error(command)
            assert error.kind == "environment"
            assert f"lacks the package {package} " in str(error)
            assert sys.executable in str(error)
        assert worker.reply("status")["state"] == "starting"

    def test_a_package_that_breaks_while_it_is_loaded_is_named_too(self, start_worker, monkeypatch, tmp_path):
        """As a library does that lacks a file of its own: no ImportError, and no word of who is concerned."""
        (tmp_path / "cma.py").write_text("raise OSError('a library could not be opened')")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        error = start_worker().error("check")
        assert error.kind == "environment"
        assert "cma, or has one that does not work" in str(error)
        assert "a library could not be opened" in str(error)
        assert "Traceback" in error.details


class TestMemory:
    @pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of another process, as Linux can")
    def test_running_out_is_told_and_the_next_request_works(self, start_worker):
        import resource

        worker = start_worker()
        worker.reply("check")  # loads what is loaded late: a limit in mid import is another matter
        values = np.full((256, 256, 256), -1000, dtype=np.int16)
        values[28:228, 28:228, 28:228] = 800
        affine = np.diag([0.2, 0.2, 0.2, 1.0])
        affine[:3, 3] = -25.6
        patient = worker.load_patient(Volume(values, affine), values > 0)
        pixels = np.random.default_rng(0).random((64, 72))
        view = worker.load_view(CARM, pixels)
        render = {"ct": patient["ct"], "view": view, "world_from_volume": POSE.tolist()}
        config = {"method": "cmaes", "population": 8, "generations": 1, "time_limit_s": 5}
        register = {**patient, "views": [view], "initial": POSE.tolist(), "config": config}
        process = worker.reply("status")["process"]
        in_use = int(Path(f"/proc/{process}/statm").read_text().split()[0]) * resource.getpagesize()
        unlimited = resource.prlimit(process, resource.RLIMIT_AS)
        resource.prlimit(process, resource.RLIMIT_AS, (in_use + (4 << 20), unlimited[1]))
        error = worker.error("render", **render)
        assert error.kind == "memory", str(error)
        assert "close other programs, or crop the CT" in str(error)
        error = worker.error("register", **register)
        assert error.kind == "input", str(error)
        assert "The registration needs about" in str(error)
        resource.prlimit(process, resource.RLIMIT_AS, unlimited)
        assert worker.reply("render", **render)["size"] == [72, 64]
        assert worker.reply("register", **register)["seconds"] > 0
        assert worker.reply("status")["process"] == process

    @pytest.mark.parametrize(
        "error",
        [
            MemoryError("Unable to allocate 3 GiB"),
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"),
            RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
            RuntimeError("Failed to allocate memory for image."),
            OSError(12, "Cannot allocate memory"),
        ],
    )
    def test_every_library_says_it_in_its_own_way(self, error):
        assert error_content(error)["kind"] == "memory"

    def test_other_errors_of_those_kinds_are_not_blamed_on_memory(self):
        assert error_content(RuntimeError("shapes differ"))["kind"] == "defect"
        assert error_content(OSError(2, "No such file"))["kind"] == "defect"

    @pytest.mark.skipif(sys.platform != "linux", reason="reads what only Linux tells")
    def test_what_is_free_lies_between_a_little_and_all(self):
        available = machine.available_bytes()
        assert 2**20 < available < machine._built_in_bytes()

    def test_a_registration_that_cannot_fit_is_refused_in_words(self, monkeypatch):
        xray = XRay(np.zeros((64, 72), np.float32), np.ones((64, 72), bool))
        anatomy = np.zeros((80, 80, 80), dtype=bool)
        anatomy[30:50, 30:50, 30:50] = True
        ct = Volume(np.zeros(anatomy.shape, np.float32), np.eye(4))
        case = Case("small", ct, anatomy, (View(xray, CARM),))
        small = registration_bytes(case, RegistrationConfig(method="cmaes"))
        machine.refuse_too_large(small, "It")
        assert small < registration_bytes(case, RegistrationConfig())
        many = RegistrationConfig(population=2000, search_pixels=60)
        assert registration_bytes(case, many) > registration_bytes(case, RegistrationConfig()) + 2000 * 60**2 * 4
        large = replace(case, ct=Volume(np.broadcast_to(np.float32(0), (800, 800, 800)), np.eye(4)))
        assert registration_bytes(large, RegistrationConfig()) > 8 * 800**3
        monkeypatch.setattr(machine, "available_bytes", lambda: 2**30)
        with pytest.raises(InputError, match=r"needs about 4.0 GiB of memory, and 1.0 GiB are free: crop the CT"):
            machine.refuse_too_large(registration_bytes(large, RegistrationConfig()), "It")
        monkeypatch.setattr(machine, "available_bytes", lambda: None)
        machine.refuse_too_large(2**60, "It")


class TestSelfCheck:
    @pytest.mark.parametrize("device", ["auto", "cpu", "cuda"])
    def test_it_computes_and_says_so(self, worker, device):
        told = worker.reply("check", device=device)
        assert told["ok"]
        assert told["device"] == "cpu"
        assert told["drr_ms"] > 0
        ready = f"Ready: computing on the CPU with {told['cpu']['threads']} threads"
        assert told["verdict"].startswith(f"{ready}, a small DRR in {told['drr_ms']:.0f} ms.")
        assert ("The GPU is not used: " in told["verdict"]) == (device == "cuda")
        assert told["versions"]["torch"]
        assert told["free_gib"] > 0
        assert told["cuda"]["works"] or told["cuda"]["fault"].endswith(".")

    def test_an_unknown_device_is_refused(self, worker):
        assert "choose one of auto, cpu, cuda" in str(worker.error("check", device="abacus"))

    def test_a_torch_that_computes_wrongly_is_not_called_ready(self, monkeypatch):
        monkeypatch.setattr(torch, "einsum", lambda *_: torch.zeros(64, 64).double())
        told = self_check.self_check("auto")
        assert not told["ok"]
        assert told["drr_ms"] is None
        assert "wrong result" in told["verdict"]
