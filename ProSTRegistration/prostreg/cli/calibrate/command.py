"""``prostreg calibrate``: a camera file from beads whose places are known in the phantom and in its image."""

from __future__ import annotations

import argparse
import csv
import json
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prostreg.cli.exit_code import ExitCode
from prostreg.cli.outcome import ANOTHER_OUT, Outcome
from prostreg.errors import FaultList, InputError
from prostreg.files import complete_file, output_folder_faults, text_of
from prostreg.geometry.camera_fit import CameraFit, fit_camera
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_accuracy import CARM_ACCURACIES, GUESSED
from prostreg.geometry.carm_values import carm_to_values
from prostreg.geometry.pnp import pose_from_landmarks

COLUMNS = ("name", "x", "y", "z", "u", "v")
FEWEST_BEADS = 8
LEAST_DEPTH_SHARE = 0.05
"""Thickness of the phantom over its width: a flat one tells distance and focal length only together."""

MOST_OFF_PX = 3.0
"""Root mean square error beyond which the beads are not those of the image."""


def run(arguments: argparse.Namespace) -> Outcome:
    """Reads and judges everything, then fits and writes."""
    faults = FaultList()
    faults.extend(output_folder_faults(arguments.out.parent, ANOTHER_OUT))
    if arguments.out.suffix.lower() != ".json":
        faults.add(f"The camera file {arguments.out} must end in .json, or it is not read again as one.")
    beads = faults.collect(lambda: _beads(arguments.beads))
    width, height = arguments.size
    pitch_mm = (arguments.pixel_mm, arguments.pixel_mm)
    rough = faults.collect(lambda: CArm.from_sdd(arguments.sdd, pitch_mm, (width, height)))
    faults.raise_if_any()
    if beads is None or rough is None:
        raise AssertionError("what cannot be read is a fault")
    names, points_mm, seen_px = beads
    pose = pose_from_landmarks(points_mm, [(rough, seen_px)]).world_from_volume
    plain = fit_camera(points_mm, seen_px, (rough.intrinsics, pose))
    start = plain.intrinsics, plain.camera_from_phantom
    fit = fit_camera(points_mm, seen_px, start, frees_distortion=True) if arguments.distortion else plain
    off_px = np.linalg.norm(fit.errors_px, axis=1)
    rms_px = math.sqrt(float((off_px**2).mean()))
    if not rms_px <= MOST_OFF_PX:
        raise InputError(
            f"The beads fit no camera, they are {rms_px:.1f} pixels off (rms), {names[int(off_px.argmax())]} most:"
            " check its numbers, that lengths are in mm, and that the image is not mirrored."
        )
    carm = CArm(fit.intrinsics, (width, height), spacing_mm=pitch_mm, accuracy=_accuracy(fit, (width, height)))
    bent = {"distortion": fit.distortion.coefficients} if arguments.distortion else {}
    with complete_file(arguments.out) as unfinished:
        unfinished.write_text(json.dumps(carm_to_values(carm) | bent, indent=1) + "\n", encoding="utf-8")
    f_sd, cx_sd, cy_sd, k1_sd, k2_sd = map(float, fit.deviations)
    report = {
        "camera": str(arguments.out),
        "sdd_mm": carm.sdd_mm,
        "sdd_deviation_mm": f_sd * arguments.pixel_mm,
        "principal_point_px": list(carm.principal_point),
        "principal_point_deviation_px": [cx_sd, cy_sd],
        "distortion": fit.distortion.coefficients,
        "distortion_deviation": [k1_sd, k2_sd],
        "accuracy": carm.accuracy,
        "rms_px": rms_px,
        "errors_px": {name: float(off) for name, off in zip(names, off_px, strict=True)},
        "camera_from_phantom": fit.camera_from_phantom.tolist(),
    }
    return Outcome(ExitCode.DONE, report, _text(report, names, off_px))


def _text(report: dict[str, object], names: list[str], off_px: NDArray[np.float64]) -> str:
    sdd, deviation = report["sdd_mm"], report["sdd_deviation_mm"]
    (cx, cy), (cx_sd, cy_sd) = np.array(report["principal_point_px"]), np.array(report["principal_point_deviation_px"])
    worst = int(off_px.argmax())
    outliers = [name for name, off in zip(names, off_px, strict=True) if off > max(1.0, 4 * float(np.median(off_px)))]
    k1, k2 = np.array(report["distortion"])[:2]
    k1_sd, k2_sd = np.array(report["distortion_deviation"])
    return "\n".join(
        [
            f"Source to detector {sdd:.1f} ± {deviation:.1f} mm, with the pixel size as given",
            f"Principal point {cx:.1f} ± {cx_sd:.1f}, {cy:.1f} ± {cy_sd:.1f} pixels",
            *([f"Distortion k1 {k1:.4g} ± {k1_sd:.2g}, k2 {k2:.4g} ± {k2_sd:.2g}"] if k1_sd else []),
            f"{len(names)} beads, {report['rms_px']:.2f} pixels off (rms), {off_px[worst]:.2f} most ({names[worst]})",
            *([f"Far off, look at them: {', '.join(outliers)}"] if outliers else []),
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


def _beads(path: Path) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Names, places (n, 3) in mm and (n, 2) in pixels."""
    try:
        lines = list(csv.reader(text_of(path).splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"The beads {path} cannot be read as CSV ({error}): check the path, save it as UTF-8."
        ) from None
    faults = FaultList()
    names, rows = [], []
    for number, line in enumerate(lines, start=1):
        words = [word.strip() for word in line]
        if not any(words) or tuple(map(str.lower, words)) == COLUMNS:
            continue
        try:
            values = [float(word) for word in words[1:]]
        except ValueError:
            values = []
        if len(values) != len(COLUMNS) - 1 or not all(abs(value) < 1e6 for value in values):
            faults.add(f"Line {number} of {path} is no bead: give {', '.join(COLUMNS)}, five finite numbers.")
            continue
        names.append(words[0])
        rows.append(values)
    faults.raise_if_any()
    table = np.array(rows).reshape(-1, 5)
    if len(table) < FEWEST_BEADS:
        raise InputError(f"The beads {path} are {len(table)}: give {FEWEST_BEADS} or more.")
    spread = np.linalg.svd(table[:, :3] - table[:, :3].mean(axis=0), compute_uv=False)
    if spread[2] < LEAST_DEPTH_SHARE * spread[0]:
        raise InputError(
            f"The beads {path} lie in a plane, which tells distance and focal length only together: use a phantom with"
            " beads in two layers or more."
        )
    return names, table[:, :3], table[:, 3:]
