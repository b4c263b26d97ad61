"""Step 5, the views: the overlay on the X-ray, the DRR beside it, the C-arm in 3D."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.CArmSettings import isPlaced
from ProSTRegistrationLib.Nodes.DrrOrigin import isMadeOf
from ProSTRegistrationLib.Nodes.Scene import DRR_ROLE
from ProSTRegistrationLib.ParameterNode import OverlayChoice
from ProSTRegistrationLib.Views.CheckLayout import (
    CARM_VIEW,
    DRR_VIEW,
    FLUOROSCOPY_VIEW,
    LAYOUT_ID,
    MARKING_LAYOUT_ID,
    leaveCheckLayout,
    showCheckLayout,
    tidyThreeD,
    viewNode,
)
from ProSTRegistrationLib.Views.DrrView import showDrrAlone
from ProSTRegistrationLib.Views.Legend import Legend
from ProSTRegistrationLib.Views.MouseGrab import MouseGrab
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

    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Panel.Situation import Situation

SLICE_VIEWS = (FLUOROSCOPY_VIEW, DRR_VIEW)
FLICKER_MS = 450
OPACITY_STEP = 10.0
LATE_MS = 400
"""A picture that is older than the pose for so long is marked; a hand that moves would have the mark flicker."""


class CheckViews:
    """Shows the registration in a layout of its own.

    Args:
        panel: Panel.
        say: called with a text for the status line of the step, "" if there is nothing to say.
    """

    def __init__(self, panel: Panel, say: Callable[[str], object]) -> None:
        self._panel, self._ui, self._say = panel, panel.ui, say
        self._overlay = Overlay(panel.scene)
        self._shown: tuple[Any, ...] | None = None
        self._drawnDrr: tuple[object, ...] | None = None
        self._sizes: list[tuple[int, int]] = []
        self._look: list[tuple[object, ...]] = []
        self._isDrrPhase, self._note, self._place = True, "", ""
        self._in3D: tuple[Any, Any] = (None, None)
        self._asLoaded: str | None = None
        self._mouse: MouseGrab | None = None
        self._legends: dict[str, Legend] = {}
        self._late, self._isLate = qt.QTimer(), False
        self._late.setSingleShot(True)
        self._late.setInterval(LATE_MS)
        self._late.connect("timeout()", self._becameLate)
        self._flicker = qt.QTimer()
        self._flicker.setInterval(FLICKER_MS)
        self._flicker.connect("timeout()", self._flip)
        ui = self._ui
        ui.checkViewsButton.connect("toggled(bool)", self._toggled)
        ui.sourceViewButton.connect("toggled(bool)", lambda isOn: self._aimCamera())
        self._shortcuts = self._makeShortcuts() if slicer.util.mainWindow() is not None else []

    @property
    def isShown(self) -> bool:
        """True while the layout of the check is shown."""
        return self._ui.checkViewsButton.checked

    def show(self) -> None:
        """Brings up the layout while the module is in front; nothing changes where it is up already."""
        if self._panel.isEntered:
            if self.isShown and not self._isLayoutUp():
                self._toggled(True)
            self._ui.checkViewsButton.checked = True
            self.refresh(self._panel.situation(), self._place)

    def refresh(self, situation: Situation, place: str) -> None:
        """Brings the views up to date with the chosen images, their DRRs and the overlay's settings.

        Args:
            place: where the CT is, in words for the legend.
        """
        node, isReady, self._place = situation.shownImage, situation.isReady, place
        for widget in (self._ui.checkViewsButton, self._ui.sourceViewButton, self._ui.overlayComboBox):
            widget.enabled = isReady
        if self.isShown and not self._isLayoutUp(orForMarking=True):
            # A person has chosen another layout, or a scene has brought one.
            self._ui.checkViewsButton.checked = False
        if isReady and self._isLayoutUp() and self._panel.isEntered:
            # As after loading a scene that was saved with it.
            self._ui.checkViewsButton.checked = True
        if isReady and self.isShown and self._areViewsUp():
            self._asLoaded = None
            said: list[str] = []
            isDone = self._panel.attempt(lambda: self._show(node), said.append)
            # Once: another text than the last brings the next refresh.
            self._say(self._note if isDone else said[-1])
            self._showLegends(situation)
        else:
            self._flicker.stop()
            if situation.hasImages and node in situation.unplaced and self._panel.isEntered:
                self._showAsLoaded(node)

    def leave(self) -> None:
        """Brings the former layout back."""
        self._ui.checkViewsButton.checked = False

    def forget(self) -> None:
        """The scene is gone, and with it what was shown."""
        self._flicker.stop()
        self._late.stop()
        self._overlay.hide()
        self._shown, self._in3D, self._asLoaded = None, (None, None), None
        self.leave()

    def stop(self) -> None:
        """For the end of the module."""
        self.forget()
        for helper in (self._mouse, *self._legends.values()):
            if helper is not None:
                helper.stop()
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()

    def _node(self) -> vtkMRMLScalarVolumeNode:
        return self._panel.situation().shownImage

    def _isLayoutUp(self, orForMarking: bool = False) -> bool:
        layoutManager = slicer.app.layoutManager()
        ours = (LAYOUT_ID, MARKING_LAYOUT_ID) if orForMarking else (LAYOUT_ID,)
        return layoutManager is not None and layoutManager.layout in ours

    def _areViewsUp(self) -> bool:
        """False while a scene is loaded: Slicer makes views at its end, and has the panel brought up to date then."""
        return all(slicer.app.layoutManager().sliceWidget(name) is not None for name in SLICE_VIEWS)

    def _layoutChanged(self, *_args: object) -> None:
        if self.isShown != self._isLayoutUp():
            self._panel.refreshSoon()

    def _toggled(self, isOn: bool) -> None:
        layoutManager = slicer.app.layoutManager()
        if layoutManager is None:  # Slicer without a main window has no views
            self._ui.checkViewsButton.checked = False
            return
        layoutNode = layoutManager.layoutLogic().GetLayoutNode()
        if isOn:
            showCheckLayout(layoutNode)
            self._shown = None
            self._panel.refreshSoon()
            return
        self._flicker.stop()
        self._overlay.hide()
        self._shown = None
        self._clear3D()
        leaveCheckLayout(layoutNode)

    def _show(self, node: vtkMRMLScalarVolumeNode) -> None:
        parameters, drrNode = self._panel.parameters, self._panel.scene.findOwned(node, DRR_ROLE)
        choice = parameters.overlayKind
        self._watchMouse()
        self._panel.observe(self._panel.scene.mrmlScene, "NodeAddedEvent", self._nodeCame)
        layoutNode = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
        self._panel.observe(layoutNode, "ModifiedEvent", self._layoutChanged)
        for sliceLogic in self._sliceLogics():
            keepForItself(sliceLogic)
            for shown in (sliceLogic.GetSliceNode(), sliceLogic.GetSliceCompositeNode()):
                self._panel.observe(shown, "ModifiedEvent", self._viewChanged)
        if drrNode is not None:
            # Whoever makes a DRR, the overlay shows it: never one of another pose.
            self._panel.observe(drrNode, "ImageDataModifiedEvent", self._drrChanged)
        carm = carmOf(node)
        seen = (node.GetID(), self._panel.ctNode.GetID(), carm.intrinsics.tobytes(), carm.camera_from_world.tobytes())
        state = (seen, drrNode and drrNode.GetID(), choice)
        if state != self._shown or not self._isAsSet(node):
            before = self._shown and self._shown[0]
            self._showOverlay(node, drrNode, choice)
            self._shown, self._look = state, self._lookNow()
            if seen != before:
                self._showIn3D(node)
                self._aimCamera()
            if before not in (None, seen):
                self._sizes = []
        if self._sizesNow() != self._sizes:
            self._sizes = self._sizesNow()
            for sliceLogic in self._sliceLogics():
                faceDetector(sliceLogic, node)
        self._overlay.setOpacity(parameters.overlayOpacity / 100.0)
        self._ui.overlayOpacitySlider.enabled = choice is OverlayChoice.BLEND
        if choice is OverlayChoice.FLICKER and drrNode is not None:
            self._flicker.start()
        else:
            self._flicker.stop()

    def _watchMouse(self) -> None:
        view, start = slicer.app.layoutManager().sliceWidget(FLUOROSCOPY_VIEW).sliceView(), self._panel.start
        interactor = view.interactor()
        if interactor is not None and (self._mouse is None or self._mouse.interactor is not interactor):
            if self._mouse is not None:
                self._mouse.stop()
            self._mouse = MouseGrab(
                interactor, view.mrmlSliceNode(), self._isMouseLive, start.grab, start.drag, start.deepen
            )

    def _showLegends(self, situation: Situation) -> None:
        """Says in the views what the colours mean and where the CT is, and which picture is behind."""
        node = situation.shownImage
        drrNode = self._panel.scene.findOwned(node, DRR_ROLE)
        isOld = not situation.isRegistering and drrNode is not None and not isMadeOf(drrNode, situation.origins[node])
        if not isOld:
            self._late.stop()
            self._isLate = False
        elif not self._isLate and not self._late.isActive():
            self._late.start()
        place = _("best place so far of the search") if situation.isRegistering else self._place
        late = _(" - updating…") if self._isLate else ""
        colors = self._panel.parameters.overlayKind.legend() + "\n" if drrNode is not None else ""
        keys = _("\nDrag: shift. Ctrl+drag: tilt. Ctrl+wheel: depth") if self._isMouseLive() else ""
        self._legend(FLUOROSCOPY_VIEW, f"{colors}{place}{late}{keys}" if drrNode is not None else "")
        self._legend(DRR_VIEW, _("Simulated X-ray of the CT") + late if drrNode is not None else "")

    def _legend(self, name: str, text: str) -> None:
        view = slicer.app.layoutManager().sliceWidget(name).sliceView()
        window = view.renderWindow()
        if window is not None and (name not in self._legends or self._legends[name].window is not window):
            self._legends[name] = Legend(view)
        if name in self._legends:
            self._legends[name].show(text)

    def _becameLate(self) -> None:
        self._isLate = True
        self._panel.refreshSoon()

    def _isMouseLive(self) -> bool:
        return self.isShown and self._ui.mouseCheckBox.checked and self._panel.situation().isFree

    def _showOverlay(
        self, node: vtkMRMLScalarVolumeNode, drrNode: vtkMRMLScalarVolumeNode | None, choice: OverlayChoice
    ) -> None:
        sliceLogic = self._sliceLogic(FLUOROSCOPY_VIEW)
        self._overlay.hide()
        if drrNode is None:
            showLayers(sliceLogic, node)
            showLayers(self._sliceLogic(DRR_VIEW), None)
            for logic in self._sliceLogics():
                faceDetector(logic, node)
            self._note = _("The DRR comes with the live DRR or a registration.")
            return
        opacity = self._panel.parameters.overlayOpacity / 100.0
        self._overlay.show(choice.kind(), node, sliceLogic, opacity=opacity)
        showDrrAlone(self._sliceLogic(DRR_VIEW), node, drrNode)
        self._note = ""

    def _showAsLoaded(self, node: vtkMRMLScalarVolumeNode) -> None:
        """Shows a chosen X-ray once before its C-arm is told: whether it is flipped is decided by looking."""
        isUp, layoutManager = self._isLayoutUp(), slicer.app.layoutManager()
        widget = layoutManager.sliceWidget(FLUOROSCOPY_VIEW if isUp else "Red") if layoutManager is not None else None
        if widget is None or node.GetID() == self._asLoaded:
            return
        self._overlay.hide()
        self._asLoaded, self._shown = node.GetID(), None
        showAsLoaded(widget.sliceLogic(), node)
        if isUp:
            showLayers(self._sliceLogic(DRR_VIEW), None)

    def _nodeCame(self, *_args: object) -> None:
        isWaiting = self._shown is not None and not self._shown[1]
        if isWaiting:
            self._panel.refreshSoon()

    def _drrChanged(self, drrNode: vtkMRMLScalarVolumeNode, *_args: object) -> None:
        """Draws a DRR that came, once: MRML tells one change of an image more than once."""
        image = drrNode.GetImageData()
        drr = drrNode.GetID(), image and image.GetMTime()
        if self.isShown and self._shown is not None and drr != self._drawnDrr:
            self._drawnDrr = drr
            self._panel.attempt(self._overlay.refresh, self._say)
            if self._isLate:
                self._panel.refreshSoon()

    def _sliceLogic(self, name: str) -> vtkMRMLSliceLogic:
        return slicer.app.layoutManager().sliceWidget(name).sliceLogic()

    def _sliceLogics(self) -> list[vtkMRMLSliceLogic]:
        return [self._sliceLogic(name) for name in SLICE_VIEWS]

    def _viewChanged(self, *_args: object) -> None:
        """Has the images fitted again into a view of another size, and put back where something else was shown."""
        if not self.isShown or self._shown is None or not self._areViewsUp():
            return
        if self._sizesNow() != self._sizes or self._lookNow() != self._look:
            self._panel.refreshSoon()

    def _isAsSet(self, node: vtkMRMLScalarVolumeNode) -> bool:
        """False where something else in Slicer has changed what the views show, or turned them."""
        isFacing = all(isFacingDetector(sliceLogic, node) for sliceLogic in self._sliceLogics())
        return isFacing and self._lookNow() == self._look

    def _lookNow(self) -> list[tuple[object, ...]]:
        return [lookOf(sliceLogic) for sliceLogic in self._sliceLogics()]

    def _sizesNow(self) -> list[tuple[int, int]]:
        return [sliceLogic.GetSliceNode().GetDimensions()[:2] for sliceLogic in self._sliceLogics()]

    def _showIn3D(self, node: vtkMRMLScalarVolumeNode) -> None:
        """Shows the CT's bone and the X-ray on its detector in 3D, and takes those of another CT or X-ray away."""
        self._clear3D()
        view = viewNode(self._panel.scene.mrmlScene, CARM_VIEW)
        if view is not None:
            tidyThreeD(view)
            showVolumeRendering(self._panel.ctNode, view, True)
            showDetectorPicture(node, view, True)
            self._in3D = (self._panel.ctNode, node)

    def _clear3D(self) -> None:
        view = viewNode(self._panel.scene.mrmlScene, CARM_VIEW)
        ctNode, node = self._in3D
        self._in3D = (None, None)
        if view is not None and self._panel.scene.holds(ctNode):
            showVolumeRendering(ctNode, view, False)
        if view is not None and self._panel.scene.holds(node) and isPlaced(node):
            showDetectorPicture(node, view, False)

    def _aimCamera(self) -> None:
        view, situation = viewNode(self._panel.scene.mrmlScene, CARM_VIEW), self._panel.situation()
        if view is None or not situation.isReady:
            return
        aim = lookFromSource if self._ui.sourceViewButton.checked else lookAtCArm
        self._panel.attempt(lambda: aim(cameraOf(view), carmOf(situation.shownImage)), self._say)

    def _flip(self) -> None:
        if self._panel.isSceneAtRest:
            self._isDrrPhase = not self._isDrrPhase
            self._overlay.setFlickerPhase(self._isDrrPhase)

    def _makeShortcuts(self) -> list[Any]:
        ui = self._ui
        buttons = (("Alt+R", ui.registerButton), ("Alt+A", ui.acceptButton), ("Alt+J", ui.rejectButton))
        return [
            *(self._shortcut(f"Alt+{number}", choice) for number, choice in enumerate(OverlayChoice, start=1)),
            # Slicer goes through its modules by Alt with an arrow.
            self._key("Alt+PgDown", lambda: self._addOpacity(-OPACITY_STEP)),
            self._key("Alt+PgUp", lambda: self._addOpacity(OPACITY_STEP)),
            *(self._key(key, button.click, lambda: self._panel.isEntered) for key, button in buttons),
        ]

    def _shortcut(self, key: str, choice: OverlayChoice) -> Any:
        return self._key(key, lambda: self._choose(choice))

    def _key(self, key: str, action: Callable[[], object], isLive: Callable[[], bool] | None = None) -> Any:
        shortcut = qt.QShortcut(qt.QKeySequence(key), slicer.util.mainWindow())
        isOn = isLive or (lambda: self.isShown)
        shortcut.connect("activated()", lambda: action() if isOn() else None)
        return shortcut

    def _choose(self, choice: OverlayChoice) -> None:
        self._panel.parameters.overlayKind = choice

    def _addOpacity(self, step: float) -> None:
        parameters = self._panel.parameters
        parameters.overlayOpacity = min(100.0, max(0.0, parameters.overlayOpacity + step))
