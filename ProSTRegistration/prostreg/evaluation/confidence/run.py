"""Runs the registrations of the study, one after the other, until it is stopped; goes on where it was.

``python -m prostreg.evaluation.confidence.run --cases DATA --out FOLDER [--minutes N] [--use report]``

DATA holds the files that study.json names. FOLDER gets a folder of rows for each group and preset. The command may be
started several times at once with the same FOLDER: each run takes cases that no other has begun.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import lru_cache, partial
from pathlib import Path

from prostreg.errors import InputError
from prostreg.evaluation.confidence.study import METHOD, Study, Use, read_study, rows_file
from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.row_file import RowFile
from prostreg.evaluation.rows import RowMaker
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.folder_lock import held

SOURCES_KEPT = 40


def run_study(study: Study, data: Path, out: Path, minutes: float, use: Use | None = None) -> None:
    """Makes the rows of one use, or of both, that are not there yet; none is begun after so many minutes.

    Raises:
        InputError: a file is missing, or rows are there of another state of the program.
    """
    began = time.monotonic()

    @lru_cache(maxsize=SOURCES_KEPT)
    def maker(name: str) -> RowMaker:
        return RowMaker(protocols[name], make_case_source(protocols[name], data))

    protocols: dict[str, Protocol] = {}
    for protocol, number in study.visits(use):
        if time.monotonic() - began > 60 * minutes:
            return
        protocols[protocol.name] = protocol
        path = rows_file(out, protocol)
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                stack.enter_context(held(path.parent))
            except BlockingIOError:
                continue  # a run beside this one has begun a case of it
            _run_case(RowFile(path, protocol), protocol, number, partial(maker, protocol.name))


def _run_case(rows: RowFile, protocol: Protocol, number: int, maker: Callable[[], RowMaker]) -> None:
    if (number, METHOD) in rows.rows or number >= protocol.cases:
        return
    rows.check_same_engine()
    row = maker().row(number, METHOD)
    if row is not None:
        rows.append(row)
        error = "" if row.mtre_mm is None else f"{row.mtre_mm:.2f} mm"
        wrong = row.misspecification or "as it is"
        print(f"{row.case}: {wrong}: {row.status or row.error} {error} {row.seconds or 0:.0f} s", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what is left of the study."""
    parser = argparse.ArgumentParser(prog="python -m prostreg.evaluation.confidence.run", description=__doc__)
    parser.add_argument("--cases", type=Path, required=True, metavar="DATA")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--use", choices=("fit", "report", "both"), default="both")
    given = parser.parse_args(arguments)
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        run_study(read_study(), given.cases, given.out, given.minutes, None if given.use == "both" else given.use)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
