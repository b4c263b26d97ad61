"""The real client driven as Slicer's timer drives it, until it has its answers."""

import time

from Patience import PATIENCE_S


class Answers:
    """Collects what the client calls back for one request."""

    def __init__(self):
        self.reply = self.arrays = self.error = None
        self.progress = []

    @property
    def done(self):
        return self.reply is not None or self.error is not None

    def on_reply(self, content, arrays):
        self.reply, self.arrays = content, arrays

    def on_error(self, error):
        self.error = error


def begin(client, command, arrays=None, **fields):
    answers = Answers()
    client.request(
        command,
        arrays,
        onReply=answers.on_reply,
        onProgress=answers.progress.append,
        onError=answers.on_error,
        **fields,
    )
    return answers


def pump(client, *conditions):
    """Polls as Slicer's timer would until all conditions hold."""
    _poll_until(conditions, client.poll, client)


def pump_logic(logic, condition):
    """The same for a Logic, which does more than its client when it is polled."""
    _poll_until([condition], logic.poll, logic.client)


def _poll_until(conditions, poll, client):
    deadline = time.monotonic() + PATIENCE_S
    while not all(condition() for condition in conditions):
        assert time.monotonic() < deadline, f"no answer; the worker's log:\n{client.logTail()}"
        poll()
        time.sleep(0.002)


def ask(client, command, arrays=None, **fields):
    answers = begin(client, command, arrays, **fields)
    pump(client, lambda: answers.done)
    return answers


def answered(client, command, arrays=None, **fields):
    """The answers where an error would be one of the test."""
    answers = ask(client, command, arrays, **fields)
    assert answers.error is None, f"{answers.error}\n{answers.error.details}\n{client.logTail()}"
    return answers


def answer(client, command, arrays=None, **fields):
    """What the worker replies where an error would be one of the test."""
    return answered(client, command, arrays, **fields).reply
