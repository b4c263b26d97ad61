"""Paired landmarks on real markups: which belong together, the pose that they give, and errors in closed form."""

from dataclasses import replace

import numpy as np
import pytest

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import invert_rigid, transform_points
from ProSTRegistrationLib.Nodes.CArmNode import CARM_ATTRIBUTE, cameraFromPixel, carmOf
from ProSTRegistrationLib.Nodes.FluoroscopyImage import flipLeftRight
from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from ProSTRegistrationLib.Nodes.ImageMarks import LANDMARKS_ROLE, marksPx
from ProSTRegistrationLib.Nodes.Landmarks import (
    landmarkErrorMm,
    landmarkPointsMm,
    pairedLandmarks,
    prepareLandmarkLists,
    referencePose,
    setReferencePose,
    solveLandmarks,
)
from ProSTRegistrationLib.Nodes.Scene import Scene

POINTS_MM = 3.0 * np.array([[-40, 0, 0], [40, 0, 0], [-25, 15, -30], [25, 15, -30], [0, -35, 10], [12, -30, 38]])
LABELS = ["ASIS left", "ASIS right", "spine", "tear drop", "notch", "tip"]


@pytest.fixture
def obliqueCarm(obliqueCarm):
    """With a field that is large enough for the landmarks."""
    return CArm.from_sdd(1020.0, (1.5, 1.8), (320, 300), (150.5, 171.25), obliqueCarm.camera_from_world)


@pytest.fixture
def ctNode(addVolume):
    return addVolume(np.zeros((4, 5, 6), dtype=np.int16), np.diag([10.0, 10, 10, 1]))


@pytest.fixture
def xray(scene, addVolume, obliqueCarm):
    node = addVolume(np.zeros((1, 300, 320), dtype=np.uint16), name="Fluoro")
    scene.placeFluoroscopy(node, obliqueCarm)
    return node


@pytest.fixture
def truth(obliqueCarm, rotation):
    return invert_rigid(obliqueCarm.camera_from_world) @ rotation((2, 1, 5), 137, (4, -3, 900))


@pytest.fixture
def lists(scene, ctNode, xray):
    return prepareLandmarkLists(scene, ctNode, xray)


def worldOnDetector(carm, pixel):
    return transform_points(invert_rigid(carm.camera_from_world) @ cameraFromPixel(carm), (*pixel, 0))


def placePoints(ctNode, ctList, labels=LABELS):
    """Landmarks as a user places them: in the world, where the CT lies now."""
    worldFromCt = Scene(ctNode.GetScene()).ct(ctNode)[1]
    for label, point in zip(labels, POINTS_MM, strict=True):
        ctList.AddControlPointWorld(transform_points(worldFromCt, point), label)


def placeMarks(xray, pictureList, truth, labels=LABELS):
    """Marks on the picture where the truth projects the landmarks of these labels."""
    carm = carmOf(xray)
    for label in labels:
        pixel = carm.project_world(transform_points(truth, POINTS_MM[LABELS.index(label)]))
        pictureList.AddControlPointWorld(worldOnDetector(carm, pixel), label)


