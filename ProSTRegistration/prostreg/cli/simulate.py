"""``prostreg simulate``: a realistic X-ray image of a CT."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prostreg.cli.console import say, say_notes
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.image_output import image_faults
from prostreg.cli.outcome import ANOTHER_OUT, Outcome
from prostreg.errors import FaultList, InputError
from prostreg.files import complete_file, replaced_inputs
from prostreg.geometry.camera_files.reading import read_camera
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix
from prostreg.images.anatomy import anatomy_from_labels
from prostreg.images.image_file import write_with_spacing
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.volume import Volume
from prostreg.outputs.transform_file import read_pose
from prostreg.simulation.fluoroscopy import FluoroscopySimulator, SimulatedXray
from prostreg.simulation.presets import preset
from prostreg.simulation.settings import SimulatorSettings

PICTURE_ENDING = ".png"
ENDINGS = (".tif", ".tiff", PICTURE_ENDING, ".mha", ".nrrd")


@dataclass(frozen=True, eq=False)
class _Inputs:
    ct: Volume
    carm: CArm
    pose: Matrix
    settings: SimulatorSettings
    femora: list[NDArray[np.bool_]]


def run(arguments: argparse.Namespace) -> Outcome:
    """Checks everything first, then simulates and writes."""
    inputs = _inputs(arguments)
    started = time.perf_counter()
    simulator = FluoroscopySimulator(inputs.ct, inputs.settings, inputs.femora)
    xray = simulator.image(inputs.carm, inputs.pose, arguments.seed)
    seconds = time.perf_counter() - started
    _write_image(arguments.out, xray, inputs.carm.detector_spacing_mm)
    width, height = inputs.carm.size
    notes = [] if inputs.ct.note is None else [inputs.ct.note]
    say_notes(notes)
    say(f"{width} x {height} pixels, {xray.pixels.dtype}, {xray.polarity}, in {seconds:.1f} s -> {arguments.out}")
    report = {
        "image": str(arguments.out),
        "size": [width, height],
        "spacing_mm": list(inputs.carm.detector_spacing_mm),
        "polarity": xray.polarity,
        "preset": arguments.preset,
        "seed": arguments.seed,
        "settings": inputs.settings.to_dict(),
        "seconds": seconds,
        "warnings": notes,
    }
    return Outcome(ExitCode.DONE, report)


def _inputs(arguments: argparse.Namespace) -> _Inputs:
    faults = FaultList()
    faults.extend(image_faults(arguments.out, ENDINGS))
    given = (arguments.ct, arguments.camera, arguments.pose, arguments.labels, arguments.settings)
    faults.extend(replaced_inputs([arguments.out], given, ANOTHER_OUT))
    ct = faults.collect(lambda: read_ct(arguments.ct))
    carm = faults.collect(lambda: read_camera(arguments.camera, arguments.view))
    pose = faults.collect(lambda: read_pose(arguments.pose))
    settings = faults.collect(lambda: _settings(arguments))
    femora = _femora(arguments, ct, faults)
    if ct is None or carm is None or pose is None or settings is None or faults:
        raise InputError(faults.faults)
    return _Inputs(ct, carm, pose, settings, femora)


def _settings(arguments: argparse.Namespace) -> SimulatorSettings:
    base = preset(arguments.preset)
    return base if arguments.settings is None else SimulatorSettings.from_json_file(arguments.settings, base)


def _femora(arguments: argparse.Namespace, ct: Volume | None, faults: FaultList) -> list[NDArray[np.bool_]]:
    if (arguments.labels is None) != (arguments.femora is None):
        faults.add("--labels and --femora belong together: a label map, and the values that the femora have in it.")
    if arguments.labels is None:
        return []
    labels = faults.collect(lambda: read_labels(arguments.labels))
    masks: list[NDArray[np.bool_]] = []
    for value in arguments.femora or []:
        mask = faults.collect(partial(_mask, ct, labels, value))
        masks += [] if mask is None else [mask]
    return masks


def _mask(ct: Volume | None, labels: Volume | None, value: int) -> NDArray[np.bool_] | None:
    return None if ct is None or labels is None else anatomy_from_labels(ct, labels, [value])


def _write_image(path: Path, xray: SimulatedXray, spacing_mm: tuple[float, float]) -> None:
    with complete_file(path) as unfinished:
        if path.suffix.lower() == PICTURE_ENDING:
            Image.fromarray(xray.pixels).save(unfinished)
        else:
            write_with_spacing(unfinished, xray.pixels, spacing_mm)
