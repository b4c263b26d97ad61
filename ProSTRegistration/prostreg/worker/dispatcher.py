"""The dispatcher of requests: one thread reads them, one works on them.

The main thread does all work that touches the engine, so that none of it needs locks. The reading thread answers
status and cancel at once and queues the rest. A task (a registration, an adaptation, fetching a sample) takes long;
what waits in the queue meanwhile (renders, loads) is answered between two of its steps, where it asks whether it was
cancelled: a live DRR goes on during a task.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple

from prostreg.machine import BYTES_OF_LIBRARIES, refuse_tight_limit, versions
from prostreg.worker.connection import Connection
from prostreg.worker.error_messages import BrokenEnvironmentError, content_of, error_content
from prostreg.worker.jobs import Job, JobQueue
from prostreg.worker.protocol import PROTOCOL_VERSION, Arrays, BrokenStreamError, Message

if TYPE_CHECKING:
    from prostreg.worker.commands import Commands


class TaskWords(NamedTuple):
    """The words for a task under way: as the worker's state, and to who wants another one."""

    state: str
    is_running: str


TASKS = {
    "register": TaskWords("registering", "A registration is running"),
    "register_bones": TaskWords("registering", "A registration is running"),
    "track": TaskWords("tracking", "A run is being tracked"),
    "adapt": TaskWords("adapting", "An adaptation is running"),
    "sample": TaskWords("making a sample", "Sample data are being made"),
}
CANNOT_BE_SENT = "The worker's answer cannot be sent; its log tells why."
LONGEST_QUOTED = 60
WORK_COMMANDS = frozenset({"load_ct", "load_anatomy", "load_views", "render", "adapted", "check", *TASKS})


class Worker:
    """Serves clients, one at a time.

    Args:
        stays: True for a worker that outlives its client.
    """

    def __init__(self, stays: bool) -> None:
        self._stays = stays
        self._jobs = JobQueue()
        self._commands: Commands | None = None
        self._task: Job | None = None
        self._task_lock = threading.Lock()

    def work(self) -> None:
        """Runs jobs for ever; called on the main thread."""
        try:
            self._make_commands()
        except Exception:
            # Told to the client when it asks for work; the worker's own log has it now.
            traceback.print_exc()
        while True:
            self._perform(self._jobs.get())

    def serve(self, connection: Connection) -> None:
        """Reads one client's requests until it leaves; called on the reading thread."""
        try:
            for message in connection.messages():
                self._accept(connection, message)
        except BrokenStreamError as error:
            print(error, file=sys.stderr, flush=True)
            _send_error(connection, None, "protocol", [str(error)])
            connection.forget_the_rest()
        except Exception:
            traceback.print_exc()
        if not self._stays:
            # The parent is gone: nobody waits for what the main thread may still be doing.
            os._exit(0)
        self._cancel()
        connection.close()

    def _accept(self, connection: Connection, message: Message) -> None:
        request, command = message.header.get("id"), message.header.get("command")
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
            self._queue(Job(connection, request, command, message))
        else:
            known = ", ".join(sorted({"status", "cancel", "shutdown"} | WORK_COMMANDS))
            fault = f"There is no command {command[:LONGEST_QUOTED]!r}; there are {known}."
            _send_error(connection, request, "protocol", [fault])

    def _queue(self, job: Job) -> None:
        if job.command in TASKS:
            with self._task_lock:
                running = self._task
                self._task = running or job
            if running is not None:
                fault = f"{TASKS[running.command].is_running}: cancel it or wait for its end."
                _send_error(job.connection, job.request, "input", [fault])
                return
        for superseded in self._jobs.put(job):
            _send(superseded.connection, superseded.request, "superseded", {})

    def _cancel(self) -> bool:
        with self._task_lock:
            if self._task is None:
                return False
            self._task.cancelled.set()
            return True

    def _status(self) -> dict[str, Any]:
        commands, task = self._commands, self._task
        idle = "ready" if commands else "starting"
        return {
            "protocol": PROTOCOL_VERSION,
            "state": idle if task is None else TASKS[task.command].state,
            "versions": versions(),
            "device": commands.device if commands else None,
            "process": os.getpid(),
            "loaded": commands.loaded() if commands else {},
        }

    def _perform(self, job: Job) -> None:
        try:
            if job.command in TASKS:
                content, arrays = self._perform_task(job)
            else:
                content, arrays = self._make_commands().commands[job.command](job.message)
            _send(job.connection, job.request, "reply", content, arrays)
        except Exception as error:
            content = error_content(error)
            if content["traceback"]:
                print(content["traceback"], file=sys.stderr, flush=True)
            _send(job.connection, job.request, "error", content)

    def _perform_task(self, job: Job) -> tuple[dict[str, Any], Arrays]:
        def is_cancelled() -> bool:
            while (waiting := self._jobs.take()) is not None:
                self._perform(waiting)
            return job.cancelled.is_set()

        def tell(content: dict[str, Any]) -> None:
            _send(job.connection, job.request, "progress", content)

        try:
            return self._make_commands().tasks[job.command](job.message, tell, is_cancelled)
        finally:
            with self._task_lock:
                self._task = None

    def _make_commands(self) -> Commands:
        if self._commands is None:
            refuse_tight_limit(BYTES_OF_LIBRARIES, "The engine with its libraries")
            # Importing the engine takes seconds (torch); status is answered meanwhile.
            try:
                from prostreg.worker.commands import Commands

                self._commands = Commands()
            except Exception as error:
                raise BrokenEnvironmentError from error
        return self._commands


def refuse(connection: Connection, fault: str) -> None:
    """Tells a client that it is not served, and closes its connection."""
    _send_error(connection, None, "protocol", [fault])
    connection.close()


def _send_error(connection: Connection, request: int | None, kind: str, faults: list[str]) -> None:
    _send(connection, request, "error", content_of(kind, faults))


def _send(
    connection: Connection, request: int | None, event: str, content: dict[str, Any], arrays: Arrays | None = None
) -> None:
    try:
        connection.send({"id": request, "event": event, "content": content}, arrays)
    except OSError:
        # The reading thread notices the loss and decides what follows.
        return
    except ValueError as error:
        print(f"An answer cannot be sent: {error}", file=sys.stderr, flush=True)
        _send_error(connection, request, "defect", [CANNOT_BE_SENT])
