"""The transforms of a run's bones as the table of attempts has them: where a bone was found, or back where it began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ProSTRegistrationLib.Bones.BonesRuns import bonesOfRun
from ProSTRegistrationLib.Bones.BoneTransforms import setBonePoses

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Nodes.Scene import Scene


def placeBones(scene: Scene, ctNode: vtkMRMLScalarVolumeNode, run: int) -> None:
    """Puts the bones of a run where they were found, rejected ones where the run began; failed ones stay unless kept.

    Raises:
        InputError: what a bone's transform lies under is not rigid.
    """
    setBonePoses(
        scene,
        ctNode,
        [
            (
                bone["bone"].part,
                bone["bone"].name,
                bone["startWorldFromVolume" if bone["decision"] == "rejected" else "worldFromVolume"],
            )
            for bone in bonesOfRun(scene, ctNode, run)
            if bone["status"] != "failed" or bone["decision"] == "accepted"
        ],
    )
