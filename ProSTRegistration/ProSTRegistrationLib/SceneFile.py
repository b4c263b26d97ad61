"""Makes a scene for 3D Slicer from what ``prostreg register`` wrote.

``python -m ProSTRegistrationLib.SceneFile RESULT_DIR CASE_JSON OUT.mrb``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.json_fields import json_object
from prostreg.outputs.result_file import RESULT_FILE, drr_file_names
from prostreg.registration.case_file import read_case
from prostreg.scratch import scratch_folder
from ProSTRegistrationLib.Nodes.CaseNodes import addCt, addFluoroscopies, readImages

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene

    from prostreg.registration.case import Case


@dataclass(frozen=True)
class FinishedCase:
    """A case with its result: result as in result.json, per view the grey values and DRR (height, width)."""

    case: Case
    result: dict[str, Any]
    images: list[NDArray[Any]]
    drrs: list[NDArray[np.float32]]


def readFinishedCase(resultFolder: Path, casePath: Path) -> FinishedCase:
    """Reads a case file and the folder of its result.

    Raises:
        InputError: something is missing or does not belong together.
    """
    casePath = casePath / "case.json" if casePath.is_dir() else casePath
    case = read_case(casePath)
    images = readImages(casePath)
    result = json_object(resultFolder / RESULT_FILE, "result", "Register the case again.")
    drrs = [_readDrr(resultFolder / name) for name in drr_file_names(len(images))]
    for view, drr in zip(case.views, drrs, strict=True):
        if drr.shape[::-1] != view.carm.size:
            raise InputError(f"The DRR in {resultFolder} has another size than the X-ray: register the case again.")
    return FinishedCase(case, result, images, drrs)


def buildScene(mrmlScene: vtkMRMLScene, finished: FinishedCase) -> None:
    """Fills an empty scene with a finished case, as the module itself would have left it."""
    from ProSTRegistrationLib.Nodes.Scene import Scene

    scene, case = Scene(mrmlScene), finished.case
    ctNode = addCt(scene, case)
    fluoroscopyNodes = addFluoroscopies(scene, case.name, finished.images, [view.carm for view in case.views])
    drrNodes = [scene.showDrr(node, drr) for node, drr in zip(fluoroscopyNodes, finished.drrs, strict=True)]
    scene.setPose(ctNode, np.array(finished.result["world_from_volume"]))
    scene.showResult(ctNode, finished.result)
    scene.gather(ctNode, fluoroscopyNodes)
    _showFirstImage(mrmlScene, fluoroscopyNodes[0], drrNodes[0])


def writeSceneFile(resultFolder: Path, casePath: Path, scenePath: Path) -> None:
    """Writes the scene; the file appears complete or not at all.

    Raises:
        InputError: bad input, or a place that cannot be written.
    """
    finished = readFinishedCase(resultFolder, casePath)
    if scenePath.suffix != ".mrb":
        raise InputError(f"The scene {scenePath} must end in .mrb.")
    try:
        with scratch_folder(scenePath.parent) as scratch:
            _saveScene(finished, scratch / scenePath.name)
            (scratch / scenePath.name).replace(scenePath)
    except OSError as error:
        raise InputError(
            f"The scene {scenePath} cannot be written ({error.strerror}): choose another place."
        ) from error


def _saveScene(finished: FinishedCase, path: Path) -> None:
    try:
        from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
    except ImportError as error:
        raise InputError("Writing a scene needs the package slicer-core: pip install slicer-core") from error
    with HeadlessScene() as headless:
        buildScene(headless.scene, finished)
        if not headless.save(path) or not path.exists():
            raise InputError(f"MRML could not write the scene {path.name}: is the disk full?")


def _showFirstImage(
    mrmlScene: vtkMRMLScene, fluoroscopyNode: vtkMRMLScalarVolumeNode, drrNode: vtkMRMLScalarVolumeNode
) -> None:
    """The red slice view opens with the overlay."""
    import slicer

    from ProSTRegistrationLib.Views.SliceView import showOverlay

    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(mrmlScene)
    sliceLogic = slicer.vtkMRMLSliceLogic()
    sliceLogic.SetMRMLScene(mrmlScene)
    sliceLogic.AddSliceNode("Red")
    showOverlay(sliceLogic, fluoroscopyNode, drrNode)


def _readDrr(path: Path) -> NDArray[np.float32]:
    try:
        return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError as error:
        raise InputError(f"The DRR {path} cannot be read: register the case again.") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ProSTRegistrationLib.SceneFile", description=__doc__)
    parser.add_argument("resultFolder", type=Path, metavar="RESULT_DIR")
    parser.add_argument("casePath", type=Path, metavar="CASE_JSON")
    parser.add_argument("scenePath", type=Path, metavar="OUT.mrb")
    options = parser.parse_args(arguments)
    try:
        writeSceneFile(options.resultFolder, options.casePath, options.scenePath)
    except InputError as error:
        print(" ".join(error.faults), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
