"""The engine's threads: compiled kernels release the GIL, so plain threads use all cores."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import SimpleITK
import torch

from prostreg.machine import usable_cores

Task = TypeVar("Task")

PARTS_PER_CORE = 4


_core_limit: int | None = None


def limit_cores(count: int) -> None:
    """Leaves the other cores to other processes, for good; to be called before any work.

    Images are split among threads by the number of cores, and every pixel is computed alone: results stay the same.
    """
    global _core_limit
    _core_limit = count
    torch.set_num_threads(count)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(count)


def cores() -> int:
    """Cores that this process may use."""
    return usable_cores() if _core_limit is None else _core_limit


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=cores(), thread_name_prefix="prostreg")


def run_all(work: Callable[[Task], None], tasks: Iterable[Task]) -> None:
    """Runs ``work`` on every task, on all cores, and returns when all are done."""
    # Each thread is asked once and fetches its tasks itself: handing one over takes as long as a small image.
    waiting = deque(tasks)

    def work_on_what_waits() -> None:
        while True:
            try:
                task = waiting.popleft()
            except IndexError:
                return
            work(task)

    try:
        for ended in [_threads().submit(work_on_what_waits) for _ in range(min(cores(), len(waiting)))]:
            ended.result()
    finally:
        waiting.clear()


def share_out(work: Callable[[slice], None], count: int) -> None:
    """Splits ``range(count)`` into slices and runs ``work`` on each, on all cores."""
    length = max(1, count // (PARTS_PER_CORE * cores()))
    run_all(work, [slice(first, min(first + length, count)) for first in range(0, count, length)])


@contextmanager
def single_threaded_torch() -> Iterator[None]:
    """Torch on one thread: for small images its own threads cost more than they give."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
