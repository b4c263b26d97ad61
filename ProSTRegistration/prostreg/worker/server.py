"""Starts the worker process and connects it to its client.

A worker started with ``--connect`` belongs to the process that it connects to and ends with it, at once.
One started with ``--listen`` serves one client after another and keeps what they loaded.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
from collections.abc import Sequence

from prostreg.errors import InputError, ProSTError
from prostreg.worker.connection import Connection
from prostreg.worker.dispatcher import Worker, refuse
from prostreg.worker.protocol import TOKEN_VARIABLE

CONNECT_TIMEOUT_S = 20.0
NICENESS = 5
MOST_HANDSHAKES = 32
HANDOVER_S = 5.0
"""For a client that has just left to be gone."""


def main(connect: str | None, listen: str | None) -> int:
    """Runs the worker until its client leaves (connect), or until it is told to stop (listen).

    Args:
        connect: HOST:PORT of the waiting client.
        listen: HOST:PORT to wait on, for a worker on another machine; reach it through an SSH tunnel.

    Returns:
        The exit code.

    Raises:
        InputError: for addresses or a token that cannot be used.
    """
    token = os.environ.pop(TOKEN_VARIABLE, "")
    if not token:
        raise InputError(f"The environment variable {TOKEN_VARIABLE} is empty: set it to a long random text.")
    if (connect is None) == (listen is None):
        raise InputError("Give either --connect HOST:PORT or --listen HOST:PORT.")
    worker = Worker(stays=listen is not None)
    if connect is not None:
        _give_way()
        connected = _connect(_address(connect))
        reader = threading.Thread(target=worker.serve, args=(Connection(connected, token),), daemon=True)
    else:
        server = _listen(_address(str(listen)))
        reader = threading.Thread(target=_serve_in_turn, args=(worker, server, token), daemon=True)
    reader.start()
    try:
        worker.work()
    except KeyboardInterrupt:
        return 0
    return 0


def _give_way() -> None:
    """The application that a person looks at comes first when all cores are busy; on Windows, it sees to that."""
    if sys.platform != "win32":
        os.nice(NICENESS)


def _serve_in_turn(worker: Worker, server: socket.socket, token: str) -> None:
    """Accepts for ever; a handshake that lingers keeps nobody else waiting, but for `MOST_HANDSHAKES` of them."""
    desk, is_served = threading.Semaphore(MOST_HANDSHAKES), threading.Lock()

    def admit(connected: socket.socket, peer: str) -> None:
        try:
            connection = Connection(connected, token)
        except Exception as error:
            print(f"Refused {peer}: {error}", file=sys.stderr, flush=True)
            return
        finally:
            desk.release()
        if not is_served.acquire(timeout=HANDOVER_S):
            refuse(connection, "Another client is connected to this worker: end that session first.")
            return
        try:
            worker.serve(connection)
        finally:
            is_served.release()

    while True:
        connected, address = server.accept()
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        desk.acquire()
        threading.Thread(target=admit, args=(connected, f"{address[0]}:{address[1]}"), daemon=True).start()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"The address {text!r} is not HOST:PORT, as in 127.0.0.1:5555.")
    return host, int(port)


def _connect(address: tuple[str, int]) -> socket.socket:
    try:
        connected = socket.create_connection(address, timeout=CONNECT_TIMEOUT_S)
    except OSError as error:
        raise InputError(f"No client waits at {address[0]}:{address[1]} ({error}).") from error
    connected.settimeout(None)
    return connected


def _listen(address: tuple[str, int]) -> socket.socket:
    try:
        server = socket.create_server(address)
    except OSError as error:
        raise InputError(f"Cannot listen on {address[0]}:{address[1]} ({error}): choose another port.") from error
    host, port = server.getsockname()[:2]
    print(f"The worker listens on {host}:{port}", file=sys.stderr, flush=True)
    return server


def run(arguments: Sequence[str]) -> int:
    """The command line of ``python -m prostreg.worker``."""
    parser = argparse.ArgumentParser(prog="prostreg worker", description="The worker process of ProSTRegistration.")
    parser.add_argument("--connect", metavar="HOST:PORT", help="connect to a waiting client and end with it")
    parser.add_argument("--listen", metavar="HOST:PORT", help="wait for clients")
    options = parser.parse_args(arguments)
    try:
        return main(options.connect, options.listen)
    except ProSTError as error:
        print(error, file=sys.stderr)
        return 2
