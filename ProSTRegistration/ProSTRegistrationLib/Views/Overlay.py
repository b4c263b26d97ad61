"""Lays a DRR over its fluoroscopy image, in the ways by which a person can judge a registration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from prostreg.geometry.frames import invert_rigid
from prostreg.outputs.overlay_drawing import (
    DIFFERENCE_PIXELS,
    TILES_ACROSS,
    averaged,
    density,
    difference,
    factor_to,
    footprint,
    is_tile,
    like_fluoroscopy,
)
from ProSTRegistrationLib.Nodes.CArmNode import cameraFromPixel, nodeCarmOf
from ProSTRegistrationLib.Nodes.NodeGeometry import setIjkToRas
from ProSTRegistrationLib.Views.BoneContours import BoneContours
from ProSTRegistrationLib.Views.CheckerboardCorner import CheckerboardCorner
from ProSTRegistrationLib.Views.ComparedImages import ComparedImages, ComparedImagesReader, displayState
from ProSTRegistrationLib.Views.DrrView import windowDrr
from ProSTRegistrationLib.Views.OverlayColors import (
    coded,
    differenceColors,
    fillTable,
    greyColors,
    isFilledWith,
    warmColors,
)
from ProSTRegistrationLib.Views.SliceView import faceDetector, isFacingDetector, showLayers

if TYPE_CHECKING:
    from slicer import vtkMRMLColorTableNode, vtkMRMLNode, vtkMRMLScalarVolumeNode, vtkMRMLSliceLogic

    from prostreg.geometry.carm import CArm
    from ProSTRegistrationLib.Nodes.Scene import Scene

PICTURE_ROLE = "overlay picture"
COLORS_ROLE = "overlay colours"


class OverlayKind(Enum):
    """Kinds of overlay of a DRR on its fluoroscopy image."""

    BLEND = "blend"
    CONTOURS = "contours"
    CHECKERBOARD = "checkerboard"
    DIFFERENCE = "difference"
    FLICKER = "flicker"


@dataclass(frozen=True, eq=False)
class _Shown:
    kind: OverlayKind
    fluoroscopyNode: vtkMRMLScalarVolumeNode
    sliceLogic: vtkMRMLSliceLogic
    opacity: float
    tilePixels: float
    isFlickerOn: bool = True


class Overlay:
    """The overlay in one slice view. Window and level of the fluoroscopy are the user's, it never touches them.

    Its nodes belong to the fluoroscopy image and are found again in a scene that was saved and reloaded.

    Args:
        scene: Scene.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._reader = ComparedImagesReader(scene)
        self._contours = BoneContours(scene)
        self._shown: _Shown | None = None
        self._corner: CheckerboardCorner | None = None
        self._matched: tuple[ComparedImages, NDArray[np.float32]] | None = None
        self._observed: list[tuple[vtkMRMLNode, int]] = []

    def show(
        self,
        kind: OverlayKind,
        fluoroscopyNode: vtkMRMLScalarVolumeNode,
        sliceLogic: vtkMRMLSliceLogic,
        opacity: float = 0.5,
        corner: tuple[float, float] | None = None,
        tilePixels: float | None = None,
    ) -> None:
        """Shows the overlay of an image with its DRR; what was shown before in this view goes.

        Args:
            kind: OverlayKind.
            fluoroscopyNode: a placed image that has a DRR.
            sliceLogic: vtkMRMLSliceLogic of the view; it is turned onto the detector if it is not.
            opacity: of the blend, 0 to 1; of contours it sets how thick they are.
            corner: (u, v) where four tiles of the checkerboard meet; None where it was last, at first the middle.
            tilePixels: side of its tiles in pixels of the fluoroscopy, None for an eighth of its width.

        Raises:
            InputError: the image is not fit or not placed, or there is no DRR for it; the view stays as it was.
        """
        images = self._reader.read(fluoroscopyNode)
        self._stop()
        isNew = sliceLogic.GetSliceCompositeNode().GetBackgroundVolumeID() != fluoroscopyNode.GetID()
        tilePixels = tilePixels or images.carm.width * images.factor / TILES_ACROSS
        self._shown = shown = _Shown(kind, fluoroscopyNode, sliceLogic, opacity, tilePixels)
        if isNew or not isFacingDetector(sliceLogic, fluoroscopyNode):
            faceDetector(sliceLogic, fluoroscopyNode)
        self._watchDisplay(fluoroscopyNode)
        if kind is OverlayKind.CHECKERBOARD:
            self._corner = CheckerboardCorner(
                self._scene, fluoroscopyNode, sliceLogic.GetSliceNode(), self._cornerMoved
            )
            if corner is not None:
                self._corner.moveTo(corner)
        self._draw(shown, images)
        self._setLayers(shown)

    def refresh(self) -> None:
        """Shows a DRR that has come since, or another window of the fluoroscopy; nothing where nothing is shown.

        Raises:
            InputError: as for show.
        """
        shown = self._alive()
        if shown is not None:
            self._draw(shown, self._reader.read(shown.fluoroscopyNode))

    def setOpacity(self, opacity: float) -> None:
        """Sets the opacity of a blend, 0 to 1, or the thickness of contours."""
        shown = self._alive()
        if shown is not None:
            self._shown = replace(shown, opacity=opacity)
            self._setLayers(self._shown)

    def setFlickerPhase(self, isDrr: bool) -> None:
        """Shows the DRR or the fluoroscopy where both are shown in turn."""
        shown = self._alive()
        if shown is not None:
            self._shown = replace(shown, isFlickerOn=bool(isDrr))
            self._setLayers(self._shown)

    def hide(self) -> None:
        """Leaves the fluoroscopy alone in the view; what was made stays in the scene for the next time."""
        shown = self._alive()
        self._stop()
        if shown is not None:
            showLayers(shown.sliceLogic, shown.fluoroscopyNode)

    def _stop(self) -> None:
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed = []
        if self._corner is not None:
            self._corner.release()
        shown = self._alive()
        if shown is not None:
            self._contours.hide(shown.fluoroscopyNode)
        self._corner = self._shown = self._matched = None

    def _alive(self) -> _Shown | None:
        shown = self._shown
        return shown if shown is not None and self._scene.holds(shown.fluoroscopyNode) else None

    def _draw(self, shown: _Shown, images: ComparedImages) -> None:
        windowDrr(self._reader.drrNode(shown.fluoroscopyNode), images.isBoneBright)
        if shown.kind is OverlayKind.CONTOURS:
            self._contours.draw(shown.fluoroscopyNode, images, shown.sliceLogic.GetSliceNode(), shown.opacity)
        elif shown.kind is OverlayKind.BLEND:
            values = coded(density(images.drr), footprint(images.drr))
            self._setPicture(shown, images.carm, values, warmColors(images.isBoneBright))
        elif shown.kind is OverlayKind.DIFFERENCE:
            self._drawDifference(shown, images)
        else:
            self._matched = images, like_fluoroscopy(images.drr, images.brightness, images.isBoneBright)
            self._drawMatched(shown, *self._matched)

    def _drawMatched(self, shown: _Shown, images: ComparedImages, brightness: NDArray[np.float32]) -> None:
        if self._corner is None:
            self._setPicture(shown, images.carm, coded(brightness), greyColors(isTinted=False))
            return
        u, v = ((place + 0.5) / images.factor - 0.5 for place in self._corner.pixel)
        isDrr = is_tile(brightness.shape, (u, v), shown.tilePixels / images.factor)
        self._setPicture(shown, images.carm, coded(brightness, isDrr), greyColors(isTinted=True))

    def _drawDifference(self, shown: _Shown, images: ComparedImages) -> None:
        further = factor_to(DIFFERENCE_PIXELS, images.drr.shape)
        drr, brightness = (averaged(image, further) for image in (images.drr, images.brightness))
        shares = 0.5 + 0.5 * difference(drr, brightness, images.isBoneBright)
        carm = nodeCarmOf(shown.fluoroscopyNode, images.factor * further)
        self._setPicture(shown, carm, coded(shares), differenceColors())

    def _setPicture(
        self,
        shown: _Shown,
        carm: CArm,
        values: NDArray[np.uint8],
        table: NDArray[np.float64],
    ) -> None:
        owner = shown.fluoroscopyNode
        node = self._picture(owner)
        wasModifying = node.StartModify()
        node.SetAndObserveTransformNodeID(owner.GetTransformNodeID())
        setIjkToRas(node, invert_rigid(carm.camera_from_world) @ cameraFromPixel(carm))
        slicer.util.updateVolumeFromArray(node, values[None])
        node.EndModify(wasModifying)
        node.CreateDefaultDisplayNodes()
        display, colors = node.GetDisplayNode(), self._colors(owner)
        if not isFilledWith(colors, table):
            colors.SetHideFromEditors(True)
            fillTable(colors, table)
        wasModifying = display.StartModify()
        display.AutoWindowLevelOff()
        display.SetWindowLevel(255, 127.5)
        display.SetAndObserveColorNodeID(colors.GetID())
        display.EndModify(wasModifying)

    def _picture(self, owner: vtkMRMLScalarVolumeNode) -> vtkMRMLScalarVolumeNode:
        return self._scene.ownedNode(owner, PICTURE_ROLE, "vtkMRMLScalarVolumeNode", f"{owner.GetName()} overlay")

    def _colors(self, owner: vtkMRMLScalarVolumeNode) -> vtkMRMLColorTableNode:
        return self._scene.ownedNode(owner, COLORS_ROLE, "vtkMRMLColorTableNode", f"{owner.GetName()} overlay colours")

    def _setLayers(self, shown: _Shown) -> None:
        if shown.kind is OverlayKind.CONTOURS:
            showLayers(shown.sliceLogic, shown.fluoroscopyNode)
            self._contours.setThickness(shown.fluoroscopyNode, shown.opacity)
            return
        opacities = {OverlayKind.BLEND: shown.opacity, OverlayKind.FLICKER: float(shown.isFlickerOn)}
        showLayers(
            shown.sliceLogic,
            shown.fluoroscopyNode,
            self._picture(shown.fluoroscopyNode),
            opacities.get(shown.kind, 1.0),
        )

    def _watchDisplay(self, node: vtkMRMLScalarVolumeNode) -> None:
        looks = [displayState(node)]

        def look(*_: object) -> None:
            if self._alive() is not None and displayState(node) != looks[0]:
                looks[0] = displayState(node)
                self.refresh()

        display = node.GetDisplayNode()
        self._observed.append((display, display.AddObserver(vtk.vtkCommand.ModifiedEvent, look)))

    def _cornerMoved(self) -> None:
        shown = self._alive()
        if shown is not None and self._matched is not None:
            self._drawMatched(shown, *self._matched)
