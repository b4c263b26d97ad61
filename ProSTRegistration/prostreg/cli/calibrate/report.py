"""The words, numbers and pictures of what ``prostreg calibrate`` found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prostreg.calibration.joint_fit import ODD_TIMES
from prostreg.cli.calibrate.fitting import Fitted, FittedShot
from prostreg.geometry.camera_fit import CameraFit
from prostreg.geometry.carm import CArm
from prostreg.outputs.calibration_picture import calibration_picture


def report_of(made: Fitted, carm: CArm, path: str, pixel_mm: float, is_flipped: bool) -> dict[str, Any]:
    """The report as JSON: of one image all at once, of several with an entry for each."""
    fit = made.shots[0].fit
    f_sd, cx_sd, cy_sd, k1_sd, k2_sd = map(float, fit.deviations)
    report: dict[str, Any] = {
        "camera": path,
        "sdd_mm": carm.sdd_mm,
        "sdd_deviation_mm": f_sd * pixel_mm,
        "principal_point_px": list(carm.principal_point),
        "principal_point_deviation_px": [cx_sd, cy_sd],
        "distortion": fit.distortion.coefficients,
        "distortion_deviation": [k1_sd, k2_sd],
        "accuracy": carm.accuracy,
        "rms_px": _rms_px([one.fit for one in made.shots]),
        "flip": is_flipped,
    }
    if made.disagreement is None:
        return report | _errors_of(made.shots[0])
    images = []
    for one in made.shots:
        alone = {
            "rms_px": one.alone.rms_px,
            "sdd_mm": float(one.alone.intrinsics[0, 0]) * pixel_mm,
            "sdd_deviation_mm": float(one.alone.deviations[0]) * pixel_mm,
            "principal_point_px": one.alone.intrinsics[:2, 2].tolist(),
        }
        images.append({"beads": str(one.shot.path), "rms_px": one.fit.rms_px, "alone": alone} | _errors_of(one))
    odd = None if made.odd is None else str(made.shots[made.odd].shot.path)
    return report | {"images": images, "disagreement": made.disagreement, "odd_image": odd}


def disagreement_words(made: Fitted) -> str | None:
    """A sentence on images that one camera does not fit as well as their own; None where it does."""
    if made.disagreement is None or made.disagreement <= ODD_TIMES:
        return None
    if made.odd is None:
        odd = "no single one of them is to blame"
    else:
        one = made.shots[made.odd]
        odd = (
            f"without {one.shot.path} the others agree. It is {one.fit.rms_px:.2f} pixels off (rms), and"
            f" {one.alone.rms_px:.2f} with a camera of its own: leave it away, or look at its marks"
        )
    return (
        f"The images do not share one camera: it adds {made.disagreement:.0f} times what chance would to their errors,"
        f" and the deviations are told wider for that; {odd}. Take all with one distance and mode of the C-arm."
    )


def text_of(made: Fitted, report: dict[str, Any]) -> str:
    """The report for people."""
    (cx, cy), (cx_sd, cy_sd) = report["principal_point_px"], report["principal_point_deviation_px"]
    (k1, k2), (k1_sd, k2_sd) = report["distortion"][:2], report["distortion_deviation"]
    entries = report.get("images", [report])
    lines = [line for one, entry in zip(made.shots, entries, strict=True) for line in _lines(one, entry, made)]
    many = len(made.shots) > 1
    return "\n".join(
        [
            f"Source to detector {report['sdd_mm']:.1f} ± {report['sdd_deviation_mm']:.1f} mm, with the pixel size as"
            " given",
            f"Principal point {cx:.1f} ± {cx_sd:.1f}, {cy:.1f} ± {cy_sd:.1f} pixels",
            *([f"Distortion k1 {k1:.4g} ± {k1_sd:.2g}, k2 {k2:.4g} ± {k2_sd:.2g}"] if k1_sd else []),
            *([f"{len(made.shots)} images, {report['rms_px']:.2f} pixels off (rms)"] if many else lines[:1]),
            *report["warnings"],
            *(lines if many else lines[1:]),
            f"Written as {report['accuracy']}: {report['camera']}",
        ]
    )


def picture_of(one: FittedShot) -> Image.Image | None:
    """The image with what was found in it; None where there is none."""
    if one.seen is None or one.shot.image is None:
        return None
    names, off_px = one.shot.beads.names, _off_px(one.fit)
    title = f"{np.isfinite(off_px).sum()} of {len(names)} beads, {one.fit.rms_px:.2f} pixels off (rms)"
    return calibration_picture(one.shot.image.pixels, one.seen, names, _outliers(names, off_px), title)


def _errors_of(one: FittedShot) -> dict[str, Any]:
    names, off_px = one.shot.beads.names, _off_px(one.fit)
    errors: dict[str, Any] = {
        "errors_px": {name: float(off) for name, off in zip(names, off_px, strict=True) if np.isfinite(off)},
        "camera_from_phantom": one.fit.camera_from_phantom.tolist(),
    }
    if one.seen is None:
        return errors
    is_found = np.asarray(np.isfinite(one.seen.centres_px).all(axis=1))
    centres = zip(names, one.seen.centres_px, is_found, strict=True)
    return errors | {
        "picture": str(one.shot.picture),
        "centres_px": {name: list(map(float, centre)) for name, centre, found in centres if found},
        "not_found": [name for name, is_lost in zip(names, ~is_found & one.seen.inside, strict=True) if is_lost],
        "outside": [name for name, is_out in zip(names, ~is_found & ~one.seen.inside, strict=True) if is_out],
        "discs_that_are_no_bead_px": one.seen.others_px.tolist(),
    }


def _lines(one: FittedShot, entry: dict[str, Any], made: Fitted) -> list[str]:
    """The lines on one image; where there are several, each begins with its name."""
    names, off_px = one.shot.beads.names, _off_px(one.fit)
    worst, outliers = int(np.nanargmax(off_px)), _outliers(names, off_px)
    others = len(entry.get("discs_that_are_no_bead_px", []))
    alone = "" if made.disagreement is None else f"; {one.alone.rms_px:.2f} alone"
    lines = [
        f"{len(entry['errors_px'])} beads, {one.fit.rms_px:.2f} pixels off (rms{alone}), {off_px[worst]:.2f} most"
        f" ({names[worst]})",
        *([f"Far off, look at them: {', '.join(outliers)}"] if outliers else []),
        *([f"Not found in the image: {', '.join(entry['not_found'])}"] if entry.get("not_found") else []),
        *([f"Outside of the image: {', '.join(entry['outside'])}"] if entry.get("outside") else []),
        *([f"Discs that are no bead: {others}"] if others else []),
        *([f"Look at it: {entry['picture']}"] if "picture" in entry else []),
    ]
    return lines if made.disagreement is None else [f"{one.shot.path}: {line}" for line in lines]


def _off_px(fit: CameraFit) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(fit.errors_px, axis=1))


def _rms_px(fits: list[CameraFit]) -> float:
    return float(np.sqrt(np.nanmean(np.concatenate([(fit.errors_px**2).sum(axis=1) for fit in fits]))))


def _outliers(names: list[str], off_px: NDArray[np.float64]) -> list[str]:
    most_px = max(1.0, 4 * float(np.nanmedian(off_px)))
    return [name for name, off in zip(names, off_px, strict=True) if off > most_px]
