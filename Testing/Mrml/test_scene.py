"""The scene's frames, on real MRML: where a point of the CT lies, and where its picture lies."""

from dataclasses import replace

import numpy as np
import pytest
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import invert_rigid, rigid_faults, transform_points
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas
from ProSTRegistrationLib.Views.SliceView import showOverlay

OBLIQUE_SPACING = np.diag([0.7, 0.9, 2.5, 1])


def worldOfIjk(node, ijk):
    """Where MRML itself puts a voxel in the world."""
    worldFromRas = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(node.GetParentTransformNode(), None, worldFromRas)
    return transform_points(slicer.util.arrayFromVTKMatrix(worldFromRas) @ ijkToRas(node), ijk)


def beadCt(addVolume, rotation):
    """An oblique, anisotropic CT with one bright voxel; returns the node and the bead's index (i, j, k)."""
    voxels = np.full((20, 30, 40), -1000, dtype=np.int16)
    voxels[7, 21, 13] = 2000
    return addVolume(voxels, rotation((1, 1, 3), 25, (-30, 12, 50)) @ OBLIQUE_SPACING), (13, 21, 7)


@pytest.mark.parametrize("underParent", [False, True])
def test_bead_pixel_on_detector_lies_on_ray_from_source(
    scene, addVolume, addTransform, rotation, obliqueCarm, underParent
):
    ctNode, bead = beadCt(addVolume, rotation)
    if underParent:
        ctNode.SetAndObserveTransformNodeID(addTransform(rotation((0, 1, 0), 33, (5, 6, 7))).GetID())
    xray = addVolume(np.zeros((1, 120, 160), dtype=np.uint16), name="Fluoro")
    scene.placeFluoroscopy(xray, obliqueCarm)

    volume, worldFromVolume = scene.ct(ctNode)
    index = np.argwhere(volume.values == 2000)[0][::-1]
    beadWorld = transform_points(worldFromVolume @ volume.volume_from_index, index)
    u, v = obliqueCarm.project_world(beadWorld)

    assert np.allclose(beadWorld, worldOfIjk(ctNode, bead), atol=1e-9)
    pixelWorld = worldOfIjk(xray, (u, v, 0))
    source = invert_rigid(obliqueCarm.camera_from_world)[:3, 3]
    toBead, toPixel = beadWorld - source, pixelWorld - source
    assert np.linalg.norm(np.cross(toBead / np.linalg.norm(toBead), toPixel)) < 1e-6
    assert toBead @ toPixel > 0
    assert np.linalg.norm(toPixel) > np.linalg.norm(toBead)


def test_picture_is_not_mirrored_seen_from_the_source(scene, addVolume, obliqueCarm):
    xray = addVolume(np.zeros((1, 120, 160), dtype=np.uint16), name="Fluoro")
    scene.placeFluoroscopy(xray, obliqueCarm)
    matrix = ijkToRas(xray)
    source = invert_rigid(obliqueCarm.camera_from_world)[:3, 3]
    right, down = matrix[:3, 0], matrix[:3, 1]
    away = transform_points(matrix, (60.5, 71.25, 0)) - source
    # Who stands at the source and looks along the beam has "right x down" pointing away.
    assert np.cross(right, down) @ away > 0
    assert np.allclose(np.linalg.norm(matrix[:3, :3], axis=0), [0.30, 0.45, 1.0])
    assert np.isclose(np.linalg.norm(away), 1020.0)


def test_slice_view_shows_pixels_u_right_v_down(headless, scene, addVolume, obliqueCarm):
    letter = np.zeros((1, 120, 160), dtype=np.uint16)
    letter[0, 20:100, 30:50] = 1000
    letter[0, 20:40, 30:90] = 1000
    xray = addVolume(letter, name="Fluoro")
    scene.placeFluoroscopy(xray, obliqueCarm)
    drrNode = scene.showDrr(xray, letter[0])
    sliceLogic = slicer.vtkMRMLSliceLogic()
    sliceLogic.SetMRMLScene(headless.scene)
    sliceLogic.AddSliceNode("Red").SetDimensions(160, 180, 1)
    showOverlay(sliceLogic, xray, drrNode)
    assert sliceLogic.GetBackgroundLayer().GetVolumeNode() is xray
    assert sliceLogic.GetForegroundLayer().GetVolumeNode() is drrNode
    # A pixel is 0.30 mm wide and 0.45 mm high, so that 120 rows fill 180 of the view's.
    reslice = sliceLogic.GetBackgroundLayer().GetReslice()
    reslice.Update()
    shown = vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars()).reshape(180, 160)[::-1]
    expected = np.repeat(letter[0], 3, axis=0)[::2]
    assert np.mean((shown > 500) == (expected > 500)) > 0.98
    assert np.mean((shown > 500) == (expected[:, ::-1] > 500)) < 0.9
    assert sliceLogic.GetSliceNode().GetOrientation() == "Detector"
    scene.placeFluoroscopy(xray, replace(obliqueCarm, camera_from_world=np.eye(4)))
    showOverlay(sliceLogic, xray, drrNode)
    assert sliceLogic.GetSliceNode().GetOrientation() == "Detector"


