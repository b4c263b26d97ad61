"""Limits of a process's addresses, as ``ulimit -v`` sets them: told before the work, in which Python would hang."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from WorkerDriving import ask

from prostreg import control_groups
from prostreg.errors import InputError, is_out_of_memory
from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.xray import XRay
from prostreg.machine import available_bytes, refuse_tight_limit, refuse_too_large
from prostreg.registration.case import Case, View
from prostreg.registration.registering import register
from ProSTRegistrationLib.Worker.Interpreter import Interpreter
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient
from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps this limit")

CARM = CArm.from_sdd(1000.0, (4.0, 4.0), (72, 64))


@contextlib.contextmanager
def addresses_left(count):
    """This process may map so many bytes more."""
    import resource

    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    taken = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmSize:"))
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("kib", [300_000, 1_000_000, 1_500_000])
@pytest.mark.parametrize("command", ["register", "drr --pose pose.txt"])
def test_a_command_whose_libraries_have_no_room_says_so_at_once(kib, command, tmp_path):
    words = f"{command} case.json --out {tmp_path / 'out'}"
    whole = f'ulimit -v {kib} && exec "{sys.executable}" -m prostreg {words}'
    ended = subprocess.run(whole, shell=True, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 2, ended.stderr
    assert f"raise it (ulimit -v is {kib} here)" in ended.stderr
    assert len(ended.stderr.splitlines()) == 2
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_register_needs_no_more_than_it_takes():
    whole = f'ulimit -v 100000 && exec "{sys.executable}" -m prostreg --version'
    assert subprocess.run(whole, shell=True, capture_output=True, timeout=100, check=False).returncode == 0


def test_a_worker_whose_libraries_have_no_room_says_so_to_whoever_asks(tmp_path):
    """It answered nobody, and the application waited for it."""
    shell = ("/bin/sh", "-c", f'ulimit -v 1500000 && exec "{sys.executable}" "$@"', "sh")
    client = WorkerClient(LocalWorker(lambda: Interpreter(shell, dict(os.environ)), str(tmp_path)))
    try:
        error = ask(client, "check", device="cpu").error
        assert error.kind == "input"
        assert "The engine with its libraries needs about" in error.faults[0]
        assert "raise it (ulimit -v is 1500000 here)" in error.faults[0]
    finally:
        client.stop()


def test_a_registration_that_would_fill_its_limit_is_not_begun(body):
    xray = XRay(np.zeros((64, 72), np.float32), np.ones((64, 72), bool))
    start = standard_view("AP", body.centre_mm, 620.0)
    case = Case("body", body, body.values > 300, (View(xray, CARM),), start)
    begun = []
    with addresses_left(300 << 20), pytest.raises(InputError) as refusal:
        register(case, on_progress=begun.append)
    (fault,) = refusal.value.faults
    assert "The registration needs about" in fault
    assert "raise it (ulimit -v is" in fault
    assert begun == []


@pytest.fixture
def container(tmp_path, monkeypatch):
    """Files as the system shows them to a container: its group's limit, its use, and what of that gives way."""
    monkeypatch.setattr(control_groups, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(control_groups, "HIERARCHY", tmp_path)

    def make(groups, **folders):
        (tmp_path / "cgroup").write_text(groups, encoding="ascii")
        for folder, files in folders.items():
            group = tmp_path / folder.replace("__", "/").replace("top", "")
            group.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                (group / name).write_text(content, encoding="ascii")

    return make


def newer(limit, used=300, cached=100):
    stat = f"anon 5\ninactive_file {cached}\n"
    return {"memory.max": f"{limit}\n", "memory.current": f"{used}\n", "memory.stat": stat}


def older(limit):
    stat = "cache 7\ntotal_inactive_file 100\n"
    return {"memory.limit_in_bytes": f"{limit}\n", "memory.usage_in_bytes": "300\n", "memory.stat": stat}


class TestContainers:
    def test_its_limit_counts_and_cached_files_give_way(self, container):
        container("0::/\n", top=newer(1000))
        assert available_bytes() == control_groups.bytes_left() == 800
        with pytest.raises(InputError, match=r"0\.0 GiB are free"):
            refuse_too_large(801, "It")
        refuse_too_large(800, "It")

    def test_the_tightest_of_the_groups_around_it_counts(self, container):
        container("0::/jobs/this\n", jobs__this=newer("max"), jobs=newer(700), top=newer(5000))
        assert available_bytes() == 500

    def test_the_older_version_is_understood(self, container):
        groups = "5:cpu:/\n4:memory:/docker/abc\n0::/\n"
        container(groups, memory=older(900))
        assert available_bytes() == 700
        container(groups, memory__docker__abc=older(600))
        assert available_bytes() == 400

    def test_what_is_full_leaves_nothing(self, container):
        container("0::/\n", top=newer(1000, used=1500, cached=0))
        assert available_bytes() == 0

    @pytest.mark.parametrize("files", [newer("max"), newer("rubbish"), {"memory.max": "1000"}, {}, older(2**63 - 4096)])
    def test_without_a_limit_the_systems_memory_counts(self, container, files):
        container("4:memory:/\n0::/\nrubbish", top=files, memory=files)
        assert control_groups.bytes_left() is None
        assert available_bytes() > 1 << 20


def test_enough_room_is_enough():
    with addresses_left(200 << 30):
        refuse_tight_limit(1 << 30, "It")
    refuse_tight_limit(1 << 60, "It")


@pytest.mark.parametrize(
    "error",
    [
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        RuntimeError("ITK ERROR: PlatformMultiThreader(0x55): Unable to join thread."),
    ],
)
def test_threads_and_libraries_without_room_mean_the_memory(error):
    assert is_out_of_memory(error)
    assert not is_out_of_memory(ImportError("cannot import name 'a'"))
