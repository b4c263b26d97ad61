"""``prostreg evaluate``: runs a protocol over methods, and says what came of it."""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from prostreg.cli.console import say
from prostreg.cli.evaluation_progress import ProgressOfRows
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.interruption import stop_requests
from prostreg.cli.outcome import ANOTHER_OUT, Outcome
from prostreg.errors import FaultList, InputError
from prostreg.evaluation.dask_runner import dask_client, run_on_dask
from prostreg.evaluation.engine_digest import engine_digest
from prostreg.evaluation.methods import check_methods, weights_by_method
from prostreg.evaluation.protocol import Protocol, protocol_names, read_protocol
from prostreg.evaluation.report.files import write_report
from prostreg.evaluation.report.summary import summarise
from prostreg.evaluation.row_file import RESULTS_FILE, RowFile
from prostreg.evaluation.rows import Key, Row
from prostreg.evaluation.runner import run_here
from prostreg.evaluation.sources.case_folders import case_files
from prostreg.evaluation.sources.case_source import CaseSource, make_case_source
from prostreg.files import complete_file, output_folder_faults
from prostreg.folder_lock import only_writer
from prostreg.parallel import cores

PROTOCOL_FILE = "protocol.json"
EXTRA = "evaluation"
WITHOUT_NETWORK = "cmaes"
STOPPING = "Stopping; what is done is kept. Run the same command again to go on. Press Ctrl-C again to leave at once."


def run(arguments: argparse.Namespace) -> Outcome:
    """Checks everything, makes the rows that are not there yet, then writes table, figures and worst cases."""
    if arguments.list:
        return _listed()
    protocol = _protocol(arguments)
    methods: tuple[str, ...] = protocol.methods if arguments.methods is None else arguments.methods
    row_file = _checked(arguments, protocol, methods)
    source = _source(arguments, protocol, methods, row_file)
    cases = protocol.cases if source is None else min(protocol.cases, len(source))
    keys = [(number, method) for number in range(cases) for method in methods]
    missing = row_file.missing(keys)
    if missing:
        row_file.check_same_engine()
        if source is not None and set(methods) != {WITHOUT_NETWORK}:
            row_file.check_same_weights(weights_by_method(protocol, methods, source.case(missing[0][0])))
    failures: list[str] = []
    arguments.out.mkdir(parents=True, exist_ok=True)
    with only_writer(arguments.out), stop_requests(STOPPING) as is_cancelled:
        if missing and source is not None:
            _write_protocol(arguments.out, protocol)
            failures = _make_rows(arguments, protocol, source, keys, row_file, is_cancelled)
        row_file.sort()
        rows = [row_file.rows[key] for key in keys if key in row_file.rows]
        drawn_from = None if is_cancelled() else _source_of_rows(source, rows)
        files = write_report(arguments.out, protocol, methods, rows, len(keys), drawn_from)
    left = len(row_file.missing(keys))
    summaries = [summarise(rows, method, protocol.success_mm) for method in methods]
    for failure in failures:
        say(f"Could not be run: {failure}")
    say(
        f"{left} of {len(keys)} registrations are still to do: run the same command again to go on."
        if left
        else f"Complete: {len(keys)} registrations -> {arguments.out}"
    )
    report = {
        "protocol": protocol.name,
        "version": protocol.version,
        "complete": not left,
        "rows": len(rows),
        "left": left,
        "methods": [summary.to_dict() for summary in summaries],
        "out": str(arguments.out),
        "files": files,
    }
    text = (arguments.out / files[0]).read_text(encoding="utf-8").rstrip()
    return Outcome(ExitCode.STOPPED if left else ExitCode.DONE, report, text)


def _listed() -> Outcome:
    protocols = [read_protocol(name) for name in protocol_names()]
    report = {"protocols": [{"name": p.name, "title": p.title, "cases": p.cases} for p in protocols]}
    lines = [f"{p.name:18} {p.cases:4} cases  {p.title}" for p in protocols]
    return Outcome(ExitCode.DONE, report, "\n".join(lines))


