"""The share of the range around the truth on which going downhill leads to it, in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from prostreg.geometry.chart import PARAMETERS
from prostreg.training.convexity import INTENSITY, LEARNED, Convexity

SPREAD = np.array([0.3, 0.3, 0.3, 30.0, 30.0, 60.0])
OFFSETS = np.linspace(-2.5, 2.5, 21)


def courses(*of_offset: np.ndarray) -> np.ndarray:
    """Two X-rays with the same courses; of the six parameters the first ones are given, the rest are flat."""
    flat = np.zeros_like(OFFSETS)
    return np.array([[*of_offset, *[flat] * (6 - len(of_offset))]] * 2)


@pytest.fixture
def around() -> Convexity:
    valley_elsewhere, waves = (OFFSETS - 1.25) ** 2, np.cos(4 * np.pi * OFFSETS)
    learned = courses(OFFSETS**2, -(OFFSETS**2), valley_elsewhere, np.abs(OFFSETS), waves)
    narrow = np.minimum(np.abs(OFFSETS), 0.5)
    return Convexity(SPREAD, OFFSETS, {LEARNED: learned, INTENSITY: courses(narrow)})


def test_shares_are_those_of_the_range_that_leads_downhill_to_the_truth(around: Convexity) -> None:
    # A bowl, a hill, a valley half way to the right end, a funnel, waves of two samples, and what is flat.
    np.testing.assert_allclose(around.right_share(LEARNED), [1.0, 0.0, 0.75, 1.0, 0.5, 0.0])
    np.testing.assert_allclose(around.right_share(INTENSITY), [0.2, 0, 0, 0, 0, 0])


def test_shares_are_averaged_over_the_x_rays(around: Convexity) -> None:
    around.curves[LEARNED][1] *= -1
    np.testing.assert_allclose(around.right_share(LEARNED)[:4], [0.5, 0.5, 0.5, 0.5])


def test_the_numbers_of_the_figure_can_be_read(around: Convexity) -> None:
    told = around.to_dict()
    assert told["xrays"] == 2
    assert list(told["parameters"]) == list(PARAMETERS)
    first = told["parameters"][PARAMETERS[0]][INTENSITY]
    assert first["right_share"] == pytest.approx(0.2)
    assert first["lower_quartile"] == first["mean"] == first["upper_quartile"]
    assert len(first["mean"]) == len(told["offsets_spreads"]) == 21
