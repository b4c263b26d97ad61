"""The self-check: can this machine compute what is asked for? Told in one sentence."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from prostreg.compilation import KERNELS_AVAILABLE
from prostreg.errors import DeviceError
from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.machine import GIB, SLOWER, available_bytes, processor_name, versions
from prostreg.parallel import cores
from prostreg.projector.selection import make_projector
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.pipeline import check_method

SIDE = 64
DRR_PIXELS = 100
DRR_REPEATS = 3


def self_check(device: str) -> dict[str, Any]:
    """Computes something small on a device, and falls back to the CPU where it must.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        ``ok``, ``device`` that registrations will run on, ``verdict`` for people, ``versions``, ``cuda`` (``works``,
        ``fault``, ``name``, ``total_gib``, ``free_gib``), ``cpu`` (``name``, ``threads``), ``free_gib`` of memory, and
        ``drr_ms``, the time of a small DRR; None where nothing can be computed.
    """
    fault = _tensor_fault("cpu")
    cuda = _cuda()
    drr_ms = None if fault else _drr_ms()
    return {
        "ok": fault is None,
        "device": "cpu",
        "verdict": _verdict(device, fault, cuda, drr_ms),
        "versions": versions(),
        "cuda": cuda,
        "cpu": {"name": processor_name(), "threads": cores()},
        "free_gib": _gib(available_bytes()),
        "drr_ms": drr_ms,
    }


def _verdict(device: str, fault: str | None, cuda: dict[str, Any], drr_ms: float | None) -> str:
    if fault is not None:
        return f"The engine cannot compute here: {fault}. Install torch again, then restart."
    sentences = [f"Ready: computing on the CPU with {cores()} threads, a small DRR in {drr_ms:.0f} ms."]
    if not KERNELS_AVAILABLE:
        sentences.append(f"There is {SLOWER}.")
    if device == "cuda":
        sentences.append(f"The GPU is not used: {cuda['fault'] or _no_gpu_registration()}")
    return " ".join(sentences)


def _drr_ms() -> float:
    """The shortest time of a DRR of 100 x 100 pixels from 64 x 64 x 64 voxels; the first may have to be compiled."""
    volume = Volume(np.full((SIDE, SIDE, SIDE), 0.01, np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
    carm = CArm.from_sdd(1000.0, (1.5, 1.5), (DRR_PIXELS, DRR_PIXELS))
    pose = standard_view("PA", volume.centre_mm, 700.0)[np.newaxis]
    projector, times = make_projector(volume), []
    for _ in range(DRR_REPEATS):
        began = time.perf_counter()
        projector.render(pose, carm)
        times.append(1000.0 * (time.perf_counter() - began))
    return round(min(times), 1)


def _no_gpu_registration() -> str:
    try:
        check_method(RegistrationConfig(method="cmaes", device="cuda"))
    except DeviceError as error:
        return str(error)
    return ""


def _cuda() -> dict[str, Any]:
    """The GPU of this machine, and why it cannot be used, where it cannot."""
    found: dict[str, Any] = {"works": False, "fault": None, "name": None, "total_gib": None, "free_gib": None}
    if torch.version.cuda is None:
        return {**found, "fault": "this torch was built without CUDA. With an NVIDIA GPU, install one that has it."}
    try:
        if not torch.cuda.is_available():
            return {**found, "fault": "no NVIDIA GPU was found. If there is one, install or update its driver."}
        found["name"] = torch.cuda.get_device_name(0)
        free, total = torch.cuda.mem_get_info(0)
    except RuntimeError as error:
        return {**found, "fault": f"its driver does not answer ({error}). Update the driver, or restart the computer."}
    found |= {"total_gib": _gib(total), "free_gib": _gib(free)}
    fault = _tensor_fault("cuda")
    advice = "Close other programs that use it, or update its driver."
    return {**found, "works": fault is None, "fault": fault and f"{fault}. {advice}"}


def _tensor_fault(device: str) -> str | None:
    """The fault of a small product of matrices; None where it is right."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(SIDE, SIDE, generator=generator, dtype=torch.float64)
    expected = torch.einsum("ij,jk->ik", matrix, matrix)
    try:
        computed = (matrix.to(device, torch.float32) @ matrix.to(device, torch.float32)).cpu()
    except RuntimeError as error:
        return f"a small computation failed ({str(error).splitlines()[0]})"
    if not torch.allclose(computed.double(), expected, rtol=1e-2, atol=1e-1):
        return "a small computation gave a wrong result"
    return None


def _gib(count: int | None) -> float | None:
    return None if count is None else round(count / GIB, 1)
