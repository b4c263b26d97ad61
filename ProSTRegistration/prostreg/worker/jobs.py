"""The queue between the thread that reads and the thread that works."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from prostreg.worker.connection import Connection
from prostreg.worker.protocol import Message


@dataclass(frozen=True, eq=False)
class Job:
    """A request that the work thread has to answer."""

    connection: Connection
    request: int
    command: str
    message: Message
    cancelled: threading.Event = field(default_factory=threading.Event)


class JobQueue:
    """First in, first out; but of the render requests that wait only the latest is kept."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()

    def put(self, job: Job) -> list[Job]:
        """Appends a job and returns the render jobs that it makes pointless."""
        with self._changed:
            superseded = [waiting for waiting in self._jobs if job.command == waiting.command == "render"]
            for waiting in superseded:
                self._jobs.remove(waiting)
            self._jobs.append(job)
            self._changed.notify()
            return superseded

    def get(self) -> Job:
        """Takes the first job, waiting for one if need be."""
        with self._changed:
            while not self._jobs:
                self._changed.wait()
            return self._jobs.popleft()

    def take(self) -> Job | None:
        """Takes the first job if there is one."""
        with self._changed:
            return self._jobs.popleft() if self._jobs else None
