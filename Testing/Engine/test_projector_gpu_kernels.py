"""The kernels of GPUs without a GPU: the committed file belongs to its sources, and in a simulator they are right."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("ProSTRegistration/prostreg/projector/plane_march.py", "docs/kernels/cuda_kernels.py")
PTX = (ROOT / "ProSTRegistration/prostreg/projector/kernels.ptx").read_text(encoding="utf-8")

SIMULATE = """
import sys
import numpy as np
from cuda_kernels import KERNELS
from numba import cuda
from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.projector.kernel_inputs import KernelInputs
from prostreg.projector.reference import ReferenceProjector

k, j, i = np.indices((9, 10, 11))
values = np.exp(-((k - 4) ** 2 + (j - 5) ** 2 + (i - 6) ** 2) / 8).astype(np.float32)
volume = Volume(values, np.diag([2.0, 3.0, 4.0, 1.0]))
carms = [CArm(np.array([[120.0, 0, 4], [0, 130.0, 3], [0, 0, 1]]), (9, 7)) for _ in range(2)]
carms[1] = carms[1].mirrored()
poses = np.stack([np.eye(4)] * 2)
poses[:, :3, 3] = (-12, -13, 200), (-8, -14, 230)
poses[1, :3, :3] = [[0, 0.6, 0.8], [0, -0.8, 0.6], [1, 0, 0]]
inputs = KernelInputs(volume)
grid = np.array([*inputs.grid, *carms[0].size, len(poses)])
expected = ReferenceProjector(volume).project_with_derivative(poses, *carms).numpy()
for name, channels in (("project", 1), ("project_with_derivative", 7)):
    images = np.full(2 * channels * 7 * 9, np.nan, np.float32)
    kernel = cuda.jit(KERNELS[name])
    kernel[(1, 1, 2), (16, 8, 1)](inputs.values, inputs.cells, grid, inputs.poses(poses, carms).ravel(), images)
    found = images.reshape(2, channels, 7, 9)
    for channel in range(channels):
        scale = abs(expected[:, channel]).max()
        assert scale > 0
        assert abs(found[:, channel] - expected[:, channel]).max() < 1e-4 * scale, (name, channel)
print("right")
"""


def test_the_committed_file_belongs_to_its_sources() -> None:
    digest = hashlib.sha256("".join((ROOT / name).read_text(encoding="utf-8") for name in SOURCES).encode()).hexdigest()
    assert digest in PTX.splitlines()[0], "the kernels' source was changed: run docs/kernels/make_ptx.py"


def test_the_committed_file_asks_for_little() -> None:
    """What any driver since 2019 takes: Turing, an old language, nothing from outside, seven words for each array."""
    assert PTX.splitlines()[1:4] == [".version 6.5", ".target sm_75", ".address_size 64"]
    assert ".extern" not in PTX
    entries = re.findall(r"\.entry (\w+)\((.*?)\)", PTX, flags=re.DOTALL)
    assert [(name, len(re.findall(r"\.param \.u64", words))) for name, words in entries] == [
        ("project", 35), ("project_with_derivative", 35),
    ]  # fmt: skip


def test_the_kernels_equal_the_reference_in_a_simulator() -> None:
    if importlib.util.find_spec("numba.cuda") is None:
        pytest.skip("numba has no cuda here: pip install numba-cuda")
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    paths = [str(ROOT / "docs/kernels"), str(ROOT / "ProSTRegistration"), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    done = subprocess.run([sys.executable, "-c", SIMULATE], env=environment, capture_output=True, text=True)
    assert done.stdout == "right\n", done.stderr


def test_the_committed_file_comes_out_again() -> None:
    pinned = re.findall(r'"([\w-]+)(?:\[\w+\])?==([\d.]+)"', _extra("kernels"))
    for name, version in pinned:
        if _installed(name) != version:
            pytest.skip(f"{name} {version} is not installed: pip install -e '.[kernels]'")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "ProSTRegistration")}
    source = "from make_ptx import ptx; print(ptx(), end='')"
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT / "docs/kernels", env=environment, capture_output=True, text=True
    )
    assert done.stdout == PTX, done.stderr


def _extra(name: str) -> str:
    return re.search(rf"^{name} = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
