"""Marks on a picture: control points of a markups list that belong to pixels of a placed fluoroscopy image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import slicer
from numpy.typing import NDArray

from prostreg.geometry.frames import invert_rigid, transform_points
from ProSTRegistrationLib.Nodes.CArmNode import cameraFromPixel

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsNode

    from prostreg.geometry.carm import CArm

FRAME_ATTRIBUTE = "ProSTRegistration.Frame"
"""Of an image that shows one frame of a run: its index, 0 for the first."""

LANDMARKS_ROLE = "landmarks"
"""Of the list that belongs to a CT or an image."""


def marksPx(listNode: vtkMRMLMarkupsNode, carm: CArm) -> NDArray[np.float64]:
    """Pixels (n, 2) of a list's control points; NaN for those without a position.

    Points beside the detector plane count where the ray from the source through them meets it.

    Args:
        listNode: vtkMRMLMarkupsNode.
        carm: CArm in the world.
    """
    numbers = range(listNode.GetNumberOfControlPoints())
    places = [listNode.GetNthControlPointPositionWorld(n) if isMarked(listNode, n) else [np.nan] * 3 for n in numbers]
    return carm.project_world(np.reshape(np.array(places, dtype=np.float64), (-1, 3)))


def putMarks(listNode: vtkMRMLMarkupsNode, carm: CArm, pixels: NDArray[np.float64]) -> None:
    """Puts control points onto the detector plane at pixels (n, 2); rows with NaN leave their point alone."""
    worldFromPixel = invert_rigid(carm.camera_from_world) @ cameraFromPixel(carm)
    for number, (u, v) in enumerate(pixels):
        if np.isfinite((u, v)).all():
            listNode.SetNthControlPointPositionWorld(number, transform_points(worldFromPixel, (u, v, 0)))


def isMarked(listNode: vtkMRMLMarkupsNode, number: int) -> bool:
    """True for a control point with a position that was chosen; not for the preview under the mouse."""
    status = listNode.GetNthControlPointPositionStatus(number)
    return status == slicer.vtkMRMLMarkupsNode.PositionDefined
