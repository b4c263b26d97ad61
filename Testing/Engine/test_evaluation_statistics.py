"""Shares and percentiles: against published values, and by their coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from prostreg.evaluation.report.statistics import Share, percentile, shares_in_bins, wilson_interval


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [  # R. G. Newcombe, Statistics in Medicine 17, 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_as_published(hits: int, count: int, low: float, high: float) -> None:
    assert wilson_interval(hits, count) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson_interval(count - hits, count)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_share_of_nothing_says_nothing() -> None:
    assert math.isnan(Share(0, 0).value)
    assert Share(0, 0).interval == (0.0, 1.0)


@pytest.mark.parametrize(("count", "low_rank", "high_rank"), [(6, 1, 6), (10, 2, 9), (20, 6, 15), (100, 40, 61)])
def test_median_interval_has_the_known_ranks(count: int, low_rank: int, high_rank: int) -> None:
    found = percentile(np.arange(1, count + 1), 50)
    assert (found.low, found.high) == (low_rank, high_rank)
    assert found.value == pytest.approx((count + 1) / 2)


def test_percentile_has_no_bound_where_the_sample_is_too_small() -> None:
    found = percentile([3.0, 1.0, 2.0, 4.0, 5.0], 50)
    assert (found.value, found.low, found.high) == (3.0, -math.inf, math.inf)
    assert percentile(np.arange(30), 95).high == math.inf


@pytest.mark.parametrize("percent", [50, 95])
def test_percentile_interval_covers_the_truth(percent: float) -> None:
    rng = np.random.default_rng(5)
    truth = -math.log(1 - percent / 100)  # of the exponential distribution
    covered = 0
    for _ in range(400):
        found = percentile(rng.exponential(size=150), percent)
        covered += found.low <= truth <= found.high
    assert 0.93 <= covered / 400 <= 0.995


def test_bins_count_every_case_once() -> None:
    bins = shares_in_bins([0.0, 5.0, 10.0, 19.0, 20.0, 45.0], [True, True, False, True, True, True], [0, 10, 20, 40])
    assert [(share.hits, share.count) for _, share in bins] == [(2, 2), (1, 2), (1, 1)]
    assert [position for position, _ in bins] == [2.5, 14.5, 20.0]
