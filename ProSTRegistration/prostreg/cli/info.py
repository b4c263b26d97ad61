"""``prostreg info``: what is installed and what it can use."""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path
from typing import Any

from prostreg.cli.exit_code import ExitCode
from prostreg.cli.outcome import Outcome
from prostreg.errors import WeightsError
from prostreg.machine import PACKAGES, SLOWER, processor_name, versions

PACKAGES_TOLD = (*PACKAGES, "slicer-core")


def run(arguments: argparse.Namespace) -> Outcome:
    """Collects versions, devices, accelerators and weights."""
    found = versions(PACKAGES_TOLD)
    report: dict[str, Any] = {
        "versions": {name: found.get(name) for name in ("prostreg", "python", *PACKAGES_TOLD)},
        "platform": platform.platform(),
        "devices": _devices(),
        "accelerators": _accelerators(),
        "gpu": _gpu(),
        "weights": _weights(),
    }
    return Outcome(ExitCode.DONE, report, _as_text(report))


def _devices() -> list[dict[str, Any]]:
    import torch

    devices: list[dict[str, Any]] = [{"name": "cpu", "model": processor_name(), "cores": os.cpu_count()}]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        memory_gib = round(properties.total_memory / 2**30, 1)
        devices.append({"name": f"cuda:{index}", "model": properties.name, "memory_gib": memory_gib})
    return devices


def _accelerators() -> dict[str, Any]:
    import torch

    from prostreg.compilation import KERNELS_AVAILABLE
    from prostreg.parallel import cores

    threads = cores() if KERNELS_AVAILABLE else None
    return {"torch_threads": torch.get_num_threads(), "numba_threads": threads}


def _gpu() -> dict[str, Any]:
    """The GPU that a registration may use, and what is to be said of it."""
    from prostreg.registration.device.gpu import LEFT_ALONE, found_gpu

    gpu = found_gpu()
    return {"name": gpu.name, "usable": gpu.fault is None, "note": gpu.fault or LEFT_ALONE}


def _weights() -> dict[str, Any]:
    from prostreg.prost.shipped import all_shipped
    from prostreg.prost.weight_cache import adapted_count, adapted_folder

    adapted = {"folder": str(adapted_folder()), "count": adapted_count()}
    return {"shipped": [weights_entry(path) for path in all_shipped()], "adapted": adapted}


def weights_entry(path: Path) -> dict[str, Any]:
    """A file of weights in short: its card, or the fault that keeps it from being used."""
    from prostreg.prost.weights import load_weights

    try:
        card = load_weights(path).card
    except WeightsError as error:
        return {"name": path.stem, "fault": str(error)}
    return {"name": path.stem, "network": card.network, "parameters": card.parameters, "sha256": card.sha256}


def _as_text(report: dict[str, Any]) -> str:
    lines = [f"{name:12} {version or 'not installed'}" for name, version in report["versions"].items()]
    lines.append(f"{'platform':12} {report['platform']}")
    for device in report["devices"]:
        details = f"{device['cores']} cores" if "cores" in device else f"{device['memory_gib']} GiB"
        lines.append(f"{device['name']:12} {device['model']}, {details}")
    accelerators = report["accelerators"]
    kernels = f"numba on {accelerators['numba_threads']} threads" if accelerators["numba_threads"] else SLOWER
    lines.append(f"{'accelerators':12} {kernels}, torch on {accelerators['torch_threads']} threads")
    gpu = report["gpu"]
    lines.append(f"{'gpu':12} {gpu['name']}: {gpu['note']}" if gpu["name"] else f"{'gpu':12} not used: {gpu['note']}")
    lines += [f"{'weights':12} {entry}" for entry in _weights_as_text(report["weights"])]
    return "\n".join(lines)


def _weights_as_text(weights: dict[str, Any]) -> list[str]:
    lines = [
        shipped.get("fault")
        or f"{shipped['name']}: {shipped['parameters']:,} parameters, SHA256 {shipped['sha256'][:12]}"
        for shipped in weights["shipped"]
    ] or ["none came with this installation"]
    adapted = weights["adapted"]
    return [*lines, f"adapted to patients: {adapted['count']}, in {adapted['folder']}"]
