"""``prostreg calibrate``: a camera file from beads whose places are known in the phantom and in its image."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.calibration.bead_fit import (
    ROUGHLY,
    fit_to_exact_marks,
    known_as,
    refuse_wrong_fit,
)
from prostreg.calibration.bead_list import BeadList, mark_faults, read_beads
from prostreg.calibration.discs import sorts_of_discs
from prostreg.calibration.matching import SeenBeads, match_beads
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.outcome import ANOTHER_OUT, Outcome
from prostreg.errors import FaultList
from prostreg.files import complete_file, output_folder_faults, replaced_inputs
from prostreg.geometry.camera_fit import CameraFit
from prostreg.geometry.carm import CArm, mirrored_places
from prostreg.geometry.carm_values import carm_to_values
from prostreg.images.xray_reading import XRayImage, read_xray_image
from prostreg.outputs.calibration_picture import calibration_picture


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The words as read: the beads, the C-arm to begin with, the image if there is one, and whether it is mirrored."""

    beads: BeadList
    rough: CArm
    image: XRayImage | None
    is_flipped: bool


def run(arguments: argparse.Namespace) -> Outcome:
    """Reads and judges everything, then fits and writes."""
    inputs = _inputs(arguments)
    fit, seen = _fitted(inputs, arguments.distortion)
    names = inputs.beads.names
    off_px = np.linalg.norm(fit.errors_px, axis=1)
    size, pitch_mm = inputs.rough.size, (arguments.pixel_mm, arguments.pixel_mm)
    carm = CArm(fit.intrinsics, size, spacing_mm=pitch_mm, accuracy=known_as(fit, size, names))
    carm.check_pixels()
    f_sd, cx_sd, cy_sd, k1_sd, k2_sd = map(float, fit.deviations)
    report: dict[str, Any] = {
        "camera": str(arguments.out),
        "sdd_mm": carm.sdd_mm,
        "sdd_deviation_mm": f_sd * arguments.pixel_mm,
        "principal_point_px": list(carm.principal_point),
        "principal_point_deviation_px": [cx_sd, cy_sd],
        "distortion": fit.distortion.coefficients,
        "distortion_deviation": [k1_sd, k2_sd],
        "accuracy": carm.accuracy,
        "rms_px": fit.rms_px,
        "errors_px": {name: float(off) for name, off in zip(names, off_px, strict=True) if np.isfinite(off)},
        "camera_from_phantom": fit.camera_from_phantom.tolist(),
        "flip": inputs.is_flipped,
        "warnings": _warnings(inputs, arguments, carm),
    }
    if seen is not None:
        report |= _report_of_image(seen, names, _picture_path(arguments.out))
    bent = {"distortion": fit.distortion.coefficients} if arguments.distortion else {}
    values = json.dumps(carm_to_values(carm) | bent, indent=1) + "\n"
    text = _text(report, names, off_px)
    with ExitStack() as files:
        files.enter_context(complete_file(arguments.out)).write_text(values, encoding="utf-8")
        if seen is not None and inputs.image is not None:
            title = f"{np.isfinite(off_px).sum()} of {len(names)} beads, {fit.rms_px:.2f} pixels off (rms)"
            picture = calibration_picture(inputs.image.pixels, seen, names, _outliers(names, off_px), title)
            picture.save(files.enter_context(complete_file(_picture_path(arguments.out))))
    return Outcome(ExitCode.DONE, report, text)


def _inputs(arguments: argparse.Namespace) -> _Inputs:
    """Everything that was told, or one error with all its faults."""
    faults = FaultList()
    faults.extend(output_folder_faults(arguments.out.parent, ANOTHER_OUT))
    if arguments.out.suffix.lower() != ".json":
        faults.add(f"The camera file {arguments.out} must end in .json, or it is not read again as one.")
    written = [arguments.out] if arguments.image is None else [arguments.out, _picture_path(arguments.out)]
    faults.extend([f"{path} is a folder. {ANOTHER_OUT}" for path in written if path.is_dir()])
    faults.extend(replaced_inputs(written, (arguments.beads, arguments.image), ANOTHER_OUT))
    beads = faults.collect(lambda: read_beads(arguments.beads, arguments.image is not None))
    image = None if arguments.image is None else faults.collect(lambda: read_xray_image(arguments.image))
    size = None if arguments.size is None else tuple(arguments.size)
    if arguments.image is None and size is None:
        faults.add("The size of the image is not told: give --size WIDTH HEIGHT, or the image itself with --image.")
    if image is not None:
        shown = image.pixels.shape[1], image.pixels.shape[0]
        if size not in (None, shown):
            faults.add(f"{arguments.image} has {shown[0]} x {shown[1]} pixels, not those of --size: leave --size away.")
        size = shown
    pitch_mm = (arguments.pixel_mm, arguments.pixel_mm)
    rough = None if size is None else faults.collect(lambda: CArm.from_sdd(arguments.sdd, pitch_mm, size))
    if beads is not None and rough is not None:
        faults.extend(mark_faults(beads, rough.size))
    faults.raise_if_any()
    if beads is None or rough is None:
        raise AssertionError("what cannot be read is a fault")
    side = None if image is None else image.side
    by_tags = side is not None and side.is_from_detector
    return _Inputs(beads, rough, image, by_tags if arguments.flip is None else arguments.flip)


