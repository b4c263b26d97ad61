"""Overlays in a real slice view: what they change, what they leave alone, what survives."""

import numpy as np
import pytest
import slicer
from SyntheticBones import SPACING_MM, bonesHu

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.outputs.overlay import GAP, HEADER, MARGIN, TITLE, OverlayView, draw_overlay, panel_size
from prostreg.projector.selection import make_projector
from prostreg.registration.result import Result
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.ImageMarks import marksPx
from ProSTRegistrationLib.Nodes.Scene import Scene
from ProSTRegistrationLib.Views.DrrView import showDrrAlone
from ProSTRegistrationLib.Views.Overlay import Overlay, OverlayKind

SIZE = (320, 240)
KINDS = list(OverlayKind)


def _disc(shape, centre, radius):
    v, u = np.mgrid[: shape[0], : shape[1]]
    return np.clip(radius - np.hypot(u - centre[0], v - centre[1]), 0, 1).astype(np.float32)


@pytest.fixture
def fluoroscopyNode(scene, addVolume, obliqueCarm):
    """A bright bone over a soft-tissue slope, placed, with window and level of a user."""
    shape = (obliqueCarm.height, obliqueCarm.width)
    grey = 300 + 2 * np.arange(shape[1]) + 400 * _disc(shape, (60, 50), 25)
    grey += 3 * np.random.default_rng(1).standard_normal(shape)
    node = addVolume(grey.astype(np.uint16)[None], name="Fluoro")
    scene.placeFluoroscopy(node, obliqueCarm)
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevel(900, 700)
    return node


@pytest.fixture
def drr(obliqueCarm):
    """A bone beside where the fluoroscopy has it."""
    return 3 * _disc((obliqueCarm.height, obliqueCarm.width), (95, 70), 25)


@pytest.fixture
def sliceLogic(headless, offscreenViews):
    """The slice view of the overlay."""
    return _openSlice(headless, offscreenViews, "Fluoroscopy")


def _openSlice(headless, offscreenViews, name):
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLScene(headless.scene)
    known = headless.scene.GetSingletonNode(name, "vtkMRMLSliceNode")
    logic.SetSliceNode(known) if known else logic.AddSliceNode(name)
    offscreenViews.addSlice(logic)
    offscreenViews.grab(logic.GetSliceNode(), *SIZE)
    return logic


def _windowLevel(node):
    return node.GetDisplayNode().GetWindow(), node.GetDisplayNode().GetLevel()


def _grab(offscreenViews, logic):
    return offscreenViews.grab(logic.GetSliceNode(), *SIZE).astype(int)


@pytest.mark.parametrize("kind", KINDS)
def test_overlay_shows_the_drr_and_goes_again(scene, fluoroscopyNode, drr, sliceLogic, offscreenViews, kind):
    scene.showDrr(fluoroscopyNode, drr)
    overlay = Overlay(scene)
    overlay.show(kind, fluoroscopyNode, sliceLogic)
    overlay.hide()
    alone = _grab(offscreenViews, sliceLogic)
    assert (alone[..., 0] == alone[..., 2]).all()

    overlay.show(kind, fluoroscopyNode, sliceLogic)
    shown = _grab(offscreenViews, sliceLogic)
    overlay.hide()

    changed = np.abs(shown - alone).max(axis=-1) > 10
    assert changed.sum() > 100
    assert (_grab(offscreenViews, sliceLogic) == alone).all()


@pytest.mark.parametrize("kind", KINDS)
def test_window_and_level_of_the_fluoroscopy_are_kept(scene, fluoroscopyNode, drr, sliceLogic, kind):
    scene.showDrr(fluoroscopyNode, drr)
    overlay = Overlay(scene)

    overlay.show(kind, fluoroscopyNode, sliceLogic)
    scene.showDrr(fluoroscopyNode, 2 * drr)
    overlay.refresh()
    overlay.hide()

    assert _windowLevel(fluoroscopyNode) == (900, 700)


def test_window_of_the_drr_follows_it_until_a_person_sets_one(scene, fluoroscopyNode, drr, sliceLogic):
    node = scene.showDrr(fluoroscopyNode, drr)
    overlay = Overlay(scene)
    overlay.show(OverlayKind.BLEND, fluoroscopyNode, sliceLogic)
    assert _windowLevel(node) == pytest.approx((3, 1.5), rel=0.05)
    scene.showDrr(fluoroscopyNode, 2 * drr)
    overlay.refresh()
    assert _windowLevel(node) == pytest.approx((6, 3), rel=0.05)

    node.GetDisplayNode().SetWindowLevel(1.25, 0.5)
    scene.showDrr(fluoroscopyNode, 5 * drr)
    overlay.refresh()
    overlay.show(OverlayKind.FLICKER, fluoroscopyNode, sliceLogic)

    assert _windowLevel(node) == (1.25, 0.5)


