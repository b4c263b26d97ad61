"""``prostreg case``: writes the case file that the command line describes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict

from prostreg.cli.case_words import told_case, told_content, write_case
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.outcome import ANOTHER_OUT, Outcome
from prostreg.cli.typed import typed
from prostreg.errors import FaultList
from prostreg.files import complete_file, output_folder_faults, replaced_inputs
from prostreg.geometry.camera_files.reading import CASE_FILE
from prostreg.images.dicom_geometry.carm_numbers import CArmNumber
from prostreg.outputs.readings_picture import readings_picture

PICTURE_FILE = "readings.png"


def run(arguments: argparse.Namespace) -> Outcome:
    """Reads and judges every file first, then writes the case."""
    path = arguments.out if arguments.out.suffix == ".json" else arguments.out / CASE_FILE
    faults = FaultList()
    faults.extend(output_folder_faults(path.parent, ANOTHER_OUT))
    given = [arguments.ct, *arguments.xray, arguments.labels, *(arguments.camera or []), arguments.initial]
    faults.extend(replaced_inputs([path, path.with_name(PICTURE_FILE)], given, ANOTHER_OUT))
    content = faults.collect(lambda: told_content(arguments))
    case = None if content is None else faults.collect(lambda: told_case(content))
    faults.raise_if_any()
    if content is None or case is None:
        raise AssertionError("a case that cannot be told is a fault")
    write_case(content, path)
    picture = path.with_name(PICTURE_FILE)
    with complete_file(picture) as unfinished:
        readings_picture(case).save(unfinished, format="PNG")
    told = [[asdict(number) for number in view.told] for view in case.views]
    lines = [
        *(line for n, view in enumerate(case.views, start=1) for line in _lines(view.told, n)),
        *case.notes,
        *(f"View {n}: {view.undistortion.words}." for n, view in enumerate(case.views, start=1) if view.undistortion),
        f"{picture} shows what is taken of each X-ray: its polarity, what is left out, and metal.",
        str(path),
        f"Register it with: {typed('register', path, '--out', 'DIR')}",
    ]
    return Outcome(ExitCode.DONE, {"case": str(path), "picture": str(picture), "carms": told}, "\n".join(lines))


def _lines(numbers: Sequence[CArmNumber], view: int) -> list[str]:
    """The numbers of a C-arm, one a line."""
    if not numbers:
        return []
    told = [(number.name, number.value or "-", number.known, number.origin) for number in numbers]
    widths = [max(map(len, column)) for column in zip(*told, strict=True)]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in told]
    return [f"C-arm of view {view} by its DICOM tags:", *rows]
