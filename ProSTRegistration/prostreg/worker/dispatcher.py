"""What the worker does with requests: one thread reads them, one works on them.

The main thread does all work that touches the engine; the projectors' kernels must never run twice at the same
time in one process. The reading thread answers status and cancel at once and queues the rest. While a registration
runs, what waits in the queue (renders, loads) is answered between two of its evaluations, where the pipeline
asks whether it was cancelled: no lock is needed, and a live DRR goes on during a registration.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any

import prostreg
from prostreg.errors import DeviceError, InputError, Stopped, WeightsError
from prostreg.registration.result import Progress
from prostreg.worker.connection import Connection
from prostreg.worker.jobs import Job, JobQueue
from prostreg.worker.loaded import NotLoadedError
from prostreg.worker.protocol import PROTOCOL_VERSION, Arrays, Message, MessageFault

if TYPE_CHECKING:
    from prostreg.worker.engine import Engine

WORK_COMMANDS = frozenset({"load_ct", "load_anatomy", "load_views", "render", "register"})
REPORTED_PACKAGES = ("numpy", "torch", "numba", "cma", "SimpleITK")
ERROR_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (NotLoadedError, "not-loaded"),
    (InputError, "input"),
    (DeviceError, "device"),
    (WeightsError, "weights"),
    (Stopped, "stopped"),
)
MISFORTUNES: tuple[tuple[type[BaseException], str, str], ...] = (
    (ImportError, "environment", "The Python of the worker lacks a package: install it there"),
    (MemoryError, "memory", "The worker ran out of memory: close other programs or crop the CT"),
    (Exception, "defect", "This is a defect in the worker, please report it with its log"),
)


class Worker:
    """Serves clients, one at a time.

    Args:
        stays: True for a worker that outlives its client.
    """

    def __init__(self, stays: bool) -> None:
        self._stays = stays
        self._jobs = JobQueue()
        self._engine: Engine | None = None
        self._registration: Job | None = None
        self._registration_lock = threading.Lock()

    def work(self) -> None:
        """Runs jobs for ever; called on the main thread."""
        try:
            self._make_engine()
        except Exception:
            # Told to the client when it asks for work; the worker's own log has it now.
            traceback.print_exc()
        while True:
            self._perform(self._jobs.get())

    def serve(self, connection: Connection) -> None:
        """Reads one client's requests until it leaves; called on the reading thread."""
        try:
            for item in connection.messages():
                self._accept(connection, item)
        except Exception:
            traceback.print_exc()
        if not self._stays:
            # The parent is gone: nobody waits for what the main thread may still be doing.
            os._exit(0)
        self._cancel()
        connection.close()

    def _accept(self, connection: Connection, item: Message | MessageFault) -> None:
        if isinstance(item, MessageFault):
            _send_error(connection, item.request, "protocol", [item.text])
            return
        request, command = item.header.get("id"), item.header.get("command")
        if type(request) is not int or not isinstance(command, str):
            fault = "A request needs an id (a whole number) and a command (text)."
            _send_error(connection, None, "protocol", [fault])
        elif command == "status":
            _send(connection, request, "reply", self._status())
        elif command == "cancel":
            _send(connection, request, "reply", {"cancelled": self._cancel()})
        elif command == "shutdown":
            _send(connection, request, "reply", {})
            os._exit(0)
        elif command in WORK_COMMANDS:
            self._queue(Job(connection, request, command, item))
        else:
            known = ", ".join(sorted({"status", "cancel", "shutdown"} | WORK_COMMANDS))
            fault = f"There is no command {command!r}; there are {known}."
            _send_error(connection, request, "protocol", [fault])

    def _queue(self, job: Job) -> None:
        if job.command == "register":
            with self._registration_lock:
                busy = self._registration is not None
                self._registration = self._registration or job
            if busy:
                fault = "A registration is running: cancel it or wait for its end."
                _send_error(job.connection, job.request, "input", [fault])
                return
        for superseded in self._jobs.put(job):
            _send(superseded.connection, superseded.request, "superseded", {})

    def _cancel(self) -> bool:
        with self._registration_lock:
            if self._registration is None:
                return False
            self._registration.cancelled.set()
            return True

    def _status(self) -> dict[str, Any]:
        engine = self._engine
        registering = self._registration is not None
        return {
            "protocol": PROTOCOL_VERSION,
            "state": "registering" if registering else "ready" if engine else "starting",
            "versions": {"prostreg": prostreg.__version__, **_installed_versions()},
            "device": engine.device if engine else None,
            "process": os.getpid(),
            "loaded": engine.loaded() if engine else {},
        }

    def _perform(self, job: Job) -> None:
        try:
            engine = self._make_engine()
            content, arrays = (
                self._register(engine, job) if job.command == "register" else engine.commands[job.command](job.message)
            )
            _send(job.connection, job.request, "reply", content, arrays)
        except Exception as error:
            _report(job, error)

    def _register(self, engine: Engine, job: Job) -> tuple[dict[str, Any], Arrays]:
        def is_cancelled() -> bool:
            while (waiting := self._jobs.take()) is not None:
                self._perform(waiting)
            return job.cancelled.is_set()

        def on_progress(progress: Progress) -> None:
            _send(job.connection, job.request, "progress", _progress_content(progress))

        try:
            return engine.register(job.message, on_progress, is_cancelled)
        finally:
            with self._registration_lock:
                self._registration = None

    def _make_engine(self) -> Engine:
        if self._engine is None:
            # Importing the engine takes seconds (torch); status is answered meanwhile.
            from prostreg.worker.engine import Engine

            self._engine = Engine()
        return self._engine


def _report(job: Job, error: Exception) -> None:
    for error_type, kind in ERROR_KINDS:
        if isinstance(error, error_type):
            faults = error.faults if isinstance(error, InputError) else [str(error)]
            _send_error(job.connection, job.request, kind, faults)
            return
    text = "".join(traceback.format_exception(error))
    print(text, file=sys.stderr, flush=True)
    kind, advice = next((kind, advice) for error_type, kind, advice in MISFORTUNES if isinstance(error, error_type))
    _send_error(job.connection, job.request, kind, [f"{advice} ({type(error).__name__}: {error})."], text)


def _send_error(connection: Connection, request: int | None, kind: str, faults: list[str], text: str = "") -> None:
    error = {"kind": kind, "faults": faults, "message": "\n".join(faults), "traceback": text}
    _send(connection, request, "error", error)


def _send(
    connection: Connection, request: int | None, event: str, content: dict[str, Any], arrays: Arrays | None = None
) -> None:
    try:
        connection.send({"id": request, "event": event, "content": content}, arrays)
    except OSError:
        # The reading thread notices the loss and decides what follows.
        return


def _installed_versions() -> dict[str, str]:
    installed = {name: tuple(distributions(name=name)) for name in REPORTED_PACKAGES}
    return {name: found[0].version for name, found in installed.items() if found}


def _progress_content(progress: Progress) -> dict[str, Any]:
    return {
        "stage": progress.stage,
        "fraction": progress.fraction,
        "score": progress.score,
        "world_from_volume": progress.world_from_volume.tolist(),
        "message": progress.message,
        "seconds_left": progress.seconds_left,
    }