class TestLists:
    def test_made_once_with_names_views_and_parents(self, scene, ctNode, xray, addTransform, rotation):
        transform = addTransform(rotation((1, 0, 0), 20, (1, 2, 3)))
        ctNode.SetAndObserveTransformNodeID(transform.GetID())
        views = (("vtkMRMLSliceNodeRed",), ("vtkMRMLSliceNodeFluoro",))
        ctList, pictureList = prepareLandmarkLists(scene, ctNode, xray, *views)
        assert (ctList.GetName(), pictureList.GetName()) == ("CT CT landmarks", "Fluoro landmarks")
        assert ctList.GetParentTransformNode() is transform
        assert pictureList.GetParentTransformNode() is None
        assert tuple(n.GetDisplayNode().GetViewNodeIDs() for n in (ctList, pictureList)) == views
        assert ctList.GetDisplayNode().GetSelectedColor() != pictureList.GetDisplayNode().GetSelectedColor()
        ctList.GetDisplayNode().SetSelectedColor(1, 0, 0)
        assert prepareLandmarkLists(scene, ctNode, xray, *views) == (ctList, pictureList)
        assert ctList.GetDisplayNode().GetSelectedColor() == (1, 0, 0)
        assert scene.findOwned(ctNode, LANDMARKS_ROLE) is ctList

    def test_points_placed_one_after_the_other_have_equal_labels(self, lists):
        for node in lists:
            for _ in range(2):
                node.AddControlPointWorld(1.0, 2.0, 3.0)
        labels = [[node.GetNthControlPointLabel(n) for n in range(2)] for node in lists]
        assert labels == [["1", "2"], ["1", "2"]]

    def test_points_stay_in_the_ct_when_it_is_moved(self, scene, ctNode, lists, rotation):
        ctList, _ = lists
        placePoints(ctNode, ctList)
        scene.setPose(ctNode, rotation((1, 1, 0), 50, (100, 20, -3)))
        assert np.allclose(landmarkPointsMm(ctNode, ctList), POINTS_MM, atol=1e-9)

    def test_points_of_a_list_elsewhere(self, headless, ctNode, addTransform, rotation):
        ctNode.SetAndObserveTransformNodeID(addTransform(rotation((0, 1, 0), 33, (5, 6, 7))).GetID())
        ctList = headless.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Mine")
        ctList.SetAndObserveTransformNodeID(addTransform(rotation((1, 1, 0), 70, (0, 9, 0))).GetID())
        placePoints(ctNode, ctList)
        assert np.allclose(landmarkPointsMm(ctNode, ctList), POINTS_MM, atol=1e-9)

    def test_marks_stay_on_their_pixels_when_the_geometry_changes(self, scene, xray, lists, truth, obliqueCarm):
        placeMarks(xray, lists[1], truth)
        before = marksPx(lists[1], carmOf(xray))
        scene.placeFluoroscopy(xray, replace(obliqueCarm, camera_from_world=np.eye(4), spacing_mm=(1.0, 1.2)))
        assert np.allclose(marksPx(lists[1], carmOf(xray)), before, atol=1e-6)
        flipLeftRight(xray)
        assert np.allclose(marksPx(lists[1], carmOf(xray)), before * (-1, 1) + (319, 0), atol=1e-6)

    def test_damaged_carm_can_be_set_again(self, scene, xray, lists, truth, obliqueCarm):
        placeMarks(xray, lists[1], truth)
        xray.SetAttribute(CARM_ATTRIBUTE, "{")
        scene.placeFluoroscopy(xray, obliqueCarm)
        assert np.allclose(carmOf(xray).intrinsics, obliqueCarm.intrinsics)

    def test_survive_saving(self, headless, ctNode, xray, lists, truth, tmp_path):
        placePoints(ctNode, lists[0])
        placeMarks(xray, lists[1], truth)
        assert headless.save(tmp_path / "scene.mrb")
        with HeadlessScene() as other:
            assert other.load(tmp_path / "scene.mrb")
            ct, fluoro = (other.scene.GetFirstNodeByName(name) for name in ("CT", "Fluoro"))
            loaded = prepareLandmarkLists(Scene(other.scene), ct, fluoro)
            assert np.allclose(solveLandmarks(ct, loaded[0], [(fluoro, loaded[1])]).worldFromVolume, truth, atol=0.02)


