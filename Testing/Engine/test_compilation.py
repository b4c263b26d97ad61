"""Machine code on disk: made once, and done without where it is damaged or cannot be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from numba.core.caching import FunctionCache

from prostreg.compilation import compiled

QUICKLY = {"NUMBA_OPT": "1"}
"""What is compiled here is compared with itself alone, and need not be fast."""

RENDER = """
import hashlib
import numpy as np
from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.projector import plane_march
from prostreg.projector.kernel_inputs import KernelInputs

values = np.random.default_rng(1).random((40, 40, 40), dtype=np.float32)
inputs = KernelInputs(Volume(values, np.diag([2.0, 2.0, 2.0, 1.0])))
pose = np.eye(4)
pose[:3, 3] = (-35, -45, 600)
poses = inputs.poses(pose[np.newaxis], [CArm.from_sdd(1000.0, (3.0, 3.0), (48, 48))]).ravel()
image, outputs = np.empty((1, 1, 48, 48), np.float32), np.empty((1, 7, 48, 48), np.float32)
for images, derivative in ((image, None), (outputs, True)):
    plane_march.project_rows(inputs.values, inputs.cells, inputs.grid, poses, (0, 1), (0, 48), images, derivative)
assert image.max() > 10
print(*(hashlib.sha256(images.tobytes()).hexdigest() for images in (image, outputs)))
kernels = (plane_march._march, plane_march._project_rows)
print(sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels))
"""
"""The projector's kernels without the projector, whose torch takes as long to import as they to be compiled."""


def render(cache: Path) -> tuple[str, int]:
    """Digests of the same two outputs by a new process, and how many kernels it compiled anew."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), **QUICKLY}
    command = [sys.executable, "-W", "error", "-c", RENDER]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    digests, compiled_anew = done.stdout.splitlines()
    return digests, int(compiled_anew)


REGISTER = """
import numpy as np
from numba.core.caching import FunctionCache
from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register

looked_for = []
load = FunctionCache.load_overload
FunctionCache.load_overload = lambda cache, *kernel: looked_for.append(kernel) or load(cache, *kernel)
hu = np.zeros((24, 24, 24), np.float32)
hu[4:14, 6:12, 5:20] = hu[12:20, 8:16, 10:13] = 900
ct = Volume(hu, np.diag([3.0, 3.0, 3.0, 1.0]))
carm, pose = CArm.from_sdd(1000.0, (3.0, 3.0), (64, 64)), standard_view("AP", ct.centre_mm, 600.0)
image = np.random.default_rng(0).random((64, 64), dtype=np.float32)
case = Case("box", ct, hu > 500, (View(XRay(image, np.ones((64, 64), bool)), carm),), pose)
kept = []
settings = RegistrationConfig(
    method="cmaes", restarts=1, population=8, generations=2, search_pixels=24, judge_pixels=32, polish_pixels=48
)
register(case, settings, lambda progress: kept.append(len(looked_for)))
print(kept[0], len(looked_for))
"""


def test_kernels_are_compiled_before_a_registration_begins() -> None:
    """Not within its time limit: a first registration on a busy computer would find nothing.

    A kernel is looked for on disk when it is first needed, and compiled then where it is not found.
    """
    done = subprocess.run([sys.executable, "-c", REGISTER], check=True, capture_output=True, text=True)
    at_first, at_last = map(int, done.stdout.split())
    assert at_first == at_last > 4


def files(cache: Path) -> list[Path]:
    return sorted(file for file in cache.rglob("*") if file.is_file())


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with what a first process kept, and the digests that it printed."""
    cache = tmp_path_factory.mktemp("cache")
    digests, compiled_anew = render(cache)
    assert compiled_anew == 4
    return cache, digests


def test_a_second_process_compiles_nothing_leaves_nothing_and_gives_the_same_numbers(first: tuple[Path, str]) -> None:
    cache, digests = first
    before = files(cache)
    assert len(before) >= 4
    assert render(cache) == (digests, 0)
    assert files(cache) == before


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_damaged_files_are_made_anew(first: tuple[Path, str], tmp_path: Path, suffix: str) -> None:
    cache, digests = first
    damaged = tmp_path / "cache"
    shutil.copytree(cache, damaged)
    for number, file in enumerate(file for file in files(damaged) if file.suffix == suffix):
        content = file.read_bytes()
        file.write_bytes((b"", b"rubbish", content[: len(content) // 2], bytes(len(content)))[number % 4])
    again, compiled_anew = render(damaged)
    assert again == digests
    assert compiled_anew > 0
    assert render(damaged) == (digests, 0)
    assert [file.name for file in files(damaged)] == [file.name for file in files(cache)]


@pytest.fixture
def half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """A function of its own file, whose machine code would be kept in tmp_path / "kept"."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    source = tmp_path / "halving.py"
    source.write_text("def half(number):\n    return number / 2\n", encoding="utf-8")
    names: dict[str, object] = {}
    exec(compile(source.read_text(encoding="utf-8"), str(source), "exec"), names)
    return names["half"]


def test_a_folder_that_can_no_longer_be_written_stops_nothing_and_leaves_other_kernels_alone(
    half: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = compiled(half)
    flushed: list[FunctionCache] = []
    monkeypatch.setattr(FunctionCache, "flush", flushed.append)
    shutil.rmtree(tmp_path / "kept")
    (tmp_path / "kept").write_text("a file where the folder was", encoding="utf-8")
    assert kernel(3.0) == 1.5
    assert flushed == []


def test_what_can_be_kept_nowhere_is_compiled_all_the_same() -> None:
    names: dict[str, object] = {}
    exec(compile("def half(number):\n    return number / 2\n", "<no file>", "exec"), names)
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(names["half"])
    assert compiled(names["half"])(3.0) == 1.5
