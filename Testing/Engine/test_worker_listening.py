"""A worker that waits for clients: it serves them in turn, and nobody without the token can keep it from that."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from WorkerDriving import answer, ask, pump

from Patience import PATIENCE_S
from prostreg.worker.protocol import MAGIC, PREAMBLE, TOKEN_VARIABLE
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient
from ProSTRegistrationLib.Worker.WorkerSource import RemoteWorker


@pytest.fixture
def listening(tmp_path):
    """A worker started by hand; yields its port."""
    environment = {**os.environ, TOKEN_VARIABLE: "the token"}
    command = [sys.executable, "-m", "prostreg.worker", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        yield int(process.stderr.readline().rsplit(":", 1)[1])
        process.kill()


class TestListening:
    def test_serves_clients_in_turn_and_keeps_what_they_loaded(self, listening):
        first = WorkerClient(RemoteWorker("127.0.0.1", listening, "the token"))
        hu = np.random.default_rng(0).integers(-1000, 1500, (12, 12, 12)).astype(np.int16)
        ct = answer(first, "load_ct", {"ct": hu}, volume_from_index=np.eye(4).tolist())["ct"]
        process = ask(first, "status").reply["process"]
        first.stop()
        second = WorkerClient(RemoteWorker("127.0.0.1", listening, "the token"))
        status = ask(second, "status").reply
        assert status["process"] == process
        assert status["loaded"]["ct"] == [ct]
        ask(second, "shutdown")
        pump(second, lambda: ask(second, "status").error is not None)
        second.stop()

    def test_who_does_not_know_the_token_is_turned_away(self, listening):
        client = WorkerClient(RemoteWorker("127.0.0.1", listening, "guess"))
        error = ask(client, "status").error
        assert error.kind == "lost"
        socket.create_connection(("127.0.0.1", listening)).close()
        right = WorkerClient(RemoteWorker("127.0.0.1", listening, "the token"))
        assert ask(right, "status").reply
        right.stop()

    @pytest.mark.parametrize(
        "opening",
        [
            {"event": "proof", "proof": "\ud800"},
            {"event": "hello", "protocol": 1, "challenge": "\ud800"},
            {"event": "hello", "protocol": 10**400, "challenge": "x"},
        ],
    )
    def test_no_opening_deafens_it(self, listening, opening):
        text = json.dumps(opening).encode()
        with socket.create_connection(("127.0.0.1", listening), timeout=PATIENCE_S) as stranger:
            stranger.sendall(PREAMBLE.pack(MAGIC, len(text), 0) + text)
            while stranger.recv(1 << 16):
                pass
        client = WorkerClient(RemoteWorker("127.0.0.1", listening, "the token"))
        assert ask(client, "status").reply
        client.stop()

    def test_silent_strangers_keep_nobody_waiting(self, listening):
        strangers = [socket.create_connection(("127.0.0.1", listening)) for _ in range(5)]
        client = WorkerClient(RemoteWorker("127.0.0.1", listening, "the token"))
        assert ask(client, "status").reply
        for stranger in strangers:
            stranger.settimeout(PATIENCE_S)
            assert MAGIC in stranger.recv(1 << 16)
            stranger.settimeout(0.2)
            with pytest.raises(TimeoutError):  # its connection is still open: nobody waited for its end
                stranger.recv(1)
            stranger.close()
        client.stop()

    def test_a_second_client_is_told_of_the_first(self, listening):
        first = WorkerClient(RemoteWorker("127.0.0.1", listening, "the token"))
        assert ask(first, "status").reply
        second = WorkerClient(RemoteWorker("127.0.0.1", listening, "the token"))
        assert "Another client is connected" in str(ask(second, "status").error)
        assert ask(first, "status").reply
        first.stop()
        again = WorkerClient(RemoteWorker("127.0.0.1", listening, "the token"))
        assert ask(again, "status").reply
        again.stop()

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        client = WorkerClient(RemoteWorker("127.0.0.1", port, "x"))
        assert ask(client, "status").error.kind == "lost"
