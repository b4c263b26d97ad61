"""The client's end of a connection to the worker: never blocks, moves bytes only in poll()."""

from __future__ import annotations

import errno
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from prostreg.worker.handshake import MAX_PAYLOAD_BEFORE_PROOF, Handshake, HandshakeError
from prostreg.worker.protocol import MAX_PAYLOAD_BYTES, Arrays, BrokenStreamError, Message, MessageDecoder, encode

if TYPE_CHECKING:
    import socket


RECEIVE_BYTES = 1 << 20
WAIT_S = 0.0005


class ChannelLost(Exception):
    """The other side is gone, or is no worker that knows the token."""


class WorkerChannel:
    """Messages over a non-blocking socket; the worker has to prove the token first.

    Args:
        connection: a socket that is connected or about to be; closed with the channel.
        token: the secret that both sides know.
    """

    def __init__(self, connection: socket.socket, token: str) -> None:
        self._socket = connection
        self._socket.setblocking(False)
        self._handshake = Handshake("client", token)
        self._decoder = MessageDecoder(MAX_PAYLOAD_BEFORE_PROOF)
        self._outgoing: deque[memoryview] = deque()
        self._lost: str | None = None
        self.send(self._handshake.opening)

    @property
    def isProven(self) -> bool:
        """True once the worker has shown that it knows the token; only then may requests be sent."""
        return self._handshake.done

    @property
    def workerPid(self) -> int | None:
        """The worker's process number, once it is proven."""
        return self._handshake.other_pid

    def send(self, header: dict[str, Any], arrays: Arrays | None = None) -> None:
        """Puts a message into the queue; poll() sends it.

        Raises:
            ValueError: the message cannot be encoded or is too large.
        """
        self._outgoing.extend(memoryview(buffer) for buffer in encode(header, arrays))

    def poll(self, budget_s: float) -> list[Message]:
        """Sends and receives what is possible now; stays up to ``budget_s`` while there is something left to send.

        Returns:
            list of Message received.

        Raises:
            ChannelLost: after all that was received before the loss has been returned.
        """
        deadline = time.monotonic() + budget_s
        while True:
            self._receive()
            self._transmit()
            remaining_s = deadline - time.monotonic()
            if not self._outgoing or self._lost or remaining_s <= 0:
                break
            time.sleep(min(remaining_s, WAIT_S))
        messages = self._understood()
        if self._lost and not messages:
            raise ChannelLost(self._lost)
        return messages

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> None:
        while not self._lost:
            try:
                data = self._socket.recv(RECEIVE_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NOT_CONNECTED_YET:
                    return
                self._lost = error.strerror or str(error)
                return
            if not data:
                self._lost = "it closed the connection"
            self._decoder.feed(data)

    def _transmit(self) -> None:
        while self._outgoing and not self._lost:
            try:
                sent = self._socket.send(self._outgoing[0])
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _NOT_CONNECTED_YET:
                    self._lost = error.strerror or str(error)
                return
            if sent == len(self._outgoing[0]):
                self._outgoing.popleft()
            else:
                self._outgoing[0] = self._outgoing[0][sent:]

    def _understood(self) -> list[Message]:
        messages = []
        try:
            while (message := self._decoder.next()) is not None:
                if self.isProven:
                    messages.append(message)
                else:
                    self._prove(message)
        except BrokenStreamError as error:
            self._lost = f"it sent something that is no message ({error})"
        return messages

    def _prove(self, message: Message) -> None:
        try:
            answers = self._handshake.receive(message.header)
        except HandshakeError as error:
            raise ChannelLost(str(error)) from error
        for answer in answers:
            self.send(answer)
        if self.isProven:
            self._decoder.max_payload_bytes = MAX_PAYLOAD_BYTES


# What a socket answers while its connection is still being made.
_NOT_CONNECTED_YET = {code for name in ("ENOTCONN", "EINPROGRESS", "EALREADY") if (code := getattr(errno, name, None))}
