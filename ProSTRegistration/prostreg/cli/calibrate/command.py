"""``prostreg calibrate``: a camera file from beads whose places are known in the phantom and in its images."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack

from prostreg.calibration.bead_fit import ROUGHLY, known_as
from prostreg.cli.calibrate.fitting import fitted
from prostreg.cli.calibrate.inputs import Inputs, read_inputs
from prostreg.cli.calibrate.report import disagreement_words, picture_of, report_of, text_of
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.outcome import Outcome
from prostreg.files import complete_file
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_values import carm_to_values


def run(arguments: argparse.Namespace) -> Outcome:
    """Reads and judges everything, then fits and writes."""
    inputs = read_inputs(arguments)
    made = fitted(inputs, arguments.distortion)
    fit, size, pitch_mm = made.shots[0].fit, inputs.rough.size, (arguments.pixel_mm, arguments.pixel_mm)
    worst = max(made.shots, key=lambda one: one.fit.rms_px)
    accuracy = known_as(worst.fit, size, worst.shot.beads.names)
    carm = CArm(fit.intrinsics, size, spacing_mm=pitch_mm, accuracy=accuracy)
    carm.check_pixels()
    report = report_of(made, carm, str(arguments.out), arguments.pixel_mm, inputs.is_flipped)
    disagreement = disagreement_words(made)
    report["warnings"] = [*_warnings(inputs, arguments, carm), *([] if disagreement is None else [disagreement])]
    bent = {"distortion": fit.distortion.coefficients} if arguments.distortion else {}
    values = json.dumps(carm_to_values(carm) | bent, indent=1) + "\n"
    text = text_of(made, report)
    with ExitStack() as files:
        files.enter_context(complete_file(arguments.out)).write_text(values, encoding="utf-8")
        for one in made.shots:
            picture = picture_of(one)
            if picture is not None and one.shot.picture is not None:
                picture.save(files.enter_context(complete_file(one.shot.picture)))
    return Outcome(ExitCode.DONE, report, text)


def _warnings(inputs: Inputs, arguments: argparse.Namespace, carm: CArm) -> list[str]:
    """Sentences on what was told and is doubtful, or was taken from tags."""
    warnings = []
    if abs(carm.sdd_mm / arguments.sdd - 1) > ROUGHLY:
        warnings.append(
            f"--sdd says {arguments.sdd:g} mm: check --pixel-mm, which the distance in mm follows; in pixels all is"
            " right."
        )
    sides = [shot.image.side for shot in inputs.shots if shot.image is not None and shot.image.side is not None]
    if sides and sides[0].is_from_detector and arguments.flip is None:
        warnings.append(f"{sides[0].sentence} --no-flip overrules this.")
    return warnings