def test_geometry_of_placed_image_is_read_back(scene, addVolume, obliqueCarm):
    xray = addVolume(np.arange(120 * 160, dtype=np.uint16).reshape(1, 120, 160), name="Fluoro")
    scene.placeFluoroscopy(xray, obliqueCarm)
    pixels, carm = scene.fluoroscopy(xray)
    assert pixels.dtype == np.uint16
    assert pixels[3, 5] == 3 * 160 + 5
    assert np.array_equal(carm.intrinsics, obliqueCarm.intrinsics)
    assert np.allclose(carm.camera_from_world, obliqueCarm.camera_from_world, atol=1e-12)
    assert carm.spacing_mm == obliqueCarm.spacing_mm


def test_moving_an_image_moves_its_carm(scene, addVolume, addTransform, rotation, obliqueCarm):
    xray = addVolume(np.zeros((1, 120, 160), dtype=np.uint16), name="Fluoro")
    scene.placeFluoroscopy(xray, obliqueCarm)
    worldFromNode = rotation((3, 1, 0), 40, (100, 0, -20))
    xray.SetAndObserveTransformNodeID(addTransform(worldFromNode).GetID())
    moved = carmOf(xray)
    point = np.array([12.0, -7.0, 90.0])
    assert np.allclose(
        moved.project_world(transform_points(worldFromNode, point)), obliqueCarm.project_world(point), atol=1e-6
    )


def test_placing_under_a_parent_still_means_the_world(scene, addVolume, addTransform, rotation, obliqueCarm):
    xray = addVolume(np.zeros((1, 120, 160), dtype=np.uint16), name="Fluoro")
    xray.SetAndObserveTransformNodeID(addTransform(rotation((3, 1, 0), 40, (100, 0, -20))).GetID())
    scene.placeFluoroscopy(xray, obliqueCarm)
    assert np.allclose(carmOf(xray).camera_from_world, obliqueCarm.camera_from_world, atol=1e-9)
    u, v = obliqueCarm.project_world(worldOfIjk(xray, (100, 17, 0)))
    assert np.allclose((u, v), (100, 17), atol=1e-6)


def test_image_without_pitch_stands_at_nominal_distance(scene, addVolume):
    carm = CArm(np.array([[2000.0, 0, 30], [0, 1900.0, 20], [0, 0, 1]]), (64, 48))
    xray = addVolume(np.zeros((1, 48, 64), dtype=np.uint8), name="Fluoro")
    scene.placeFluoroscopy(xray, carm)
    assert np.allclose(worldOfIjk(xray, (30, 20, 0)), [0, 0, 1000])
    assert np.allclose(carm.project_world(worldOfIjk(xray, (7, 40, 0))), (7, 40))


@pytest.mark.parametrize("downsampling", [1, 4])
def test_drr_lies_on_the_plane_of_its_image(scene, addVolume, obliqueCarm, downsampling):
    xray = addVolume(np.zeros((1, 120, 160), dtype=np.uint16), name="Fluoro")
    scene.placeFluoroscopy(xray, obliqueCarm)
    carm = obliqueCarm.downsampled(downsampling)
    drr = np.arange(carm.height * carm.width, dtype=np.float32).reshape(carm.height, carm.width)
    node = scene.showDrr(xray, drr, downsampling)
    assert np.array_equal(slicer.util.arrayFromVolume(node)[0], drr)
    assert slicer.util.arrayFromVolume(node).dtype == np.float32
    outerCorner = worldOfIjk(node, (carm.width - 0.5, -0.5, 0))
    assert np.allclose(outerCorner, worldOfIjk(xray, (159.5, -0.5, 0)), atol=1e-6)
    assert scene.showDrr(xray, drr[::-1], downsampling) is node


def test_pose_is_a_parent_transform_that_changes_once(scene, addVolume, rotation):
    ctNode, bead = beadCt(addVolume, rotation)
    ijkBefore = ijkToRas(ctNode)
    scene.setPose(ctNode, rotation((0, 1, 0), 25, (1, 2, 3)))
    seen = []
    transform = scene.poseTransform(ctNode)
    for node in (ctNode, transform):
        for event in (vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent):
            node.AddObserver(event, lambda *_: seen.append(scene.ct(ctNode)[1]))
    pose = rotation((1, 0, 2), -50, (10, 20, 30))
    assert scene.setPose(ctNode, pose) is transform
    assert seen
    assert np.allclose(seen, pose)
    assert transform.GetName() == "CT to C-arm"
    assert ctNode.GetParentTransformNode() is transform
    assert np.allclose(worldOfIjk(ctNode, bead), transform_points(pose @ ijkBefore, bead))
    assert np.array_equal(ijkToRas(ctNode), ijkBefore)
    assert np.allclose(scene.ct(ctNode)[1], pose)


