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

    @property
    def has_one_view(self) -> bool:
        """True if there is one X-ray; views turned about the start are matched with the first alone."""

    @property
    def runs_left(self) -> int:
        """CMA-ES runs that may still be done."""

    def search_in_rounds(self, search: Callable[[int], None], most_rounds: int | None = None) -> None:
        """Calls ``search`` with a number of CMA-ES runs, until none are left or the pose convinces."""

    def is_convinced(self) -> bool:
        """True if the search may end early."""


def until_convinced(run: Run) -> None:
    """Cheap stages first: the start itself, descents on L_N with CMA-ES from there, or views matched with one image.

    Several images tell more than the first: CMA-ES, which sees them all, comes first there. Then near and far in turn.
    """
    if run.until_accepted:
        run.search.refine_start()
    if run.search.has_learned and not run.is_convinced():
        run.search.descend()
        run.search_in_rounds(run.search.search_from_descents, most_rounds=1)
    elif run.until_accepted and _views_come_first(run):
        run.search_in_rounds(run.search.search_from_screening, most_rounds=1)
    else:
        run.search_in_rounds(run.search.search_from_start, most_rounds=1)
    if run.until_accepted:
        search_near_and_far(run)
    else:
        run.search_in_rounds(run.search.search_from_start)


def search_near_and_far(run: Run) -> None:
    """CMA-ES around the start and screening in turn, until no runs are left or the pose convinces."""
    searches = [run.search.search_from_start, run.search.search_from_screening]
    if not _views_come_first(run):
        searches.reverse()
    while run.runs_left > 0 and not run.is_convinced():
        for search in searches:
            run.search_in_rounds(search, most_rounds=1)


def _views_come_first(run: Run) -> bool:
    return run.has_one_view and not run.search.has_learned


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
