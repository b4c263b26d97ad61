"""Labels that do not lie on the bone of their own CT are named with where they belong; all others are left alone."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from PhantomImages import phantom_case_in, the_phantom

from prostreg.errors import InputError
from prostreg.images.anatomy import anatomy_by_threshold
from prostreg.images.anatomy_check import anatomy_made_on
from prostreg.images.label_fit import LabelFit, label_fit
from prostreg.images.volume import Volume
from prostreg.registration.case_file import read_case
from prostreg.samples.phantom import VERTEBRA_LABELS, Phantom
from prostreg.worker.anatomy_request import AnatomyRequest
from prostreg.worker.fields import Fields
from prostreg.worker.protocol import Message

ONE_VERTEBRA = [VERTEBRA_LABELS[1]]


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return the_phantom()


def moved(labels: Volume, shift_mm: list[float]) -> Volume:
    volume_from_index = labels.volume_from_index.copy()
    volume_from_index[:3, 3] += shift_mm
    return Volume(labels.values, volume_from_index)


def masks(phantom: Phantom) -> dict[str, NDArray[np.bool_]]:
    """Anatomies of this CT as people have them: whole, in parts, grown or shrunk by a voxel of 2 mm, by threshold."""
    vertebra = phantom.labels.values == ONE_VERTEBRA[0]
    image = sitk.GetImageFromArray(vertebra.astype(np.uint8))
    half = vertebra.copy()
    half[:, :, : int(np.median(np.nonzero(vertebra)[2]))] = False
    return {
        "all": phantom.labels.values > 0,
        "vertebra": vertebra,
        "half": half,
        "grown": sitk.GetArrayFromImage(sitk.BinaryDilate(image, (1, 1, 1))).astype(bool),
        "shrunk": sitk.GetArrayFromImage(sitk.BinaryErode(image, (1, 1, 1))).astype(bool),
        "threshold": anatomy_by_threshold(phantom.ct),
    }


@pytest.mark.parametrize("kind", ["all", "vertebra", "half", "grown", "shrunk", "threshold"])
def test_labels_on_their_bone_raise_no_alarm(phantom, kind):
    fit = label_fit(phantom.ct, masks(phantom)[kind])
    assert not fit.is_elsewhere
    assert fit.doubt() is None


@pytest.mark.parametrize("values", [list(VERTEBRA_LABELS), ONE_VERTEBRA])
@pytest.mark.parametrize(
    ("shift_mm", "words"),
    [
        ([15.0, 0, 0], r"moved 1[3-7] mm to the patient's left:"),
        ([-15.0, 0, 0], r"moved 1[3-7] mm to the patient's right:"),
        ([0, 20.0, 0], r"moved (1[89]|2[012]) mm to the back:"),
        ([0, -10.0, 0], r"moved ([89]|1[012]) mm to the front:"),
        ([0, 0, -30.0], r"moved (29|3[0-2]) mm towards the head:"),
        ([0, 8.0, 12.0], r"moved ([6-9]|10) mm to the back and 1[0-4] mm towards the feet:"),
    ],
)
def test_labels_beside_their_bone_are_refused_and_told_where_they_belong(phantom, values, shift_mm, words):
    with pytest.raises(InputError) as refusal:
        anatomy_made_on(phantom.ct, moved(phantom.labels, shift_mm), values)
    assert re.search(words, str(refusal.value))
    assert "another geometry (origin, qform or sform)" in str(refusal.value)


def test_an_application_is_refused_them_as_well(phantom):
    labels = moved(phantom.labels, [15.0, 0, 0])
    places = [{"volume_from_index": labels.volume_from_index.tolist(), "values": ONE_VERTEBRA}]
    fields = Fields(Message({"labels": places}, {"labels0": labels.values}))
    with pytest.raises(InputError, match="to the patient's left"):
        AnatomyRequest(fields).mask(phantom.ct)


def test_a_case_whose_labels_were_saved_with_another_geometry_is_refused(tmp_path: Path):
    case = phantom_case_in(tmp_path, seed=0)
    assert read_case(case).anatomy.any()
    labels = sitk.ReadImage(str(tmp_path / "labels.nii.gz"))
    labels.SetOrigin([x + dx for x, dx in zip(labels.GetOrigin(), (-9.0, 0.0, 12.0), strict=True)])  # LPS
    sitk.WriteImage(labels, str(tmp_path / "labels.nii.gz"))
    with pytest.raises(InputError, match=r"[89] mm to the patient's left and 1[123] mm towards the feet"):
        read_case(case)


def test_labels_a_little_beside_their_bone_are_doubted(phantom):
    mask = np.roll(phantom.labels.values > 0, 3, axis=2)  # 6 mm to the right
    fit = label_fit(phantom.ct, mask)
    assert re.search(r"better when moved [567] mm to the patient's left:", fit.doubt() or "")


def test_each_anatomy_of_a_ct_has_its_own_answer(phantom):
    made = masks(phantom)
    there = np.roll(made["vertebra"], 6, axis=2)
    first = label_fit(phantom.ct, made["vertebra"])
    assert label_fit(phantom.ct, there).offset_mm[0] < -5
    again = label_fit(phantom.ct, made["vertebra"])
    assert again is not first
    np.testing.assert_array_equal(again.offset_mm, first.offset_mm)
    assert label_fit(phantom.ct, made["vertebra"]) is again


def test_a_ct_without_edges_says_nothing(phantom):
    flat = phantom.ct.with_values(np.full_like(phantom.ct.values, 40.0))
    fit = label_fit(flat, phantom.labels.values > 0)
    assert (fit.is_elsewhere, fit.doubt()) == (False, None)
    tiny = Volume(np.zeros((2, 2, 2), np.float32), np.eye(4))
    assert label_fit(tiny, np.ones((2, 2, 2), bool)).doubt() is None


@pytest.mark.parametrize(
    ("here", "best", "offset", "is_elsewhere", "is_doubted"),
    [
        (19.9, 40.0, 4.1, True, True), (20.1, 40.0, 4.1, False, True), (19.9, 40.0, 3.9, False, False),
        (27.9, 40.0, 4.1, False, True), (28.1, 40.0, 4.1, False, False), (9.9, 20.1, 30.0, True, True),
        (9.9, 19.9, 30.0, False, False), (4.9, 20.1, 3.9, False, True), (5.1, 20.1, 3.9, False, False),
        (4.9, 19.9, 3.9, False, False),
    ],
)  # fmt: skip
def test_the_limits_of_the_check(here, best, offset, is_elsewhere, is_doubted):
    fit = LabelFit(here, best, np.array([0.0, 0.0, offset]))
    assert fit.is_elsewhere is is_elsewhere
    assert (fit.doubt() is not None) is is_doubted
