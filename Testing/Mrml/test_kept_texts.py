"""Texts in a scene that somebody changed: what cannot be read is not known, or said in words, and nothing raises."""

import numpy as np
import pytest

from prostreg.errors import InputError
from ProSTRegistrationLib.Nodes.Attempts import addAttempt, attempts
from ProSTRegistrationLib.Nodes.CArmNode import CARM_ATTRIBUTE, carmOf, placeOnDetector
from ProSTRegistrationLib.Nodes.CArmSettings import SETTINGS_ATTRIBUTE, settingsOf
from ProSTRegistrationLib.Nodes.FluoroscopyImage import SHUTTER_ATTRIBUTE, comparedPartOf
from ProSTRegistrationLib.Nodes.ImageMarks import FRAME_ATTRIBUTE
from ProSTRegistrationLib.Nodes.KeptTexts import cells, keptJson, keptPose, keptWhole, setCells
from ProSTRegistrationLib.Nodes.RunFrames import frameOf, runOf
from ProSTRegistrationLib.Selection import anatomyChoice
from ProSTRegistrationLib.StartPose import keptReference, referenceText
from ProSTRegistrationLib.Views.CheckLayout import LAYOUT_ID, PREVIOUS_ATTRIBUTE, leaveCheckLayout

DAMAGED = [" ", "none", "[" * 100_000, '"\\udcff"', "1" + "0" * 400, "[]", "7", '{"ct": 1}']


@pytest.fixture
def image(addVolume, obliqueCarm):
    node = addVolume(np.zeros((1, 120, 160), np.int16), name="X-ray")
    placeOnDetector(node, obliqueCarm)
    return node


@pytest.mark.parametrize("text", DAMAGED)
@pytest.mark.parametrize(
    ("attribute", "read"),
    [(CARM_ATTRIBUTE, carmOf), (SETTINGS_ATTRIBUTE, settingsOf), (SHUTTER_ATTRIBUTE, comparedPartOf)],
)
def test_what_is_damaged_is_said_with_the_name_of_its_image(image, attribute, read, text):
    image.SetAttribute(attribute, text)
    if (attribute, text) == (SHUTTER_ATTRIBUTE, '{"ct": 1}'):
        assert read(image) is None  # tags of no shutter
        return
    with pytest.raises(InputError, match=r"kept with 'X-ray' (is|are) damaged"):
        read(image)


def test_a_camera_of_numbers_without_end_is_damaged(image):
    text = image.GetAttribute(CARM_ATTRIBUTE)
    image.SetAttribute(CARM_ATTRIBUTE, text.replace('"K": [[', f'"K": [[1{"0" * 400}, 0, 1], ['))
    with pytest.raises(InputError, match="is damaged"):
        carmOf(image)


@pytest.mark.parametrize("text", ["-1", "²", "9" * 5000, "1.5", "a"])
def test_a_frame_that_is_no_number_is_none(image, text):
    image.SetAttribute(FRAME_ATTRIBUTE, text)
    assert frameOf(image) is None
    assert runOf(image) is None


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_reference_of_the_sliders_is_not_known(image, text):
    assert keptReference(image, text) is None


def test_a_reference_that_is_no_pose_is_not_known(image):
    assert keptReference(image, referenceText(image, np.eye(4) * 2)) is None
    assert np.array_equal(keptReference(image, referenceText(image, np.eye(4))), np.eye(4))


@pytest.mark.parametrize("text", ["x", "²", "9" * 5000, str(2**31), ""])
def test_a_layout_that_is_no_number_is_left_for_four_views(headless, text):
    node = headless.scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    for number in (LAYOUT_ID, node.SlicerLayoutFourUpView):
        node.AddLayoutDescription(number, "<layout/>")
    node.SetViewArrangement(LAYOUT_ID)
    node.SetAttribute(PREVIOUS_ATTRIBUTE, text)
    leaveCheckLayout(node)
    assert node.GetViewArrangement() == node.SlicerLayoutFourUpView


def test_parts_that_are_no_label_values_are_left_out(addVolume):
    class Parameters:
        anatomy = addVolume(np.ones((2, 2, 2), np.int16), className="vtkMRMLLabelMapVolumeNode")
        anatomyParts = ("3", "Segment_1", "-4", "²", "")
        eachPartMoves = jointsStay = False

    assert anatomyChoice(Parameters).labelValues == (3, -4)


def test_a_row_whose_number_has_no_end_is_none(scene, addVolume):
    ctNode = addVolume(np.zeros((2, 2, 2), np.int16))
    result = {"status": "accepted", "confidence": 0.9, "seconds": 4.0, "world_from_volume": np.eye(4)}
    addAttempt(scene, ctNode, result, "AP", "auto", "normal", np.eye(4))
    table = scene.findOwned(ctNode, "attempts")
    (row,) = cells(table)
    setCells(table, list(row), [{**row, "Attempt": "9" * 5000}.values(), {**row, "Attempt": "2"}.values()])
    assert [row["Attempt"] for row in attempts(scene, ctNode)] == ["2"]


def test_sound_texts_are_read():
    assert keptJson('{"a": [1, 2.5]}') == {"a": [1, 2.5]}
    assert keptJson(None) is None
    assert (keptWhole(" 12 "), keptWhole("-2", -5), keptWhole("-2"), keptWhole(None)) == (12, -2, None, None)


@pytest.mark.parametrize("text", [None, "", "{", "[1, 2]", "[[1, 2], [3]]", '"pose"'])
def test_a_kept_pose_that_is_none_is_none(text):
    assert keptPose(text) is None
