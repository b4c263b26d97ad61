"""``prostreg bench drr``: DRRs with and without pose derivative, beside the peers that are installed."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from prostreg.cli import info
from prostreg.cli.console import say
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.outcome import Outcome
from prostreg.errors import InputError
from prostreg.files import output_folder_faults
from prostreg_bench.agreement import Agreement, Judge
from prostreg_bench.measuring import Entry, Timing, compare
from prostreg_bench.renderers import OURS, RENDERERS, Renderer
from prostreg_bench.report import GRADIENT, IMAGE, Measurement, Measurements, as_dict, as_markdown
from prostreg_bench.scene import (
    EDGE_MM,
    ELLIPSOIDS,
    FIELD_MM,
    SDD_MM,
    SOURCE_ISOCENTRE_MM,
    make_scene,
    make_values,
    oblique_pose,
)


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        voxels: along each edge of the volume.
        sizes: of the images, in pixels along an edge.
        headline: the size at which gradients are measured.
        rounds: turns of each renderer at each size, at most.
        seconds_each: what a renderer may spend at one size before it has fewer turns.
    """

    voxels: int = 256
    sizes: tuple[int, ...] = (128, 256, 512)
    headline: int = 256
    rounds: int = 10
    seconds_each: float = 5.0


def run(arguments: argparse.Namespace) -> Outcome:
    """Measures, writes the report if it is asked for, and hands back report and tables."""
    if arguments.out is not None:
        _check_writable(arguments.out)
    report, text = measure(Plan(), RENDERERS)
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        say(f"All numbers -> {arguments.out}")
    return Outcome(ExitCode.DONE, report, text)


def measure(plan: Plan, renderers: Sequence[Renderer]) -> tuple[dict[str, Any], str]:
    """Measures the renderers that are installed; returns the report for JSON and the tables."""
    versions = {renderer: renderer.version() for renderer in renderers}
    present = [renderer for renderer in renderers if versions[renderer] is not None]
    missing = [renderer for renderer in renderers if versions[renderer] is None]
    for renderer in missing:
        say(f"{renderer.name}: not installed; {renderer.how_to_install()}")
    report: dict[str, Any] = {"benchmark": "drr", "machine": _machine(), "plan": asdict(plan), "scene": _scene()}
    items: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="prostreg-bench-") as folder:
        values_file = Path(folder) / "volume.npy"
        np.save(values_file, make_values(plan.voxels))
        for pixels in plan.sizes:
            items += _measure_size(plan, present, values_file, pixels)
    measurements = Measurements(items)
    report["renderers"] = [
        {
            "name": renderer.name,
            "package": renderer.package,
            "version": versions[renderer],
            "how_to_install": renderer.how_to_install() if renderer in missing else None,
        }
        for renderer in renderers
    ]
    report["measurements"] = as_dict(measurements)
    return report, as_markdown(measurements, missing, plan.headline)


def _measure_size(plan: Plan, renderers: Sequence[Renderer], values_file: Path, pixels: int) -> list[Measurement]:
    tasks = [(e, IMAGE, e.image) for e in renderers if pixels <= e.max_pixels]
    if pixels == plan.headline:
        tasks += [(e, GRADIENT, e.gradient) for e in renderers if e.gradient is not None]
    entries = [Entry(f"{renderer.name}, {task}", place) for renderer, task, place in tasks]
    timings = compare(entries, values_file, pixels, plan.rounds, plan.seconds_each, say)
    ours = next((f.output for (e, t, _), f in zip(tasks, timings, strict=True) if (e, t) == (OURS, IMAGE)), None)
    judge = Judge(make_scene(np.load(values_file, mmap_mode="r"), pixels).carm, ours)
    return [
        _measurement(renderer, task, pixels, timing, judge)
        for (renderer, task, _), timing in zip(tasks, timings, strict=True)
    ]


def _measurement(renderer: Renderer, task: str, pixels: int, timing: Timing, judge: Judge) -> Measurement:
    agreement = Agreement() if timing.output is None else judge.agreement(timing.output)
    seconds = tuple(timing.seconds) if timing.failure is None else ()
    return Measurement(renderer, task, pixels, seconds, timing.peak_memory_mb, agreement, timing.failure)


def _machine() -> dict[str, Any]:
    """What ``prostreg info`` tells, when, and how busy the machine was before."""
    load = list(os.getloadavg()) if hasattr(os, "getloadavg") else None
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "load_average": load,
        **info.run(argparse.Namespace()).report,
    }


def _scene() -> dict[str, Any]:
    return {
        "volume_edge_mm": EDGE_MM,
        "sdd_mm": SDD_MM,
        "source_isocentre_mm": SOURCE_ISOCENTRE_MM,
        "field_mm": FIELD_MM,
        "camera_from_volume": oblique_pose().tolist(),
        "ellipsoids": [asdict(ellipsoid) for ellipsoid in ELLIPSOIDS],
    }


def _check_writable(path: Path) -> None:
    faults = output_folder_faults(path.parent)
    if path.is_dir():
        faults.append(f"The report {path} is a folder. Give the name of a file.")
    if faults:
        raise InputError(faults)
