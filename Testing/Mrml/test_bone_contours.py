"""The edges of several bones in a real slice view: a colour each, and none of another pose."""

import numpy as np
import pytest
import slicer

from ProSTRegistrationLib.Bones.BoneDrrs import BONE_DRRS_ROLE, boneColor, keepBoneDrrs
from ProSTRegistrationLib.Nodes.DrrOrigin import keepOrigin
from ProSTRegistrationLib.Views.BoneContours import CONTOUR_COLOR
from ProSTRegistrationLib.Views.Overlay import Overlay, OverlayKind

SIZE = (320, 240)


def disc(shape, centre, radius):
    v, u = np.mgrid[: shape[0], : shape[1]]
    return np.clip(radius - np.hypot(u - centre[0], v - centre[1]), 0, 1).astype(np.float32)


def grab(offscreenViews, logic):
    return offscreenViews.grab(logic.GetSliceNode(), *SIZE).astype(int)


def middleOf(picture, color):
    """Mean (row, column) of the pixels of that colour, 0 to 1; None where there are none."""
    painted = np.abs(picture - 255 * np.array(color)).sum(axis=-1) < 40
    return np.argwhere(painted).mean(axis=0) if painted.any() else None


def test_contours_of_several_bones_have_a_colour_each(headless, scene, addVolume, offscreenViews, obliqueCarm):
    shape = (obliqueCarm.height, obliqueCarm.width)
    fluoroscopyNode = addVolume(np.full(shape, 300, np.uint16)[None], name="Fluoro")
    scene.placeFluoroscopy(fluoroscopyNode, obliqueCarm)
    sliceLogic = slicer.vtkMRMLSliceLogic()
    sliceLogic.SetMRMLScene(headless.scene)
    sliceLogic.AddSliceNode("Fluoroscopy")
    offscreenViews.addSlice(sliceLogic)
    grab(offscreenViews, sliceLogic)
    bones = np.stack([3 * disc(shape, (50, 60), 20), 3 * disc(shape, (110, 60), 20)])
    keepBoneDrrs(scene, fluoroscopyNode, bones, "both")
    keepOrigin(scene.showDrr(fluoroscopyNode, bones.sum(axis=0)), "both")
    overlay = Overlay(scene)
    overlay.show(OverlayKind.CONTOURS, fluoroscopyNode, sliceLogic, opacity=1.0)
    picture = grab(offscreenViews, sliceLogic)
    first, second = (middleOf(picture, boneColor(number)) for number in (0, 1))
    assert second[1] - first[1] == pytest.approx(60 / shape[1] * SIZE[0], rel=0.4)
    assert abs(second[0] - first[0]) < 5
    assert middleOf(picture, CONTOUR_COLOR) is None

    keepOrigin(scene.showDrr(fluoroscopyNode, bones.sum(axis=0)), "one body")
    overlay.refresh()
    picture = grab(offscreenViews, sliceLogic)
    assert middleOf(picture, CONTOUR_COLOR) is not None
    assert [middleOf(picture, boneColor(number)) for number in (0, 1)] == [None, None], "those were of another pose"

    keepOrigin(scene.findOwned(fluoroscopyNode, "drr"), "both")
    overlay.refresh()
    assert middleOf(grab(offscreenViews, sliceLogic), boneColor(1)) is not None
    overlay.hide()
    picture = grab(offscreenViews, sliceLogic)
    assert [middleOf(picture, boneColor(number)) for number in (0, 1)] == [None, None]
    keepBoneDrrs(scene, fluoroscopyNode, None, "one body")
    assert scene.findOwned(fluoroscopyNode, BONE_DRRS_ROLE) is None
