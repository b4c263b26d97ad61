"""Takes hold of the bone in a slice view by the mouse.

A drag without a key is ours only where no displayable manager of Slicer wants it, so points and handles under the
mouse, and the modes for placing points or for the window, go first. With Control it is ours while it is live: Slicer
would change the layers' opacity, and the zoom by the wheel.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from numpy.typing import NDArray

from prostreg.geometry.frames import transform_points

if TYPE_CHECKING:
    from slicer import vtkMRMLSliceNode

FIRST, LAST = 10.0, -1.0
"""Priorities before and after Slicer's own, which is 0."""
STILL_PX = 3
"""A click is no drag."""


class Grip(Enum):
    """Ways to take hold of the bone."""

    SHIFT = "shift"
    TILT = "tilt"
    TURN = "turn"


class MouseGrab:
    """The mouse in one slice view.

    Args:
        interactor: vtkRenderWindowInteractor of the view.
        sliceNode: its node.
        isLive: whether the bone can be moved now.
        onGrabbed: called with a Grip and a place (3,) in the world when a drag begins.
        onDragged: called with a place (3,) for each of its moves.
        onWheel: called with +1 or -1 for each step of the wheel, above 0 away from the person.
    """

    def __init__(
        self,
        interactor: Any,
        sliceNode: vtkMRMLSliceNode,
        isLive: Callable[[], bool],
        onGrabbed: Callable[[Grip, NDArray[np.float64]], object],
        onDragged: Callable[[NDArray[np.float64]], object],
        onWheel: Callable[[int], object],
    ) -> None:
        self.interactor, self._sliceNode, self._isLive = interactor, sliceNode, isLive
        self._onGrabbed, self._onDragged, self._onWheel = onGrabbed, onDragged, onWheel
        self._pressed: tuple[int, int] | None = None
        self._isDragging = False
        self._tags: list[int] = []
        self._observe("LeftButtonPressEvent", LAST, lambda: self._press(isWithKey=False))
        self._observe("LeftButtonPressEvent", FIRST, lambda: self._press(isWithKey=True))
        self._observe("MouseMoveEvent", FIRST, self._move)
        self._observe("LeftButtonReleaseEvent", FIRST, self._release)
        self._observe("MouseWheelForwardEvent", FIRST, lambda: self._wheel(1))
        self._observe("MouseWheelBackwardEvent", FIRST, lambda: self._wheel(-1))

    def stop(self) -> None:
        """Lets go of the view."""
        for tag in self._tags:
            self.interactor.RemoveObserver(tag)
        self._tags = []

    def _observe(self, event: str, priority: float, isOurs: Callable[[], bool]) -> None:
        """Has events end with us where ``isOurs`` says so."""

        def heard(*_: object) -> None:
            if isOurs():
                self.interactor.GetCommand(tag).SetAbortFlag(1)

        tag = self.interactor.AddObserver(event, heard, priority)
        self._tags.append(tag)

    def _press(self, isWithKey: bool) -> bool:
        hasKey = bool(self.interactor.GetControlKey())
        isPan = bool(self.interactor.GetShiftKey()) and not hasKey
        if hasKey is not isWithKey or isPan or not self._isFree():
            return False
        self._pressed = self.interactor.GetEventPosition()
        return True

    def _move(self) -> bool:
        if self._pressed is None:
            return False
        if not self._isFree():
            return self._release()
        place = self.interactor.GetEventPosition()
        if not self._isDragging:
            if np.abs(np.subtract(place, self._pressed)).max() < STILL_PX:
                return True
            self._isDragging = True
            self._onGrabbed(self._grip(), self._world(self._pressed))
        self._onDragged(self._world(place))
        return True

    def _release(self) -> bool:
        wasDragging, self._pressed, self._isDragging = self._isDragging, None, False
        return wasDragging

    def _wheel(self, step: int) -> bool:
        isOurs = bool(self.interactor.GetControlKey()) and self._isFree()
        if isOurs:
            self._onWheel(step)
        return isOurs

    def _grip(self) -> Grip:
        if not self.interactor.GetControlKey():
            return Grip.SHIFT
        return Grip.TURN if self.interactor.GetShiftKey() else Grip.TILT

    def _isFree(self) -> bool:
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        return self._isLive() and interaction.GetCurrentInteractionMode() == interaction.ViewTransform

    def _world(self, pixel: tuple[int, int]) -> NDArray[np.float64]:
        return transform_points(slicer.util.arrayFromVTKMatrix(self._sliceNode.GetXYToRAS()), (*pixel, 0))
