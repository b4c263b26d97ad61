"""The layout for judging a registration is shown, left again, and has views of its own."""

import pytest
import slicer

from ProSTRegistrationLib.Views.CheckLayout import (
    CARM_VIEW,
    DRR_VIEW,
    FLUOROSCOPY_VIEW,
    LAYOUT_ID,
    VIEW_GROUP,
    leaveCheckLayout,
    registerCheckLayout,
    showCheckLayout,
    viewNode,
)

VIEWS = (FLUOROSCOPY_VIEW, DRR_VIEW, CARM_VIEW)
FOUR_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
CONVENTIONAL = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView


@pytest.fixture
def layoutLogic(headless):
    """Makes the views that a layout names, as the application's layout manager does."""
    logic = slicer.vtkMRMLLayoutLogic()
    logic.SetMRMLScene(headless.scene)
    logic.GetLayoutNode().SetViewArrangement(FOUR_UP)
    yield logic
    # It would fall over a scene that takes its layout node away.
    logic.SetMRMLScene(None)


def test_views_appear_with_own_names_and_group(headless, layoutLogic):
    showCheckLayout(layoutLogic.GetLayoutNode())

    views = layoutLogic.GetViewNodes()
    shown = {views.GetItemAsObject(index) for index in range(views.GetNumberOfItems())}
    assert shown == {viewNode(headless.scene, name) for name in VIEWS}
    assert {node.GetLayoutName() for node in shown} == set(VIEWS)
    assert all(node.GetViewGroup() == VIEW_GROUP for node in shown)
    assert viewNode(headless.scene, CARM_VIEW).IsA("vtkMRMLViewNode")


def test_other_views_stay_in_their_group(headless, layoutLogic):
    red = headless.scene.GetNodeByID("vtkMRMLSliceNodeRed")
    before = red.GetViewGroup(), red.GetOrientation()

    showCheckLayout(layoutLogic.GetLayoutNode())

    assert (red.GetViewGroup(), red.GetOrientation()) == before
    assert red.GetViewGroup() != VIEW_GROUP


def test_registering_and_showing_twice_changes_nothing(headless, layoutLogic):
    node = layoutLogic.GetLayoutNode()
    showCheckLayout(node)
    before = node.GetLayoutDescription(LAYOUT_ID), headless.scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")

    registerCheckLayout(node)
    showCheckLayout(node)

    assert (node.GetLayoutDescription(LAYOUT_ID), headless.scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")) == before
    leaveCheckLayout(node)
    assert node.GetViewArrangement() == FOUR_UP


def test_leaving_returns_to_what_was_shown(layoutLogic):
    node = layoutLogic.GetLayoutNode()
    node.SetViewArrangement(CONVENTIONAL)
    showCheckLayout(node)
    assert node.GetViewArrangement() == LAYOUT_ID

    leaveCheckLayout(node)

    assert node.GetViewArrangement() == CONVENTIONAL


def test_layout_chosen_by_hand_meanwhile_stays(layoutLogic):
    node = layoutLogic.GetLayoutNode()
    showCheckLayout(node)
    node.SetViewArrangement(CONVENTIONAL)

    leaveCheckLayout(node)

    assert node.GetViewArrangement() == CONVENTIONAL


def test_leaving_without_having_been_there_changes_nothing(layoutLogic):
    leaveCheckLayout(layoutLogic.GetLayoutNode())

    assert layoutLogic.GetLayoutNode().GetViewArrangement() == FOUR_UP


def test_saved_and_reloaded_scene_can_be_left_too(headless, layoutLogic, tmp_path):
    showCheckLayout(layoutLogic.GetLayoutNode())
    assert headless.save(tmp_path / "scene.mrb")
    layoutLogic.GetLayoutNode().SetViewArrangement(CONVENTIONAL)

    assert headless.load(tmp_path / "scene.mrb")
    registerCheckLayout(layoutLogic.GetLayoutNode())
    leaveCheckLayout(layoutLogic.GetLayoutNode())

    assert layoutLogic.GetLayoutNode().GetViewArrangement() == FOUR_UP


def test_a_layout_that_nobody_here_has_shown_is_left_for_four_views(layoutLogic):
    """As after loading a scene that another Slicer saved with it."""
    node = layoutLogic.GetLayoutNode()
    registerCheckLayout(node)
    node.SetViewArrangement(LAYOUT_ID)
    leaveCheckLayout(node)
    assert node.GetViewArrangement() == node.SlicerLayoutFourUpView
