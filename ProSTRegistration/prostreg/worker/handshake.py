"""Mutual proof that both ends of a connection know the same token, without sending it.

Each side sends a random challenge and answers the other's with an HMAC-SHA256 over its own role and that
challenge (RFC 2104), so that an answer cannot be reflected.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from typing import Any, Literal

from prostreg.errors import ProSTError
from prostreg.worker.protocol import PROTOCOL_VERSION

Role = Literal["worker", "client"]

# Nothing larger is read from a side that has not proved itself.
MAX_PAYLOAD_BEFORE_PROOF = 0


class HandshakeError(ProSTError):
    """The other side does not know the token or speaks another protocol."""


class Handshake:
    """One side's part of the proof; does no input or output itself.

    Send ``opening``, hand every received header to ``receive``, send what it returns, until ``done``.

    Attributes:
        other_pid: process number of the other side on its machine; None until ``done``, or where it told none.
    """

    def __init__(self, role: Role, token: str) -> None:
        self._own_role: Role = role
        self._other_role: Role = "client" if role == "worker" else "worker"
        self._token = token.encode()
        self._challenge = secrets.token_hex(32)
        self.done = False
        self.other_pid: int | None = None

    @property
    def opening(self) -> dict[str, Any]:
        """The first header to send."""
        return {"event": "hello", "protocol": PROTOCOL_VERSION, "challenge": self._challenge}

    def receive(self, header: dict[str, Any]) -> list[dict[str, Any]]:
        """Takes a header of the other side and returns the headers to send in answer.

        Raises:
            HandshakeError: the other side failed; the connection has to be closed.
        """
        if header.get("event") == "hello":
            if header.get("protocol") != PROTOCOL_VERSION:
                raise HandshakeError(
                    f"The other side speaks version {header.get('protocol')} of the protocol, this one"
                    f" {PROTOCOL_VERSION}: use the same release of ProSTRegistration on both sides."
                )
            return [
                {
                    "event": "proof",
                    "proof": self._proof(self._own_role, str(header.get("challenge"))),
                    "pid": os.getpid(),
                }
            ]
        expected = self._proof(self._other_role, self._challenge)
        if header.get("event") != "proof" or not hmac.compare_digest(
            expected.encode(), str(header.get("proof")).encode()
        ):
            raise HandshakeError("The other side does not know the token: set the same token on both sides.")
        told = header.get("pid")
        self.other_pid = told if isinstance(told, int) and told > 0 else None
        self.done = True
        return []

    def _proof(self, role: Role, challenge: str) -> str:
        return hmac.new(self._token, f"{role}:{challenge}".encode(), hashlib.sha256).hexdigest()
