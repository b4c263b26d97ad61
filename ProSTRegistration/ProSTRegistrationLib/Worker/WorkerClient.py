"""Talks to the worker process without ever blocking the application.

Call poll() from a timer, every 20 ms or so; all callbacks come from there. A worker that dies fails every pending
request with a clear error and is started again by the next request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prostreg.worker.protocol import Arrays, Message
from ProSTRegistrationLib.Worker.WorkerChannel import ChannelLost, WorkerChannel
from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker, RemoteWorker

if TYPE_CHECKING:
    from prostreg.errors import InputError

SEND_BUDGET_S = 0.01
EVENTS = ("reply", "progress", "superseded", "error")

Content = dict[str, Any]
OnReply = Callable[[Content, Arrays], object]
OnProgress = Callable[[Content], object]
OnError = Callable[["WorkerError"], object]
OnFailure = Callable[["InputError | WorkerError"], object]
"""What hears of a request that failed, and of nodes that cannot be used."""


class WorkerError(Exception):
    """Why a request failed.

    Attributes:
        kind: "input", "device", "weights", "stopped", "environment", "memory", "protocol", "defect" as the worker
            says; "lost" where it died; "superseded" for a render that a later one replaced.
        faults: one sentence or more each.
        details: traceback or the end of the worker's log, for a report; may be empty.
    """

    def __init__(self, kind: str, faults: Iterable[str], details: str = "") -> None:
        self.kind = kind
        self.faults = list(faults)
        self.details = details
        super().__init__("\n".join(self.faults))


@dataclass
class _Request:
    header: Content
    arrays: Arrays
    onReply: OnReply
    onProgress: OnProgress
    onError: OnError


def ignore(*_: object) -> None:
    """Stands for a callback of someone who does not want to hear."""


class WorkerClient:
    """Sends requests to a worker and hands back its answers.

    Args:
        source: where the worker comes from; a local process if it is None.

    Attributes:
        generation: counts the workers started so far; what an earlier one had loaded is gone.
    """

    def __init__(self, source: LocalWorker | RemoteWorker | None = None) -> None:
        self.source = source or LocalWorker()
        self.generation = 0
        self._isStarted = False
        self._channel: WorkerChannel | None = None
        self._startFault: str | None = None
        self._requests: dict[int, _Request] = {}
        self._unsent: deque[int] = deque()
        self._inbox: deque[Message] = deque()
        self._lastId = 0

    @property
    def hasPending(self) -> bool:
        """True while an answer is outstanding."""
        return bool(self._requests)

    def start(self) -> None:
        """Starts the worker if there is none; returns at once."""
        if self._isStarted:
            return
        self._isStarted = True
        self._startFault = None
        self.generation += 1
        try:
            self.source.start()
        except OSError as error:
            self._startFault = f"it could not be started: {error}"

    def request(
        self,
        command: str,
        arrays: Arrays | None = None,
        onReply: OnReply = ignore,
        onProgress: OnProgress = ignore,
        onError: OnError = ignore,
        **fields: Any,
    ) -> int:
        """Asks the worker for something; starts it if need be.

        Args:
            command: one of the worker's commands.
            arrays: name -> numpy array; must not change until it is answered.
            onReply: called with (content dict, arrays dict).
            onProgress: called with (content dict).
            onError: called with a WorkerError.
            fields: the command's other fields, as JSON values.

        Returns:
            the id of the request.
        """
        self._lastId += 1
        header = {**fields, "id": self._lastId, "command": command}
        self._requests[self._lastId] = _Request(header, arrays or {}, onReply, onProgress, onError)
        self._unsent.append(self._lastId)
        self.start()
        return self._lastId

    def cancel(self) -> None:
        """Asks the worker to end the running registration; that request is then answered with the best so far."""
        if self.hasPending:
            self.request("cancel")

    def stop(self) -> None:
        """Ends the worker (a remote one is only left); pending requests are dropped without a callback."""
        self._requests.clear()
        self._inbox.clear()
        self._unsent.clear()
        self._disconnect()
        self.source.discardLog()

    def restart(self) -> None:
        """Ends the worker, so that the next request starts another; pending requests fail."""
        self._lose("it was ended to start anew")

    def logTail(self) -> str:
        """The last lines of the worker's log, for messages."""
        return self.source.logTail()

    def poll(self) -> None:
        """Moves bytes and calls the callbacks that are due."""
        if self._isStarted:
            try:
                self._exchange()
            except ChannelLost as loss:
                self._deliver()
                self._lose(str(loss))
        self._deliver()

    def _exchange(self) -> None:
        if self._startFault:
            raise ChannelLost(self._startFault)
        if self._channel is None:
            self._channel = self.source.poll()
            if self._channel is None:
                return
        while self._unsent:
            self._transmit(self._channel, self._unsent.popleft())
        self._inbox.extend(self._channel.poll(SEND_BUDGET_S))

    def _transmit(self, channel: WorkerChannel, requestId: int) -> None:
        request = self._requests.get(requestId)
        if request is None:
            return
        try:
            channel.send(request.header, request.arrays)
        except ValueError as error:
            del self._requests[requestId]
            request.onError(WorkerError("input", [str(error)]))
        else:
            request.arrays = {}

    def _deliver(self) -> None:
        # Taken one by one, so that a callback that raises costs no other its call.
        while self._inbox:
            self._dispatch(self._inbox.popleft())

    def _dispatch(self, message: Message) -> None:
        event, content, requestId = (message.header.get(key) for key in ("event", "content", "id"))
        if event not in EVENTS or not isinstance(content, dict) or type(requestId) not in (int, type(None)):
            self._lose("it answered as no worker of this release does")
            return
        if requestId is None:
            self._lose(f"it could not read what was sent to it ({' '.join(_faults(content))})")
            return
        request = self._requests.get(requestId)
        if request is None:
            return
        if event == "progress":
            request.onProgress(content)
            return
        del self._requests[requestId]
        if event == "reply":
            request.onReply(content, message.arrays)
        elif event == "superseded":
            request.onError(WorkerError("superseded", ["A later request replaced this one."]))
        else:
            kind, details = (str(content.get(key, "")) for key in ("kind", "traceback"))
            request.onError(WorkerError(kind or "defect", _faults(content), details))

    def _lose(self, reason: str) -> None:
        details = self.logTail()
        self._disconnect()
        text = (
            f"The worker process stopped working: {reason}{self.source.howItEnded()}."
            " It starts again with the next request; the scene is unchanged."
        )
        failed, self._requests = self._requests, {}
        self._unsent.clear()
        self._inbox.clear()
        for request in failed.values():
            request.onError(WorkerError("lost", [text], details))

    def _disconnect(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._isStarted:
            self._isStarted = False
            self.source.end()


def _faults(content: Content) -> list[str]:
    told = content.get("faults")
    return [str(fault) for fault in told] if isinstance(told, list) else ["The worker gave no reason."]
