"""Lays a DRR over its fluoroscopy image, in the ways by which a person can judge a registration."""

from dataclasses import dataclass, replace
from enum import Enum

import slicer
import vtk

from prostreg.geometry.frames import invert_rigid
from prostreg.outputs.bone_lines import bone_lines
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
from ProSTRegistrationLib.Nodes.CArmNode import cameraFromPixel
from ProSTRegistrationLib.Nodes.NodeGeometry import setIjkToRas
from ProSTRegistrationLib.Views.BoneContours import linesOnDetector
from ProSTRegistrationLib.Views.CheckerboardCorner import CheckerboardCorner
from ProSTRegistrationLib.Views.ComparedImages import ComparedImagesReader, displayState
from ProSTRegistrationLib.Views.DrrView import windowDrr
from ProSTRegistrationLib.Views.OverlayColors import coded, differenceColors, fillTable, greyColors, warmColors
from ProSTRegistrationLib.Views.SliceView import faceDetector, showLayers

PICTURE_ROLE = "overlay picture"
COLORS_ROLE = "overlay colours"
CONTOURS_ROLE = "bone contours"
TABLE_ATTRIBUTE = "ProSTRegistration.Table"
CONTOUR_COLOR = (0.24, 1.0, 0.55)
CONTOUR_PIXELS = 2


class OverlayKind(Enum):
    """How a DRR is laid over its fluoroscopy image."""

    BLEND = "blend"
    CONTOURS = "contours"
    CHECKERBOARD = "checkerboard"
    DIFFERENCE = "difference"
    FLICKER = "flicker"


@dataclass(frozen=True, eq=False)
class _Shown:
    kind: OverlayKind
    fluoroscopyNode: object
    sliceLogic: object
    opacity: float
    tilePixels: float
    isFlickerOn: bool = True