def _protocol(arguments: argparse.Namespace) -> Protocol:
    """The protocol with the changes that the command line asks for."""
    faults = FaultList()
    if arguments.protocol is None:
        faults.add(f"No --protocol was named: choose one of {', '.join(protocol_names())}, or give a file.")
    if arguments.out is None:
        faults.add("No --out was named: give a folder for the results.")
    folder: Path | None = arguments.cases
    if folder is not None and not folder.is_dir():
        faults.add(f"The folder {folder} of --cases does not exist.")
    faults.raise_if_any()
    protocol = read_protocol(arguments.protocol)
    if arguments.seed is not None:
        protocol = protocol.with_changes(seed=arguments.seed)
    if folder is not None and protocol.source_kind != "case-folders" and case_files(folder):
        protocol = protocol.with_cases_of(folder)
        say(f"{folder} holds {protocol.cases} cases: they are evaluated instead of the protocol's own.")
    if arguments.number is not None:
        if protocol.source_kind == "case-folders" and arguments.number > protocol.cases:
            raise InputError(f"--number is {arguments.number}, but there are {protocol.cases} cases.")
        protocol = protocol.with_changes(cases=arguments.number)
    return protocol


def _checked(arguments: argparse.Namespace, protocol: Protocol, methods: tuple[str, ...]) -> RowFile:
    """The results so far, after everything was checked that needs no data."""
    faults = FaultList()
    faults.extend(output_folder_faults(arguments.out, ANOTHER_OUT))
    needed = ["matplotlib"] if arguments.dask is None else ["matplotlib", "distributed"]
    lacking = [package for package in needed if importlib.util.find_spec(package) is None]
    if lacking:
        faults.add(f"Evaluations need {' and '.join(lacking)}: install them with pip install 'prostreg[{EXTRA}]'.")
    if arguments.dask is None and arguments.workers is not None:
        faults.add("--workers is the number of processes of --dask local; without --dask there is one.")
    faults.collect(lambda: check_methods(protocol, methods))
    faults.raise_if_any()
    return RowFile(arguments.out / RESULTS_FILE, protocol)


def _source(
    arguments: argparse.Namespace, protocol: Protocol, methods: tuple[str, ...], row_file: RowFile
) -> CaseSource | None:
    """The cases; None where all is done already and the data is not at hand."""
    try:
        return make_case_source(protocol, arguments.cases)
    except InputError as error:
        if row_file.missing((number, method) for number in range(protocol.cases) for method in methods):
            raise
        say(f"All is done; the worst cases are not drawn again. {' '.join(error.faults)}")
        return None


def _source_of_rows(source: CaseSource | None, rows: Sequence[Row]) -> CaseSource | None:
    """The source, unless it belongs to another state of the program and would draw other images."""
    if {row.engine for row in rows} - {engine_digest()}:
        say("The rows were made by another version of the program: the worst cases are not drawn again.")
        return None
    return source


def _make_rows(
    arguments: argparse.Namespace,
    protocol: Protocol,
    source: CaseSource,
    keys: list[Key],
    row_file: RowFile,
    is_cancelled: Callable[[], bool],
) -> list[str]:
    """Makes what is missing; gives what could not be made, in words."""
    missing = row_file.missing(keys)
    done = [row_file.rows[key] for key in keys if key in row_file.rows]
    progress = ProgressOfRows(len(keys), done, protocol.success_mm, time.monotonic)
    say(f"{protocol.name}: {len(missing)} registrations to do, {len(done)} done before -> {arguments.out}")

    def on_row(row: Row) -> None:
        row_file.append(row)
        say(progress.line(row))

    if arguments.dask is None:
        run_here(protocol, source, missing, on_row, is_cancelled)
        return []
    with dask_client(arguments.dask, arguments.workers or cores()) as client:
        return run_on_dask(client, protocol, arguments.cases, missing, on_row, is_cancelled)


def _write_protocol(folder: Path, protocol: Protocol) -> None:
    text = json.dumps(protocol.content, indent=1, ensure_ascii=False)
    with complete_file(folder / PROTOCOL_FILE) as unfinished:
        unfinished.write_text(text + "\n", encoding="utf-8")
