"""The worker's wire format and its mutual proof, without a process."""

import json

import numpy as np
import pytest

from prostreg.worker.handshake import Handshake, HandshakeError
from prostreg.worker.protocol import MAGIC, PREAMBLE, BrokenStreamError, MessageDecoder, encode


def stream(header, arrays=None):
    return b"".join(bytes(buffer) for buffer in encode(header, arrays))


def decoded(decoder):
    items = []
    while (item := decoder.next()) is not None:
        items.append(item)
    return items


def raw_frame(header: bytes, payload: bytes = b""):
    return PREAMBLE.pack(MAGIC, len(header), len(payload)) + header + payload


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint16", "int32", "float32", "float64", ">i2"])
def test_arrays_arrive_as_they_were_sent(dtype):
    rng = np.random.default_rng(1)
    array = (rng.random((3, 4, 5)) * 100).astype(dtype)
    views = {"ct": array, "turned": array.transpose(2, 0, 1)[::-1], "none": array[:0], "one": array[0, 0, 0]}
    decoder = MessageDecoder()
    decoder.feed(stream({"id": 3, "name": "größe"}, views))
    (message,) = decoded(decoder)
    assert message.header == {"id": 3, "name": "größe"}
    for name, sent in views.items():
        assert message.arrays[name].shape == sent.shape
        assert message.arrays[name].dtype == np.dtype(dtype).newbyteorder("<")
        assert np.array_equal(message.arrays[name], sent)


def test_pieces_of_any_size_make_the_same_messages():
    rng = np.random.default_rng(2)
    data = b"".join(stream({"id": n}, {"a": rng.random(rng.integers(0, 40))}) for n in range(20))
    decoder, items = MessageDecoder(), []
    while data:
        size = int(rng.integers(1, 60))
        decoder.feed(data[:size])
        data = data[size:]
        items += decoded(decoder)
    assert [item.header["id"] for item in items] == list(range(20))


def test_received_arrays_are_writable_and_independent():
    decoder = MessageDecoder()
    decoder.feed(stream({}, {"a": np.zeros(4)}))
    (message,) = decoded(decoder)
    message.arrays["a"][0] = 1.0
    decoder.feed(stream({}, {"a": np.zeros(4)}))
    assert decoded(decoder)[0].arrays["a"][0] == 0.0


def described(**changes):
    return json.dumps({"id": 7, "arrays": [{"name": "a", "dtype": "<f4", "shape": [2], **changes}]}).encode()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (raw_frame(b"{not json"), "not JSON"),
        (raw_frame(b"[1, 2]"), "not a JSON object"),
        (raw_frame(b"[" * 100_000), "not JSON"),
        (raw_frame(described(dtype="|O"), bytes(8)), "not allowed"),
        (raw_frame(described(dtype=["<f4"]), bytes(8)), "not as its header says"),
        (raw_frame(described(shape=[3]), bytes(8)), "too few"),
        (raw_frame(described(shape=[1]), bytes(8)), "are described"),
        (raw_frame(described(shape=[-2]), bytes(8)), "counts"),
        (raw_frame(described(shape=[2**50, 2**50]), bytes(8)), "too few"),
        (raw_frame(json.dumps({"id": 7, "arrays": [{}] * 100}).encode()), "the limit is 64"),
        (raw_frame(json.dumps({"id": 7, "arrays": 5}).encode()), "not as its header says"),
        (PREAMBLE.pack(MAGIC, 10, 2**60) + b"0123456789", "larger than the limit"),
        (PREAMBLE.pack(MAGIC, 2**31, 0), "larger than the limit"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3, "does not go on with a message"),
    ],
)
def test_a_broken_message_is_refused_in_words_and_nothing_behind_it_is_believed(bad, words):
    decoder = MessageDecoder()
    decoder.feed(stream({"id": 1}) + bad + stream({"id": 2}))
    assert decoder.next().header == {"id": 1}
    with pytest.raises(BrokenStreamError, match=words):
        decoder.next()


def test_random_damage_is_a_message_or_refused():
    rng = np.random.default_rng(4)
    refused = 0
    for _ in range(300):
        damaged = bytearray(stream({"id": 5, "x": "y" * 20}, {"a": np.arange(10)}))
        for _ in range(int(rng.integers(1, 6))):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        decoder = MessageDecoder()
        decoder.feed(bytes(damaged))
        try:
            decoded(decoder)
        except BrokenStreamError:
            refused += 1
    assert 0 < refused < 300


def test_objects_cannot_be_sent():
    with pytest.raises(ValueError, match="cannot carry"):
        encode({}, {"a": np.array([object()])})


def run_handshake(worker, client):
    """Passes headers to and fro until both are silent."""
    to_client, to_worker = [worker.opening], [client.opening]
    while to_client or to_worker:
        if to_client:
            to_worker += client.receive(to_client.pop(0))
        if to_worker:
            to_client += worker.receive(to_worker.pop(0))


def test_same_token_proves_both_sides():
    worker, client = Handshake("worker", "secret"), Handshake("client", "secret")
    run_handshake(worker, client)
    assert worker.done
    assert client.done


def test_other_token_is_refused():
    with pytest.raises(HandshakeError, match="does not know the token"):
        run_handshake(Handshake("worker", "secret"), Handshake("client", "guess"))


def test_own_answer_cannot_be_reflected():
    """Who knows no token cannot send a worker's own proof back to it."""
    worker = Handshake("worker", "secret")
    (answer,) = worker.receive(worker.opening)
    with pytest.raises(HandshakeError):
        worker.receive(answer)
    assert not worker.done


@pytest.mark.parametrize("header", [{}, {"event": "proof"}, {"event": "proof", "proof": "ü"}, {"event": "hello"}])
def test_nonsense_is_refused(header):
    with pytest.raises(HandshakeError):
        Handshake("worker", "secret").receive(header)
