"""The console of a running training: a line every few seconds, and the results of each validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prostreg.cli.console import duration, say
from prostreg.training.run_folder import TRAINING_CURVE

SECONDS_BETWEEN_LINES = 15.0


class TrainingProgress:
    """Says the loss and the time left, by the speed of this run.

    Args:
        steps: of the whole training.
        clock: seconds, growing.
    """

    def __init__(self, steps: int, clock: Callable[[], float]) -> None:
        self._steps, self._clock = steps, clock
        self._first: tuple[int, float] | None = None
        self._said = float("-inf")

    def add(self, curve: str, row: Mapping[str, Any]) -> None:
        """Takes a row of a curve."""
        if curve != TRAINING_CURVE:
            return
        step, seconds = int(row["step"]), float(row["seconds"])
        self._first = self._first or (step, seconds)
        if self._clock() - self._said < SECONDS_BETWEEN_LINES:
            return
        self._said = self._clock()
        say(f"Step {step} of {self._steps}: loss {row['total']:.3g}{self._time_left(step, seconds)}")

    def _time_left(self, step: int, seconds: float) -> str:
        first_step, first_seconds = self._first or (step, seconds)
        if step == first_step:
            return ""
        return f", about {duration((self._steps - step) * (seconds - first_seconds) / (step - first_step))} left"