def test_pose_keeps_previous_parents_above_it(scene, addVolume, addTransform, rotation):
    ctNode, _ = beadCt(addVolume, rotation)
    grandparent = addTransform(rotation((0, 0, 1), 90, (1, 2, 3)), "Table")
    parent = addTransform(rotation((0, 1, 0), 20, (-9, 0, 4)), "Patient", grandparent)
    ctNode.SetAndObserveTransformNodeID(parent.GetID())
    start = scene.ct(ctNode)[1]
    companion = addVolume(np.zeros((2, 2, 2), dtype=np.uint8), name="With it")
    companion.SetAndObserveTransformNodeID(parent.GetID())
    elsewhere = addVolume(np.zeros((2, 2, 2), dtype=np.uint8), name="Elsewhere")
    pose = rotation((1, 0, 2), -50, (10, 20, 30))
    transform = scene.setPose(ctNode, pose, [companion, elsewhere])
    assert transform.GetParentTransformNode() is parent
    assert np.allclose(scene.ct(ctNode)[1], pose)
    assert companion.GetParentTransformNode() is transform
    assert elsewhere.GetParentTransformNode() is None
    assert scene.setPose(ctNode, pose) is transform
    scene.setPose(ctNode, start)
    assert np.allclose(scene.ct(ctNode)[1], start)


def test_models_show_source_and_detector(scene, addVolume, obliqueCarm):
    xray = addVolume(np.zeros((1, 120, 160), dtype=np.uint16), name="Fluoro")
    scene.placeFluoroscopy(xray, obliqueCarm)
    models = {node.GetName(): node for node in scene.ownedNodes(xray)}
    source = invert_rigid(obliqueCarm.camera_from_world)[:3, 3]
    tube = slicer.util.arrayFromModelPoints(models["Fluoro source"])
    assert np.allclose(tube[0], source, atol=1e-3)
    assert ((tube[1:] - source) @ obliqueCarm.camera_from_world[2, :3] < 0).all()
    corners = slicer.util.arrayFromModelPoints(models["Fluoro detector"])
    assert np.allclose(corners[2], worldOfIjk(xray, (159.5, 119.5, 0)), atol=1e-6)
    frustum = slicer.util.arrayFromModelPoints(models["Fluoro frustum"])
    assert np.allclose(frustum[::2], source, atol=1e-6)
    turned = replace(obliqueCarm, camera_from_world=np.eye(4))
    scene.placeFluoroscopy(xray, turned)
    assert len(scene.ownedNodes(xray)) == 3
    assert np.allclose(slicer.util.arrayFromModelPoints(models["Fluoro frustum"])[::2], 0, atol=1e-9)


def test_a_further_c_arm_is_drawn_where_it_was_found_until_it_is_told_anew(scene, addVolume, obliqueCarm):
    xrays = [addVolume(np.zeros((1, 120, 160), dtype=np.uint16), name=name) for name in ("One", "Two")]
    for xray in xrays:
        scene.placeFluoroscopy(xray, obliqueCarm)
    found = obliqueCarm.camera_from_world @ np.array([[0, -1, 0, 3], [1, 0, 0, 4], [0, 0, 1, 5], [0, 0, 0, 1.0]])

    def sources():
        tips = [slicer.util.arrayFromModelPoints(scene.findOwned(xray, "source"))[0] for xray in xrays]
        return np.array(tips)

    told, there = (invert_rigid(camera)[:3, 3] for camera in (obliqueCarm.camera_from_world, found))
    scene.showFoundCarms(xrays, [found])
    assert np.allclose(sources(), [told, there], atol=1e-3)
    assert np.array_equal(carmOf(xrays[1]).camera_from_world, obliqueCarm.camera_from_world)
    scene.showFoundCarms(xrays[:1], [])
    assert np.allclose(sources(), told, atol=1e-3)
    scene.showFoundCarms(xrays, [found])
    scene.placeFluoroscopy(xrays[1], obliqueCarm)
    assert np.allclose(sources(), told, atol=1e-3)
    assert len(scene.ownedNodes(xrays[1])) == 3


