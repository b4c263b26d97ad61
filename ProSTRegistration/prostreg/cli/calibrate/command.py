"""``prostreg calibrate``: a camera file from beads whose places are known in the phantom and in its image."""

from __future__ import annotations

import argparse
import json
import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.calibration.bead_list import BeadList, read_beads
from prostreg.calibration.discs import dark_and_bright_discs
from prostreg.calibration.matching import SeenBeads, match_beads
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.outcome import ANOTHER_OUT, Outcome
from prostreg.errors import FaultList, InputError
from prostreg.files import complete_file, output_folder_faults
from prostreg.geometry.camera_fit import CameraFit, fit_camera
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_accuracy import CARM_ACCURACIES, GUESSED
from prostreg.geometry.carm_values import carm_to_values
from prostreg.geometry.pnp import pose_from_landmarks
from prostreg.images.xray_reading import XRayImage, read_xray_image
from prostreg.outputs.calibration_picture import calibration_picture

MOST_OFF_PX = 3.0
"""Root mean square error beyond which the beads are not those of the image."""


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The words as read: the beads, the C-arm to begin with, and the image if there is one."""

    beads: BeadList
    rough: CArm
    image: XRayImage | None


def run(arguments: argparse.Namespace) -> Outcome:
    """Reads and judges everything, then fits and writes."""
    inputs = _inputs(arguments)
    seen = None
    if inputs.image is None:
        fit = _fit_to_marks(inputs, arguments.distortion)
    else:
        discs = dark_and_bright_discs(inputs.image.pixels, inputs.image.open_part)
        seen = match_beads(inputs.beads, discs, inputs.rough, arguments.distortion)
        fit = seen.fit
    names = inputs.beads.names
    off_px = np.linalg.norm(fit.errors_px, axis=1)
    rms_px = math.sqrt(float(np.nanmean(off_px**2)))
    if not rms_px <= MOST_OFF_PX:
        raise InputError(
            f"The beads fit no camera, they are {rms_px:.1f} pixels off (rms), {names[int(np.nanargmax(off_px))]} most:"
            " check its numbers, that lengths are in mm, and that the image is not mirrored."
        )
    size, pitch_mm = inputs.rough.size, (arguments.pixel_mm, arguments.pixel_mm)
    carm = CArm(fit.intrinsics, size, spacing_mm=pitch_mm, accuracy=_accuracy(fit, size))
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
        "rms_px": rms_px,
        "errors_px": {name: float(off) for name, off in zip(names, off_px, strict=True) if np.isfinite(off)},
        "camera_from_phantom": fit.camera_from_phantom.tolist(),
    }
    if seen is not None:
        report |= _report_of_image(seen, names, _picture_path(arguments.out))
    bent = {"distortion": fit.distortion.coefficients} if arguments.distortion else {}
    values = json.dumps(carm_to_values(carm) | bent, indent=1) + "\n"
    text = _text(report, names, off_px)
    with ExitStack() as files:
        files.enter_context(complete_file(arguments.out)).write_text(values, encoding="utf-8")
        if seen is not None and inputs.image is not None:
            title = f"{np.isfinite(off_px).sum()} of {len(names)} beads, {rms_px:.2f} pixels off (rms)"
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
    faults.raise_if_any()
    if beads is None or rough is None:
        raise AssertionError("what cannot be read is a fault")
    return _Inputs(beads, rough, image)


def _fit_to_marks(inputs: _Inputs, frees_distortion: bool) -> CameraFit:
    points_mm, marks_px, rough = inputs.beads.points_mm, inputs.beads.marks_px, inputs.rough
    pose = pose_from_landmarks(points_mm, [(rough, marks_px)]).world_from_volume
    plain = fit_camera(points_mm, marks_px, (rough.intrinsics, pose))
    if not frees_distortion:
        return plain
    return fit_camera(points_mm, marks_px, (plain.intrinsics, plain.camera_from_phantom), frees_distortion=True)


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
            *([f"Far off, look at them: {', '.join(outliers)}"] if outliers else []),
            *([f"Not found in the image: {', '.join(report['not_found'])}"] if report.get("not_found") else []),
            *([f"Outside of the image: {', '.join(report['outside'])}"] if report.get("outside") else []),
            *([f"Discs that are no bead: {others}"] if others else []),
            *([f"Look at it: {report['picture']}"] if "picture" in report else []),
            f"Written as {report['accuracy']}: {report['camera']}",
        ]
    )


def _accuracy(fit: CameraFit, size: tuple[int, int]) -> str:
    """The best word that the standard deviations allow."""
    shares = fit.deviations[0] / fit.intrinsics[0, 0], float(fit.deviations[1:3].max()) / max(size)
    for name, known in CARM_ACCURACIES.items():
        if shares[0] <= known.sdd_share and shares[1] <= known.principal_point_share:
            return name
    raise InputError(
        f"The beads tell the distance from source to detector to {100 * shares[0]:.0f} % and the principal point to"
        f" {100 * shares[1]:.0f} % of the image, less than is known of any C-arm ({GUESSED}): use a thicker phantom, or"
        " more beads over the whole image."
    )
