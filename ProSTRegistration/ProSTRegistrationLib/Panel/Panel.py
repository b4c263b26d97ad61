"""The panel as a whole: its five steps, their situation, and when they are brought up to date."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from prostreg.errors import InputError
from ProSTRegistrationLib.Nodes.OwnedNodes import OwnedNodesRemover
from ProSTRegistrationLib.Panel.CArmStep import CArmStep
from ProSTRegistrationLib.Panel.CheckStep import CheckStep
from ProSTRegistrationLib.Panel.DecimalComma import DecimalComma
from ProSTRegistrationLib.Panel.ImagesStep import ImagesStep
from ProSTRegistrationLib.Panel.RegisterStep import RegisterStep
from ProSTRegistrationLib.Panel.SectionHeadings import SectionHeadings
from ProSTRegistrationLib.Panel.StartPoseStep import StartPoseStep
from ProSTRegistrationLib.Selection import anatomyChoice, fluoroscopyNodes
from ProSTRegistrationLib.Situation import Situation, SituationReader

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Logic import Logic
    from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
    from ProSTRegistrationLib.ParameterNode import ProSTRegistrationParameterNode

POLL_INTERVAL_MS = 15


class Panel(VTKObservationMixin):
    """Connects the widgets to the logic.

    Args:
        ui: the widgets of ProSTRegistration.ui by their names.
        logic: Logic.

    Attributes:
        parameters: ProSTRegistrationParameterNode; None while there is none.
        images, carm, start, register, check: the steps.
        headings: SectionHeadings.
        isEntered: True while the module is in front.
    """

    def __init__(self, ui: Any, logic: Logic) -> None:
        super().__init__()
        self.ui, self.logic, self.scene = ui, logic, logic.scene
        # Steps are brought up to date, and can be clicked, only while there is one.
        self.parameters: ProSTRegistrationParameterNode = None  # type: ignore[assignment]
        self._guiTag, self._isStale, self._hasRemovals, self.isEntered = 0, False, False, False
        self._reader = SituationReader()
        self._due: list[Callable[[], object]] = []
        self._turn = qt.QTimer()
        self._turn.setSingleShot(True)
        self._turn.setInterval(0)
        self._turn.connect("timeout()", self._takeTurn)
        self.images, self.carm = ImagesStep(self), CArmStep(self)
        self.start, self.register = StartPoseStep(self), RegisterStep(self)
        self.check = CheckStep(self)
        self.steps = (self.images, self.carm, self.start, self.register, self.check)
        self.headings = SectionHeadings(ui, self.refreshSoon)
        sections = (ui.imagesSection, ui.carmSection, ui.startSection, ui.registerSection, ui.checkSection)
        self._layouts = [widget.layout() for widget in (ui.imagesSection.parent(), *sections)]
        self._commas = [DecimalComma(box) for box in ui.imagesSection.parent().findChildren(qt.QDoubleSpinBox)]
        # What goes on by itself comes last: nothing of it stays when something above fails.
        self._remover = OwnedNodesRemover(self.scene.mrmlScene)
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_INTERVAL_MS)
        self._timer.connect("timeout()", self._poll)
        self._timer.start()

    def setParameters(self, parameters: ProSTRegistrationParameterNode | None) -> None:
        """Shows another parameter node, or none."""
        if self.parameters is not None:
            self.parameters.disconnectGui(self._guiTag)
            self.removeObservers()
        self.parameters = parameters  # type: ignore[assignment]
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            self._observeScene()
        self.refresh()

    def observe(self, node: Any, event: str, callback: Callable[..., object]) -> None:
        """Calls back without arguments at an event of a node, once however often it is asked for."""
        number = getattr(node, event, event)
        if not self.hasObserver(node, number, callback):
            self.addObserver(node, number, callback)

    def refreshSoon(self, *_: object) -> None:
        """Brings the panel up to date when the events at hand are done, once for all of them."""
        if not self._isStale:
            self._isStale = True
            self.later(self._refreshIfStale)

    def later(self, action: Callable[[], object]) -> None:
        """Does something in a later turn of the event loop, once however often it is asked for; one thing a turn."""
        if action not in self._due:
            self._due.append(action)
            self._turn.start()

    def catchUp(self) -> None:
        """Brings the panel up to date after a batch of changes of the scene, during which it kept still."""
        self._isStale = False
        self.refreshSoon()

    @property
    def isUpToDate(self) -> bool:
        """False while a change waits for the panel to be brought up to date, or a scene is loaded or closed."""
        return not self._isStale and self.isSceneAtRest

    @property
    def isSceneAtRest(self) -> bool:
        """False while a scene is loaded or closed; its nodes lack their data and references then."""
        return not self.scene.mrmlScene.IsBatchProcessing()

    def refresh(self) -> None:
        """Brings all steps up to date."""
        self._isStale = False
        if self.parameters is not None:
            if self._hasRemovals:
                # Steps observe what they show anew; so nothing holds a node that has left the scene.
                self._hasRemovals = False
                self.removeObservers()
                self._observeScene()
            self.carm.listImages(self.fluoroscopyNodes)
            situation = self.situation()
            with self._layoutsAtRest():
                for step in self.steps:
                    step.refresh(situation)
                self.headings.refresh(situation, self.parameters)

    @contextlib.contextmanager
    def _layoutsAtRest(self) -> Iterator[None]:
        """Has the panel laid out once afterwards, by Qt's own event; else each widget that comes does it."""
        for layout in self._layouts:
            layout.setEnabled(False)
        try:
            yield
        finally:
            for layout in self._layouts:
                layout.setEnabled(True)

    def situation(self) -> Situation:
        """The situation now; for events between two refreshes."""
        return self._reader.read(self.parameters, self.logic, self.carm.shownIndex)

    def stop(self) -> None:
        """For the end of the module."""
        self.leave()
        self._timer.stop()
        self._turn.stop()
        self.register.stop()
        self.check.stop()
        self._remover.stop()
        self.setParameters(None)
        self.logic.stop()

    def enter(self) -> None:
        """For when the module comes to the front."""
        self.isEntered = True
        self.register.lookAtEnvironment()
        self.check.enter()

    def closeScene(self) -> None:
        """Ends what is under way because the scene goes."""
        self.logic.abandon()
        self.carm.closeScene()
        self.check.closeScene()
        self.setParameters(None)

    def leave(self) -> None:
        """Takes handles and place mode out of the views; for when another module comes to the front."""
        self.isEntered = False
        self.images.leave()
        self.start.leave()
        self.check.leave()

    @property
    def ctNode(self) -> vtkMRMLScalarVolumeNode:
        """The chosen CT, None without."""
        return self.parameters.ct if self.parameters is not None else None

    @property
    def fluoroscopyNodes(self) -> list[vtkMRMLScalarVolumeNode]:
        """The chosen X-ray images."""
        return fluoroscopyNodes(self.parameters) if self.parameters is not None else []

    @property
    def anatomy(self) -> AnatomyChoice:
        """AnatomyChoice."""
        return anatomyChoice(self.parameters)

    def attempt(self, action: Callable[[], object], say: Callable[[str], object]) -> bool:
        """Does something that the user asked for; tells faults by ``say`` instead of raising.

        Args:
            action: called without arguments.
            say: called with the faults as one text, "" if there are none.

        Returns:
            True if it was done.
        """
        try:
            action()
        except InputError as error:
            say("\n".join(error.faults))
            return False
        except Exception as error:
            logging.exception("ProSTRegistration: an action of the panel failed")
            say(_("This is a defect in ProST Registration ({error}); the log has the details.").format(error=error))
            return False
        say("")
        return True

    def _takeTurn(self) -> None:
        action = self._due.pop(0)
        try:
            action()
        finally:
            # Not before: what has waited meanwhile, a click or another timer, comes first.
            if self._due:
                self._turn.start()

    def _observeScene(self) -> None:
        self.observe(self.parameters.parameterNode, "ModifiedEvent", self.refreshSoon)
        self.observe(self.scene.mrmlScene, "NodeRemovedEvent", self._nodeRemoved)

    def _nodeRemoved(self, *_: object) -> None:
        self._hasRemovals = True
        self.refreshSoon()

    def _refreshIfStale(self) -> None:
        if self._isStale and self.isSceneAtRest:
            self.refresh()

    def _poll(self) -> None:
        self.register.poll()
        # Slicer handles events while it loads.
        if self.isSceneAtRest:
            self.logic.poll()
