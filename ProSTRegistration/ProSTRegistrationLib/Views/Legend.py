"""Words over a slice view: what its colours mean, and which pose they show."""

from __future__ import annotations

from typing import Any

import vtk

FONT_SIZE = 13
TOP_SHARE = 0.985
BACKGROUND_OPACITY = 0.6


class Legend:
    """The legend of one view.

    Args:
        sliceView: the view's widget, as sliceWidget.sliceView() gives it.
    """

    def __init__(self, sliceView: Any) -> None:
        self._view, self._actor = sliceView, vtk.vtkTextActor()
        self.window = sliceView.renderWindow()
        style = self._actor.GetTextProperty()
        style.SetFontSize(FONT_SIZE)
        style.SetJustificationToCentered()
        style.SetVerticalJustificationToTop()
        style.SetColor(1, 1, 1)
        style.SetBackgroundColor(0, 0, 0)
        style.SetBackgroundOpacity(BACKGROUND_OPACITY)
        place = self._actor.GetPositionCoordinate()
        place.SetCoordinateSystemToNormalizedViewport()
        # The middle of the top is free: Slicer writes into the corners.
        place.SetValue(0.5, TOP_SHARE)
        self._renderer.AddViewProp(self._actor)

    def show(self, text: str) -> None:
        """Shows a text, "" for none."""
        if (self._actor.GetInput() or "") != text:
            self._actor.SetInput(text)
            self._actor.SetVisibility(bool(text))
            self._view.scheduleRender()

    def stop(self) -> None:
        """Takes the legend out of the view."""
        self._renderer.RemoveViewProp(self._actor)
        self._view.scheduleRender()

    @property
    def _renderer(self) -> Any:
        return self.window.GetRenderers().GetFirstRenderer()