def _fitted(inputs: _Inputs, frees_distortion: bool) -> tuple[CameraFit, SeenBeads | None]:
    """The camera, and what the image shows, in pixels as stored."""
    beads, width = inputs.beads, inputs.rough.width
    sorts = [] if inputs.image is None else sorts_of_discs(inputs.image.pixels, inputs.image.open_part)
    if inputs.is_flipped:
        beads = replace(beads, marks_px=mirrored_places(beads.marks_px, width))
        sorts = [mirrored_places(centres, width) for centres in sorts]
    if inputs.image is None:
        seen, seen_px = None, beads.marks_px
        fit = fit_to_exact_marks(beads.points_mm, seen_px, inputs.rough, frees_distortion)
    else:
        seen = match_beads(beads, sorts, inputs.rough, frees_distortion)
        fit, seen_px = seen.fit, seen.centres_px
    refuse_wrong_fit(fit, beads.names, beads.points_mm, seen_px, inputs.rough)
    if inputs.is_flipped:
        return fit.mirrored(width), None if seen is None else seen.mirrored(width)
    return fit, seen


def _warnings(inputs: _Inputs, arguments: argparse.Namespace, carm: CArm) -> list[str]:
    """Sentences on what was told and is doubtful, or was taken from tags."""
    warnings = []
    if abs(carm.sdd_mm / arguments.sdd - 1) > ROUGHLY:
        warnings.append(
            f"--sdd says {arguments.sdd:g} mm: check --pixel-mm, which the distance in mm follows; in pixels all is"
            " right."
        )
    side = None if inputs.image is None else inputs.image.side
    if side is not None and side.is_from_detector and arguments.flip is None:
        warnings.append(f"{side.sentence} --no-flip overrules this.")
    return warnings


def _picture_path(out: Path) -> Path:
    return out.with_suffix(".png")


def _report_of_image(seen: SeenBeads, names: list[str], picture: Path) -> dict[str, Any]:
    is_found = np.asarray(np.isfinite(seen.centres_px).all(axis=1))
    return {
        "picture": str(picture),
        "centres_px": {
            name: list(map(float, centre))
            for name, centre, found in zip(names, seen.centres_px, is_found, strict=True)
            if found
        },
        "not_found": [name for name, is_lost in zip(names, ~is_found & seen.inside, strict=True) if is_lost],
        "outside": [name for name, is_out in zip(names, ~is_found & ~seen.inside, strict=True) if is_out],
        "discs_that_are_no_bead_px": seen.others_px.tolist(),
    }


def _outliers(names: list[str], off_px: NDArray[np.float64]) -> list[str]:
    most_px = max(1.0, 4 * float(np.nanmedian(off_px)))
    return [name for name, off in zip(names, off_px, strict=True) if off > most_px]


def _text(report: dict[str, Any], names: list[str], off_px: NDArray[np.float64]) -> str:
    (cx, cy), (cx_sd, cy_sd) = report["principal_point_px"], report["principal_point_deviation_px"]
    worst, outliers = int(np.nanargmax(off_px)), _outliers(names, off_px)
    (k1, k2), (k1_sd, k2_sd) = report["distortion"][:2], report["distortion_deviation"]
    found = len(report["errors_px"])
    others = len(report.get("discs_that_are_no_bead_px", []))
    return "\n".join(
        [
            f"Source to detector {report['sdd_mm']:.1f} ± {report['sdd_deviation_mm']:.1f} mm, with the pixel size as"
            " given",
            f"Principal point {cx:.1f} ± {cx_sd:.1f}, {cy:.1f} ± {cy_sd:.1f} pixels",
            *([f"Distortion k1 {k1:.4g} ± {k1_sd:.2g}, k2 {k2:.4g} ± {k2_sd:.2g}"] if k1_sd else []),
            f"{found} beads, {report['rms_px']:.2f} pixels off (rms), {off_px[worst]:.2f} most ({names[worst]})",
            *report["warnings"],
            *([f"Far off, look at them: {', '.join(outliers)}"] if outliers else []),
            *([f"Not found in the image: {', '.join(report['not_found'])}"] if report.get("not_found") else []),
            *([f"Outside of the image: {', '.join(report['outside'])}"] if report.get("outside") else []),
            *([f"Discs that are no bead: {others}"] if others else []),
            *([f"Look at it: {report['picture']}"] if "picture" in report else []),
            f"Written as {report['accuracy']}: {report['camera']}",
        ]
    )
