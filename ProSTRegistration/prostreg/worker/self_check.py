"""The self-check: can this machine compute what is asked for? Told in one sentence."""

from __future__ import annotations

from typing import Any

import torch

from prostreg.compilation import KERNELS_AVAILABLE
from prostreg.errors import DeviceError
from prostreg.machine import GIB, SLOWER, available_bytes, processor_name, versions
from prostreg.parallel import cores
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.pipeline import check_method

SIDE = 64


def self_check(device: str) -> dict[str, Any]:
    """Computes something small on a device, and falls back to the CPU where it must.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        ``ok``, ``device`` that registrations will run on, ``verdict`` for people, ``versions``, ``cuda`` (``works``,
        ``fault``, ``name``, ``total_gib``, ``free_gib``), ``cpu`` (``name``, ``threads``), and ``free_gib`` of memory.
    """
    fault = _tensor_fault("cpu")
    cuda = _cuda()
    return {
        "ok": fault is None,
        "device": "cpu",
        "verdict": _verdict(device, fault, cuda),
        "versions": versions(),
        "cuda": cuda,
        "cpu": {"name": processor_name(), "threads": cores()},
        "free_gib": _gib(available_bytes()),
    }


def _verdict(device: str, fault: str | None, cuda: dict[str, Any]) -> str:
    if fault is not None:
        return f"The engine cannot compute here: {fault}. Install the PyTorch extension's torch again."
    sentences = [f"Ready: computing on the CPU with {cores()} threads."]
    if not KERNELS_AVAILABLE:
        sentences.append(f"There is {SLOWER}.")
    if device == "cuda":
        sentences.append(f"The GPU is not used: {cuda['fault'] or _no_gpu_registration()}")
    return " ".join(sentences)


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
