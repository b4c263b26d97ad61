"""The generated CT: repeatable, bony, and different from each of its mirror images."""

import numpy as np
import pytest

from prostreg.samples.phantom import VERTEBRA_LABELS, make_phantom


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(3)


def test_equal_seeds_give_equal_voxels_and_others_do_not(phantom):
    again = make_phantom(3)
    np.testing.assert_array_equal(again.ct.values, phantom.ct.values)
    np.testing.assert_array_equal(again.labels.values, phantom.labels.values)
    assert (make_phantom(4).labels.values != phantom.labels.values).any()


def test_it_has_air_soft_tissue_and_bone_in_hu(phantom):
    hu, bone = phantom.ct.values, phantom.labels.values > 0
    assert hu.dtype == np.float32
    assert np.median(hu[bone]) > 200
    assert np.quantile(hu, 0.01) == pytest.approx(-1000, abs=40)
    assert 0.4 < ((hu > 0) & (hu < 100)).mean() < 0.9


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flip_moves_more_than_half_of_the_processes(phantom, axis):
    bone = phantom.labels.values > 0
    overlap = (bone & np.flip(bone, axis)).sum() / bone.sum()
    assert overlap < 0.85


def test_the_vertebrae_lie_from_head_to_foot_inside_the_grid(phantom):
    for label, centre in zip(VERTEBRA_LABELS, phantom.vertebra_centres_mm, strict=True):
        k, j, i = np.nonzero(phantom.labels.values == label)
        voxels = np.stack([i, j, k, np.ones_like(i)])
        bounds = (phantom.ct.volume_from_index @ voxels)[:3]
        assert (bounds.min(axis=1) < centre).all()
        assert (bounds.max(axis=1) > centre).all()
        assert k.min() > 0
        assert k.max() < phantom.ct.values.shape[0] - 1
    assert (np.diff(phantom.vertebra_centres_mm[:, 2]) < -30).all()


def test_the_marker_is_on_the_patients_right(phantom):
    k, j, i = np.nonzero(phantom.ct.values > 2000)
    assert (phantom.ct.volume_from_index @ [i.mean(), j.mean(), k.mean(), 1])[0] > 50
