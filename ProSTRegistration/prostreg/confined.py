"""Work that may crash, hang or fill the memory, in a child process with limits: what goes wrong there is but a word."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
from pathlib import Path

from prostreg.job_limits import limit_committed_memory

_BASE_BYTES = 3 << 29
"""Address space of Python with numpy and SimpleITK before they do anything."""

_OUT_OF_MEMORY = 3


def run_confined(module: str, folder: Path, limit_s: float, memory_bytes: int) -> str | None:
    """Calls ``main()`` of a module in a child process that works in ``folder``.

    Args:
        limit_s: of time.
        memory_bytes: what the work itself may need; macOS has no means to hold it.

    Returns:
        What happened to the child, a predicate ("took longer than 60 s"); None where it ended well.
    """
    places = [str(Path(place).resolve()) for place in sys.path]
    code = f"import sys; sys.path[:] = {places!r}; from prostreg.confined import work; work({module!r}, {memory_bytes})"
    if not sys.executable:
        return "could not be started, because this application does not say where its Python is"
    try:
        ended = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=limit_s,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {limit_s:.0f} s"
    except OSError as error:
        return f"could not be started ({error.strerror})"
    if ended.returncode == _OUT_OF_MEMORY:
        return f"needed more than {memory_bytes / 2**30:.1f} GiB of memory"
    return None if ended.returncode == 0 else "refused the data" if ended.returncode == 1 else "crashed"


def work(module: str, memory_bytes: int) -> None:
    """The child's side of ``run_confined``."""
    _limit_memory(_BASE_BYTES + memory_bytes)
    try:
        importlib.import_module(module).main()
    except MemoryError:
        sys.exit(_OUT_OF_MEMORY)


def _limit_memory(limit_bytes: int) -> None:
    """Has the system refuse what this process asks for beyond a limit; leaves no image of its memory behind."""
    if sys.platform == "win32":
        limit_committed_memory(limit_bytes)
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY or limit_bytes < hard:
        with contextlib.suppress(OSError, ValueError):  # macOS refuses it to processes that reserve more addresses
            resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
