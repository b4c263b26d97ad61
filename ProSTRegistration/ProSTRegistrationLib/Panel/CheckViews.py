"""Step 5, the views: the overlay on the X-ray, the DRR beside it, the C-arm in 3D."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ProSTRegistrationLib.Bones.BoneDrrs import boneDrrsOf
from ProSTRegistrationLib.Nodes.DrrOrigin import isMadeOf
from ProSTRegistrationLib.Nodes.Scene import DRR_ROLE
from ProSTRegistrationLib.Panel.CheckKeys import CheckKeys
from ProSTRegistrationLib.Panel.ViewTools import ViewTools, turnWords
from ProSTRegistrationLib.ParameterNode import OverlayChoice
from ProSTRegistrationLib.Views.CheckLayout import (
    DRR_VIEW,
    FLUOROSCOPY_VIEW,
    LAYOUT_ID,
    MARKING_LAYOUT_ID,
    PLOTS_LAYOUT_ID,
    leaveCheckLayout,
    showCheckLayout,
    showPlotsLayout,
)
from ProSTRegistrationLib.Views.CheckPictures import CheckPictures
from ProSTRegistrationLib.Views.Legend import Legend
from ProSTRegistrationLib.Views.MouseGrab import MouseGrab
from ProSTRegistrationLib.Views.ViewTurn import viewTurnOf

if TYPE_CHECKING:
    from slicer import vtkMRMLPlotChartNode, vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation

FLICKER_MS = 450
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
        self._pictures = CheckPictures(panel.scene)
        self._drawnDrr: tuple[object, ...] | None = None
        self._isDrrPhase, self._place = True, ""
        self._mouse: MouseGrab | None = None
        self._legends: dict[str, Legend] = {}
        self._said: tuple[vtkMRMLScalarVolumeNode, bool] | None = None
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
        self._keys, self._tools = CheckKeys(panel, lambda: self.isShown), ViewTools(panel)

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
            self._panel.refreshSoon()

    @property
    def arePlotsShown(self) -> bool:
        """True while the plots of a track are shown beside X-ray and DRR."""
        layoutManager = slicer.app.layoutManager()
        return layoutManager is not None and layoutManager.layout == PLOTS_LAYOUT_ID

    def showPlots(self, charts: Mapping[str, vtkMRMLPlotChartNode]) -> None:
        """Shows X-ray and DRR beside the charts of a track, by the names of their views; without any, the C-arm again.

        Nothing happens where Slicer has no main window.
        """
        self._ui.checkViewsButton.checked = True
        if self.isShown:
            layoutNode = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
            if charts:
                showPlotsLayout(layoutNode, charts)
            else:
                showCheckLayout(layoutNode)
            self._panel.refreshSoon()

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
        self._tools.refresh(situation, self.isShown)
        if isReady and self.isShown and self._pictures.areViewsUp():
            said: list[str] = []
            isDone = self._panel.attempt(lambda: self._show(node), said.append)
            # Once: another text than the last brings the next refresh.
            isWaiting = isDone and self._pictures.areWithoutDrr
            self._say(_("The DRR comes with the live DRR or a registration.") if isWaiting else said[-1])
            self._showLegends(situation)
        else:
            self._flicker.stop()
            if situation.hasImages and node in situation.unplaced and self._panel.isEntered:
                self._pictures.showAsLoaded(node, self._isLayoutUp())

    def leave(self) -> None:
        """Brings the former layout back."""
        self._ui.checkViewsButton.checked = False

    def forget(self) -> None:
        """The scene is gone, and with it what was shown."""
        self._flicker.stop()
        self._late.stop()
        self._pictures.forget()
        self._said = None
        self.leave()

    def stop(self) -> None:
        """For the end of the module."""
        self.forget()
        for helper in (self._mouse, *self._legends.values()):
            if helper is not None:
                helper.stop()
        self._keys.stop()

    def _isLayoutUp(self, orForMarking: bool = False) -> bool:
        layoutManager = slicer.app.layoutManager()
        ours = (LAYOUT_ID, PLOTS_LAYOUT_ID, *((MARKING_LAYOUT_ID,) if orForMarking else ()))
        return layoutManager is not None and layoutManager.layout in ours

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
            self._pictures.begin()
            self._panel.refreshSoon()
            return
        self._flicker.stop()
        self._pictures.hide()
        self._tools.hide()
        leaveCheckLayout(layoutNode)

    def _show(self, node: vtkMRMLScalarVolumeNode) -> None:
        parameters, drrNode = self._panel.parameters, self._panel.scene.findOwned(node, DRR_ROLE)
        choice = parameters.overlayKind
        self._watchMouse()
        self._panel.observe(self._panel.scene.mrmlScene, "NodeAddedEvent", self._nodeCame)
        layoutNode = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
        self._panel.observe(layoutNode, "ModifiedEvent", self._layoutChanged)
        for sliceLogic in self._pictures.sliceLogics():
            for shown in (sliceLogic.GetSliceNode(), sliceLogic.GetSliceCompositeNode()):
                self._panel.observe(shown, "ModifiedEvent", self._viewChanged)
        if drrNode is not None:
            # Whoever makes a DRR, the overlay shows it: never one of another pose.
            self._panel.observe(drrNode, "ImageDataModifiedEvent", self._drrChanged)
        opacity = parameters.overlayOpacity / 100.0
        if self._pictures.show(self._panel.ctNode, node, drrNode, choice.kind(), opacity):
            self._aimCamera()
        self._ui.overlayOpacitySlider.enabled = choice in (OverlayChoice.BLEND, OverlayChoice.CONTOURS)
        # Beside a task that runs, both pictures in turn would be in its way.
        if choice is OverlayChoice.FLICKER and drrNode is not None and not self._panel.logic.isBusy:
            self._flicker.start()
        else:
            self._flicker.stop()
            self._pictures.overlay.setFlickerPhase(True)

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
        late = _(" - updating…") if self._isLate else ""
        self._said = node, self._areSeveral(node)
        colors = self._panel.parameters.overlayKind.legend(self._said[1]) + "\n" if drrNode is not None else ""
        keys = (
            _("\nDrag: shift. Ctrl+drag: tilt. Ctrl+wheel: depth")
            if self._ui.mouseCheckBox.checked and situation.isFree
            else ""
        )
        said = [f"{colors}{self._place}{late}{keys}"] if drrNode is not None else []
        turn = [turnWords(viewTurnOf(node))]
        self._legend(FLUOROSCOPY_VIEW, "\n".join(filter(None, turn + said)))
        said = [_("Simulated X-ray of the CT") + late] if drrNode is not None else []
        self._legend(DRR_VIEW, "\n".join(filter(None, turn + said)))

    def _areSeveral(self, node: vtkMRMLScalarVolumeNode) -> bool:
        """True if an X-ray's DRR is one of several bones, each at its own place."""
        drrNode = self._panel.scene.findOwned(node, DRR_ROLE)
        return drrNode is not None and boneDrrsOf(self._panel.scene, node, drrNode) is not None

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

    def _nodeCame(self, *_args: object) -> None:
        if self._pictures.areWithoutDrr:
            self._panel.refreshSoon()

    def _drrChanged(self, drrNode: vtkMRMLScalarVolumeNode, *_args: object) -> None:
        """Has a DRR that came drawn in a turn of its own, once: MRML tells one change of an image more than once."""
        image = drrNode.GetImageData()
        drr = drrNode.GetID(), image and image.GetMTime()
        if self.isShown and self._pictures.areShown and drr != self._drawnDrr:
            self._drawnDrr = drr
            self._panel.later(self._draw)

    def _draw(self) -> None:
        """Draws the DRR of now; nothing where it went meanwhile, which brings the panel up to date anyway."""
        isThere = self._drawnDrr is not None and self._panel.scene.mrmlScene.GetNodeByID(self._drawnDrr[0]) is not None
        if isThere and self.isShown and self._pictures.areShown and self._panel.isSceneAtRest:
            self._panel.attempt(self._pictures.overlay.refresh, self._say)
            if self._isLate or (self._said is not None and self._areSeveral(self._said[0]) != self._said[1]):
                self._panel.refreshSoon()

    def _viewChanged(self, *_args: object) -> None:
        """Has the images fitted again into a view of another size, and put back where something else was shown."""
        if self.isShown and self._pictures.areViewsUp() and self._pictures.areDisturbed:
            self._panel.refreshSoon()

    def _aimCamera(self) -> None:
        situation = self._panel.situation()
        if situation.isReady:
            isFromSource = self._ui.sourceViewButton.checked
            self._panel.attempt(lambda: self._pictures.aimCamera(situation.shownImage, isFromSource), self._say)

    def _flip(self) -> None:
        if self._panel.isSceneAtRest:
            self._isDrrPhase = not self._isDrrPhase
            self._pictures.overlay.setFlickerPhase(self._isDrrPhase)
