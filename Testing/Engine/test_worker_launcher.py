"""A worker behind a launcher: in Slicer, PythonSlicer starts the Python that works, and waits for it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PythonLauncher import python_behind_launcher

from Patience import PATIENCE_S
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient
from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="scripts cannot be launchers there")


def wait_until(condition: Callable[[], object], client: WorkerClient) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, client.logTail()
        client.poll()
        time.sleep(0.01)


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[tuple[WorkerClient, int]]:
    """A client whose worker is up, and the worker's process number."""
    client = WorkerClient(LocalWorker(python_behind_launcher(tmp_path), str(tmp_path)))
    told: list[int] = []
    client.request("status", onReply=lambda content, _: told.append(content["process"]))
    wait_until(lambda: told, client)
    yield client, told[0]
    client.stop()


def test_a_worker_that_hangs_is_ended_and_not_only_its_launcher(worker: tuple[WorkerClient, int]) -> None:
    client, process = worker
    os.kill(process, signal.SIGSTOP)
    client.stop()
    wait_until(lambda: is_gone(process), client)


def test_the_launchers_code_is_not_given_out_for_the_workers(worker: tuple[WorkerClient, int]) -> None:
    client, process = worker
    source = client.source
    assert isinstance(source, LocalWorker)
    assert source._process is not None
    os.kill(process, signal.SIGKILL)
    source._process.wait(PATIENCE_S)
    errors: list[str] = []
    client.request("status", onError=lambda error: errors.append(str(error)))
    wait_until(lambda: errors, client)
    assert "its launcher ended with code 9" in errors[0]
