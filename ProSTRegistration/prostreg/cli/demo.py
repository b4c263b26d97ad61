"""``prostreg demo``: the main job, end to end, on sample data."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from prostreg.cli.console import say
from prostreg.cli.interruption import stop_requests
from prostreg.cli.outcome import ANOTHER_OUT, Outcome
from prostreg.cli.register import exit_code_of, register_and_write, summary
from prostreg.cli.typed import typed
from prostreg.errors import InputError
from prostreg.files import output_folder_faults
from prostreg.outputs.result_file import OVERLAY_FILE, result_to_dict
from prostreg.registration.case import Case
from prostreg.registration.case_file import read_case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.pipeline import mtre_mm
from prostreg.samples.demo_case import write_phantom_case, write_sample_case
from prostreg.samples.sample_ct import ATTRIBUTION, fetch_sample_ct, is_cached

SCENE_FILE = "scene.mrb"
SCENE_PACKAGE = "slicer-core"
SCENE_SECONDS = 300


def run(arguments: argparse.Namespace) -> Outcome:
    """Makes a case from sample data, registers it, and says what it does in plain words."""
    started = time.perf_counter()
    out: Path = arguments.out
    faults = output_folder_faults(out, ANOTHER_OUT)
    if faults:
        raise InputError(faults)
    case_file = _make_case(arguments)
    case = read_case(case_file)
    rotation_deg, shift_mm = _start_error(case)
    say(f"3. Registering from a start that is {rotation_deg:.0f} degrees and {shift_mm:.0f} mm (mTRE) off")
    with stop_requests() as is_cancelled:
        result = register_and_write(case, RegistrationConfig(seed=arguments.seed), out / case.name, is_cancelled)
    scene = _write_scene(out, case_file, case.name)
    say(f"Done in {time.perf_counter() - started:.0f} s: {summary(result)}")
    say(f"Look at {out / case.name / OVERLAY_FILE}; repeat it with: {typed('register', case_file, '--out', out)}")
    report = {
        "result": result_to_dict(result),
        "case": str(case_file),
        "out": str(out / case.name),
        "scene": None if scene is None else str(scene),
        "attribution": None if arguments.phantom else ATTRIBUTION,
        "seconds": time.perf_counter() - started,
    }
    return Outcome(exit_code_of([result]), report)


def _make_case(arguments: argparse.Namespace) -> Path:
    folder: Path = arguments.out / "case"
    if arguments.phantom:
        say("1. Generating a phantom: three vertebrae, two ribs, soft tissue, a marker on the right")
        say(f"2. Simulating a fluoroscopy of it, with noise, scatter and blur -> {folder}")
        return write_phantom_case(folder, arguments.seed)
    where = "from the cache" if is_cached() else "downloading 35 MB, once"
    say(f"1. Fetching the sample CT ({where})")
    sample = fetch_sample_ct()
    say(f"   {sample.attribution}")
    say(f"2. Simulating an oblique fluoroscopy of its spine, T7 to L2, with noise, scatter and blur -> {folder}")
    return write_sample_case(folder, sample, arguments.seed)


def _start_error(case: Case) -> tuple[float, float]:
    """The start's distance from the truth: degrees, and mean distance of the landmarks in mm."""
    start, truth = case.initial_world_from_volume, case.truth_world_from_volume
    assert start is not None  # demo cases have both
    assert truth is not None
    cosine = (np.trace(start[:3, :3] @ truth[:3, :3].T) - 1) / 2
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))), mtre_mm(case, start) or 0.0


def _write_scene(out: Path, case_file: Path, name: str) -> Path | None:
    """Writes scene.mrb for 3D Slicer in a process of its own; gives None where that cannot be done."""
    if importlib.util.find_spec("slicer_core") is None:
        say(
            f"5. No scene for 3D Slicer: it needs the package {SCENE_PACKAGE}; get it with: pip install {SCENE_PACKAGE}"
        )
        return None
    scene = out / name / SCENE_FILE
    say(f"4. Writing the scene for 3D Slicer -> {scene}")
    command = [sys.executable, "-m", "ProSTRegistrationLib.SceneFile", str(out / name), str(case_file), str(scene)]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=SCENE_SECONDS, check=False)
    if outcome.returncode != 0:
        lines = outcome.stderr.strip().splitlines()
        say(f"   The scene could not be written: {lines[-1] if lines else 'no reason given'}")
        return None
    return scene
