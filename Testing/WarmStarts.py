"""Children of the tests that begin with the large libraries loaded: importing torch takes longer than most tests do.

On Linux one process imports them, nothing of ours, and waits. Where a test, or the product in a test, starts
``python -m prostreg`` or ``python -m prostreg.worker``, that process forks: the copy gets the arguments, environment,
folder and files of the child, becomes a child of the test's process, and runs the module. All else starts cold: code,
options, a shell, another Python, an environment with what Python or a library reads while it starts. So does everything
in tests with the fixture ``cold_starts``: those of the start itself, and those that compare what processes computed.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import importlib
import inspect
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LIBRARIES = ("numpy", "SimpleITK", "torch", "numba", "numba.core.caching", "pydicom")
MODULES = ("prostreg", "prostreg.worker")
ENGINE = str(Path(__file__).resolve().parents[1] / "ProSTRegistration")
READ_LATER = ("PROSTREG_", "PYTEST_", "TMPDIR", "XDG_CACHE_HOME")
"""How the names of variables begin that nothing reads while Python or one of the libraries starts."""
PLAIN = {
    "executable": None, "preexec_fn": None, "close_fds": True, "pass_fds": (), "startupinfo": None, "creationflags": 0,
    "shell": False, "restore_signals": True, "gid": None, "gids": None, "uid": None, "umask": -1,
    "start_new_session": False, "process_group": -1,
}  # fmt: skip
"""What a copy can be: the arguments of `subprocess.Popen` that have other values in no warm start."""
INHERITED_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
REQUEST_BYTES = 1 << 17
PR_SET_CHILD_SUBREAPER = 36


class WarmPython:
    """The process that waits, started when it is first needed; its copies are children of this one.

    Args:
        environment: the variables it is started with, and its copies but for those that are read later.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._one_at_a_time = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._asks, self._answers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def start(self, arguments: Sequence[str], folder: str, environment: Mapping[str, str], files: list[int]) -> int:
        """Makes a copy that runs a module.

        Args:
            arguments: the module and what follows it on the command line.
            files: its standard input, output and error.

        Returns:
            The number of the process.
        """
        ignored = [int(number) for number in INHERITED_SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
        request = json.dumps([list(arguments), folder, dict(environment), ignored]).encode("ascii")
        with self._one_at_a_time, _orphans_taken_in():
            if self._process is None:
                answers = self._answers.fileno()
                self._process = subprocess.Popen(
                    [sys.executable, __file__, str(answers)], env=self._environment, pass_fds=[answers]
                )
                self._answers.close()
            socket.send_fds(self._asks, [request], files)
            return int(self._asks.recv(REQUEST_BYTES))

    def end(self) -> None:
        for end in (self._asks, self._answers):
            end.close()
        if self._process is not None:
            self._process.wait()


@contextmanager
def _orphans_taken_in() -> Iterator[None]:
    """Meanwhile this process is the parent of those whose parent ends; not for good, because tests wait for orphans."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


class Starts:
    """What `subprocess.Popen` does to start a process while this is installed."""

    def __init__(self) -> None:
        # With more threads than one, numpy starts them as it is imported: they would not come along into a copy.
        self.may_be_warm = sys.platform == "linux" and os.environ.get("OPENBLAS_NUM_THREADS") == "1"
        self._environment = dict(os.environ)
        self._python = WarmPython(self._environment)
        self._start_cold: Any = vars(subprocess.Popen)["_execute_child"]
        self._signature = inspect.signature(self._start_cold)

    @contextmanager
    def installed(self) -> Iterator[Starts]:
        start_cold, starts = self._start_cold, self

        def start(popen: subprocess.Popen[Any], *given: Any) -> None:
            asked = starts._signature.bind(popen, *given).arguments
            if starts._is_warm(asked):
                starts._start_warm(popen, asked)
            else:
                start_cold(popen, *given)

        setattr(subprocess.Popen, "_execute_child", start)  # noqa: B010 (mypy knows no such method)
        try:
            yield self
        finally:
            setattr(subprocess.Popen, "_execute_child", start_cold)  # noqa: B010
            self._python.end()

    def _is_warm(self, asked: Mapping[str, Any]) -> bool:
        command, folder, environment = asked["args"], asked["cwd"], asked["env"]
        return (
            self.may_be_warm
            and isinstance(command, list)
            and command[:2] == [sys.executable, "-m"]
            and command[2:3] in [[module] for module in MODULES]
            and all(asked[name] == value for name, value in PLAIN.items() if name in asked)
            and (folder is None or Path(folder).is_dir())
            and self._can_be_taken_over(os.environ if environment is None else environment)
        )

    def _can_be_taken_over(self, environment: Mapping[str, str]) -> bool:
        before = self._environment
        path = before.get("PYTHONPATH")
        acted_on = {
            "PYTHONPATH": (ENGINE, os.pathsep.join(filter(None, [ENGINE, path]))),
            "PYTHONFAULTHANDLER": ("1",),
            "PYTHONIOENCODING": ("utf-8",),
            # What a command that ran in the test's process has left for its children; torch's own words stay loud.
            "PYTHONWARNINGS": ("ignore",),
            "TORCH_CPP_LOG_LEVEL": ("ERROR",),
        }
        return all(
            environment.get(name) == before.get(name)
            or name.startswith(READ_LATER)
            or environment.get(name) in acted_on.get(name, ())
            for name in {*environment, *before}
        )

    def _start_warm(self, popen: Any, asked: Mapping[str, Any]) -> None:
        ends = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        environment = os.environ if asked["env"] is None else asked["env"]
        popen.pid = self._python.start(
            [os.fspath(argument) for argument in asked["args"][2:]],
            str(Path(asked["cwd"] or ".").resolve()),
            environment,
            [number if end == -1 else end for number, end in enumerate(ends)],
        )
        popen._child_created = True
        popen._close_pipe_fds(*(asked[name] for name in _PIPE_ENDS))


_PIPE_ENDS = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


def wait_and_fork(number: int) -> str:
    """What the waiting process does until nobody is left who could ask; returns in the copies alone.

    Args:
        number: the file by which it is asked.

    Returns:
        The module that this copy runs.
    """
    for name in LIBRARIES:
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then end this
    gc.freeze()  # collections of the copies look at none of this, and so copy no pages of it
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a thread does not come along when a process forks"
    with socket.socket(fileno=number) as answers:
        while True:
            request, files, _, _ = socket.recv_fds(answers, REQUEST_BYTES, len(("input", "output", "error")))
            if not request:
                sys.exit()
            told, tells = os.pipe()
            if (between := os.fork()) == 0:
                between = os.getpid()
                if (copy := os.fork()) != 0:
                    os.write(tells, str(copy).encode("ascii"))
                    os._exit(0)
                break
            os.waitpid(between, 0)
            answers.send(os.read(told, 20))
            for file in (told, tells, *files):
                os.close(file)
    while os.getppid() == between:
        time.sleep(0.001)
    os.close(told)
    os.close(tells)
    return become(request, files)


def become(request: bytes, files: Sequence[int]) -> str:
    """Makes this process the one that was asked for; returns the module that it runs."""
    arguments, folder, environment, ignored = json.loads(request)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number in INHERITED_SIGNALS:
        signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    if signal.SIGINT not in ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTHONFAULTHANDLER" in environment:
        faulthandler.enable()
    if "PYTHONWARNINGS" in environment:
        warnings.simplefilter("ignore")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        stream = open(  # noqa: SIM115 (the process has it to its end)
            number, "w" if number else "r", 1 if name == "stderr" else -1,
            environment.get("PYTHONIOENCODING", before.encoding), before.errors, closefd=False,
        )  # fmt: skip
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.path[:1] = [folder, *environment.get("PYTHONPATH", "").split(os.pathsep)[:1]]
    sys.argv[:] = arguments
    return str(arguments[0])


if __name__ == "__main__":
    runpy.run_module(wait_and_fork(int(sys.argv[1])), run_name="__main__", alter_sys=True)
