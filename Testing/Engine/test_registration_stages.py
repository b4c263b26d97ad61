"""The order of the stages: what is cheap comes first, and near and far searches take turns."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from prostreg.registration.stages import until_convinced


@dataclass
class Search:
    has_learned: bool
    done: list[str] = field(default_factory=list)

    def __getattr__(self, name):
        def stage(*_):
            self.done.append(name)

        return stage


@dataclass
class Run:
    search: Search
    has_one_view: bool
    runs_left: int = 5
    until_accepted: bool = True

    def search_in_rounds(self, search, most_rounds=None):
        if self.runs_left > 0:
            search(1)
            self.runs_left -= 1

    def is_convinced(self):
        return False


START, SCREENING, DESCENTS = "search_from_start", "search_from_screening", "search_from_descents"


@pytest.mark.parametrize(
    ("has_learned", "has_one_view", "expected"),
    [
        (False, True, [SCREENING, START, SCREENING, START, SCREENING]),
        (False, False, [START, SCREENING, START, SCREENING, START]),
        (True, True, ["descend", DESCENTS, SCREENING, START, SCREENING, START]),
    ],
)
def test_views_that_match_come_before_runs_where_one_image_is_all_there_is(has_learned, has_one_view, expected):
    run = Run(Search(has_learned), has_one_view)
    until_convinced(run)
    assert run.search.done == ["refine_start", *expected]
