"""The commands of ``prostreg``: chooses one, keeps stdout clean, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from types import ModuleType
from typing import TextIO

from prostreg.cli.arguments import make_parser
from prostreg.cli.console import say
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.interruption import STOPPED_EARLY, Listener
from prostreg.cli.outcome import Outcome
from prostreg.cli.quiet import quieten_third_parties
from prostreg.errors import (
    MEMORY_IS_FULL,
    InputError,
    NotWritten,
    ProSTError,
    Stopped,
    is_out_of_memory,
    system_refusal,
)
from prostreg.machine import BYTES_OF_LIBRARIES, refuse_tight_limit

COMMAND_MODULES = {
    "register": "prostreg.cli.register",
    "track": "prostreg.cli.track",
    "case": "prostreg.cli.case",
    "drr": "prostreg.cli.drr",
    "simulate": "prostreg.cli.simulate",
    "calibrate": "prostreg.cli.calibrate.command",
    "demo": "prostreg.cli.demo",
    "info": "prostreg.cli.info",
    "adapt": "prostreg.cli.adapt",
    "evaluate": "prostreg.cli.evaluate",
    "train": "prostreg.cli.train",
}

HEADLINES: dict[ExitCode, Callable[[int], str]] = {
    ExitCode.BAD_INPUT: lambda faults: "Cannot start:" if faults == 1 else f"Cannot start, {faults} faults:",
    ExitCode.STOPPED: lambda faults: "Stopped:",
    ExitCode.DEFECT: lambda faults: "Error:",
}


def run_command(given: list[str], listener: Listener) -> int:
    """Runs one command.

    Args:
        given: as on the command line, without the program's name.
        listener: told how far the command has come.

    Returns:
        The exit code of the contract (see ExitCode).
    """
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: no name shall end a command in a poor locale
    try:
        return _exit_code(given, listener)
    finally:
        _leave_broken_streams()


def _exit_code(given: list[str], listener: Listener) -> int:
    as_json, debug = "--json" in given, "--debug" in given
    try:
        parsed = make_parser().parse_args(given)
        if parsed.command != "info":
            refuse_tight_limit(BYTES_OF_LIBRARIES, "The program with its libraries")
        if not debug:
            quieten_third_parties()
        return _run(parsed, listener)
    except (Exception, KeyboardInterrupt) as error:
        listener.begin_report()
        # A library may have taken the interruption for a fault of its own.
        reason = KeyboardInterrupt() if listener.has_interrupted else error
        code, faults = _told(reason, debug)
        headline = "Not written:" if isinstance(reason, NotWritten) else HEADLINES[code](len(faults))
        if not isinstance(reason, BrokenPipeError):  # whoever read our output has gone; there is nobody to tell
            _report_failure(code, faults, headline, as_json, debug)
        return int(code)


def _told(error: BaseException, debug: bool) -> tuple[ExitCode, Sequence[str]]:
    """Exit code and sentences for what ended a command."""
    if isinstance(error, ProSTError):
        return ExitCode.STOPPED if isinstance(error, Stopped) else ExitCode.BAD_INPUT, error.faults
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.STOPPED, [STOPPED_EARLY]
    if isinstance(error, ModuleNotFoundError):
        fault = f"The package {error.name} is missing from {sys.executable}: install it there and try again."
        return ExitCode.BAD_INPUT, [fault]
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        return ExitCode.BAD_INPUT, [system_refusal(error)]
    if is_out_of_memory(error):
        return ExitCode.BAD_INPUT, [f"{MEMORY_IS_FULL} ({_in_words(error)})."]
    hint = "" if debug else " Run the same command with --debug for the traceback, and please report it."
    return ExitCode.DEFECT, [f"This is a defect in prostreg: {_in_words(error)}.{hint}"]


def _run(parsed: argparse.Namespace, listener: Listener) -> int:
    if parsed.command == "worker":
        worker = importlib.import_module("prostreg.worker.server")
        listener.begin_work()
        return int(worker.main(parsed.connect, parsed.listen))
    with contextlib.redirect_stdout(sys.stderr):
        module = _module(parsed)
        listener.begin_work()
        outcome: Outcome = module.run(parsed)
    listener.begin_report()
    if parsed.json:
        _print_report({**outcome.report, "exit_code": int(outcome.exit_code)})
    elif outcome.text:
        print(outcome.text, flush=True)
    return int(outcome.exit_code)


def _module(parsed: argparse.Namespace) -> ModuleType:
    if parsed.command != "bench":
        return importlib.import_module(COMMAND_MODULES[parsed.command])
    if importlib.util.find_spec("prostreg_bench") is None:
        raise InputError(
            "The benchmarks are not part of the Slicer extension. Clone the project and install it from there: "
            'pip install -e ".[bench]".'
        )
    return importlib.import_module(f"prostreg_bench.{parsed.benchmark}")


def _report_failure(code: ExitCode, faults: Sequence[str], headline: str, as_json: bool, debug: bool) -> None:
    """Tells why there is no result; where nothing can be told any more, the exit code still does."""
    if debug:
        say(traceback.format_exc().rstrip())
    say("\n".join([headline, *(f"- {fault}" for fault in faults)]))
    if as_json:
        with contextlib.suppress(OSError):
            _print_json({"error": {"kind": code.name.lower(), "faults": list(faults)}, "exit_code": int(code)})


def _print_report(report: dict[str, object]) -> None:
    try:
        _print_json(report)
    except BrokenPipeError:
        raise
    except OSError as error:
        fault = f"The report cannot be printed ({error.strerror}); files that were written are complete."
        raise InputError(fault) from error


def _print_json(content: dict[str, object]) -> None:
    print(json.dumps(content, allow_nan=False), flush=True)


def _leave_broken_streams() -> None:
    """Forgets what could not be printed: Python tries it again at its end, and would end with a code of its own."""
    for name in ("stdout", "stderr"):
        if not _takes_all(getattr(sys, name)):
            setattr(sys, name, _nowhere())


def _takes_all(stream: TextIO) -> bool:
    try:
        stream.flush()
    except OSError:
        return False
    return True


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _in_words(error: BaseException) -> str:
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}, {text.rstrip('.')}"
