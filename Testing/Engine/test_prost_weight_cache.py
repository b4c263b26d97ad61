"""Adapted weights are found by what is in the CT, and never taken for another patient's."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import torch

from prostreg.errors import WeightsError
from prostreg.files import CACHE_VARIABLE
from prostreg.images.reading import read_ct
from prostreg.images.volume import Volume
from prostreg.prost.card import Card, Training, card_path
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.weight_cache import (
    adapted_count,
    adapted_folder,
    adapted_path,
    anatomy_digest,
    check_made_for,
    ct_digest,
    find_adapted,
    patient_of,
)
from prostreg.prost.weights import load_weights, save_weights


class Scale(ProSTNetwork):
    """One number for a network."""

    feature_channels, image_size = 1, 4

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(1))

    def volume_features(self, attenuation):
        return self.factor * attenuation

    def fixed_features(self, xray):
        return (xray,)

    def similarity(self, moving, fixed):
        return (moving - fixed[0]).square().mean(dim=(1, 2, 3))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def ct():
    values = np.random.default_rng(3).integers(-1000, 2000, (5, 6, 7)).astype(np.float32)
    affine = np.diag([0.9765625, 0.9765625, 2.5, 1.0])
    affine[:3, 3] = [-250.1234, 30.5, -0.0]
    return Volume(values, affine)


@pytest.fixture
def anatomy(ct):
    return ct.values > 200


def card_for(made_for):
    training = Training(10, 1.0, "CPU", "losses.csv")
    return Card("Hip", (), (), {}, "0123abc", training, {}, "This patient.", "Others.", "Apache-2.0", made_for)


def adapt(ct, anatomy):
    path = adapted_path(ct, anatomy)
    save_weights(path, Scale(), "scale", {}, card_for(patient_of(ct, anatomy)))
    return path


@pytest.mark.usefixtures("cache")
class TestFinding:
    def test_nothing_is_found_before_it_is_made(self, ct, anatomy):
        assert find_adapted(ct, anatomy) is None
        assert adapted_count() == 0

    def test_what_was_made_is_found_by_its_content(self, ct, anatomy, cache):
        path = adapt(ct, anatomy)
        assert path.is_relative_to(cache)
        again = Volume(ct.values.copy(), ct.volume_from_index.copy())
        assert find_adapted(again, anatomy.copy()) == path
        assert adapted_count() == 1
        check_made_for(load_weights(path).card, again, anatomy)

    def test_neither_another_ct_nor_another_anatomy_finds_it(self, ct, anatomy):
        adapt(ct, anatomy)
        other = ct.with_values(ct.values + 1)
        assert find_adapted(other, anatomy) is None
        assert find_adapted(ct, ~anatomy) is None
        adapt(ct, ~anatomy)
        assert adapted_count() == 2

    def test_weights_without_their_card_are_not_there(self, ct, anatomy):
        card_path(adapt(ct, anatomy)).unlink()
        assert find_adapted(ct, anatomy) is None
        assert adapted_count() == 0

    def test_adapting_again_replaces_it(self, ct, anatomy):
        adapt(ct, anatomy)
        path = adapt(ct, anatomy)
        assert len(list(adapted_folder().iterdir())) == 2
        assert load_weights(path).card.title == "Hip"


def test_a_cache_that_is_a_file_holds_nothing(tmp_path, monkeypatch, ct, anatomy):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    assert find_adapted(ct, anatomy) is None
    assert adapted_count() == 0
    with pytest.raises(WeightsError, match="choose another folder"):
        adapt(ct, anatomy)


class TestDigests:
    def test_one_ct_in_two_file_formats_is_one_ct(self, ct, tmp_path):
        image = sitk.GetImageFromArray(ct.values.astype(np.int16))
        image.SetSpacing([0.9765625, 0.703125, 1.25])
        image.SetOrigin([-250.123456, 31.7, 12.5])
        for name in ("ct.nii.gz", "ct.nrrd", "ct.mha"):
            sitk.WriteImage(image, str(tmp_path / name))
        assert len({ct_digest(read_ct(tmp_path / name)) for name in ("ct.nii.gz", "ct.nrrd", "ct.mha")}) == 1

    def test_memory_layout_does_not_matter(self, ct, anatomy):
        fortran = Volume(np.asfortranarray(ct.values), np.asfortranarray(ct.volume_from_index))
        assert ct_digest(fortran) == ct_digest(ct)
        assert anatomy_digest(np.asfortranarray(anatomy)) == anatomy_digest(anatomy)

    def test_whatever_changes_a_ct_changes_its_digest(self, ct):
        one_voxel = ct.values.copy()
        one_voxel[2, 3, 4] += 1
        moved = ct.volume_from_index.copy()
        moved[0, 3] += 0.01
        others = [
            ct.with_values(one_voxel),
            Volume(ct.values, moved),
            Volume(ct.values.reshape(5, 7, 6), ct.volume_from_index),
            ct.cropped((0, 0, 0), (7, 6, 4)),
        ]
        assert len({ct_digest(volume) for volume in [ct, *others]}) == 5

    def test_whatever_changes_a_mask_changes_its_digest(self, anatomy):
        one_voxel = anatomy.copy()
        one_voxel[0, 0, 0] ^= True
        masks = [anatomy, one_voxel, anatomy.reshape(5, 7, 6), np.pad(anatomy, 1)]
        assert len({anatomy_digest(mask) for mask in masks}) == 4


class TestRefusal:
    def test_weights_for_all_patients_fit_everyone(self, ct, anatomy):
        check_made_for(card_for(None), ct, anatomy)

    def test_another_patient_is_refused_by_both_digests(self, ct, anatomy):
        other = ct.with_values(ct.values + 1)
        with pytest.raises(WeightsError, match="'Hip' were adapted to another CT") as caught:
            check_made_for(card_for(patient_of(other, anatomy)), ct, anatomy)
        assert ct_digest(other)[:12] in str(caught.value)
        assert ct_digest(ct)[:12] in str(caught.value)

    def test_another_anatomy_of_the_patient_is_refused(self, ct, anatomy):
        with pytest.raises(WeightsError, match="another anatomy of this CT"):
            check_made_for(card_for(patient_of(ct, ~anatomy)), ct, anatomy)


@pytest.mark.parametrize("spacing_mm", [0.78125, 0.9765625, 0.703125, 0.5, 1.25, 3.27])
def test_the_last_digits_of_a_usual_spacing_do_not_make_another_ct(spacing_mm):
    values = np.zeros((3, 4, 5), dtype=np.float32)
    digests = set()
    for factor in (1 - 1e-9, 1.0, 1 + 1e-9):
        affine = np.diag([spacing_mm * factor] * 3 + [1.0])
        affine[:3, 3] = -spacing_mm * factor * 255.5
        digests.add(ct_digest(Volume(values, affine)))
    assert len(digests) == 1
