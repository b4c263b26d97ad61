"""``prostreg case``: writes the case file that the command line describes."""

from __future__ import annotations

import argparse

from prostreg.cli.case_words import CASE_FILE, told_case, told_content, write_case
from prostreg.cli.outcome import ANOTHER_OUT, ExitCode, Outcome
from prostreg.errors import FaultList
from prostreg.files import output_folder_faults


def run(arguments: argparse.Namespace) -> Outcome:
    """Reads and judges every file first, then writes the case."""
    path = arguments.out if arguments.out.suffix == ".json" else arguments.out / CASE_FILE
    faults = FaultList()
    faults.extend(output_folder_faults(path.parent, ANOTHER_OUT))
    content = faults.collect(lambda: told_content(arguments))
    if content is not None:
        faults.collect(lambda: told_case(content))
    faults.raise_if_any()
    if content is None:
        raise AssertionError("a case that cannot be told is a fault")
    write_case(content, path)
    return Outcome(ExitCode.DONE, {"case": str(path)}, f"{path}\nRegister it with: prostreg register {path} --out DIR")