def test_new_window_of_the_fluoroscopy_is_taken_over(scene, fluoroscopyNode, drr, sliceLogic, offscreenViews):
    scene.showDrr(fluoroscopyNode, drr)
    Overlay(scene).show(OverlayKind.FLICKER, fluoroscopyNode, sliceLogic)
    before = _grab(offscreenViews, sliceLogic)

    fluoroscopyNode.GetDisplayNode().SetWindowLevel(900, 400)

    assert (_grab(offscreenViews, sliceLogic).mean() - before.mean()) > 20


@pytest.mark.parametrize("kind", KINDS)
def test_drr_of_another_size_falls_on_the_same_place(scene, fluoroscopyNode, drr, sliceLogic, offscreenViews, kind):
    overlay, pictures = Overlay(scene), []
    for factor in (1, 3):
        height, width = drr.shape[0] // factor, drr.shape[1] // factor
        small = drr[: height * factor, : width * factor].reshape(height, factor, width, factor).mean(axis=(1, 3))
        scene.showDrr(fluoroscopyNode, small, factor)
        overlay.show(kind, fluoroscopyNode, sliceLogic, opacity=1.0)
        pictures.append(_grab(offscreenViews, sliceLogic))

    # A difference also shows where the small DRR has lost its sharpness.
    tolerance = 6 if kind is OverlayKind.DIFFERENCE else 3
    np.testing.assert_allclose(*(_middleOfDrr(picture, kind) for picture in pictures), atol=tolerance)


def _middleOfDrr(picture, kind):
    red, green, blue = np.moveaxis(picture, -1, 0)
    if kind is OverlayKind.FLICKER:
        isMarked = red > np.percentile(red, 93)
    else:
        marks = green - blue if kind is OverlayKind.CONTOURS else red - blue
        isMarked = marks > 0.4 * marks.max()
    return np.argwhere(isMarked).mean(axis=0)


def test_live_drr_moves_the_overlay(scene, fluoroscopyNode, drr, sliceLogic, offscreenViews):
    scene.showDrr(fluoroscopyNode, drr)
    overlay = Overlay(scene)
    overlay.show(OverlayKind.BLEND, fluoroscopyNode, sliceLogic, opacity=1.0)
    before = _grab(offscreenViews, sliceLogic)

    scene.showDrr(fluoroscopyNode, np.roll(drr, 30, axis=1))
    overlay.refresh()

    warm = [np.argwhere(p[..., 0] - p[..., 2] > 40)[:, 1].mean() for p in (before, _grab(offscreenViews, sliceLogic))]
    assert warm[1] > warm[0] + 20


def test_contours_are_those_of_the_png(scene, addVolume, headless, offscreenViews, rotation):
    width, height = panel_size(480, 360)
    pose = rotation((1, 0.2, 0.1), 85, (0, 0, 640)) @ rotation((0, 0, 1), 0, -np.array((52.0, 50.4, 60.0)))
    carm = CArm.from_sdd(1020.0, (0.25, 0.25), (width, height))
    attenuation = np.maximum(bonesHu() - 300, 0).astype(np.float32) / 1e4
    projector = make_projector(Volume(attenuation, np.diag([*SPACING_MM, 1.0])))
    drr = projector.render(pose[None], carm)[0]
    seen = OverlayView(drr, np.ones(drr.shape, dtype=bool), None, drr)
    result = Result("one", "accepted", 1.0, pose, (pose,), (), 1.0, "cpu", "fused-cpu", None, {}, {})
    sheet = np.asarray(draw_overlay(result, [seen])).astype(int)
    panelHeight, panelWidth = height // 2, width // 2
    panel = sheet[HEADER + TITLE :][:panelHeight, MARGIN + 3 * (panelWidth + GAP) :][:, :panelWidth]

    node = addVolume(drr[None], name="Fluoro")
    scene.placeFluoroscopy(node, carm)
    scene.showDrr(node, drr)
    logic = _openSlice(headless, offscreenViews, "Fluoroscopy")
    offscreenViews.grab(logic.GetSliceNode(), panelWidth, panelHeight)
    Overlay(scene).show(OverlayKind.CONTOURS, node, logic)
    view = offscreenViews.grab(logic.GetSliceNode(), panelWidth, panelHeight).astype(int)

    painted = [np.argwhere(picture[..., 1] - picture[..., 0] > 60) for picture in (panel, view)]
    assert min(map(len, painted)) > 500
    apart = np.linalg.norm(painted[0][:, None] - painted[1][None], axis=-1)
    assert apart.min(axis=0).max() < 2
    assert apart.min(axis=1).max() < 2


