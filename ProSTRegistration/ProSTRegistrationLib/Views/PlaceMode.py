"""Slicer's place mode: clicks in the views add points to a list until a person ends it, or something else of Slicer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import slicer

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsNode


class PlaceMode:
    """One list at a time gets the clicks."""

    def __init__(self) -> None:
        self._list: vtkMRMLMarkupsNode | None = None

    @property
    def hasEnded(self) -> bool:
        """True where clicks no longer go into the list for which it was begun."""
        return self._list is not None and not self._isOn()

    def watch(self, observe: Callable[[Any, str, Callable[..., object]], object], call: Callable[..., object]) -> None:
        """Calls back when it may have ended: by a right click, a tool bar, or another list of points."""
        interaction, selection = _nodes()
        observe(interaction, "InteractionModeChangedEvent", call)
        observe(selection, "ActivePlaceNodeIDChangedEvent", call)

    def begin(self, listNode: vtkMRMLMarkupsNode) -> None:
        """Lets clicks add points to a list."""
        self._list = listNode
        interaction, selection = _nodes()
        selection.SetReferenceActivePlaceNodeClassName(listNode.GetClassName())
        selection.SetActivePlaceNodeID(listNode.GetID())
        if listNode.IsA("vtkMRMLMarkupsLineNode"):
            # Slicer would begin another line with the third click.
            interaction.SwitchToSinglePlaceMode()
        else:
            interaction.SwitchToPersistentPlaceMode()

    def end(self) -> None:
        """Ends it where it is still on."""
        wasOn, self._list = self._isOn(), None
        if wasOn:
            _nodes()[0].SwitchToViewTransformMode()

    def _isOn(self) -> bool:
        interaction, selection = _nodes()
        if self._list is None or interaction.GetCurrentInteractionMode() != interaction.Place:
            return False
        # A list that has left its scene gets no clicks, though the node of selection still names it.
        return self._list.GetScene() is not None and selection.GetActivePlaceNodeID() == self._list.GetID()


def _nodes() -> tuple[Any, Any]:
    """Slicer's nodes of interaction and of selection."""
    applicationLogic = slicer.app.applicationLogic()
    return applicationLogic.GetInteractionNode(), applicationLogic.GetSelectionNode()