class TestPairs:
    def test_by_label_whatever_the_order(self, ctNode, xray, lists, truth):
        placePoints(ctNode, lists[0])
        placeMarks(xray, lists[1], truth, ["tip", "spine", "ASIS left", "tear drop", "notch"])
        lists[1].AddControlPointWorld(worldOnDetector(carmOf(xray), (3, 4)), "screw")
        pairs = pairedLandmarks(ctNode, lists[0], [(xray, lists[1])])
        expected = carmOf(xray).project_world(transform_points(truth, POINTS_MM))
        expected[1] = np.nan
        assert np.allclose(pairs.marksPx[0], expected, atol=1e-6, equal_nan=True)
        assert pairs.notes == (
            "Not marked on 'Fluoro' and left out there: ASIS right.",
            "Marked on 'Fluoro' only, without a landmark in the CT, and left out: screw.",
        )

    def test_by_order_without_equal_labels(self, ctNode, xray, lists, truth):
        placePoints(ctNode, lists[0])
        placeMarks(xray, lists[1], truth)
        for number in range(6):
            lists[1].SetNthControlPointLabel(number, f"F-{number}")
        lists[1].RemoveNthControlPoint(5)
        pairs = pairedLandmarks(ctNode, lists[0], [(xray, lists[1])])
        assert np.allclose(pairs.marksPx[0][:5], carmOf(xray).project_world(transform_points(truth, POINTS_MM[:5])))
        assert pairs.notes == ("Not marked on 'Fluoro' and left out there: tip.",)

    def test_points_beside_the_plane_count_along_their_ray(self, ctNode, xray, lists):
        carm = carmOf(xray)
        source = invert_rigid(carm.camera_from_world)[:3, 3]
        lists[0].AddControlPointWorld(0, 0, 0)
        lists[1].AddControlPointWorld(source + 0.8 * (worldOnDetector(carm, (31.5, 70.25)) - source))
        pairs = pairedLandmarks(ctNode, lists[0], [(xray, lists[1])])
        assert np.allclose(pairs.marksPx[0], (31.5, 70.25), atol=1e-6)

    def test_points_said_to_be_missing_are_no_fault(self, ctNode, xray, lists, truth):
        placePoints(ctNode, lists[0])
        placeMarks(xray, lists[1], truth)
        lists[1].SetNthControlPointPositionMissing(2)
        pairs = pairedLandmarks(ctNode, lists[0], [(xray, lists[1])])
        assert np.flatnonzero(np.isnan(pairs.marksPx[0][:, 0])).tolist() == [2]

    def test_all_faults_at_once(self, ctNode, xray, lists, truth):
        placePoints(ctNode, lists[0])
        placeMarks(xray, lists[1], truth)
        lists[0].UnsetNthControlPointPosition(3)
        carm = carmOf(xray)
        lists[1].AddControlPointWorld(worldOnDetector(carm, (330, 4)), "far")
        lists[1].AddControlPointWorld(invert_rigid(carm.camera_from_world)[:3, 3], "at source")
        lists[1].AddControlPointWorld(worldOnDetector(carm, (5, 4)), "tip")
        with pytest.raises(InputError) as caught:
            pairedLandmarks(ctNode, lists[0], [(xray, lists[1])])
        assert len(caught.value.faults) == 4
        assert "'tear drop' in the CT 'CT' has no position" in caught.value.faults[0]
        assert "'far' on 'Fluoro' lies outside of the image" in caught.value.faults[1]
        assert "'at source' on 'Fluoro' lies outside" in caught.value.faults[2]
        assert "Two landmarks on 'Fluoro' are called 'tip'" in caught.value.faults[3]

    def test_image_without_carm(self, scene, ctNode, lists, addVolume):
        other = addVolume(np.zeros((1, 8, 8), dtype=np.uint8), name="Other")
        _, pictureList = prepareLandmarkLists(scene, ctNode, other)
        with pytest.raises(InputError, match="'Other' has no C-arm"):
            pairedLandmarks(ctNode, lists[0], [(other, pictureList)])