def test_opacity_and_flicker_need_no_new_picture(scene, fluoroscopyNode, drr, sliceLogic):
    scene.showDrr(fluoroscopyNode, drr)
    overlay, composite = Overlay(scene), sliceLogic.GetSliceCompositeNode()
    overlay.show(OverlayKind.BLEND, fluoroscopyNode, sliceLogic, opacity=0.25)
    assert composite.GetForegroundOpacity() == 0.25
    overlay.setOpacity(0.75)
    assert composite.GetForegroundOpacity() == 0.75

    overlay.show(OverlayKind.FLICKER, fluoroscopyNode, sliceLogic)
    made = scene.findOwned(fluoroscopyNode, "overlay picture").GetImageData().GetMTime()
    phases = []
    for isDrr in (False, True):
        overlay.setFlickerPhase(isDrr)
        phases.append(composite.GetForegroundOpacity())

    assert phases == [0, 1]
    assert scene.findOwned(fluoroscopyNode, "overlay picture").GetImageData().GetMTime() == made


def cornerPx(scene, fluoroscopyNode):
    """(u, v) of the checkerboard's corner."""
    return marksPx(scene.findOwned(fluoroscopyNode, "checkerboard corner"), carmOf(fluoroscopyNode))[0]


def test_corner_is_dragged_with_the_mouse(scene, fluoroscopyNode, drr, sliceLogic, offscreenViews):
    scene.showDrr(fluoroscopyNode, drr)
    overlay = Overlay(scene)
    overlay.show(OverlayKind.CHECKERBOARD, fluoroscopyNode, sliceLogic, tilePixels=40)
    middle = ((SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2)
    before = _grab(offscreenViews, sliceLogic)

    offscreenViews.drag(sliceLogic.GetSliceNode(), middle, (middle[0] + 30, middle[1] - 20))

    # The view is 240 high and shows 120 pixels of 0.45 mm; they are 0.3 mm wide.
    pitch = 120 * 0.45 / SIZE[1]
    np.testing.assert_allclose(
        cornerPx(scene, fluoroscopyNode), (79.5 + 30 * pitch / 0.3, 59.5 - 20 * pitch / 0.45), atol=1.5
    )
    assert (np.abs(_grab(offscreenViews, sliceLogic) - before).max(axis=-1) > 5).mean() > 0.2
    offscreenViews.drag(sliceLogic.GetSliceNode(), (middle[0] + 30, middle[1] - 20), middle)
    assert (np.abs(_grab(offscreenViews, sliceLogic) - before).max(axis=-1) > 5).mean() < 0.05


def test_corner_is_seen_in_its_view_alone_and_not_after_hiding(
    headless, scene, fluoroscopyNode, drr, sliceLogic, offscreenViews
):
    other = _openSlice(headless, offscreenViews, "DRR")
    scene.showDrr(fluoroscopyNode, drr)
    overlay = Overlay(scene)
    overlay.show(OverlayKind.CHECKERBOARD, fluoroscopyNode, sliceLogic)
    display = scene.findOwned(fluoroscopyNode, "checkerboard corner").GetDisplayNode()
    assert display.GetVisibility(sliceLogic.GetSliceNode().GetID())
    assert not display.GetVisibility(other.GetSliceNode().GetID())

    overlay.show(OverlayKind.BLEND, fluoroscopyNode, sliceLogic)

    assert not display.GetVisibility()


def test_corner_stays_where_it_was_left(scene, fluoroscopyNode, drr, sliceLogic, addTransform, rotation):
    fluoroscopyNode.SetAndObserveTransformNodeID(addTransform(rotation((1, 1, 0), 40, (5, 6, 7))).GetID())
    scene.showDrr(fluoroscopyNode, drr)
    overlay = Overlay(scene)
    overlay.show(OverlayKind.CHECKERBOARD, fluoroscopyNode, sliceLogic, corner=(20.0, 90.0))
    overlay.show(OverlayKind.CONTOURS, fluoroscopyNode, sliceLogic)

    overlay.show(OverlayKind.CHECKERBOARD, fluoroscopyNode, sliceLogic)

    np.testing.assert_allclose(cornerPx(scene, fluoroscopyNode), (20, 90), atol=1e-6)


def test_zoom_is_kept_while_kinds_change(scene, fluoroscopyNode, drr, sliceLogic):
    scene.showDrr(fluoroscopyNode, drr)
    overlay, sliceNode = Overlay(scene), sliceLogic.GetSliceNode()
    overlay.show(OverlayKind.BLEND, fluoroscopyNode, sliceLogic)
    sliceNode.SetFieldOfView(20, 15, 1)

    overlay.show(OverlayKind.DIFFERENCE, fluoroscopyNode, sliceLogic)

    assert sliceNode.GetFieldOfView()[:2] == (20, 15)


def test_kinds_share_one_node_of_each_sort(headless, scene, fluoroscopyNode, drr, sliceLogic):
    scene.showDrr(fluoroscopyNode, drr)
    overlay = Overlay(scene)
    for _ in range(2):
        for kind in KINDS:
            overlay.show(kind, fluoroscopyNode, sliceLogic)
    roles = [node.GetAttribute("ProSTRegistration.Role") for node in scene.ownedNodes(fluoroscopyNode)]
    assert len(roles) == len(set(roles))


def test_no_drr_is_told_and_leaves_the_view_alone(scene, fluoroscopyNode, sliceLogic):
    overlay = Overlay(scene)
    with pytest.raises(InputError, match="no DRR for 'Fluoro' yet"):
        overlay.show(OverlayKind.BLEND, fluoroscopyNode, sliceLogic)
    assert sliceLogic.GetSliceCompositeNode().GetBackgroundVolumeID() is None
    overlay.refresh()
    overlay.setOpacity(0.3)
    overlay.setFlickerPhase(True)
    overlay.hide()


def test_drr_of_another_geometry_is_told(scene, fluoroscopyNode, drr, sliceLogic):
    scene.showDrr(fluoroscopyNode, drr)
    slicer.util.updateVolumeFromArray(scene.findOwned(fluoroscopyNode, "drr"), drr[None, :50])
    with pytest.raises(InputError, match="another geometry"):
        Overlay(scene).show(OverlayKind.BLEND, fluoroscopyNode, sliceLogic)


def test_image_that_was_never_placed_is_told(scene, addVolume, sliceLogic):
    with pytest.raises(InputError, match="set its geometry first"):
        Overlay(scene).show(OverlayKind.BLEND, addVolume(np.ones((1, 9, 9), np.uint8)), sliceLogic)


@pytest.mark.parametrize("kind", KINDS)
def test_scene_closed_while_shown(headless, scene, fluoroscopyNode, drr, sliceLogic, offscreenViews, kind):
    scene.showDrr(fluoroscopyNode, drr)
    overlay = Overlay(scene)
    overlay.show(kind, fluoroscopyNode, sliceLogic)

    headless.scene.Clear(False)
    overlay.refresh()
    overlay.setOpacity(0.4)
    overlay.setFlickerPhase(False)
    overlay.hide()

    assert not _grab(offscreenViews, sliceLogic).any()


@pytest.mark.parametrize("kind", KINDS)
def test_fluoroscopy_deleted_while_shown(headless, scene, fluoroscopyNode, drr, sliceLogic, kind):
    scene.showDrr(fluoroscopyNode, drr)
    overlay = Overlay(scene)
    overlay.show(kind, fluoroscopyNode, sliceLogic)

    headless.scene.RemoveNode(fluoroscopyNode)

    overlay.refresh()
    overlay.hide()


@pytest.mark.parametrize("kind", KINDS)
def test_overlay_goes_on_in_a_reloaded_scene(
    headless, scene, fluoroscopyNode, drr, sliceLogic, offscreenViews, tmp_path, kind
):
    scene.showDrr(fluoroscopyNode, drr)
    Overlay(scene).show(kind, fluoroscopyNode, sliceLogic, corner=(50, 40), opacity=0.6)
    before = _grab(offscreenViews, sliceLogic)
    count = len(scene.ownedNodes(fluoroscopyNode))
    assert headless.save(tmp_path / "scene.mrb")
    headless.scene.Clear(False)
    assert headless.load(tmp_path / "scene.mrb")

    reloaded = Scene(headless.scene)
    node = headless.scene.GetFirstNodeByName("Fluoro")
    Overlay(reloaded).show(kind, node, sliceLogic, opacity=0.6)

    assert len(reloaded.ownedNodes(node)) == count
    assert np.abs(_grab(offscreenViews, sliceLogic) - before).mean() < 1


def test_drr_alone_has_the_orientation_and_field_of_the_overlay(
    headless, scene, fluoroscopyNode, drr, sliceLogic, offscreenViews
):
    other = _openSlice(headless, offscreenViews, "DRR")
    node = scene.showDrr(fluoroscopyNode, drr)
    Overlay(scene).show(OverlayKind.BLEND, fluoroscopyNode, sliceLogic)

    showDrrAlone(other, fluoroscopyNode, node)

    matrices = [slicer.util.arrayFromVTKMatrix(x.GetSliceNode().GetXYToRAS()) for x in (sliceLogic, other)]
    np.testing.assert_allclose(*matrices)
    assert other.GetSliceCompositeNode().GetForegroundVolumeID() is None
