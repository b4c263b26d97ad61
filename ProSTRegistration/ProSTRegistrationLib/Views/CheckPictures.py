"""The pictures of the check: the overlay on the X-ray, the DRR beside it, the C-arm in 3D."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer

from ProSTRegistrationLib.Nodes.CArmNode import carmOf, drawnCarmOf
from ProSTRegistrationLib.Nodes.CArmSettings import isPlaced
from ProSTRegistrationLib.Views.CheckLayout import CARM_VIEW, DRR_VIEW, FLUOROSCOPY_VIEW, tidyThreeD, viewNode
from ProSTRegistrationLib.Views.DrrView import showDrrAlone
from ProSTRegistrationLib.Views.Overlay import Overlay
from ProSTRegistrationLib.Views.SliceView import (
    faceDetector,
    isFacingDetector,
    keepForItself,
    lookOf,
    showAsLoaded,
    showLayers,
)
from ProSTRegistrationLib.Views.SourceView import (
    cameraOf,
    lookAtCArm,
    lookFromSource,
    showDetectorPicture,
    showVolumeRendering,
)

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSliceLogic

    from ProSTRegistrationLib.Nodes.Scene import Scene
    from ProSTRegistrationLib.Views.Overlay import OverlayKind

SLICE_VIEWS = (FLUOROSCOPY_VIEW, DRR_VIEW)


class CheckPictures:
    """Shows what is to be judged; nothing is set anew that stands there already.

    Args:
        scene: Scene.

    Attributes:
        overlay: Overlay.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene, self.overlay = scene, Overlay(scene)
        self._shown: tuple[Any, ...] | None = None
        self._sizes: list[tuple[int, int]] = []
        self._look: list[tuple[object, ...]] = []
        self._in3D: tuple[Any, Any] = (None, None)
        self._asLoaded: str | None = None
        self._drawn = b""

    @property
    def areShown(self) -> bool:
        """True while an X-ray is shown with its C-arm."""
        return self._shown is not None

    @property
    def areWithoutDrr(self) -> bool:
        """True while an X-ray is shown alone, because there is no DRR."""
        return self._shown is not None and not self._shown[1]

    @property
    def areDisturbed(self) -> bool:
        """True where views have another size than the images were fitted into, or show something else."""
        return self.areShown and (self._sizesNow() != self._sizes or self._lookNow() != self._look)

    def areViewsUp(self) -> bool:
        """False while a scene is loaded: Slicer makes views at its end."""
        return all(slicer.app.layoutManager().sliceWidget(name) is not None for name in SLICE_VIEWS)

    def sliceLogics(self) -> list[vtkMRMLSliceLogic]:
        """The logics of both slice views."""
        return [self._sliceLogic(name) for name in SLICE_VIEWS]

    def show(
        self,
        ctNode: vtkMRMLScalarVolumeNode,
        node: vtkMRMLScalarVolumeNode,
        drrNode: vtkMRMLScalarVolumeNode | None,
        kind: OverlayKind,
        opacity: float,
    ) -> bool:
        """Shows a CT, a placed X-ray and its DRR, None where there is none yet; True if the camera is to be aimed anew.

        Args:
            opacity: of the overlay, 0 to 1.
        """
        self._asLoaded = None
        carm, drawn = carmOf(node), drawnCarmOf(node).camera_from_world.tobytes()
        seen = (node.GetID(), ctNode.GetID(), carm.intrinsics.tobytes(), carm.camera_from_world.tobytes())
        state, before = (seen, drrNode and drrNode.GetID(), kind), self._shown and self._shown[0]
        for sliceLogic in self.sliceLogics():
            keepForItself(sliceLogic)
        if state != self._shown or not self._isAsSet(node):
            self._showOverlay(node, drrNode, kind, opacity)
            self._shown, self._look = state, self._lookNow()
            if before not in (None, seen):
                self._sizes = []
        if self._sizesNow() != self._sizes:
            self._sizes = self._sizesNow()
            self._face(node)
        self.overlay.setOpacity(opacity)
        isOtherIn3D, self._drawn = (seen, drawn) != (before, self._drawn), drawn
        if isOtherIn3D:
            self._showIn3D(ctNode, node)
        return isOtherIn3D

    def showAsLoaded(self, node: vtkMRMLScalarVolumeNode, isLayoutUp: bool) -> None:
        """Shows a chosen X-ray once before its C-arm is told: whether it is flipped is decided by looking."""
        layoutManager = slicer.app.layoutManager()
        name = FLUOROSCOPY_VIEW if isLayoutUp else "Red"
        widget = layoutManager.sliceWidget(name) if layoutManager is not None else None
        if widget is None or node.GetID() == self._asLoaded:
            return
        self.overlay.hide()
        self._asLoaded, self._shown = node.GetID(), None
        showAsLoaded(widget.sliceLogic(), node)
        if isLayoutUp:
            showLayers(self._sliceLogic(DRR_VIEW), None)

    def aimCamera(self, node: vtkMRMLScalarVolumeNode, isFromSource: bool) -> None:
        """Has the 3D view look from an X-ray's source, or at its C-arm."""
        view = viewNode(self._scene.mrmlScene, CARM_VIEW)
        if view is not None:
            aim = lookFromSource if isFromSource else lookAtCArm
            aim(cameraOf(view), drawnCarmOf(node))

    def hide(self) -> None:
        """Takes overlay and 3D pictures away."""
        self.overlay.hide()
        self._shown = None
        self._clear3D()

    def begin(self) -> None:
        """Has all be set anew, for views that have come up."""
        self._shown = None

    def forget(self) -> None:
        """The scene is gone, and with it what was shown."""
        self.overlay.hide()
        self._shown, self._in3D, self._asLoaded = None, (None, None), None

    def _showOverlay(
        self,
        node: vtkMRMLScalarVolumeNode,
        drrNode: vtkMRMLScalarVolumeNode | None,
        kind: OverlayKind,
        opacity: float,
    ) -> None:
        sliceLogic = self._sliceLogic(FLUOROSCOPY_VIEW)
        self.overlay.hide()
        if drrNode is None:
            showLayers(sliceLogic, node)
            showLayers(self._sliceLogic(DRR_VIEW), None)
            self._face(node)
        else:
            self.overlay.show(kind, node, sliceLogic, opacity=opacity)
            showDrrAlone(self._sliceLogic(DRR_VIEW), node, drrNode)

    def _isAsSet(self, node: vtkMRMLScalarVolumeNode) -> bool:
        """False where something else in Slicer has changed what the views show, or turned them."""
        isFacing = all(isFacingDetector(sliceLogic, node) for sliceLogic in self.sliceLogics())
        return isFacing and self._lookNow() == self._look

    def _face(self, node: vtkMRMLScalarVolumeNode) -> None:
        for sliceLogic in self.sliceLogics():
            faceDetector(sliceLogic, node)

    def _showIn3D(self, ctNode: vtkMRMLScalarVolumeNode, node: vtkMRMLScalarVolumeNode) -> None:
        """Shows the CT's bone and the X-ray on its detector in 3D, and takes those of another CT or X-ray away."""
        self._clear3D()
        view = viewNode(self._scene.mrmlScene, CARM_VIEW)
        if view is not None:
            tidyThreeD(view)
            showVolumeRendering(ctNode, view, True)
            showDetectorPicture(node, view, True)
            self._in3D = (ctNode, node)

    def _clear3D(self) -> None:
        view = viewNode(self._scene.mrmlScene, CARM_VIEW)
        ctNode, node = self._in3D
        self._in3D = (None, None)
        if view is not None and self._scene.holds(ctNode):
            showVolumeRendering(ctNode, view, False)
        if view is not None and self._scene.holds(node) and isPlaced(node):
            showDetectorPicture(node, view, False)

    def _sliceLogic(self, name: str) -> vtkMRMLSliceLogic:
        return slicer.app.layoutManager().sliceWidget(name).sliceLogic()

    def _lookNow(self) -> list[tuple[object, ...]]:
        return [lookOf(sliceLogic) for sliceLogic in self.sliceLogics()]

    def _sizesNow(self) -> list[tuple[int, int]]:
        return [sliceLogic.GetSliceNode().GetDimensions()[:2] for sliceLogic in self.sliceLogics()]
