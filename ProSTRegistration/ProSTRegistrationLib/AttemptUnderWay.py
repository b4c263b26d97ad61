"""A registration under way, and the row of the table that its result becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from slicer.i18n import tr as _

from prostreg.errors import InputError
from prostreg.geometry.carm_accuracy import least_known
from prostreg.geometry.frames import mean_distance_mm
from ProSTRegistrationLib.Bones.BonesRuns import addBones
from ProSTRegistrationLib.Nodes.Attempts import NOT_KNOWN, addAttempt
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.Landmarks import (
    REFERENCE_LANDMARKS_ROLE,
    landmarkErrorMm,
    landmarkPointsMm,
    pairedLandmarks,
    referencePose,
)
from ProSTRegistrationLib.VerdictWords import foundViewWords

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from prostreg.geometry.frames import Matrix
    from ProSTRegistrationLib.Nodes.Scene import Scene
    from ProSTRegistrationLib.ParameterNode import ProSTRegistrationParameterNode
    from ProSTRegistrationLib.Situation import Situation


@dataclass(frozen=True, eq=False)
class AttemptUnderWay:
    """A registration under way: of which CT, from where, and in what words the table tells it."""

    ctNode: vtkMRMLScalarVolumeNode
    worldFromVolume: Matrix
    words: dict[str, str]

    @classmethod
    def begun(cls, scene: Scene, parameters: ProSTRegistrationParameterNode, situation: Situation) -> AttemptUnderWay:
        """The registration that begins now."""
        carms = [carmOf(node).accuracy for node in situation.images] if situation.isReady else []
        words = {
            "start": startWords(parameters),
            "method": parameters.method.value,
            "quality": parameters.quality.value,
            "carm": least_known(carms) if carms else NOT_KNOWN,
            "inputs": NOT_KNOWN if situation.judged is None else situation.judged.text(),
        }
        return cls(parameters.ct, scene.ct(parameters.ct)[1], words)

    def ended(self, scene: Scene, situation: Situation, result: dict[str, Any]) -> int:
        """Adds the result to the table of the CT; its number there, of several bones that of the weakest found."""
        if "bones" in result:
            return addBones(scene, self.ctNode, result, self.words, self.worldFromVolume)
        pose = np.array(result["world_from_volume"])
        isDrawn = result["status"] != "failed"
        found = [foundViewWords(place, isDrawn) for place in result.get("relation", [])]
        return addAttempt(
            scene,
            self.ctNode,
            {**result, "reasons": [*result.get("reasons", []), *found]},
            **self.words,
            startWorldFromVolume=self.worldFromVolume,
            landmarkErrorMm=landmarkErrorAt(situation, pose),
            mtreMm=_mtreMm(scene, self.ctNode, pose),
            bone=None,
        )


def startWords(parameters: ProSTRegistrationParameterNode) -> str:
    """The start of a search of now, in words."""
    return _("everywhere") if parameters.searchEverywhere else parameters.startedBy or _("as loaded")


def landmarkErrorAt(situation: Situation, worldFromVolume: Matrix) -> float | None:
    """Mean distance of the landmarks from their rays at a pose; None without pairs that can be used."""
    if situation.ct is None or situation.ctLandmarks is None:
        return None
    try:
        pairs = pairedLandmarks(situation.ct, situation.ctLandmarks, situation.marked)
    except InputError:  # said where they are solved; a result needs no landmarks
        return None
    return landmarkErrorMm(worldFromVolume, pairs)


def _mtreMm(scene: Scene, ctNode: vtkMRMLScalarVolumeNode, worldFromVolume: Matrix) -> float | None:
    """Against the known pose of a sample, over the known points of its CT."""
    reference, ctList = referencePose(scene, ctNode), scene.findOwned(ctNode, REFERENCE_LANDMARKS_ROLE)
    if reference is None or ctList is None:
        return None
    points = landmarkPointsMm(ctNode, ctList)
    return mean_distance_mm(worldFromVolume, reference, points) if len(points) else None
