"""The self-check: can this machine compute what is asked for? Told in one sentence."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np

from prostreg.choices import AUTO
from prostreg.compilation import KERNELS_AVAILABLE
from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.machine import GIB, SLOWER, available_bytes, processor_name, versions
from prostreg.parallel import cores
from prostreg.projector.selection import make_projector
from prostreg.registration.device.gpu import LEFT_ALONE, Gpu, checked_gpu, found_gpu, tensor_fault
from prostreg.search.rehearsal import rehearse

SIDE = 64
DRR_PIXELS = 100
DRR_REPEATS = 3


def self_check(device: str) -> dict[str, Any]:
    """Computes something small on a device, and falls back to the CPU where it must.

    The first one of an installation compiles the kernels too: who has checked does not wait for them at *Register*.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        ``ok``, ``device`` that registrations will run on, ``verdict`` for people, ``versions``, ``cuda`` (``works``,
        ``fault``, ``name``, ``total_gib``, ``free_gib``), ``cpu`` (``name``, ``threads``), ``free_gib`` of memory, and
        ``drr_ms``, the time of a small DRR; None where nothing can be computed.
    """
    fault = tensor_fault("cpu")
    gpu = checked_gpu() if device == "cuda" else found_gpu()
    drr_ms = None if fault else _drr_ms()
    if not fault:
        rehearse()
    return {
        "ok": fault is None,
        "device": "cuda" if device == "cuda" and not gpu.fault else "cpu",
        "verdict": _verdict(device, fault, gpu, drr_ms),
        "versions": versions(),
        "cuda": {"works": gpu.fault is None, **asdict(gpu)},
        "cpu": {"name": processor_name(), "threads": cores()},
        "free_gib": _gib(available_bytes()),
        "drr_ms": drr_ms,
    }


def _verdict(device: str, fault: str | None, gpu: Gpu, drr_ms: float | None) -> str:
    if fault is not None:
        return f"The engine cannot compute here: {fault}. Install torch again, then restart."
    sentences = [f"Ready: computing on the CPU with {cores()} threads, a small DRR in {drr_ms:.0f} ms."]
    if not KERNELS_AVAILABLE:
        sentences.append(f"There is {SLOWER}.")
    return " ".join([*sentences, *_gpu_sentences(device, gpu)])


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


def _gpu_sentences(device: str, gpu: Gpu) -> list[str]:
    """Sentences on the GPU; none where there is none and nobody asked for it."""
    if device == "cuda":
        return [f"The GPU is not used: {gpu.fault}" if gpu.fault else f"Registrations run on the GPU, {gpu.name}."]
    return [f"There is a GPU, {gpu.name}. {LEFT_ALONE}"] if device == AUTO and gpu.name and not gpu.fault else []


def _gib(count: int | None) -> float | None:
    return None if count is None else round(count / GIB, 1)
