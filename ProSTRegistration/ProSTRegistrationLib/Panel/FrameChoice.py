"""Step 1, of a run: which frame is registered. The run gives way to an image that shows one frame at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ProSTRegistrationLib.Nodes.DicomCArm import slicerDatabase
from ProSTRegistrationLib.Nodes.RunFrames import (
    FRAME_ROLE,
    frameImage,
    frameOf,
    frameTotal,
    isStack,
    isSurelyRun,
    runOf,
    showFrame,
    usualFrame,
)
from ProSTRegistrationLib.Panel.Messages import setVisible

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation

VIEWS = ("fluoroscopy", "secondView", "thirdView")


class FrameChoice:
    """The frame of the first X-ray; the others begin with the frame that their runs name.

    Args:
        panel: Panel.
        say: called with a fault, or "".
    """

    def __init__(self, panel: Panel, say: Callable[[str], object]) -> None:
        self._panel, self._say, self._ui = panel, say, panel.ui
        self._shown: object = None
        self._refused: object = None
        self._isFilling = False
        self._ui.frameSpinBox.connect("valueChanged(int)", self._chosen)
        self._ui.frameButton.connect("clicked(bool)", lambda checked: self._take("fluoroscopy"))

    def refresh(self, situation: Situation) -> None:
        """Brings widgets up to date, and lets runs give way to an image of one frame."""
        if not situation.isBusy:
            for view in VIEWS:
                node = getattr(self._panel.parameters, view)
                # What is known to be a run needs no question; a volume with slices might be a CT.
                if node is not None and node is not self._refused and isSurelyRun(node, slicerDatabase()):
                    self._take(view)
        node = self._panel.parameters.fluoroscopy
        run = runOf(node)
        isChosen = run is None and isStack(node)
        for widget in (self._ui.frameLabel, self._ui.frameSpinBox):
            setVisible(widget, run is not None or isChosen)
        setVisible(self._ui.frameButton, isChosen)
        state = (node, frameOf(node))
        if state != self._shown and (run is not None or isChosen):
            self._fill(frameTotal(run or node), frameOf(node) if run is not None else 0)
        self._shown = state

    def _fill(self, frames: int, index: int | None) -> None:
        self._isFilling = True
        self._ui.frameSpinBox.maximum = max(1, frames)
        self._ui.frameSpinBox.value = (index or 0) + 1
        self._isFilling = False

    def _chosen(self, number: int) -> None:
        node = self._panel.parameters.fluoroscopy if self._panel.parameters is not None else None
        if self._isFilling or runOf(node) is None or number - 1 == frameOf(node):
            return
        self._panel.attempt(lambda: showFrame(node, number - 1, slicerDatabase()), self._say)
        self._panel.refreshSoon()

    def _take(self, view: str) -> None:
        """Chooses the image of one frame in place of its run."""
        parameters = self._panel.parameters
        node: vtkMRMLScalarVolumeNode = getattr(parameters, view)
        isAsked = view == "fluoroscopy" and not isSurelyRun(node, slicerDatabase())

        def take() -> None:
            known = self._panel.scene.findOwned(node, FRAME_ROLE)
            index = self._ui.frameSpinBox.value - 1 if isAsked else frameOf(known)
            setattr(parameters, view, frameImage(node, usualFrame(node, slicerDatabase()) if index is None else index))

        self._refused = None if self._panel.attempt(take, self._say) else node
