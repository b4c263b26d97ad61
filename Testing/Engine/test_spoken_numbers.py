"""Numbers that people are told: nothing is said to be certain, and no error to be nought."""

from __future__ import annotations

import pytest

from prostreg.spoken_numbers import most, percent, tenths


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1.0, "> 99 %"), (0.996, "> 99 %"), (0.9901, "> 99 %"), (0.99, "99 %"), (0.936, "94 %"), (0.5, "50 %"),
        (0.01, "1 %"), (0.0099, "< 1 %"), (0.0, "< 1 %"),
    ],
)  # fmt: skip
def test_a_probability_is_never_0_nor_100_percent(probability, words):
    assert percent(probability) == words


@pytest.mark.parametrize(
    ("length", "words"),
    [(0.0, "< 0.1"), (0.099, "< 0.1"), (0.1, "0.1"), (1.26, "1.3"), (9.94, "9.9"), (9.96, "10"), (12.4, "12")],
)
def test_an_error_is_never_nought_and_has_no_digits_that_it_is_not_worth(length, words):
    assert tenths(length) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (1.0, "nearly all"), (0.85, "nearly all"), (0.84, "most"), (0.6, "most"), (0.59, "about half"),
        (0.4, "about half"), (0.39, "a small part"), (0.15, "a small part"), (0.14, "hardly anything"),
        (-0.1, "hardly anything"),
    ],
)  # fmt: skip
def test_shares_beside_a_probability_are_told_in_words(share, words):
    assert most(share) == words
