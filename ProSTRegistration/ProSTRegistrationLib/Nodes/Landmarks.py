"""Paired landmarks in CT and X-ray: their lists in the scene, the pose that fits them, the errors that they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import slicer
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.geometry.landmark_faults import NEEDED_IN_ONE_VIEW, NEEDED_IN_TWO_VIEWS
from prostreg.geometry.pnp import distances_to_rays_mm, pose_from_landmarks
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.ImageMarks import LANDMARKS_ROLE, isMarked, marksPx
from ProSTRegistrationLib.Nodes.LandmarkMisfit import BAD_RMS_MM, misfitWords
from ProSTRegistrationLib.Nodes.NodeGeometry import worldFromNode, worldFromTransform

if TYPE_CHECKING:
    from slicer import (
        vtkMRMLLinearTransformNode,
        vtkMRMLMarkupsFiducialNode,
        vtkMRMLMarkupsNode,
        vtkMRMLNode,
        vtkMRMLScalarVolumeNode,
    )

    from prostreg.geometry.carm import CArm
    from ProSTRegistrationLib.Nodes.Scene import Scene

REFERENCE_ROLE = "reference"
REFERENCE_LANDMARKS_ROLE = "reference landmarks"
LIST_CLASS = "vtkMRMLMarkupsFiducialNode"
CT_COLOR, PICTURE_COLOR = (1.0, 0.8, 0.1), (0.2, 0.9, 1.0)
CT_GLYPH_PERCENT, PICTURE_GLYPH_PERCENT = 3.0, 2.0


@dataclass(frozen=True, eq=False)
class LandmarkPairs:
    """Landmarks and their marks.

    Attributes:
        labels: of the landmarks in the CT's list, in its order.
        pointsVolumeMm: (n, 3) in the CT's own frame.
        viewNames: names of the fluoroscopy images.
        carms: their C-arms in the world.
        marksPx: for each (n, 2) pixels; NaN where a landmark is not marked.
        notes: sentences about landmarks that were left out.
    """

    labels: tuple[str, ...]
    pointsVolumeMm: NDArray[np.float64]
    viewNames: tuple[str, ...]
    carms: tuple[CArm, ...]
    marksPx: tuple[NDArray[np.float64], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LandmarkRow:
    """One mark for the table: distance in pixels on the picture, and in mm between landmark and ray."""

    label: str
    view: str
    residualPx: float
    residualMm: float


@dataclass(frozen=True, eq=False)
class LandmarkSolution:
    """The pose that paired landmarks gave, with its residuals.

    Attributes:
        worldFromVolume: rigid (4, 4).
        rows: LandmarkRow for each mark.
        rmsMm: root mean square of the rows' residualMm.
        warning: a sentence to show instead of using the pose, as for mirrored pictures or landmarks that do not fit;
            None if there is nothing.
        pairs: LandmarkPairs.
    """

    worldFromVolume: Matrix
    rows: tuple[LandmarkRow, ...]
    rmsMm: float
    warning: str | None
    pairs: LandmarkPairs


def prepareLandmarkLists(
    scene: Scene,
    ctNode: vtkMRMLScalarVolumeNode,
    fluoroscopyNode: vtkMRMLScalarVolumeNode,
    ctViewIds: Sequence[str] = (),
    fluoroscopyViewIds: Sequence[str] = (),
) -> tuple[vtkMRMLMarkupsFiducialNode, vtkMRMLMarkupsFiducialNode]:
    """Makes the lists in which the landmarks of a CT and of an image are placed; the same ones at each call.

    Args:
        scene: Scene.
        ctViewIds, fluoroscopyViewIds: view nodes that show the lists; none for all views.

    Returns:
        (list of the CT, list of the image): each under the parent transform of what it belongs to.
    """
    ctList = _preparedList(scene, ctNode, "CT landmarks", CT_COLOR, "Sphere3D", CT_GLYPH_PERCENT, ctViewIds)
    pictureList = _preparedList(
        scene, fluoroscopyNode, "landmarks", PICTURE_COLOR, "CrossDot2D", PICTURE_GLYPH_PERCENT, fluoroscopyViewIds
    )
    return ctList, pictureList


def landmarkPointsMm(ctNode: vtkMRMLScalarVolumeNode, ctList: vtkMRMLMarkupsNode) -> NDArray[np.float64]:
    """Placed landmarks (n, 3) in the CT's own frame, whatever transforms are above CT and list.

    Raises:
        InputError: a transform above the CT is not rigid.
    """
    return _ctPoints(ctNode, ctList)[1]


def pairedLandmarks(
    ctNode: vtkMRMLScalarVolumeNode,
    ctList: vtkMRMLMarkupsNode,
    marked: Sequence[tuple[vtkMRMLScalarVolumeNode, vtkMRMLMarkupsNode]],
) -> LandmarkPairs:
    """Pairs the landmarks of a CT with their marks: by equal labels where there are any, else by their order.

    Args:
        ctList: vtkMRMLMarkupsNode.
        marked: list of (fluoroscopy node, vtkMRMLMarkupsNode with its marks).

    Raises:
        InputError: every fault of the lists: points without a position, marks outside their image, images without
            C-arm, labels given twice.
    """
    faults = FaultList()
    faults.extend(_undefinedFaults(ctList, f"in the CT '{ctNode.GetName()}'"))
    labels, points = faults.collect(lambda: _ctPoints(ctNode, ctList)) or ((), np.zeros((0, 3)))
    carms: list[CArm] = []
    marks: list[NDArray[np.float64]] = []
    notes: list[str] = []
    for node, listNode in marked:
        carm = faults.collect(partial(carmOf, node))
        faults.extend(_undefinedFaults(listNode, f"on '{node.GetName()}'"))
        if carm is None:
            continue
        markLabels, pixels = _marks(listNode, carm)
        faults.extend(_outsideFaults(node, carm, markLabels, pixels))
        partners = faults.collect(partial(_partners, labels, markLabels, node.GetName()))
        if partners is None:
            continue
        carms.append(carm)
        marks.append(_inOrder(pixels, partners, len(labels)))
        notes += _notes(node.GetName(), labels, markLabels, partners)
    faults.raise_if_any()
    return LandmarkPairs(
        labels, points, tuple(n.GetName() for n, _ in marked), tuple(carms), tuple(marks), tuple(notes)
    )


def markCounts(pairs: LandmarkPairs) -> list[int]:
    """Numbers of paired landmarks in each view."""
    return [int(np.isfinite(marks).all(axis=1).sum()) for marks in pairs.marksPx]


def areEnough(counts: Sequence[int]) -> bool:
    """True where so many marks in the views determine a pose."""
    ordered = [*sorted(counts, reverse=True), 0, 0]
    return ordered[0] >= NEEDED_IN_ONE_VIEW or ordered[1] >= NEEDED_IN_TWO_VIEWS


def solveLandmarks(
    ctNode: vtkMRMLScalarVolumeNode,
    ctList: vtkMRMLMarkupsNode,
    marked: Sequence[tuple[vtkMRMLScalarVolumeNode, vtkMRMLMarkupsNode]],
) -> LandmarkSolution:
    """The pose of a CT that brings its landmarks onto their marks; nothing in the scene is changed.

    Args as for pairedLandmarks.

    Returns:
        LandmarkSolution.

    Raises:
        InputError: as pairedLandmarks, or the pairs determine no pose: too few, on a line, at one place.
    """
    pairs = pairedLandmarks(ctNode, ctList, marked)
    try:
        found = pose_from_landmarks(pairs.pointsVolumeMm, list(zip(pairs.carms, pairs.marksPx, strict=True)))
    except InputError as error:
        raise InputError([*error.faults, *pairs.notes]) from error
    rows = tuple(
        LandmarkRow(label, view, float(px), float(mm))
        for view, allPx, allMm in zip(pairs.viewNames, found.residuals_px, found.residuals_mm, strict=True)
        for label, px, mm in zip(pairs.labels, allPx, allMm, strict=True)
        if np.isfinite(px)
    )
    warning = found.warning or (misfitWords(pairs, found.rms_mm) if found.rms_mm > BAD_RMS_MM else None)
    return LandmarkSolution(found.world_from_volume, rows, found.rms_mm, warning, pairs)


def landmarkErrorMm(worldFromVolume: Matrix, pairs: LandmarkPairs) -> float | None:
    """Mean distance in mm between posed landmarks and the rays through their marks; None without any mark."""
    views = zip(pairs.carms, pairs.marksPx, strict=True)
    distances = [distances_to_rays_mm(pairs.pointsVolumeMm, carm, marks, worldFromVolume) for carm, marks in views]
    known = np.concatenate([np.zeros(0), *distances])
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else None


def addReferenceLandmarks(
    scene: Scene, ctNode: vtkMRMLScalarVolumeNode, pointsMm: NDArray[np.float64]
) -> vtkMRMLMarkupsFiducialNode:
    """Adds known points (n, 3) of a CT, in its own frame, by which errors are measured: no landmarks of a person's."""
    node = scene.ownedNode(ctNode, REFERENCE_LANDMARKS_ROLE, LIST_CLASS, f"{ctNode.GetName()} reference landmarks")
    node.SetAndObserveTransformNodeID(ctNode.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    for point in pointsMm:
        node.AddControlPoint(*point)
    # Dozens of points would hide the bone.
    node.SetLocked(True)
    node.GetDisplayNode().SetVisibility(False)
    return node


def setReferencePose(
    scene: Scene, ctNode: vtkMRMLScalarVolumeNode, worldFromVolume: Matrix
) -> vtkMRMLLinearTransformNode:
    """Keeps the true pose (4, 4) of a CT, where it is known, in a transform node of its own; returns the node."""
    name = f"{ctNode.GetName()} reference pose"
    node = scene.ownedNode(ctNode, REFERENCE_ROLE, "vtkMRMLLinearTransformNode", name)
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.asarray(worldFromVolume, dtype=np.float64)))
    return node