class Overlay:
    """The overlay in one slice view. Window and level of the fluoroscopy are the user's, it never touches them.

    Its nodes belong to the fluoroscopy image and are found again in a scene that was saved and reloaded.

    Args:
        scene: Scene.
    """

    def __init__(self, scene):
        self._scene = scene
        self._reader = ComparedImagesReader(scene)
        self._shown = None
        self._corner = None
        self._onCorner = None
        self._matched = None
        self._observed = []

    def show(self, kind, fluoroscopyNode, sliceLogic, opacity=0.5, corner=None, tilePixels=None):
        """Shows the overlay of an image with its DRR; what was shown before in this view goes.

        Args:
            kind: OverlayKind.
            fluoroscopyNode: a placed image that has a DRR.
            sliceLogic: vtkMRMLSliceLogic of the view; it is turned onto the detector when the image is new in it.
            opacity: of the blend, 0 to 1.
            corner: (u, v) where four tiles of the checkerboard meet; None where it was last, at first the middle.
            tilePixels: side of its tiles in pixels of the fluoroscopy, None for an eighth of its width.

        Raises:
            InputError: the image is not fit or not placed, or there is no DRR for it; the view stays as it was.
        """
        images = self._reader.read(fluoroscopyNode)
        self._stop()
        isNew = sliceLogic.GetSliceCompositeNode().GetBackgroundVolumeID() != fluoroscopyNode.GetID()
        tilePixels = tilePixels or images.carm.width * images.factor / TILES_ACROSS
        self._shown = _Shown(kind, fluoroscopyNode, sliceLogic, opacity, tilePixels)
        if isNew:
            faceDetector(sliceLogic, fluoroscopyNode)
        self._watchDisplay()
        if kind is OverlayKind.CHECKERBOARD:
            self._corner = CheckerboardCorner(
                self._scene, fluoroscopyNode, sliceLogic.GetSliceNode(), self._cornerMoved
            )
            if corner is not None:
                self._corner.moveTo(corner)
        self._draw(images)
        self._setLayers()

    def refresh(self):
        """Shows a DRR that has come since, or another window of the fluoroscopy; nothing where nothing is shown.

        Raises:
            InputError: as for show.
        """
        if self._isAlive():
            self._draw(self._reader.read(self._shown.fluoroscopyNode))

    def setOpacity(self, opacity):
        """Sets the opacity of a blend, 0 to 1."""
        if self._isAlive():
            self._shown = replace(self._shown, opacity=opacity)
            self._setLayers()

    def setFlickerPhase(self, isDrr):
        """Shows the DRR or the fluoroscopy where both are shown in turn."""
        if self._isAlive():
            self._shown = replace(self._shown, isFlickerOn=bool(isDrr))
            self._setLayers()

    def observeCorner(self, callback):
        """Has a function called with (u, v) whenever the checkerboard was dragged; None for no one."""
        self._onCorner = callback

    def hide(self):
        """Leaves the fluoroscopy alone in the view; what was made stays in the scene for the next time."""
        shown = self._shown
        isAlive = self._isAlive()
        self._stop()
        if isAlive:
            showLayers(shown.sliceLogic, shown.fluoroscopyNode)

    def _stop(self):
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed = []
        if self._corner is not None:
            self._corner.release()
        if self._isAlive():
            self._hideContours()
        self._corner = self._shown = self._matched = None

    def _isAlive(self):
        return self._shown is not None and self._scene.holds(self._shown.fluoroscopyNode)

    def _draw(self, images):
        shown = self._shown
        windowDrr(self._reader.drrNode(shown.fluoroscopyNode), images.isBoneBright)
        if shown.kind is OverlayKind.CONTOURS:
            self._drawContours(images)
        elif shown.kind is OverlayKind.BLEND:
            values = coded(density(images.drr), footprint(images.drr))
            self._setPicture(
                images.carm, values, f"warm {images.isBoneBright}", lambda: warmColors(images.isBoneBright)
            )
        elif shown.kind is OverlayKind.DIFFERENCE:
            self._drawDifference(images)
        else:
            self._matched = images, like_fluoroscopy(images.drr, images.brightness, images.isBoneBright)
            self._drawMatched()

    def _drawMatched(self):
        images, brightness = self._matched
        if self._shown.kind is OverlayKind.FLICKER:
            self._setPicture(images.carm, coded(brightness), "grey", lambda: greyColors(isTinted=False))
            return
        corner = [(place + 0.5) / images.factor - 0.5 for place in self._corner.pixel]
        isDrr = is_tile(brightness.shape, corner, self._shown.tilePixels / images.factor)
        self._setPicture(images.carm, coded(brightness, isDrr), "tinted", lambda: greyColors(isTinted=True))

    def _drawDifference(self, images):
        further = factor_to(DIFFERENCE_PIXELS, images.drr.shape)
        drr, brightness = (averaged(image, further) for image in (images.drr, images.brightness))
        shares = 0.5 + 0.5 * difference(drr, brightness, images.isBoneBright)
        self._setPicture(images.carm.downsampled(further), coded(shares), "difference", differenceColors)

    def _drawContours(self, images):
        owner = self._shown.fluoroscopyNode
        node = self._scene.ownedNode(owner, CONTOURS_ROLE, "vtkMRMLModelNode", f"{owner.GetName()} bone contours")
        nodeFromPixel = invert_rigid(images.carm.camera_from_world) @ cameraFromPixel(images.carm)
        node.SetAndObserveTransformNodeID(owner.GetTransformNodeID())
        node.SetAndObservePolyData(linesOnDetector(bone_lines(images.drr), nodeFromPixel))
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        wasModifying = display.StartModify()
        display.SetViewNodeIDs([self._shown.sliceLogic.GetSliceNode().GetID()])
        display.SetColor(CONTOUR_COLOR)
        display.SetSliceIntersectionThickness(CONTOUR_PIXELS)
        display.SetSliceDisplayModeToProjection()
        display.SetVisibility2D(True)
        display.SetVisibility(True)
        display.EndModify(wasModifying)

    def _hideContours(self):
        node = self._scene.findOwned(self._shown.fluoroscopyNode, CONTOURS_ROLE)
        if node is not None and node.GetDisplayNode():
            node.GetDisplayNode().SetVisibility(False)

    def _setPicture(self, carm, values, tableName, makeTable):
        owner = self._shown.fluoroscopyNode
        node = self._picture()
        wasModifying = node.StartModify()
        node.SetAndObserveTransformNodeID(owner.GetTransformNodeID())
        setIjkToRas(node, invert_rigid(carm.camera_from_world) @ cameraFromPixel(carm))
        slicer.util.updateVolumeFromArray(node, values[None])
        node.EndModify(wasModifying)
        node.CreateDefaultDisplayNodes()
        display, colors = node.GetDisplayNode(), self._colors()
        if colors.GetAttribute(TABLE_ATTRIBUTE) != tableName:
            colors.SetHideFromEditors(True)
            fillTable(colors, makeTable())
            colors.SetAttribute(TABLE_ATTRIBUTE, tableName)
        wasModifying = display.StartModify()
        display.AutoWindowLevelOff()
        display.SetWindowLevel(255, 127.5)
        display.SetAndObserveColorNodeID(colors.GetID())
        display.EndModify(wasModifying)

    def _picture(self):
        owner = self._shown.fluoroscopyNode
        return self._scene.ownedNode(owner, PICTURE_ROLE, "vtkMRMLScalarVolumeNode", f"{owner.GetName()} overlay")

    def _colors(self):
        owner = self._shown.fluoroscopyNode
        return self._scene.ownedNode(owner, COLORS_ROLE, "vtkMRMLColorTableNode", f"{owner.GetName()} overlay colours")

    def _setLayers(self):
        shown = self._shown
        if shown.kind is OverlayKind.CONTOURS:
            showLayers(shown.sliceLogic, shown.fluoroscopyNode)
            return
        opacities = {OverlayKind.BLEND: shown.opacity, OverlayKind.FLICKER: float(shown.isFlickerOn)}
        showLayers(shown.sliceLogic, shown.fluoroscopyNode, self._picture(), opacities.get(shown.kind, 1.0))

    def _watchDisplay(self):
        node = self._shown.fluoroscopyNode
        looks = [displayState(node)]

        def look(*_):
            if self._isAlive() and displayState(node) != looks[0]:
                looks[0] = displayState(node)
                self.refresh()

        display = node.GetDisplayNode()
        self._observed.append((display, display.AddObserver(vtk.vtkCommand.ModifiedEvent, look)))

    def _cornerMoved(self, pixel):
        if self._isAlive() and self._matched is not None:
            self._drawMatched()
            if self._onCorner is not None:
                self._onCorner(pixel)
