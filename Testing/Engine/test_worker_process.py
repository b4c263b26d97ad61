"""The real worker process, driven by the real client."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from WorkerDriving import answer, ask, begin, pump

from Patience import PATIENCE_S
from prostreg.geometry.carm import CArm
from prostreg.images.attenuation import attenuation_from_hu
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector
from prostreg.worker.connection import Connection
from prostreg.worker.dispatcher import Worker
from prostreg.worker.protocol import MAGIC, PREAMBLE, TOKEN_VARIABLE
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient
from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker, RemoteWorker


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    made = WorkerClient(LocalWorker(sys.executable, tmp_path_factory.mktemp("log mit ü")))
    yield made
    made.stop()


CARM = CArm.from_sdd(1000.0, (0.8, 1.0), (96, 80), principal_point=(50.0, 37.5))
WORLD_FROM_VOLUME = np.array([[1.0, 0, 0, -20], [0, 0, -1, 10], [0, 1, 0, 700], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def ct():
    """Blobs of bone in air, HU as int16, in an oblique-free but anisotropic grid."""
    rng = np.random.default_rng(5)
    k, j, i = np.mgrid[:40, :48, :44]
    hu = np.full((40, 48, 44), -1000, dtype=np.int16)
    for centre, radius in zip(rng.uniform(12, 30, (6, 3)), rng.uniform(3, 7, 6), strict=True):
        hu[(k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2 < radius**2] = 900
    return Volume(hu, np.diag([1.5, 1.2, 2.0, 1.0]))


def view_fields(carm=CARM, polarity="bone-bright"):
    return {
        "K": carm.intrinsics.tolist(),
        "size": list(carm.size),
        "camera_from_world": carm.camera_from_world.tolist(),
        "spacing_mm": list(carm.spacing_mm),
        "polarity": polarity,
    }


def load(client, ct, pixels):
    """Loads CT, anatomy and one view; returns their ids."""
    ct_id = answer(client, "load_ct", {"ct": ct.values}, volume_from_index=ct.volume_from_index.tolist())["ct"]
    anatomy = answer(client, "load_anatomy", {"mask": ct.values > 0}, ct=ct_id)["anatomy"]
    views = answer(client, "load_views", {"pixels0": pixels}, views=[view_fields()])["views"]
    return {"ct": ct_id, "anatomy": anatomy, "view": views[0]}


@pytest.fixture(scope="module")
def drr(ct):
    """The DRR that the engine renders in this process."""
    attenuation = ct.with_values(attenuation_from_hu(ct.values.astype(np.float32)))
    return make_projector(attenuation).render((CARM.camera_from_world @ WORLD_FROM_VOLUME)[np.newaxis], CARM)[0]


@pytest.fixture(scope="module")
def loaded(client, ct, drr):
    return load(client, ct, drr)


def test_a_view_whose_carm_is_known_otherwise_or_whose_greys_are_has_an_id_of_its_own(client, drr):
    """Else who goes back to the first would be answered for the last."""
    told = ({}, {"accuracy": "preset"}, {"polarity": "bone-dark"}, {})
    views = [[view_fields() | other] for other in told]
    ids = [answer(client, "load_views", {"pixels0": drr}, views=entries)["views"][0] for entries in views]
    assert len(set(ids)) == 3
    assert ids[0] == ids[-1]


def test_start_does_not_block_and_status_comes_before_the_engine_is_there(tmp_path):
    client = WorkerClient(LocalWorker(sys.executable, tmp_path))
    answers = begin(client, "status")
    client.poll()
    assert not answers.done
    pump(client, lambda: answers.done)
    assert answers.reply["versions"]["torch"]
    assert answers.reply["state"] in ("starting", "ready")
    assert client.source.logPath.exists()
    client.stop()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this system shows no command lines as files")
def test_the_token_is_seen_on_no_command_line_and_in_no_log(tmp_path, monkeypatch):
    tokens, secret = [], secrets.token_hex
    monkeypatch.setattr("secrets.token_hex", lambda size: tokens.append(secret(size)) or tokens[-1])
    client = WorkerClient(LocalWorker(sys.executable, tmp_path))
    ask(client, "status")
    lines = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines += path.read_bytes()
    log = client.source.logPath.read_bytes()
    client.stop()
    assert tokens
    assert b"prostreg.worker" in lines
    for token in tokens:
        assert token.encode() not in lines + log


def test_logs_of_applications_that_were_killed_are_tidied_up(tmp_path):
    week_ago = time.time() - 8 * 24 * 3600
    for name in ("prostreg-worker-old.log", "prostreg-worker-new.log", "mine.log"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (week_ago, week_ago) if name != "prostreg-worker-new.log" else None)
    client = WorkerClient(LocalWorker(sys.executable, tmp_path))
    client.start()
    left = {path.name for path in tmp_path.iterdir()} - {client.source.logPath.name}
    client.stop()
    assert left == {"prostreg-worker-new.log", "mine.log"}


def test_render_equals_the_one_in_this_process(client, loaded, drr):
    fields = {"world_from_volume": WORLD_FROM_VOLUME.tolist(), "view": loaded["view"], "ct": loaded["ct"]}
    whole = ask(client, "render", **fields)
    assert np.array_equal(whole.arrays["drr"], drr)
    only_anatomy = ask(client, "render", anatomy=loaded["anatomy"], **fields)
    assert np.allclose(only_anatomy.arrays["drr"], drr, atol=1e-3 * drr.max())
    small = ask(client, "render", downsampling=4, **fields)
    assert small.reply["size"] == [24, 20]
    assert np.allclose(small.reply["K"], CARM.downsampled(4).intrinsics)
    assert small.arrays["drr"].shape == (20, 24)


def test_ids_are_made_of_the_content(client, ct, loaded, drr):
    again = load(client, ct, drr)
    assert again == loaded
    moved = ct.volume_from_index + np.eye(4, k=3)
    other = ask(client, "load_ct", {"ct": ct.values}, volume_from_index=moved.tolist())
    assert other.reply["ct"] != loaded["ct"]
    status = ask(client, "status").reply
    assert set(status["loaded"]["ct"]) == {loaded["ct"], other.reply["ct"]}
    assert status["state"] == "ready"


def test_only_the_latest_waiting_render_is_answered(client, loaded):
    poses = [WORLD_FROM_VOLUME + shift * np.eye(4, k=3) * [[1], [0], [0], [0]] for shift in range(12)]
    fields = {"view": loaded["view"], "ct": loaded["ct"]}
    many = [begin(client, "render", world_from_volume=pose.tolist(), **fields) for pose in poses]
    pump(client, *(lambda a=a: a.done for a in many))
    kinds = [answers.error.kind if answers.error else "rendered" for answers in many]
    assert set(kinds) == {"rendered", "superseded"}
    assert kinds[-1] == "rendered"
    alone = ask(client, "render", world_from_volume=poses[-1].tolist(), **fields)
    assert np.array_equal(alone.arrays["drr"], many[-1].arrays["drr"])


LAST_ROWS = [[0, 0, 1, 0], [0, 0, 0, 1]]


class TestBadRequests:
    def test_all_faults_of_a_request_come_at_once(self, client, loaded):
        error = ask(client, "render", view=3, ct=loaded["ct"], world_from_volume=[[1]], downsampling=0).error
        assert error.kind == "input"
        assert len(error.faults) == 3
        assert "world_from_volume of the request has shape 1x1" in str(error)

    def test_unknown_ids_and_commands(self, client, loaded):
        fields = {"world_from_volume": np.eye(4).tolist(), "view": loaded["view"]}
        assert "CT 'gone' is not loaded" in str(ask(client, "render", ct="gone", **fields).error)
        assert ask(client, "render", ct="gone", **fields).error.kind == "not-loaded"
        assert "no command 'dance'" in str(ask(client, "dance").error)

    def test_unusable_data(self, client, ct, loaded):
        affine = ct.volume_from_index.tolist()
        broken = ct.values.astype(np.float32)
        broken[3, 4, 5] = np.nan
        assert "NaN" in str(ask(client, "load_ct", {"ct": broken}, volume_from_index=affine).error)
        flat = ask(client, "load_ct", {"ct": ct.values}, volume_from_index=np.zeros((4, 4)).tolist()).error
        assert "spacing of zero" in str(flat)
        empty = ask(client, "load_anatomy", {"mask": np.zeros_like(ct.values)}, ct=loaded["ct"]).error
        assert "anatomy is empty" in str(empty)
        views = [view_fields(), view_fields(polarity="sideways")]
        pixels = {"pixels0": np.zeros((80, 96)), "pixels1": np.ones((80, 96))}
        assert "sideways" in str(ask(client, "load_views", pixels, views=views).error)
        views[1]["polarity"], pixels["pixels1"] = "auto", np.random.default_rng(0).random((80, 90))
        error = ask(client, "load_views", pixels, views=views).error
        assert len(error.faults) == 2
        assert error.faults[0].startswith("View 1:")
        assert "View 2: The image has (90, 80) pixels" in error.faults[1]

    def test_arrays_that_cannot_be_sent(self, client):
        error = ask(client, "load_ct", {"ct": np.zeros((2, 2, 2), dtype=complex)}, volume_from_index=[]).error
        assert error.kind == "input"

    @pytest.mark.parametrize(
        ("command", "fields", "kind", "words"),
        [
            ("render", {"downsampling": "x" * 900_000}, "input", "downsampling"),
            ("x" * 900_000, {}, "protocol", "no command 'xxx"),
            ("load_ct", {"volume_from_index": [[10**400] * 4] * 4}, "input", "4 finite numbers"),
            (
                "load_ct",
                {"volume_from_index": [[1, 0, 0, 0], [1e308, 1, 0, 0], *LAST_ROWS]},
                "input",
                "give millimetres",
            ),
            ("load_ct", {"volume_from_index": np.eye(4)[[0, 1, 2, 2]].tolist()}, "input", "must be 0 0 0 1"),
            ("adapt", {"minutes": 10**400}, "input", "minutes"),
            ("sample", {"folder": "a\0b"}, "input", "folder"),
        ],
    )
    def test_what_no_field_can_hold_is_refused_and_the_worker_goes_on(self, client, command, fields, kind, words):
        generation = client.generation
        error = ask(client, command, **fields).error
        assert (error.kind, words in str(error)) == (kind, True), str(error)[:500]
        assert len(str(error)) < 5000
        assert ask(client, "status").reply
        assert client.generation == generation

    def test_half_a_character_is_refused_before_it_is_sent(self, client):
        assert ask(client, "sample", folder="\ud800").error.kind == "input"
        assert ask(client, "status").reply


class TestErrors:
    def test_python_without_torch(self, tmp_path, monkeypatch, ct):
        (tmp_path / "torch.py").write_text("raise ImportError('there is no torch here')")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        client = WorkerClient(LocalWorker(sys.executable, tmp_path))
        error = ask(client, "load_ct", {"ct": ct.values}, volume_from_index=ct.volume_from_index.tolist()).error
        assert error.kind == "environment"
        assert "lacks the package torch" in str(error)
        assert "there is no torch here" in str(error)
        assert "Traceback" in error.details
        assert ask(client, "status").reply
        client.stop()

    def test_defect_is_told_and_the_worker_lives_on(self):
        """The commands of this engine break on purpose, which the real one's must not."""

        class BrokenEngine:
            commands: ClassVar = {"render": lambda message: 1 / 0, "load_ct": lambda message: ({"ct": "7"}, {})}

        class BrokenWorker(Worker):
            def _make_commands(self):
                return BrokenEngine()

        worker = BrokenWorker(stays=True)
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = WorkerClient(RemoteWorker(*server.getsockname(), "token"))
            client.start()
            connected, _ = server.accept()
        reader = threading.Thread(target=lambda: worker.serve(Connection(connected, "token")))
        reader.start()
        threading.Thread(target=worker.work, daemon=True).start()
        error = ask(client, "render").error
        assert error.kind == "defect"
        assert "ZeroDivisionError" in str(error)
        assert "Traceback" in error.details
        assert answer(client, "load_ct") == {"ct": "7"}
        client.stop()
        reader.join()


