"""Takes the times: each renderer in a process of its own, all of them in turn, round by round.

Interleaved rounds in changing order let a change in the machine's load hit all alike; separate
processes keep thread pools apart and give each renderer's own peak memory.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from prostreg_bench.output import Output
from prostreg_bench.renderers import prepare
from prostreg_bench.scene import make_scene

FEWEST_TURNS = 3
TURN_SECONDS = 0.4
"""A turn lasts as long at least: quick renderers run several times, most of them with the volume in the cache."""


@dataclass(frozen=True)
class Entry:
    """What is timed: its name, and the place of its function ("module:function")."""

    name: str
    place: str


@dataclass(eq=False)
class Timing:
    """Times and output of an entry.

    Attributes:
        seconds: of every counted run.
        output: of the warm-up; None if it failed.
        peak_memory_mb: of the whole process, or of the program it calls, if that is more; None where
            the system does not tell.
        failure: why there is no result, in words.
    """

    entry: Entry
    seconds: list[float] = field(default_factory=list)
    output: Output | None = None
    peak_memory_mb: float | None = None
    failure: str | None = None


class RendererProcess:
    """The parent's end of a renderer's process, set up and warmed up."""

    def __init__(self, entry: Entry, values_file: Path, pixels: int) -> None:
        self.timing = Timing(entry)
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, entry.place, values_file, pixels), name=entry.name, daemon=True
        )
        self._process.start()
        theirs.close()
        answer = self._answer()
        if answer is not None:
            self.timing.output, self.warm_up_seconds = answer

    def take_turn(self) -> None:
        """Renders once or more and notes the times."""
        end = time.perf_counter() + TURN_SECONDS
        while self.timing.failure is None:
            seconds = self._ask("run")
            if seconds is not None:
                self.timing.seconds.append(seconds)
            if time.perf_counter() >= end:
                return

    def note_peak_memory(self) -> None:
        """To be asked last."""
        self.timing.peak_memory_mb = self._ask("peak memory")

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        self._process.terminate()
        self._process.join()
        self._connection.close()

    def _ask(self, request: str) -> Any:
        if self.timing.failure is not None:
            return None
        with contextlib.suppress(OSError):  # a process that has ended shows in the answer
            self._connection.send(request)
        return self._answer()

    def _answer(self) -> Any:
        try:
            answer = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            self.timing.failure = f"its process ended with code {self._process.exitcode}"
            return None
        if isinstance(answer, Exception):
            self.timing.failure = " ".join(str(answer).split())[:300]
            return None
        return answer


def compare(
    entries: Sequence[Entry],
    values_file: Path,
    pixels: int,
    rounds: int,
    seconds_each: float,
    on_step: Callable[[str], None],
) -> list[Timing]:
    """Times all entries side by side over images of ``pixels`` x ``pixels``.

    Args:
        entries: what is timed.
        values_file: .npy with the volume, see `make_scene`; files of the renderers go beside it.
        rounds: turns of each; a renderer too slow for them within ``seconds_each`` sits some rounds
            out, evenly, but has `FEWEST_TURNS` at least.
        on_step: told in words what happens next.
    """
    processes: list[RendererProcess] = []
    with contextlib.ExitStack() as stack:
        for entry in entries:
            on_step(f"{entry.name}: set-up and warm-up at {pixels} x {pixels}")
            processes.append(RendererProcess(entry, values_file, pixels))
            stack.callback(processes[-1].close)
        turns = [_turns(process, rounds, seconds_each) for process in processes]
        on_step(f"up to {rounds} rounds at {pixels} x {pixels}")
        order = random.Random(0)
        for number in range(rounds):
            for place in order.sample(range(len(processes)), len(processes)):
                if (number + 1) * turns[place] // rounds > number * turns[place] // rounds:
                    processes[place].take_turn()
        for process in processes:
            process.note_peak_memory()
    return [process.timing for process in processes]


def _turns(process: RendererProcess, rounds: int, seconds_each: float) -> int:
    if process.timing.failure is not None:
        return 0
    affordable = int(seconds_each / max(process.warm_up_seconds, 1e-9))
    return min(rounds, max(FEWEST_TURNS, affordable))


def serve(connection: Connection, place: str, values_file: Path, pixels: int) -> None:
    """The renderer's process: sets up, warms up, then renders whenever it is asked to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    _silence()
    tempfile.tempdir = str(values_file.parent)  # the parent removes it, however we end
    try:
        render = prepare(place, make_scene(np.load(values_file), pixels))
        output = render()
        connection.send((output, _timed(render)))
        while connection.recv() == "run":
            connection.send(_timed(render))
        connection.send(_peak_memory_mb())
    except Exception as error:
        connection.send(RuntimeError(f"{type(error).__name__}: {error}"))


def _timed(render: Callable[[], Output]) -> float:
    started = time.perf_counter()
    output = render()
    seconds = time.perf_counter() - started
    return seconds if output.own_seconds is None else output.own_seconds


def _silence() -> None:
    """Sends what third parties print to nowhere."""
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _peak_memory_mb() -> float | None:
    """Not getrusage for the process itself: Linux lets that start from the parent's peak."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    import resource  # not on Windows

    line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
    own_kib = int(line.split()[1])
    return max(own_kib, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024
