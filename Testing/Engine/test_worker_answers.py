"""A client whose worker answers what no worker of this release does: its request fails in words."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from Patience import PATIENCE_S
from prostreg.worker.handshake import Handshake
from prostreg.worker.protocol import MAGIC, PREAMBLE, MessageDecoder, encode
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient, WorkerError
from ProSTRegistrationLib.Worker.WorkerSource import RemoteWorker

TOKEN = "of this test"


def answer_once(worker: socket.socket, header: object) -> None:
    """Proves itself, waits for the request and answers it."""
    decoder, handshake = MessageDecoder(), Handshake("worker", TOKEN)
    with worker:
        worker.sendall(b"".join(map(bytes, encode(handshake.opening))))
        while True:
            while (message := decoder.next()) is None:
                decoder.feed(worker.recv(1 << 16))
            if handshake.done:
                break
            for answer in handshake.receive(message.header):
                worker.sendall(b"".join(map(bytes, encode(answer))))
        text = json.dumps(header).encode()
        worker.sendall(PREAMBLE.pack(MAGIC, len(text), 0) + text)


def error_of(header: object) -> WorkerError:
    errors: list[WorkerError] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = WorkerClient(RemoteWorker(*server.getsockname(), TOKEN))
        client.request("status", onError=errors.append)
        client.poll()
        worker, _ = server.accept()
        thread = threading.Thread(target=answer_once, args=(worker, header))
        thread.start()
        deadline = time.monotonic() + PATIENCE_S
        while not errors and time.monotonic() < deadline:
            client.poll()
        thread.join()
        client.stop()
    (error,) = errors
    return error


@pytest.mark.parametrize(
    "header",
    [
        {"id": [1], "event": "reply", "content": {}},
        {"id": 1, "event": "reply", "content": None},
        {"id": 1, "event": ["reply"], "content": {}},
        {"id": 1, "event": "song", "content": {}},
        {"id": None, "event": "error", "content": "no"},
    ],
)
def test_what_is_no_answer_is_a_loss_in_words(header: object) -> None:
    error = error_of(header)
    assert error.kind == "lost"
    assert "answered as no worker of this release does" in str(error)


def test_an_error_without_reasons_has_a_sentence() -> None:
    error = error_of({"id": 1, "event": "error", "content": {"kind": "input", "faults": None}})
    assert (error.kind, error.faults) == ("input", ["The worker gave no reason."])
    assert error_of({"id": 1, "event": "error", "content": {"faults": [None, 3]}}).faults == ["None", "3"]
    assert "could not read what was sent to it (No.)" in str(
        error_of({"id": None, "event": "error", "content": {"faults": ["No."]}})
    )
