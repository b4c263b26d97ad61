"""What a worker and its client hear before and after the token is proved."""

from __future__ import annotations

import functools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from targets import Target, as_json, changed, damaged

from Patience import PATIENCE_S
from prostreg.worker.dispatcher import Worker
from prostreg.worker.handshake import MAX_PAYLOAD_BEFORE_PROOF, Handshake, HandshakeError, Role
from prostreg.worker.protocol import MAGIC, PREAMBLE, BrokenStreamError, MessageDecoder, encode
from prostreg.worker.server import _serve_in_turn
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient
from ProSTRegistrationLib.Worker.WorkerSource import RemoteWorker

TOKEN = "a token of these inputs alone"
HELLO = {"event": "hello", "protocol": 1, "challenge": "0" * 64}
PROOF = {"event": "proof", "proof": "0" * 64, "pid": 1}
POSE = [[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 700], [0, 0, 0, 1]]
VIEW = {
    "K": [[400, 0, 15.5], [0, 400, 11.5], [0, 0, 1]], "size": [32, 24], "camera_from_world": np.eye(4).tolist(),
    "spacing_mm": [2.5, 2.5], "polarity": "bone-bright",
}  # fmt: skip
LABELS = [{"volume_from_index": np.eye(4).tolist(), "values": [1]}]
NEVER = {"views": ["none"], "ct": "none", "anatomy": "none"}
"""Names what was never loaded: the request is read to its end, and nothing is computed."""
FIRST = {
    "world_from_volume": POSE, "status": "accepted", "confidence": 0.9, "reasons": ["a"], "evidence": {"seen": 1.0},
    "polarity": [{"used": "bone-dark", "certainty": 1}], "device": "cpu",
    "expected_error": {"rotation_deg": [1, 1, 1], "translation_mm": [1, 1, 1], "across_mm": 1, "along_mm": 1},
}  # fmt: skip
REQUESTS: list[dict[str, Any]] = [
    {"id": 1, "command": "load_ct", "volume_from_index": np.diag([4, 4, 4, 1]).tolist(), "arrays": ["ct"]},
    {"id": 2, "command": "load_anatomy", "ct": "CT", "threshold_hu": 200, "arrays": []},
    {"id": 3, "command": "load_anatomy", "ct": "CT", "arrays": ["mask"]},
    {"id": 4, "command": "load_anatomy", "ct": "CT", "labels": LABELS, "arrays": ["labels0"]},
    {"id": 5, "command": "load_views", "views": [VIEW], "arrays": ["pixels0", "mask0"]},
    {"id": 6, "command": "render", "ct": "CT", "view": "VIEW", "world_from_volume": POSE, "downsampling": 2},
    {"id": 7, "command": "adapted", "ct": "CT", "anatomy": "ANATOMY"},
    {"id": 8, "command": "register", **NEVER, "initial": POSE, "name": "a", "config": {"method": "auto", "seed": 1}},
    {"id": 9, "command": "adapt", **NEVER, "initial": None, "view": "none", "minutes": 5, "seed": 1, "name": "a"},
    {"id": 15, "command": "track", **NEVER, "frame": 1, "first": FIRST, "name": "a", "arrays": ["ct"]},
    {"id": 10, "command": "sample", "kind": "none", "folder": "none"},
    {"id": 11, "command": "cancel"},
    {"id": 12, "command": "check", "device": "none"},
    {"id": 13, "command": "register_bones", **NEVER, "bones": [{"name": "a", "anatomy": "b"}], "config": {"seed": 1}},
    {"id": 14, "command": "render", "ct": "CT", "view": "VIEW", "bones": [{"anatomy": "b", "world_from_volume": POSE}]},
]  # fmt: skip
HU = np.full((10, 12, 14), -1000, np.int16)
HU[3:8, 3:9, 3:10] = 600
ARRAYS = {
    "ct": HU, "mask": HU > 0, "labels0": (HU > 0).astype(np.uint8), "mask0": np.ones((24, 32), bool),
    "pixels0": np.random.default_rng(1).random((24, 32)).astype(np.float32), "none": np.zeros((0, 3)),
    "large": np.full((24, 32), 1e308), "not": np.full((10, 12, 14), np.nan, np.float32), "one": np.float64(1)[None],
}  # fmt: skip
NOT_SENT = ("shutdown", "check")
"""Ends the process; takes seconds."""


def _frame(text: bytes, payload: bytes = b"") -> bytes:
    return PREAMBLE.pack(MAGIC, len(text), len(payload)) + text + payload


def _sound(header: dict[str, Any], *arrays: str) -> bytes:
    return b"".join(bytes(buffer) for buffer in encode(header, {name: ARRAYS[name] for name in arrays}))


@functools.cache
def _address() -> tuple[str, int]:
    """Where a worker of this process listens."""
    server = socket.create_server(("127.0.0.1", 0))
    worker = Worker(stays=True)
    threading.Thread(target=worker.work, daemon=True).start()
    threading.Thread(target=_serve_in_turn, args=(worker, server, TOKEN), daemon=True).start()
    address: tuple[str, int] = server.getsockname()
    return address


@contextmanager
def _connected(to: socket.socket, role: Role) -> Iterator[Callable[[], dict[str, Any]]]:
    """A side that has proved itself to the other; gives what hears the other's next header."""
    to.settimeout(PATIENCE_S)
    decoder, handshake = MessageDecoder(), Handshake(role, TOKEN)

    def heard() -> dict[str, Any]:
        while (message := decoder.next()) is None:
            data = to.recv(1 << 20)
            if not data:
                raise AssertionError("the other side hung up")
            decoder.feed(data)
        return message.header

    with to:
        to.sendall(_sound(handshake.opening))
        while not handshake.done:
            for answer in handshake.receive(heard()):
                to.sendall(_sound(answer))
        yield heard


