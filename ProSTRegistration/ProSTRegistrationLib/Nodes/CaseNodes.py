"""Cases of the engine's files as nodes: what a finished case and a sample have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prostreg.images.xray_reading import read_xray_image
from prostreg.json_fields import json_object

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene

    from prostreg.geometry.carm import CArm
    from prostreg.geometry.frames import Matrix
    from prostreg.registration.case import Case
    from ProSTRegistrationLib.Nodes.Scene import Scene


def readImages(casePath: Path) -> list[NDArray[Any]]:
    """The grey values (height, width) of a case's X-rays, as their files store them.

    Raises:
        InputError: a file is missing or damaged.
    """
    return [
        read_xray_image(casePath.parent / entry["image"]).pixels
        for entry in json_object(casePath, "case file")["views"]
    ]


def addCt(scene: Scene, case: Case) -> vtkMRMLScalarVolumeNode:
    """Adds the CT of a Case, not placed yet; returns its node."""
    return addVolume(scene.mrmlScene, f"{case.name} CT", case.ct.values, case.ct.volume_from_index)


def addFluoroscopies(
    scene: Scene, name: str, images: Sequence[NDArray[Any]], carms: Sequence[CArm]
) -> list[vtkMRMLScalarVolumeNode]:
    """Adds X-rays (height, width) on the planes of their detectors; returns their nodes."""
    nodes = []
    for number, (image, carm) in enumerate(zip(images, carms, strict=True), start=1):
        title = f"{name} fluoroscopy" + (f" {number}" if number > 1 else "")
        node = addVolume(scene.mrmlScene, title, image[np.newaxis], np.eye(4))
        scene.placeFluoroscopy(node, carm)
        nodes.append(node)
    return nodes


def addVolume(
    mrmlScene: vtkMRMLScene,
    name: str,
    values: NDArray[Any],
    rasFromIjk: Matrix,
    className: str = "vtkMRMLScalarVolumeNode",
) -> vtkMRMLScalarVolumeNode:
    """Adds a volume with voxels [k, j, i] that Slicer can show; returns its node."""
    # Only here: the command line reads cases with this module and tells then whether slicer-core is missing.
    import slicer

    node = mrmlScene.AddNewNodeByClass(className, name)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(rasFromIjk))
    slicer.util.updateVolumeFromArray(node, _withoutFraction(values))
    node.CreateDefaultDisplayNodes()
    return node


def _withoutFraction(values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers as 16 bit, which Slicer shows and stores best; others as they are."""
    for dtype in (np.int16, np.uint16):
        limits = np.iinfo(dtype)
        if limits.min <= values.min() and values.max() <= limits.max and np.array_equal(values, np.rint(values)):
            return values.astype(dtype)
    return values
