"""A sample case's way into the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.images.reading import read_labels
from prostreg.json_fields import json_object
from prostreg.registration.case_file import read_case
from ProSTRegistrationLib.Nodes.CArmSettings import CArmSettings, carmOfSettings
from ProSTRegistrationLib.Nodes.CaseNodes import addCt, addFluoroscopies, addVolume, readImages
from ProSTRegistrationLib.Nodes.Landmarks import addReferenceLandmarks, setReferencePose
from ProSTRegistrationLib.Nodes.PartsOfAnatomy import nameBones

if TYPE_CHECKING:
    from slicer import (
        vtkMRMLLabelMapVolumeNode,
        vtkMRMLMarkupsFiducialNode,
        vtkMRMLScalarVolumeNode,
        vtkMRMLScene,
    )

    from prostreg.images.volume import Volume
    from prostreg.registration.case import Case
    from ProSTRegistrationLib.Nodes.Scene import Scene

SOD_STEP_MM = 10.0


@dataclass(frozen=True, eq=False)
class SampleNodes:
    """The nodes of a sample.

    Attributes:
        ct: CT at the rough start pose.
        anatomy: label map; None for bone by threshold.
        parts: values of the labels to register, as text.
        fluoroscopy: the (first) X-ray, placed.
        landmarks: known points of the CT, which measure the error; None without any.
    """

    ct: vtkMRMLScalarVolumeNode
    anatomy: vtkMRMLLabelMapVolumeNode | None
    parts: list[str]
    fluoroscopy: vtkMRMLScalarVolumeNode
    landmarks: vtkMRMLMarkupsFiducialNode | None


def loadSampleCase(scene: Scene, casePath: Path) -> SampleNodes:
    """Adds a case to the scene: images, labels, landmarks, the CT at its start pose and, apart, its true pose.

    The world is turned so that the patient lies on the back in it, with the isocentre at its origin.

    Args:
        scene: Scene.
        casePath: case.json.

    Returns:
        SampleNodes.

    Raises:
        InputError: every fault of the case and its files; the scene is then as it was.
    """
    case, images = read_case(casePath), readImages(casePath)
    if case.initial_world_from_volume is None or case.truth_world_from_volume is None:
        raise InputError(f"The case {casePath} is no sample: it lacks a start pose or the true pose.")
    start, truth = case.initial_world_from_volume, case.truth_world_from_volume
    given = json_object(casePath, "case file").get("anatomy")
    labels = read_labels(casePath.parent / given["labels"]) if given else None
    before = _nodeIds(scene.mrmlScene)
    try:
        parts = [str(value) for value in given["values"]] if given else []
        return _addSample(scene, case, start, truth, images, labels, parts)
    except Exception:
        _removeSince(scene.mrmlScene, before)
        raise


def _addSample(
    scene: Scene,
    case: Case,
    start: Matrix,
    truth: Matrix,
    images: Sequence[NDArray[Any]],
    labels: Volume | None,
    parts: list[str],
) -> SampleNodes:
    worldFromCase = _supineWorldFrom(case, truth)
    ctNode = addCt(scene, case)
    carms = [_movedCarm(view.carm, worldFromCase) for view in case.views]
    fluoroscopyNodes = addFluoroscopies(scene, case.name, images, carms)
    anatomyNode = None
    if labels is not None:
        anatomyNode = addVolume(
            scene.mrmlScene, f"{case.name} labels", labels.values, labels.volume_from_index, "vtkMRMLLabelMapVolumeNode"
        )
        nameBones(scene, anatomyNode)
    companions = [] if anatomyNode is None else [anatomyNode]
    scene.setPose(ctNode, worldFromCase @ start, companions)
    setReferencePose(scene, ctNode, worldFromCase @ truth)
    landmarkNode = None
    if case.landmarks_mm is not None:
        landmarkNode = addReferenceLandmarks(scene, ctNode, case.landmarks_mm)
    scene.gather(ctNode, [*fluoroscopyNodes, *companions])
    return SampleNodes(ctNode, anatomyNode, parts, fluoroscopyNodes[0], landmarkNode)


def _supineWorldFrom(case: Case, truth: Matrix) -> Matrix:
    """(4, 4) from the case's world to one in which angles describe the C-arm and the patient lies almost straight."""
    carm = case.views[0].carm
    cameraFromVolume = carm.camera_from_world @ truth
    points = case.ct.corners_mm() if case.landmarks_mm is None else case.landmarks_mm
    depthMm = transform_points(cameraFromVolume, points.mean(axis=0))[2]
    toTheRight = cameraFromVolume[0, :3]
    angleDeg = float(np.round(np.rad2deg(np.arctan2(toTheRight[1], toTheRight[0]))))
    settings = CArmSettings(
        carm.sdd_mm, float(np.round(depthMm / SOD_STEP_MM) * SOD_STEP_MM), (1.0, 1.0), primaryAngleDeg=angleDeg
    )
    return invert_rigid(carmOfSettings(settings, carm.size).camera_from_world) @ carm.camera_from_world


def _movedCarm(carm: CArm, worldFromCase: Matrix) -> CArm:
    cameraFromWorld = carm.camera_from_world @ invert_rigid(worldFromCase)
    return CArm(carm.intrinsics, carm.size, cameraFromWorld, carm.spacing_mm)


def _nodeIds(mrmlScene: vtkMRMLScene) -> set[str]:
    return {mrmlScene.GetNthNode(index).GetID() for index in range(mrmlScene.GetNumberOfNodes())}


def _removeSince(mrmlScene: vtkMRMLScene, before: set[str]) -> None:
    nodes = [mrmlScene.GetNthNode(index) for index in range(mrmlScene.GetNumberOfNodes())]
    for node in nodes:
        # Slicer makes singletons, as the subject hierarchy, for the whole scene.
        if node.GetID() not in before and not node.GetSingletonTag():
            mrmlScene.RemoveNode(node)
