"""Makes the next step's batch on another thread while the network learns from the present one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Prefetch(Generic[Made]):
    """Gives what ``make`` makes of a number, and has the next one made meanwhile.

    Args:
        make: depends on nothing but the number.
    """

    def __init__(self, make: Callable[[int], Made]) -> None:
        self._make = make
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches")
        self._ahead: dict[int, Future[Made]] = {}

    def begin(self, number: int) -> None:
        """Has the item of ``number`` made."""
        self._ahead = {number: self._thread.submit(self._make, number)}

    def get(self, number: int) -> Made:
        """The item of ``number``; raises what making it raised."""
        made = self._ahead.pop(number, None) or self._thread.submit(self._make, number)
        self.begin(number + 1)
        return made.result()

    def close(self) -> None:
        """Ends the thread; what was made ahead is dropped."""
        self._thread.shutdown(wait=True, cancel_futures=True)