def test_node_of_a_role_is_made_once_for_each_owner_and_removed_alone(headless, scene, addVolume):
    first, second = (addVolume(np.zeros((1, 4, 4), dtype=np.uint8), name=name) for name in ("One", "Two"))
    table = scene.ownedNode(first, "numbers", "vtkMRMLTableNode", "Numbers of one")
    others = scene.ownedNode(second, "numbers", "vtkMRMLTableNode", "Numbers of two")
    notes = scene.ownedNode(first, "notes", "vtkMRMLTableNode", "Notes of one")
    assert scene.ownedNode(first, "numbers", "vtkMRMLTableNode", "ignored") is table
    assert table.GetName() == "Numbers of one"
    scene.removeOwned(first, "numbers")
    scene.removeOwned(first, "numbers")
    assert not scene.holds(table)
    assert scene.ownedNodes(first) == [notes]
    assert scene.ownedNodes(second) == [others]


RESULT = {
    "name": "case-001", "status": "accepted", "confidence": 0.98, "reasons": ["both starts agree"],
    "world_from_volume": np.eye(4).tolist(), "camera_from_volume": [np.eye(4).tolist()],
    "stages": [{"name": "cmaes", "evaluations": 3800, "seconds": 1.2, "score": 0.53, "starts": 4}],
    "seconds": 2.1, "device": "cpu", "projector": "fused-cpu", "mtre_mm": None, "stopped": None,
    "config": {"restarts": "auto"}, "versions": {"prostreg": "0.1.0"}, "warnings": ["a \"quoted\"; one"],
}  # fmt: skip


def test_result_table_shows_the_numbers(scene, addVolume, tableContent):
    ctNode = addVolume(np.zeros((2, 2, 2), dtype=np.int16))
    table = scene.showResult(ctNode, RESULT)
    content = tableContent(table)
    assert content["Status"] == "accepted"
    assert content["Stage 1: cmaes, similarity"] == "0.53"
    assert content["mTRE (mm)"] == "not known"
    assert content["Warning"] == "a 'quoted'; one"
    assert scene.showResult(ctNode, {**RESULT, "status": "failed"}) is table
    assert tableContent(table)["Status"] == "failed"


class TestRefusals:
    def test_ct_lists_all_faults(self, headless, scene, addTransform):
        node = headless.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty CT")
        node.SetAndObserveTransformNodeID(addTransform(np.diag([2.0, 1, 1, 1]), "Stretch").GetID())
        with pytest.raises(InputError) as caught:
            scene.ct(node)
        assert len(caught.value.faults) == 2
        assert "'Empty CT' is empty" in caught.value.faults[0]
        assert "'Stretch', which scales, shears or mirrors" in caught.value.faults[1]

    @pytest.mark.parametrize("matrix", [np.diag([-1.0, 1, 1, 1]), np.diag([1.0, 1, 1, 1]) + 0.2 * np.eye(4, k=1)])
    def test_ct_under_mirror_or_shear(self, scene, addVolume, addTransform, matrix):
        matrix[:, 3] = [0, 0, 0, 1]
        assert rigid_faults(matrix, "matrix")
        node = addVolume(np.zeros((2, 2, 2), dtype=np.int16))
        node.SetAndObserveTransformNodeID(addTransform(matrix).GetID())
        with pytest.raises(InputError, match="scales, shears or mirrors"):
            scene.ct(node)
        with pytest.raises(InputError):
            scene.setPose(node, np.eye(4))
        assert node.GetParentTransformNode().GetName() == "Parent"

    def test_ct_under_warp(self, headless, scene, addVolume):
        warp = headless.scene.AddNewNodeByClass("vtkMRMLTransformNode", "Warp")
        warp.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
        node = addVolume(np.zeros((2, 2, 2), dtype=np.int16))
        node.SetAndObserveTransformNodeID(warp.GetID())
        with pytest.raises(InputError, match="'Warp', which warps it"):
            scene.ct(node)

    def test_colour_image_frames_and_size(self, scene, addVolume, obliqueCarm):
        colour = addVolume(np.zeros((1, 120, 160, 3), dtype=np.uint8), className="vtkMRMLVectorVolumeNode")
        cine = addVolume(np.zeros((8, 120, 160), dtype=np.uint8), name="Cine")
        other = addVolume(np.zeros((1, 60, 160), dtype=np.uint8), name="Half")
        for node, words in ((colour, "3 values per voxel"), (cine, "8 frames"), (other, "160 x 60 pixels")):
            with pytest.raises(InputError, match=words):
                scene.placeFluoroscopy(node, obliqueCarm)
            assert scene.ownedNodes(node) == []

    def test_image_without_carm(self, scene, addVolume):
        node = addVolume(np.zeros((1, 4, 4), dtype=np.uint8), name="Loose")
        with pytest.raises(InputError, match="'Loose' has no C-arm"):
            scene.fluoroscopy(node)

    def test_skewed_intrinsics(self, scene, addVolume):
        carm = CArm(np.array([[2000.0, 3.0, 30], [0, 1900.0, 20], [0, 0, 1]]), (64, 48))
        with pytest.raises(InputError, match="skew"):
            scene.placeFluoroscopy(addVolume(np.zeros((1, 48, 64), dtype=np.uint8)), carm)
