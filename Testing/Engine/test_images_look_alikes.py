"""Places in a CT that look like the anatomy: neighbours of a vertebra, and none of a whole row or of what is alone."""

from __future__ import annotations

import numpy as np
import pytest
from PhantomImages import the_phantom

from prostreg.images.look_alikes import LEAST_CORRELATION, MOST, look_alikes
from prostreg.images.volume import Volume
from prostreg.samples.phantom import VERTEBRA_LABELS, VERTEBRA_PITCH_MM, Phantom

ROUGHLY_MM = 16.0


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return the_phantom()


def offsets_of(phantom: Phantom, level: int) -> list[np.ndarray]:
    return [place.offset_mm for place in look_alikes(phantom.ct, phantom.labels.values == VERTEBRA_LABELS[level])]


@pytest.mark.parametrize("level", range(3))
def test_neighbours_of_a_vertebra_are_found_where_they_lie(phantom, level):
    found = offsets_of(phantom, level)
    centres = phantom.vertebra_centres_mm
    neighbours = [other for other in (level - 1, level + 1) if 0 <= other < len(centres)]
    for other in neighbours:
        misses = [np.linalg.norm(offset - (centres[other] - centres[level])) for offset in found]
        assert min(misses) < ROUGHLY_MM < VERTEBRA_PITCH_MM / 2
    assert len(found) <= MOST


def test_places_are_told_in_the_patients_frame_whatever_the_grid(phantom):
    values, volume_from_index = phantom.ct.values, phantom.ct.volume_from_index
    mask = phantom.labels.values == VERTEBRA_LABELS[0]
    other_axes = volume_from_index.copy()
    other_axes[:3, :3] = volume_from_index[:3, [2, 0, 1]]  # i runs to the head, j to the right, k to the front
    moved = tuple(np.ascontiguousarray(np.transpose(grid, (1, 2, 0))) for grid in (values, mask))
    same = look_alikes(Volume(moved[0], other_axes), moved[1])
    assert [place.offset_mm[2] < 0 for place in same] == [True]
    (expected,) = offsets_of(phantom, 0)
    np.testing.assert_allclose(same[0].offset_mm, expected, atol=6.0)


def test_a_whole_row_and_a_bone_that_is_alone_look_like_nothing_else(phantom):
    assert look_alikes(phantom.ct, phantom.labels.values > 0) == []
    alone = np.full_like(phantom.ct.values, 40.0)
    mask = phantom.labels.values == VERTEBRA_LABELS[1]
    alone[mask] = phantom.ct.values[mask]
    assert look_alikes(phantom.ct.with_values(alone), mask) == []


def test_a_copy_of_the_anatomy_is_the_best_place_and_correlates_fully(phantom):
    ct = np.full_like(phantom.ct.values, 40.0)
    mask = phantom.labels.values == VERTEBRA_LABELS[1]
    ct[mask] = phantom.ct.values[mask]
    copied = np.roll(ct, 24, axis=0)
    both = phantom.ct.with_values(np.maximum(ct, copied))
    best, *others = look_alikes(both, mask)
    np.testing.assert_allclose(best.offset_mm, (0.0, 0.0, 48.0), atol=1e-6)
    assert best.correlation > 0.9
    assert all(LEAST_CORRELATION <= place.correlation < best.correlation for place in others)


def test_anatomy_that_fills_its_ct_is_compared_with_nothing():
    assert look_alikes(Volume(np.full((4, 4, 4), 700.0, np.float32), np.eye(4)), np.ones((4, 4, 4), bool)) == []
