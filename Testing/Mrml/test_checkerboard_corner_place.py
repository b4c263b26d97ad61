"""Where the tiles of a checkerboard meet, to the pixel, whatever size the DRR has."""

import numpy as np
import pytest
import slicer

from prostreg.geometry.carm import CArm
from ProSTRegistrationLib.Views.CheckerboardCorner import CheckerboardCorner
from ProSTRegistrationLib.Views.Overlay import Overlay, OverlayKind

WIDTH, HEIGHT, TILE = 96, 72, 24


@pytest.fixture
def xray(scene, addVolume):
    node = addVolume(np.random.default_rng(0).integers(0, 999, (1, HEIGHT, WIDTH)).astype(np.uint16), name="Fluoro")
    scene.placeFluoroscopy(node, CArm.from_sdd(1000.0, (2.0, 2.0), (WIDTH, HEIGHT)))
    return node


@pytest.fixture
def sliceLogic(headless):
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLScene(headless.scene)
    logic.AddSliceNode("Fluoroscopy")
    return logic


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_tiles_meet_at_the_corner(scene, xray, sliceLogic, factor):
    """Tiles that meet on the border between two pixels of the DRR are told apart to the pixel."""
    scene.showDrr(xray, np.ones((HEIGHT // factor, WIDTH // factor), dtype=np.float32), factor)
    border = np.array([4, 3]) * 12  # first pixel beyond the corner, a border of the DRR's pixels at every factor
    for beside in (-0.4, 0.4):
        overlay = Overlay(scene)
        overlay.show(
            OverlayKind.CHECKERBOARD, xray, sliceLogic, corner=tuple(border - 0.5 + beside * factor), tilePixels=TILE
        )
        picture = slicer.util.arrayFromVolume(scene.findOwned(xray, "overlay picture"))[0]
        overlay.hide()
        isDrr = picture > 0
        changes = [
            np.flatnonzero((np.diff(isDrr.astype(int), axis=axis) != 0).all(axis=1 - axis)) + 1 for axis in (1, 0)
        ]
        # A pixel belongs to the tile in which its centre lies: the corner moves it across a border or not.
        for axis in (0, 1):
            expected = border[axis] // factor
            assert expected in changes[axis]
            assert (np.diff(changes[axis]) == TILE // factor).all()


def test_the_corner_begins_in_the_middle_and_stays_within_the_image(scene, xray, headless):
    view = headless.scene.AddNewNodeByClass("vtkMRMLSliceNode", "Fluoroscopy")
    corner = CheckerboardCorner(scene, xray, view, lambda *_: None)
    np.testing.assert_allclose(corner.pixel, [(WIDTH - 1) / 2, (HEIGHT - 1) / 2], atol=1e-6)
    for put, told in (
        ((10.25, 20.75), (10.25, 20.75)), ((-9, -9), (-0.5, -0.5)), ((999, 999), (WIDTH - 0.5, HEIGHT - 0.5)),
    ):  # fmt: skip
        corner.moveTo(put)
        np.testing.assert_allclose(corner.pixel, told, atol=1e-6)
    corner.release()
