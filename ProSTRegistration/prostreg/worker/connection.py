"""The worker's end of a connection: blocking, safe to send from several threads."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from prostreg.worker.handshake import MAX_PAYLOAD_BEFORE_PROOF, Handshake, HandshakeError
from prostreg.worker.protocol import MAX_PAYLOAD_BYTES, Arrays, BrokenStreamError, Message, MessageDecoder, encode

RECEIVE_BYTES = 1 << 20
HANDSHAKE_LIMIT_S = 30.0
"""For the whole handshake, however often the other side says a little."""


class Connection:
    """Messages over a connected socket; the other side has to prove the token first.

    Args:
        connected: the socket; closed with the connection.
        token: the secret that both sides know.

    Raises:
        HandshakeError: the other side does not know the token, or did not prove it in time.
    """

    def __init__(self, connected: socket.socket, token: str) -> None:
        self._socket = connected
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._send_lock = threading.Lock()
        self._decoder = MessageDecoder(MAX_PAYLOAD_BEFORE_PROOF)
        self._deadline: float | None = time.monotonic() + HANDSHAKE_LIMIT_S
        self._prove(Handshake("worker", token))

    def send(self, header: Mapping[str, Any], arrays: Arrays | None = None) -> None:
        """Sends one message; blocks until the system took it.

        Raises:
            OSError: the connection is lost.
            ValueError: it cannot be encoded (see `encode`); nothing was sent.
        """
        buffers = encode(header, arrays)
        with self._send_lock:
            for buffer in buffers:
                self._socket.sendall(buffer)

    def messages(self) -> Iterator[Message]:
        """The messages that arrive, until the other side is gone.

        Raises:
            BrokenStreamError: what arrives is no message.
        """
        while True:
            message = self._decoder.next()
            if message is not None:
                yield message
            elif not self._receive():
                return

    def forget_the_rest(self) -> None:
        """Receives until the other side closes: a socket that is closed with unread bytes takes back what it sent."""
        while self._receive():
            self._decoder = MessageDecoder()

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bool:
        try:
            if self._deadline is not None:
                self._socket.settimeout(max(self._deadline - time.monotonic(), 1e-3))
            data = self._socket.recv(RECEIVE_BYTES)
        except OSError:
            return False
        self._decoder.feed(data)
        return bool(data)

    def _prove(self, handshake: Handshake) -> None:
        try:
            self.send(handshake.opening)
            for message in self.messages():
                for answer in handshake.receive(message.header):
                    self.send(answer)
                if handshake.done:
                    break
            else:
                raise HandshakeError("The other side left, or took too long, before it proved that it knows the token.")
        except BrokenStreamError as error:
            self.close()
            raise HandshakeError(f"The other side is no client of this worker: {error}") from error
        except BaseException:
            self.close()
            raise
        self._decoder.max_payload_bytes = MAX_PAYLOAD_BYTES
        self._deadline = None
        self._socket.settimeout(None)
