"""The GPU of this machine: whether there is one, whether it computes what the CPU does, and what is said if not."""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from prostreg.compilation import KERNELS_AVAILABLE
from prostreg.errors import DeviceError, InputError
from prostreg.files import cache_folder, complete_file
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import moved_poses
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.json_fields import json_object
from prostreg.projector.cuda_driver import PTX, driver_version
from prostreg.projector.selection import make_projector
from prostreg.similarity.correlation import PatchGradNcc
from prostreg.similarity.derivatives import scores_in_one_pass
from prostreg.similarity.torch_scorer import scores_by_autograd

LEAST_CAPABILITY = (7, 5)
"""Turing: what the kernels are compiled for."""

MOST_DIFFERENCE = 1e-3
"""Of images, derivatives and scores from the CPU's, as a share of the largest: rounding is a hundredth of it."""

LEFT_ALONE = (
    "It is left alone by itself, because its kernels were not yet compared with the CPU's on a real card: choose it"
    " (--device cuda, in the panel NVIDIA GPU) to use it after a check."
)
WRONG = "it gave another result than the CPU. Update its driver"
SIDE = 64


@dataclass(frozen=True)
class Gpu:
    """The GPU that torch finds.

    Attributes:
        name: None where there is none that can be used.
        fault: why it cannot be used, sentences; None where it can.
        total_gib: of its memory.
        free_gib: of that.
    """

    name: str | None = None
    fault: str | None = None
    total_gib: float | None = None
    free_gib: float | None = None


def found_gpu() -> Gpu:
    """The GPU with what torch tells of it; nothing is computed."""
    if torch.version.cuda is None:
        return Gpu(fault=_without_cuda())
    try:
        if not torch.cuda.is_available():
            return Gpu(fault="no NVIDIA GPU was found. If there is one, install or update its driver.")
        name, capability = torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0)
        free, total = (round(count / 2**30, 1) for count in torch.cuda.mem_get_info(0))
    except RuntimeError as error:
        fault = f"its driver does not answer ({first_line(error)}). Update the driver, or restart the computer."
        return Gpu(fault=fault)
    found = Gpu(name, None, total, free)
    if capability < LEAST_CAPABILITY:
        return replace(found, fault="it is older than NVIDIA's Turing (2018), for which the kernels are made.")
    if not KERNELS_AVAILABLE:
        return replace(found, fault="its check needs the package numba, which is missing: install it.")
    return found


def checked_gpu() -> Gpu:
    """The GPU after it has computed a DRR and a score as the CPU does; remembered for its driver, torch and kernels."""
    found = found_gpu()
    if found.fault is not None:
        return found
    try:
        key = _identity(found)
        remembered = _remembered()
        if key not in remembered:
            remembered[key] = _compute_fault() or ""
            _remember(remembered)
    except (DeviceError, RuntimeError) as error:  # of the moment: another program may have its memory
        return replace(found, fault=f"its check failed ({first_line(error)}). Close other programs that use it.")
    return replace(found, fault=remembered[key] or None)


def tensor_fault(device: str) -> str | None:
    """The fault of a small product of matrices by torch; None where it is right."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(SIDE, SIDE, generator=generator, dtype=torch.float64)
    expected = torch.einsum("ij,jk->ik", matrix, matrix)
    try:
        computed = (matrix.to(device, torch.float32) @ matrix.to(device, torch.float32)).cpu()
    except RuntimeError as error:
        return f"a small computation failed ({first_line(error)})"
    if not torch.allclose(computed.double(), expected, rtol=1e-2, atol=1e-1):
        return "a small computation gave a wrong result"
    return None


def is_same(found: np.ndarray, expected: np.ndarray) -> bool:
    """True if what a GPU found differs from the CPU's by no more than rounding; arrays of numbers of one kind."""
    return bool(np.abs(found - expected).max() <= MOST_DIFFERENCE * np.abs(expected).max())


def refuse_wrong_scores(found: np.ndarray, expected: np.ndarray) -> None:
    """Refuses scores of a GPU that are not those of the CPU.

    Raises:
        DeviceError: they differ by more than rounding.
    """
    if not is_same(found, expected):
        raise DeviceError(f"{WRONG}.")


def _compute_fault() -> str | None:
    """The fault of DRRs with derivatives of blobs in two views, and of their scores; None where all are the CPU's."""
    k, j, i = np.indices((28, 32, 36))
    values = sum(
        np.exp(-((k - z) ** 2 + (j - y) ** 2 + (i - x) ** 2) / (2 * width**2))
        for x, y, z, width in ((12, 14, 11, 3.0), (22, 18, 17, 4.0), (25, 10, 14, 2.0), (14, 22, 18, 2.5))
    )
    volume = Volume((0.03 * values).astype(np.float32), np.diag([3.0, 2.5, 4.0, 1.0]))
    carm = CArm.from_sdd(1000.0, (4.0, 4.0), (56, 48))
    poses = np.stack([standard_view(name, volume.centre_mm, 650.0) for name in ("AP", "left lateral")])
    poses = moved_poses(poses, volume.centre_mm, np.tile([0.13, -0.21, 0.17, 3.0, -5.0, 11.0], (2, 1)))
    there, here = make_projector(volume, device="cuda"), make_projector(volume)
    images, expected = there.project_with_derivative(poses, carm), here.project_with_derivative(poses, carm)
    radius, stride = 4, 2
    mask = torch.ones(carm.height, carm.width, dtype=torch.bool)
    scores = scores_in_one_pass(PatchGradNcc(images[1, 0], mask.to(there.device), radius, stride), images)
    expected_scores = scores_by_autograd(PatchGradNcc(expected[1, 0], mask, radius, stride), expected)
    compared = [(images[:, channel], expected[:, channel]) for channel in range(images.shape[1])]
    compared += [(scores[:, :1], expected_scores[:, :1]), (scores[:, 1:], expected_scores[:, 1:])]
    right = all(is_same(found.cpu().numpy(), known.numpy()) for found, known in compared)
    return None if right else f"{WRONG}."


def _without_cuda() -> str:
    if sys.platform == "darwin":
        return "GPUs of Apple are not served; the CPU computes."
    if torch.version.hip is not None:
        return "GPUs of AMD are not served; the CPU computes."
    return "this torch was built without CUDA. With an NVIDIA GPU, install one that has it."


def _identity(gpu: Gpu) -> str:
    kernels = hashlib.sha256(PTX.read_bytes()).hexdigest()[:16]
    return f"{gpu.name}, driver {driver_version()}, torch {torch.__version__}, kernels {kernels}"


def _memory() -> Path:
    return cache_folder() / "checked-gpus.json"


def _remembered() -> dict[str, str]:
    """Faults by the identity of GPUs, empty for those that have none."""
    try:
        return {key: str(fault) for key, fault in json_object(_memory(), "file of checked GPUs").items()}
    except InputError:  # None yet, or damaged: then the check is made again.
        return {}


def _remember(faults: dict[str, str]) -> None:
    with suppress(OSError), complete_file(_memory()) as path:
        path.write_text(json.dumps(faults, indent=1), encoding="utf-8")


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its kind where it has none."""
    return next(iter(str(error).splitlines()), type(error).__name__)
