"""A view's picture as a file, with all that is drawn in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import vtk
from vtk.util.numpy_support import vtk_to_numpy

from prostreg.errors import InputError, system_refusal
from prostreg.files import complete_file


def savePicture(path: Path, view: Any) -> None:
    """Writes what a view shows as PNG.

    Args:
        view: the view's widget, as sliceWidget.sliceView() gives it.

    Raises:
        InputError: nothing is drawn there, or the file cannot be written; none is left then.
    """
    view.forceRender()
    if view.renderWindow() is None:
        raise InputError("There is no picture to save: the views are not drawn here.")
    grabber = vtk.vtkWindowToImageFilter()
    grabber.SetInput(view.renderWindow())
    grabber.ReadFrontBufferOff()
    writer = vtk.vtkPNGWriter()
    writer.SetInputConnection(grabber.GetOutputPort())
    writer.WriteToMemoryOn()
    writer.Write()
    try:
        with complete_file(path) as file:
            file.write_bytes(vtk_to_numpy(writer.GetResult()).tobytes())
    except OSError as error:
        raise InputError(f"The picture could not be saved. {system_refusal(error)}") from error
