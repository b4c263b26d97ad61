"""A ruler in an X-ray: its length on the detector, and the depth at which it measures the anatomy."""

import numpy as np
import pytest

from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import invert_rigid, transform_points
from ProSTRegistrationLib.Nodes.CArmNode import cameraFromPixel, carmOf
from ProSTRegistrationLib.StartPose import depthInSightMm
from ProSTRegistrationLib.Views.Ruler import addRuler, isWhole, labelRuler, lengthMm, showRuler

SDD_MM = 1000.0
ENDS = (10.0, 20.0), (40.0, 60.0)
"""30 columns and 40 rows apart."""


@pytest.fixture
def xray(scene, addVolume, rotation):
    node = addVolume(np.ones((1, 72, 96), dtype=np.uint16), name="Fluoro")
    oblique = rotation((1, -2, 0.5), 70, (15, -40, 640))
    scene.placeFluoroscopy(node, CArm.from_sdd(SDD_MM, (1.0, 1.0), (96, 72), camera_from_world=oblique))
    return node


def place(ruler, carm, *pixels, share=1.0):
    """Adds points on the rays through pixels: on the detector, or at a share of the way there."""
    for pixel in pixels:
        inCamera = share * transform_points(cameraFromPixel(carm), (*pixel, 0))
        ruler.AddControlPointWorld(transform_points(invert_rigid(carm.camera_from_world), inCamera))


@pytest.mark.parametrize("share", [1.0, 0.9])
def test_its_length_on_the_detector(scene, xray, share):
    ruler = addRuler(scene, xray, "")
    place(ruler, carmOf(xray), ENDS[0], share=share)
    assert not isWhole(ruler)
    place(ruler, carmOf(xray), ENDS[1], share=share)
    assert isWhole(ruler)
    assert lengthMm(ruler, carmOf(xray)) == pytest.approx(50.0)
    labelRuler(ruler, "50 mm")
    assert [ruler.GetNthControlPointLabel(end) for end in (0, 1)] == ["", "50 mm"]


def test_pixels_that_are_not_square_count_as_they_are(scene, addVolume):
    node = addVolume(np.ones((1, 72, 96), dtype=np.uint16))
    scene.placeFluoroscopy(node, CArm.from_sdd(SDD_MM, (2.0, 0.5), (96, 72)))
    ruler = addRuler(scene, node, "")
    place(ruler, carmOf(node), *ENDS)
    assert lengthMm(ruler, carmOf(node)) == pytest.approx(np.hypot(60.0, 20.0))


def test_another_carm_takes_the_ruler_along_on_its_pixels(scene, xray):
    ruler = addRuler(scene, xray, "")
    place(ruler, carmOf(xray), *ENDS)
    scene.placeFluoroscopy(xray, CArm.from_sdd(1200.0, (0.5, 0.5), (96, 72)))
    assert lengthMm(ruler, carmOf(xray)) == pytest.approx(25.0)


def test_the_next_ruler_of_an_image_replaces_the_first_and_only_one_is_shown(scene, xray, addVolume):
    other = addVolume(np.ones((1, 72, 96), dtype=np.uint16))
    scene.placeFluoroscopy(other, carmOf(xray))
    kept, first = addRuler(scene, other, ""), addRuler(scene, xray, "")
    second = addRuler(scene, xray, "")
    assert not scene.holds(first)
    assert scene.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == 2
    showRuler(scene, second)
    assert second.GetDisplayNode().GetVisibility()
    assert not kept.GetDisplayNode().GetVisibility()
    showRuler(scene, None)
    assert not second.GetDisplayNode().GetVisibility()


@pytest.mark.parametrize(
    ("middle", "expected"),
    [((0, 0, 700), 700.0), ((0, 0, -50), None), ((0, 0, 1050), None), ((900, 0, 700), None)],
    ids=["in the beam", "behind the source", "behind the detector", "put aside"],
)
def test_a_depth_is_told_where_the_anatomy_is_in_the_beam(middle, expected):
    carm = CArm.from_sdd(SDD_MM, (1.0, 1.0), (96, 72))
    worldFromVolume = np.eye(4)
    worldFromVolume[:3, 3] = middle
    points = np.array([[-5.0, 0, 0], [5.0, 0, 0]])
    assert depthInSightMm(carm, worldFromVolume, np.zeros(3), points) == expected