@functools.cache
def _ids() -> dict[str, str]:
    """What the worker calls the CT, the anatomy and the view that it has."""
    found: dict[str, str] = {}
    to = socket.create_connection(_address())
    with _connected(to, "client") as heard:
        for request, name, key in ((0, "CT", "ct"), (2, "ANATOMY", "anatomy"), (4, "VIEW", "views")):
            to.sendall(_request(_named(REQUESTS[request], found)))
            told = heard()["content"][key]
            found[name] = told if isinstance(told, str) else told[0]
    return found


def _named(content: Any, ids: dict[str, str]) -> Any:
    """Ids in place of CT, ANATOMY and VIEW."""
    text = json.dumps(content)
    for name, told in ids.items():
        text = text.replace(f'"{name}"', f'"{told}"')
    return json.loads(text)


def _request(content: dict[str, Any]) -> bytes:
    """A message with the arrays that it names."""
    named = content.get("arrays")
    names = [n for n in named if isinstance(n, str) and n in ARRAYS] if isinstance(named, list) else []
    arrays = {name: ARRAYS[name] for name in names}
    described = [{"name": n, "dtype": array.dtype.str, "shape": list(array.shape)} for n, array in arrays.items()]
    return _frame(as_json({**content, "arrays": described}), b"".join(array.tobytes() for array in arrays.values()))


def _ask(path: Path) -> None:
    """Sends a request; the worker has to answer it, never with a defect, and is there for the next one."""
    content = _named(json.loads(path.read_bytes()), _ids())
    if not isinstance(content, dict) or content.get("command") in NOT_SENT:
        return
    if content.get("command") in ("register", "register_bones", "track", "adapt"):
        content |= NEVER
    if content.get("command") == "sample":
        content["folder"] = f"{path}/{content.get('folder')}"  # below a file: nothing is ever written
    to = socket.create_connection(_address())
    with _connected(to, "client") as heard:
        to.sendall(_request(content))
        told = heard()
        assert told["event"] in ("reply", "error"), told
        if told["event"] == "error":
            assert told["content"]["kind"] in ("input", "not-loaded", "protocol", "weights", "stopped"), told
            for fault in told["content"]["faults"]:
                assert fault.isprintable(), fault


def _hear_before_the_token(path: Path) -> None:
    """Bytes of somebody who may know no token, at both ends."""
    for role in ("worker", "client"):
        decoder, handshake = MessageDecoder(MAX_PAYLOAD_BEFORE_PROOF), Handshake(role, TOKEN)
        decoder.feed(path.read_bytes())
        try:
            while (message := decoder.next()) is not None:
                for answer in handshake.receive(message.header):
                    encode(answer)
        except (BrokenStreamError, HandshakeError):
            pass
        assert not handshake.done


def _hear_after_the_token(path: Path) -> None:
    """A stream with arrays."""
    decoder = MessageDecoder()
    decoder.feed(path.read_bytes())
    try:
        while decoder.next() is not None:
            pass
    except BrokenStreamError:
        pass


def _be_answered(path: Path) -> None:
    """A client whose worker answers nonsense: its request ends in an error or a reply, and nothing is raised."""
    ended: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = WorkerClient(RemoteWorker(*server.getsockname(), TOKEN))
        client.request("status", onReply=lambda *reply: ended.append(reply), onError=lambda e: ended.append(str(e)))
        client.poll()
        worker, _ = server.accept()
        thread = threading.Thread(target=_answer, args=(worker, path.read_bytes()), daemon=True)
        thread.start()
        while not ended:
            client.poll()
        thread.join()
        client.stop()


def _answer(worker: socket.socket, message: bytes) -> None:
    with _connected(worker, "worker") as heard:
        heard()
        worker.sendall(message)


HELLOS = st.one_of(changed([HELLO, PROOF, [HELLO, PROOF]]).map(lambda header: _frame(as_json(header))))
STREAM = [_sound({"id": 1, "command": "load_ct"}, "ct", "mask"), _sound(HELLO) + _sound(PROOF)]
ARRAY = {"name": "a", "dtype": "<f4", "shape": [2, 1]}
ANSWERS = [
    {"id": 1, "event": "reply", "content": {"state": "ready"}, "arrays": []},
    {"id": 1, "event": "error", "content": {"kind": "input", "faults": ["No."], "message": "No.", "traceback": ""}},
    {"id": None, "event": "error", "content": {"kind": "protocol", "faults": ["No."]}},
    {"id": 1, "event": "progress", "content": {"fraction": 0.5, "message": "on"}},
    {"id": 1, "event": "superseded", "content": {}},
]

TARGETS = {
    "before the token": Target("hello.bin", _hear_before_the_token, st.one_of(HELLOS, damaged(STREAM))),
    "after the token": Target(
        "stream.bin",
        _hear_after_the_token,
        st.one_of(
            damaged(STREAM),
            changed([{"id": 1, "arrays": [ARRAY]}]).map(lambda header: _frame(as_json(header), bytes(8))),
        ),
    ),
    "requests": Target("request.json", _ask, changed(REQUESTS).map(as_json)),
    "answers": Target("answer.bin", _be_answered, changed(ANSWERS).map(lambda a: _frame(as_json(a)))),
}