class TestSolving:
    def test_true_pose_and_a_residual_for_each_mark(self, scene, ctNode, xray, lists, truth, rotation):
        scene.setPose(ctNode, rotation((0, 1, 1), 15, (30, 0, 9)))
        before = scene.ct(ctNode)[1]
        placePoints(ctNode, lists[0])
        placeMarks(xray, lists[1], truth, LABELS[:5])
        solution = solveLandmarks(ctNode, lists[0], [(xray, lists[1])])
        assert np.allclose(solution.worldFromVolume, truth, atol=1e-4)
        assert [row.label for row in solution.rows] == LABELS[:5]
        assert max(row.residualPx for row in solution.rows) < 1e-3
        assert solution.rmsMm < 1e-3
        assert solution.warning is None
        assert len(solution.pairs.notes) == 1
        assert np.array_equal(scene.ct(ctNode)[1], before)

    def test_residual_names_the_wrong_mark(self, ctNode, xray, lists, truth):
        placePoints(ctNode, lists[0])
        placeMarks(xray, lists[1], truth)
        carm = carmOf(xray)
        pixels = marksPx(lists[1], carm)
        lists[1].SetNthControlPointPositionWorld(4, worldOnDetector(carm, pixels[4] + (12, -9)))
        rows = solveLandmarks(ctNode, lists[0], [(xray, lists[1])]).rows
        worst = max(rows, key=lambda row: row.residualPx)
        assert worst.label == "notch"
        assert worst.view == "Fluoro"
        # One pixel is 1.5 or 1.8 mm wide at 1020 mm; the landmarks are about 900 mm deep.
        assert 1.2 < worst.residualMm / worst.residualPx < 1.8

    def test_two_views_need_three_each(self, scene, ctNode, xray, lists, truth, addVolume, obliqueCarm, rotation):
        turned = replace(
            obliqueCarm,
            camera_from_world=rotation((0, 1, 0), 80, (-860, 0, 760)) @ obliqueCarm.camera_from_world,
        )
        second = addVolume(np.zeros((1, 300, 320), dtype=np.uint16), name="Lateral")
        scene.placeFluoroscopy(second, turned)
        _, secondList = prepareLandmarkLists(scene, ctNode, second)
        placePoints(ctNode, lists[0])
        placeMarks(xray, lists[1], truth, LABELS[:3])
        placeMarks(second, secondList, truth, LABELS[3:])
        solution = solveLandmarks(ctNode, lists[0], [(xray, lists[1]), (second, secondList)])
        assert np.allclose(solution.worldFromVolume, truth, atol=1e-3)
        assert [row.view for row in solution.rows] == ["Fluoro"] * 3 + ["Lateral"] * 3

    def test_mirrored_picture_is_told(self, ctNode, xray, lists, truth):
        placePoints(ctNode, lists[0])
        carm = carmOf(xray)
        for label, (u, v) in zip(LABELS, carm.project_world(transform_points(truth, POINTS_MM)), strict=True):
            lists[1].AddControlPointWorld(worldOnDetector(carm, (319 - u, v)), label)
        warning = solveLandmarks(ctNode, lists[0], [(xray, lists[1])]).warning
        assert "mirror image" in warning
        flipLeftRight(xray)
        assert solveLandmarks(ctNode, lists[0], [(xray, lists[1])]).warning is None

    def test_too_few_names_what_was_left_out(self, ctNode, xray, lists, truth):
        placePoints(ctNode, lists[0])
        placeMarks(xray, lists[1], truth, LABELS[:3])
        with pytest.raises(InputError) as caught:
            solveLandmarks(ctNode, lists[0], [(xray, lists[1])])
        assert "Too few landmarks are marked (3 in view 1)" in caught.value.faults[0]
        assert "left out there: tear drop, notch, tip" in caught.value.faults[1]

    def test_nothing_is_marked(self, ctNode, xray, lists):
        with pytest.raises(InputError, match="Too few landmarks"):
            solveLandmarks(ctNode, lists[0], [(xray, lists[1])])


class TestErrors:
    def test_distance_to_the_ray(self, ctNode, xray, lists, truth, obliqueCarm, rotation):
        placePoints(ctNode, lists[0])
        placeMarks(xray, lists[1], truth, LABELS[:1])
        pairs = pairedLandmarks(ctNode, lists[0], [(xray, lists[1])])
        assert landmarkErrorMm(truth, pairs) < 1e-6
        # A shift of d across the ray of the one marked point is an error of d; along the ray it is none.
        seen = transform_points(obliqueCarm.camera_from_world @ truth, POINTS_MM[0])
        ray = seen / np.linalg.norm(seen)
        across = np.cross(ray, (0, 0, 1)) / np.linalg.norm(np.cross(ray, (0, 0, 1)))
        for shift, expected in ((5 * across, 5.0), (40 * ray, 0.0)):
            moved = obliqueCarm.camera_from_world @ truth
            moved[:3, 3] += shift
            found = landmarkErrorMm(invert_rigid(obliqueCarm.camera_from_world) @ moved, pairs)
            assert np.isclose(found, expected, atol=1e-6)

    def test_nothing_marked_is_no_error(self, ctNode, xray, lists, truth):
        assert landmarkErrorMm(truth, pairedLandmarks(ctNode, lists[0], [(xray, lists[1])])) is None

    def test_reference_pose_is_kept(self, headless, scene, ctNode, truth, tmp_path):
        assert referencePose(scene, ctNode) is None
        setReferencePose(scene, ctNode, truth)
        assert np.allclose(referencePose(scene, ctNode), truth)
        assert headless.save(tmp_path / "scene.mrb")
        with HeadlessScene() as other:
            assert other.load(tmp_path / "scene.mrb")
            loaded = referencePose(Scene(other.scene), other.scene.GetFirstNodeByName("CT"))
            assert np.allclose(loaded, truth, atol=1e-9)
