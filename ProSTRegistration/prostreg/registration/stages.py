"""Stages of the methods, in their order; every method ends with a polish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from prostreg.registration.pose_search import PoseSearch


class Run(Protocol):
    """A registration under way, as its stages see it."""

    @property
    def search(self) -> PoseSearch:
        """The stages that there are."""

    @property
    def until_accepted(self) -> bool:
        """True if the search goes on until its pose convinces."""

    def search_in_rounds(self, search: Callable[[int], None], most_rounds: int | None = None) -> None:
        """Calls ``search`` with a number of CMA-ES runs, until none are left or the pose convinces."""

    def is_convinced(self) -> bool:
        """True if the search may end early."""


def until_convinced(run: Run) -> None:
    """Cheap stages first: the start itself, descents on L_N, CMA-ES from there, then ever more of it."""
    if run.until_accepted:
        run.search.refine_start()
    if run.search.has_learned and not run.is_convinced():
        run.search.descend()
        run.search_in_rounds(run.search.search_from_descents, most_rounds=1)
    run.search_in_rounds(run.search.search_from_start)


def cmaes(run: Run) -> None:
    """CMA-ES from the start."""
    run.search_in_rounds(run.search.search_from_start)


def descents(run: Run) -> None:
    """Descents on L_N from the start and from around it."""
    run.search.descend()


def descents_then_cmaes(run: Run) -> None:
    """Descents on L_N, then CMA-ES from the best end."""
    run.search.descend()
    run.search_in_rounds(run.search.search_from_descents)
