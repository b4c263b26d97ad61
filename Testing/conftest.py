"""What all tests share: their order, the threads of torch and numpy, and that memory goes back to the machine."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator

import pytest

# Their threads wait for each other in busy loops: on cores that others use too, tests of small networks take eight
# times longer with two threads than with one. The engine's own threads, which sleep while they wait, stay as they are.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# Where Python is told to keep nothing that it has compiled, each process that a test starts compiles the engine anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The panel's tests take longest, and begin first: no process shall end long after the others."""
    items.sort(key=lambda item: item.path.parent.name != "Qt")


@pytest.fixture(scope="module", autouse=True)
def give_freed_memory_back() -> Iterator[None]:
    """The C library keeps what a file's tests have freed, half a gigabyte of small tensors, unless it is told."""
    yield
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


@pytest.fixture
def signals_heard() -> Iterator[None]:
    """Processes that are started here hear Ctrl-C, also where the suite itself runs in the background."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