class TestLostWorkers:
    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
    def test_killed_worker_is_reported_and_started_again(self, tmp_path, ct, drr):
        client = WorkerClient(LocalWorker(sys.executable, tmp_path))
        first = ask(client, "status").reply["process"]
        generation = client.generation
        pending = [begin(client, "load_ct", {"ct": ct.values}, volume_from_index=ct.volume_from_index.tolist())]
        os.kill(first, signal.SIGKILL)
        pending.append(begin(client, "status"))
        pump(client, *(lambda a=a: a.done for a in pending))
        assert {answers.error.kind for answers in pending} == {"lost"}
        assert "exit code -9; so ends what the system kills when its memory is full" in str(pending[0].error)
        assert ask(client, "status").reply["process"] != first
        assert client.generation == generation + 1
        assert load(client, ct, drr)
        client.stop()

    @pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals")
    def test_one_that_had_to_be_killed_here_says_nothing_of_memory(self, tmp_path):
        client = WorkerClient(LocalWorker(sys.executable, tmp_path))
        process = ask(client, "status").reply["process"]
        os.kill(process, signal.SIGSTOP)
        # On a busy machine one of its threads stops later than another, which may still see that the client has left.
        os.waitpid(process, os.WUNTRACED)
        pending = begin(client, "status")
        client.restart()
        assert "ended to start anew (exit code -9)." in str(pending.error)
        client.stop()

    def test_damaged_bytes_are_refused_in_words_and_the_next_request_starts_a_worker(self, tmp_path):
        client = WorkerClient(LocalWorker(sys.executable, tmp_path))
        process = ask(client, "status").reply["process"]
        client._channel._outgoing.append(memoryview(PREAMBLE.pack(MAGIC, 9, 0) + b'{"id": 9,' + b"nonsense " * 100))
        error = ask(client, "status").error
        assert error.kind == "lost"
        assert "could not read what was sent to it (The header is not JSON" in str(error)
        assert "The header is not JSON" in error.details
        assert ask(client, "status").reply["process"] != process
        client.stop()

    def test_interpreter_that_cannot_start(self, tmp_path):
        missing = WorkerClient(LocalWorker(str(tmp_path / "no python"), tmp_path))
        assert "could not be started" in str(ask(missing, "status").error)

    def test_child_that_ends_at_once_tells_its_log(self, tmp_path, monkeypatch):
        script = tmp_path / "broken python"
        script.write_text("#!/bin/sh\necho torch is broken >&2\nexit 3\n")
        script.chmod(0o755)
        client = WorkerClient(LocalWorker(str(script), tmp_path))
        error = ask(client, "status").error
        assert "ended while starting (exit code 3)" in str(error)
        assert "torch is broken" in error.details

    def test_worker_ends_when_its_parent_dies(self, tmp_path):
        parent = textwrap.dedent(f"""
            import os, sys, time
            from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient
            from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker
            client = WorkerClient(LocalWorker(sys.executable, {str(tmp_path)!r}))
            def tell(content, arrays):
                print(content["process"], flush=True)
                os.kill(os.getpid(), 9)
            client.request("status", onReply=tell)
            while True:
                client.poll()
                time.sleep(0.005)
        """)
        run = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, timeout=PATIENCE_S)
        worker = int(run.stdout)
        deadline = time.monotonic() + PATIENCE_S
        while alive(worker):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def test_stranger_at_the_port_is_turned_away(self, tmp_path):
        source = LocalWorker(sys.executable, tmp_path)
        client = WorkerClient(source)
        client.start()
        with socket.create_connection(source._listener.getsockname()) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 4)
            assert ask(client, "status").reply["process"]
        client.stop()


def alive(process):
    """True while a process runs; a dead one that nobody waited for does not count."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("arguments", "token", "words"),
    [
        (["--listen", "127.0.0.1:0"], "", "PROSTREG_WORKER_TOKEN is empty"),
        (["--connect", "nowhere"], "x", "not HOST:PORT"),
        ([], "x", "Give either"),
    ],
)
def test_bad_command_line(arguments, token, words):
    command = [sys.executable, "-m", "prostreg.worker", *arguments]
    run = subprocess.run(command, env={**os.environ, TOKEN_VARIABLE: token}, capture_output=True, text=True)
    assert run.returncode == 2
    assert words in run.stderr
    assert "Traceback" not in run.stderr
