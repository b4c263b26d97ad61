"""Sources of a worker: a child process started here, or one that waits on another machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import prostreg
from prostreg.worker.protocol import TOKEN_VARIABLE
from ProSTRegistrationLib.Worker.Interpreter import Interpreter, ownInterpreter
from ProSTRegistrationLib.Worker.WorkerChannel import ChannelLost, WorkerChannel

STARTUP_LIMIT_S = 90.0
END_LIMIT_S = 0.2
LOG_LINES = 20
LOG_PREFIX = "prostreg-worker-"
LOG_LIFE_S = 7 * 24 * 3600.0
KILLED = (-9, 137)
"""Exit codes of what SIGKILL ended, as Python and as shells tell them."""

BELOW_APPLICATION = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
"""On Windows, the application that a person looks at comes first; elsewhere the worker sees to that."""


class LocalWorker:
    """A worker process of this machine, which connects back and ends with this process.

    Args:
        interpreter: the Python that has torch: its path, or a function that is asked for it at each start; the
            application's own if it is None.
        logFolder: folder for the worker's log file; the system's temporary one if it is None.
    """

    def __init__(
        self, interpreter: str | Callable[[], Interpreter] | None = None, logFolder: str | None = None
    ) -> None:
        self._choose = interpreter if callable(interpreter) else lambda: ownInterpreter(interpreter)
        self._logFolder = logFolder
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: socket.socket | None = None
        self._candidates: list[WorkerChannel] = []
        self._workerPid: int | None = None
        self._isEnded = False
        self.logPath: Path | None = None

    def start(self) -> None:
        """Starts the process and returns at once."""
        self._workerPid = None
        self._isEnded = False
        self._token = secrets.token_hex(32)
        self._deadline = time.monotonic() + STARTUP_LIMIT_S
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        port = self._listener.getsockname()[1]
        interpreter = self._choose()
        command = [*interpreter.command, "-m", "prostreg.worker", "--connect", f"127.0.0.1:{port}"]
        with self._openLog() as log:
            self._process = subprocess.Popen(
                command,
                env=self._environment(interpreter),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0) | BELOW_APPLICATION,
            )

    def poll(self) -> WorkerChannel | None:
        """The channel to the worker once it has connected and proved itself, None until then.

        Raises:
            ChannelLost: it ended or stays silent.
        """
        self._accept()
        for candidate in list(self._candidates):
            try:
                candidate.poll(0)
            except ChannelLost:
                # Something else on this machine knocked on the port.
                candidate.close()
                self._candidates.remove(candidate)
                continue
            if candidate.isProven:
                self._candidates.remove(candidate)
                self._workerPid = candidate.workerPid
                self._stopListening()
                return candidate
        if self._process is not None and self._process.poll() is not None:
            raise ChannelLost(f"it ended while starting{self.howItEnded()}")
        if time.monotonic() > self._deadline:
            raise ChannelLost(f"it did not answer within {STARTUP_LIMIT_S:.0f} s")
        return None

    def end(self) -> None:
        """Sees to it that the process is gone; its channel has to be closed already."""
        self._stopListening()
        if self._process is None:
            return
        try:
            self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._isEnded = True
            self._killWorker()
            self._process.kill()
            self._process.wait()

    def howItEnded(self) -> str:
        """A few words to append to a message: the exit code, where there is one."""
        if self._process is None or self._process.poll() is None:
            return ""
        code = self._process.returncode
        who = "its launcher ended with code" if self._hasLauncher else "exit code"
        why = "; so ends what the system kills when its memory is full" if code in KILLED and not self._isEnded else ""
        return f" ({who} {code}{why})"

    @property
    def _hasLauncher(self) -> bool:
        """True where the process that was started has only started the worker, as PythonSlicer does."""
        return self._process is not None and self._workerPid not in (None, self._process.pid)

    def _killWorker(self) -> None:
        # The launcher still waits for it, so that the number cannot be another process's yet.
        if self._hasLauncher and self._workerPid is not None:
            with contextlib.suppress(OSError):
                os.kill(self._workerPid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def logTail(self) -> str:
        """The last lines of the worker's log."""
        if self.logPath is None or not self.logPath.exists():
            return ""
        return "\n".join(self.logPath.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])

    def discardLog(self) -> None:
        """Removes the log file; for the end of the application."""
        if self.logPath is not None:
            self.logPath.unlink(missing_ok=True)
            self.logPath = None

    def _openLog(self) -> BinaryIO:
        handle, path = tempfile.mkstemp(prefix=LOG_PREFIX, suffix=".log", dir=self._logFolder)
        self.discardLog()
        _removeOldLogs(Path(path).parent)
        self.logPath = Path(path)
        return os.fdopen(handle, "wb")

    def _environment(self, interpreter: Interpreter) -> dict[str, str]:
        engineFolder = str(Path(prostreg.__file__).parent.parent)
        searchPath = [engineFolder, *filter(None, [interpreter.environment.get("PYTHONPATH")])]
        return {
            **interpreter.environment,
            TOKEN_VARIABLE: self._token,
            "PYTHONPATH": os.pathsep.join(searchPath),
            "PYTHONFAULTHANDLER": "1",
            "PYTHONIOENCODING": "utf-8",
        }

    def _accept(self) -> None:
        while self._listener is not None:
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._candidates.append(WorkerChannel(connection, self._token))

    def _stopListening(self) -> None:
        for candidate in self._candidates:
            candidate.close()
        self._candidates.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None


def _removeOldLogs(folder: Path) -> None:
    """Removes logs that were left where an application was killed."""
    for log in folder.glob(f"{LOG_PREFIX}*.log"):
        with contextlib.suppress(OSError):
            if time.time() - log.stat().st_mtime > LOG_LIFE_S:
                log.unlink()


class RemoteWorker:
    """A worker that was started by hand with --listen, usually reached through an SSH tunnel.

    Args:
        host: name or address, 127.0.0.1 for a tunnel.
        port: where it listens, or where the tunnel starts.
        token: the value of PROSTREG_WORKER_TOKEN on its machine.
    """

    logPath: Path | None = None

    def __init__(self, host: str, port: int, token: str) -> None:
        self._address = (host, port)
        self._token = token
        self._channel: WorkerChannel | None = None

    def start(self) -> None:
        """Begins to connect and returns at once."""
        connection = socket.socket()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        connection.connect_ex(self._address)
        self._deadline = time.monotonic() + STARTUP_LIMIT_S
        self._channel = WorkerChannel(connection, self._token)

    def poll(self) -> WorkerChannel | None:
        """The channel once the worker has proved itself, None until then.

        Raises:
            ChannelLost: nothing answers there, or it does not know the token.
        """
        assert self._channel is not None, "start() comes first"
        self._channel.poll(0)
        if self._channel.isProven:
            return self._channel
        if time.monotonic() > self._deadline:
            raise ChannelLost(f"it did not answer within {STARTUP_LIMIT_S:.0f} s")
        return None

    def end(self) -> None:
        """Leaves the worker running for the next client."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def howItEnded(self) -> str:
        return f" (at {self._address[0]}:{self._address[1]})"

    def logTail(self) -> str:
        """Nothing: the log of that worker is on its own machine."""
        return ""

    def discardLog(self) -> None:
        """Does nothing, for the same reason."""
