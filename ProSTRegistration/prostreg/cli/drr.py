"""``prostreg drr``: renders a DRR for one of a case's views."""

from __future__ import annotations

import argparse
import time
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
from prostreg.geometry.frames import Matrix
from prostreg.images.attenuation import attenuation_from_hu, moving_volume
from prostreg.images.image_file import write_with_spacing
from prostreg.images.volume import Volume
from prostreg.outputs.case_outputs import render_view
from prostreg.outputs.dicom_object import write_object
from prostreg.outputs.secondary_capture import secondary_capture, slices_of
from prostreg.outputs.transform_file import read_pose
from prostreg.projector.selection import make_projector
from prostreg.registration.case import Case
from prostreg.registration.case_file import read_case

FLOAT_ENDINGS = (".nrrd", ".mha", ".nii", ".nii.gz", ".tif", ".tiff")
PICTURE_ENDING, DICOM_ENDING = ".png", ".dcm"


def run(arguments: argparse.Namespace) -> Outcome:
    """Checks everything first, then renders and writes."""
    case, pose, slices = _inputs(arguments)
    carm = case.views[arguments.view - 1].carm
    projector = make_projector(_volume(case, arguments.anatomy), arguments.projector)
    started = time.perf_counter()
    drr = render_view(projector, carm, pose)
    seconds = time.perf_counter() - started
    if not drr.any():
        raise InputError(
            f"{arguments.pose} puts the CT out of view {arguments.view}, the DRR would be black: is the pose, or the"
            " view's extrinsic, the wrong way round (camera from world is needed), or in metres?"
        )
    if slices is None:
        _write_image(arguments.out, drr, carm.detector_spacing_mm)
    else:
        with complete_file(arguments.out) as unfinished:
            write_object(unfinished, secondary_capture(drr, carm, pose, slices))
    say_notes(case.notes)
    say(f"{carm.width} x {carm.height} pixels in {seconds:.2f} s with {projector.name} -> {arguments.out}")
    report = {
        "image": str(arguments.out),
        "size": list(carm.size),
        "spacing_mm": list(carm.detector_spacing_mm),
        "view": arguments.view,
        "projector": projector.name,
        "seconds": seconds,
        "warnings": list(case.notes),
    }
    return Outcome(ExitCode.DONE, report)


def _inputs(arguments: argparse.Namespace) -> tuple[Case, Matrix, list[dict[str, str]] | None]:
    """The case, the pose, and the CT's slices where the DRR is to be a DICOM file."""
    faults = FaultList()
    faults.extend(image_faults(arguments.out, (*FLOAT_ENDINGS, PICTURE_ENDING, DICOM_ENDING)))
    faults.extend(replaced_inputs([arguments.out], [arguments.pose], ANOTHER_OUT))
    pose = faults.collect(lambda: read_pose(arguments.pose))
    case = faults.collect(lambda: read_case(arguments.case))
    if case is not None and arguments.view > len(case.views):
        faults.add(f"There is no view {arguments.view}: the case has {len(case.views)}. Choose another --view.")
    if case is not None:
        faults.extend(replaced_inputs([arguments.out], () if case.files is None else case.files.named, ANOTHER_OUT))
    slices = None
    if case is not None and arguments.out.suffix.lower() == DICOM_ENDING:
        slices = faults.collect(partial(slices_of, case))
    if case is None or pose is None or faults:
        raise InputError(faults.faults)
    return case, pose, slices


def _volume(case: Case, anatomy_only: bool) -> Volume:
    if anatomy_only:
        return moving_volume(case.ct, case.anatomy)
    return case.ct.with_values(attenuation_from_hu(case.ct.values))


def _write_image(path: Path, drr: NDArray[np.float32], spacing_mm: tuple[float, float]) -> None:
    with complete_file(path) as unfinished:
        if path.suffix.lower() == PICTURE_ENDING:
            top = float(drr.max()) or 1.0
            Image.fromarray(np.rint(255 * drr / top).astype(np.uint8)).save(unfinished)
        else:
            write_with_spacing(unfinished, drr, spacing_mm)
