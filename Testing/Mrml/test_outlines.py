"""What a person outlines in an X-ray is left out on the pixels where it was drawn; the polarity told is sent."""

from dataclasses import replace

import numpy as np
import pytest

from prostreg.geometry.frames import transform_points
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
from ProSTRegistrationLib.Nodes.CArmSettings import CArmSettings, applySettings
from ProSTRegistrationLib.Nodes.FluoroscopyImage import (
    SHUTTER_ATTRIBUTE,
    addOutline,
    comparedPartOf,
    flipLeftRight,
    outlineCorners,
    tellPolarity,
)
from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas
from ProSTRegistrationLib.Worker.WorkerData import WorkerData, _Load

PIXELS = np.random.default_rng(4).integers(0, 4000, (1, 120, 160)).astype(np.uint16)
SETTINGS = CArmSettings(1020.0, 620.0, (0.30, 0.45), (60.5, 71.25), 25.0, -10.0)
BOX = ((10.2, 20.2), (50.8, 20.2), (50.8, 40.8), (10.2, 40.8))


@pytest.fixture
def xray(scene, addVolume):
    node = addVolume(PIXELS, name="Fluoro")
    applySettings(scene, node, SETTINGS)
    return node


def drawn(scene, xray, corners):
    outline = addOutline(scene, xray)
    for u, v in corners:
        outline.AddControlPointWorld(list(transform_points(ijkToRas(xray), (u, v, 0))))
    return outline


def outsideOfBox():
    expected = np.ones(PIXELS.shape[1:], bool)
    expected[21:41, 11:51] = False
    return expected


def test_the_pixels_inside_of_an_outline_are_left_out(scene, xray):
    assert comparedPartOf(xray) is None
    drawn(scene, xray, BOX)
    assert outlineCorners(xray) == (BOX,)
    assert np.array_equal(comparedPartOf(xray), outsideOfBox())


def test_an_outline_of_two_corners_leaves_nothing_out(scene, xray):
    drawn(scene, xray, BOX[:2])
    assert outlineCorners(xray) == ()
    assert comparedPartOf(xray) is None


def test_an_image_that_left_its_scene_is_compared_whole(headless, scene, xray):
    """As when the scene is closed while the worker is still told of it."""
    drawn(scene, xray, BOX)
    headless.scene.RemoveNode(xray)
    assert outlineCorners(xray) == ()
    assert comparedPartOf(xray) is None


def test_several_outlines_and_a_shutter_leave_out_what_any_of_them_covers(scene, xray):
    drawn(scene, xray, BOX)
    drawn(scene, xray, [(u + 60, v + 60) for u, v in BOX])
    xray.SetAttribute(
        SHUTTER_ATTRIBUTE,
        '{"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 4, "ShutterRightVerticalEdge": 150,'
        ' "ShutterUpperHorizontalEdge": 1, "ShutterLowerHorizontalEdge": 110}',
    )
    compared, expected = comparedPartOf(xray), outsideOfBox()
    expected[81:101, 71:111] = False
    assert np.array_equal(compared[5:100, 10:140], expected[5:100, 10:140])
    assert not compared[:, :2].any()
    assert not compared[115:].any()


def test_outlines_stay_on_their_pixels_under_another_carm_and_turn_with_the_image(scene, xray):
    drawn(scene, xray, BOX)
    applySettings(scene, xray, replace(SETTINGS, sddMm=1200.0, primaryAngleDeg=70.0))
    assert np.array_equal(comparedPartOf(xray), outsideOfBox())
    flipLeftRight(xray)
    assert np.array_equal(comparedPartOf(xray), outsideOfBox()[:, ::-1])
    flipLeftRight(xray)
    assert outlineCorners(xray) == (BOX,)


def test_outlines_come_back_with_a_saved_scene(headless, scene, xray, tmp_path):
    drawn(scene, xray, BOX)
    assert headless.save(tmp_path / "scene.mrb")
    with HeadlessScene() as other:
        assert other.load(tmp_path / "scene.mrb")
        loaded = other.scene.GetFirstNodeByName("Fluoro")
        assert np.array_equal(comparedPartOf(loaded), outsideOfBox())


def test_the_worker_is_told_again_when_an_outline_was_drawn_or_moved(scene, xray, addVolume):
    ct, data = addVolume(np.zeros((4, 5, 6), np.int16), name="CT"), WorkerData(scene, None)

    def planned():
        (_, _, keys), steps = data._plan(_Load(ct, [xray], AnatomyChoice(), None, None))
        arrays = {name: array for step in steps for name, array in step.arrays.items()}
        return keys, arrays.get("mask0")

    before, mask = planned()
    assert mask is None
    outline = drawn(scene, xray, BOX)
    after, mask = planned()
    assert after != before
    assert np.array_equal(mask, outsideOfBox())
    outline.SetNthControlPointPositionWorld(0, list(transform_points(ijkToRas(xray), (5.0, 5.0, 0))))
    assert planned()[0] != after


@pytest.mark.parametrize("polarity", ["auto", "bone-dark", "bone-bright"])
def test_the_worker_is_told_the_polarity_and_told_again_when_it_changes(scene, xray, addVolume, polarity):
    ct, data = addVolume(np.zeros((4, 5, 6), np.int16), name="CT"), WorkerData(scene, None)

    def planned():
        (_, _, keys), steps = data._plan(_Load(ct, [xray], AnatomyChoice(), None, None))
        return keys, steps[-1].fields()["views"][0]["polarity"]

    before, told = planned()
    assert told == "auto"
    tellPolarity(xray, polarity)
    after, told = planned()
    assert told == polarity
    assert (after == before) == (polarity == "auto")