def referencePose(scene: Scene, ctNode: vtkMRMLScalarVolumeNode) -> Matrix | None:
    """The true pose world_from_volume (4, 4) of a CT; None where it is not known.

    Raises:
        InputError: its transform node is not rigid.
    """
    node = scene.findOwned(ctNode, REFERENCE_ROLE)
    return None if node is None else worldFromTransform(node, node.GetName())


def _preparedList(
    scene: Scene,
    owner: vtkMRMLNode,
    what: str,
    color: tuple[float, float, float],
    glyph: str,
    glyphPercent: float,
    viewIds: Sequence[str],
) -> vtkMRMLMarkupsFiducialNode:
    isNew = scene.findOwned(owner, LANDMARKS_ROLE) is None
    node = scene.ownedNode(owner, LANDMARKS_ROLE, LIST_CLASS, f"{owner.GetName()} {what}")
    node.SetAndObserveTransformNodeID(owner.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    if isNew:
        node.SetControlPointLabelFormat("%d")  # equal numbers make pairs
        display = node.GetDisplayNode()
        display.SetSelectedColor(*color)
        display.SetGlyphTypeFromString(glyph)
        display.SetGlyphScale(glyphPercent)
    node.GetDisplayNode().SetViewNodeIDs(list(viewIds))
    return node


def _ctPoints(
    ctNode: vtkMRMLScalarVolumeNode, ctList: vtkMRMLMarkupsNode
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    placed = [n for n in range(ctList.GetNumberOfControlPoints()) if isMarked(ctList, n)]
    worldMm = np.reshape([ctList.GetNthControlPointPositionWorld(n) for n in placed], (-1, 3))
    labels = tuple(ctList.GetNthControlPointLabel(n) for n in placed)
    return labels, transform_points(invert_rigid(worldFromNode(ctNode)), worldMm)


def _marks(listNode: vtkMRMLMarkupsNode, carm: CArm) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    placed = [n for n in range(listNode.GetNumberOfControlPoints()) if isMarked(listNode, n)]
    labels = tuple(listNode.GetNthControlPointLabel(n) for n in placed)
    return labels, marksPx(listNode, carm)[placed]


def _undefinedFaults(listNode: vtkMRMLMarkupsNode, where: str) -> Iterator[str]:
    undefined = slicer.vtkMRMLMarkupsNode.PositionUndefined
    for number in range(listNode.GetNumberOfControlPoints()):
        if listNode.GetNthControlPointPositionStatus(number) == undefined:
            label = listNode.GetNthControlPointLabel(number)
            yield f"Landmark '{label}' {where} has no position: place it, or remove it from the list."


def _outsideFaults(node: vtkMRMLNode, carm: CArm, labels: Sequence[str], pixels: NDArray[np.float64]) -> Iterator[str]:
    for label, (u, v) in zip(labels, pixels, strict=True):
        if not (-0.5 <= u <= carm.width - 0.5 and -0.5 <= v <= carm.height - 0.5):
            yield (
                f"Landmark '{label}' on '{node.GetName()}' lies outside of the image: place it on the picture, in the"
                " slice view that shows it."
            )


def _partners(labels: Sequence[str], markLabels: Sequence[str], name: str) -> list[int | None]:
    """Index of the landmark of each mark, None for a mark without one."""
    if not set(filter(None, labels)) & set(filter(None, markLabels)):
        return [n if n < len(labels) else None for n in range(len(markLabels))]
    faults = [
        f"Two landmarks {where} are called '{label}': give each a label of its own, so that pairs are clear."
        for where, given in (("in the CT", labels), (f"on '{name}'", markLabels))
        for label in dict.fromkeys(given)
        if label and given.count(label) > 1
    ]
    if faults:
        raise InputError(faults)
    return [labels.index(label) if label and label in labels else None for label in markLabels]


def _inOrder(pixels: NDArray[np.float64], partners: Sequence[int | None], count: int) -> NDArray[np.float64]:
    ordered = np.full((count, 2), np.nan)
    for pixel, partner in zip(pixels, partners, strict=True):
        if partner is not None:
            ordered[partner] = pixel
    return ordered


def _notes(
    name: str, labels: Sequence[str], markLabels: Sequence[str], partners: Sequence[int | None]
) -> Iterator[str]:
    alone = [label for index, label in enumerate(labels) if index not in partners]
    if alone:
        yield f"Not marked on '{name}' and left out there: {', '.join(alone)}."
    strangers = [label for label, partner in zip(markLabels, partners, strict=True) if partner is None]
    if strangers:
        yield f"Marked on '{name}' only, without a landmark in the CT, and left out: {', '.join(strangers)}."
