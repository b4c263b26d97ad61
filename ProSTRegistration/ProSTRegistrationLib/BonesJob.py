"""A registration of several bones: each part of the anatomy is found for itself, and gets a transform of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ProSTRegistrationLib.Bones.BonesOfAnatomy import bonesOf
from ProSTRegistrationLib.Bones.BonesRuns import doubtContacts, isNothingPlaced, weakestPlaced
from ProSTRegistrationLib.Bones.BoneTransforms import setBonePoses
from ProSTRegistrationLib.Jobs import JobState
from ProSTRegistrationLib.Nodes.DrrOrigin import originOf
from ProSTRegistrationLib.RegistrationJob import RegistrationJob

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from prostreg.geometry.frames import Matrix
    from prostreg.worker.protocol import Arrays
    from ProSTRegistrationLib.Worker.WorkerData import LoadedIds


class BonesJob(RegistrationJob):
    """Registers each part of an anatomy. The CT goes where the bone with the worst verdict of those found lies.

    Its result is the worker's answer to ``register_bones``, whose ``bones`` also have their ``part``.

    Raises:
        InputError: no part is chosen, or too many.
    """

    def __init__(self, *args: Any, **details: Any) -> None:
        super().__init__(*args, **details)
        self._bones = bonesOf(self.anatomy)
        self._anatomyIds: tuple[str, ...] = ()

    def _request(self, ids: LoadedIds) -> None:
        # A cancel ends it at once until the worker has begun.
        self.state = JobState.LOADING
        anatomies = [bone.anatomy for bone in self._bones]
        self._data.loadAnatomies(self.ctNode, anatomies, lambda found: self._begin(ids, found), self.fail)

    def _begin(self, ids: LoadedIds, anatomyIds: tuple[str, ...]) -> None:
        if self._isOver:
            return
        self.state, self._anatomyIds = self.running, anatomyIds
        named = [
            {"name": bone.name, "anatomy": identity} for bone, identity in zip(self._bones, anatomyIds, strict=True)
        ]
        self._ask(ids, "register_bones", bones=named, keep_joints=self.anatomy.keepsJoints, **self._search(ids))

    def _finish(self, ids: LoadedIds, content: dict[str, Any], arrays: Arrays) -> None:
        for bone, answer in zip(self._bones, content["bones"], strict=True):
            answer["part"] = bone.part
        doubtContacts(content)
        super()._finish(ids, content, arrays)

    def _isShown(self, content: dict[str, Any], isKept: bool) -> bool:
        return not isNothingPlaced(content) and (isKept or content["stopped"] != "cancelled")

    def _drrFields(self, ids: LoadedIds) -> dict[str, Any]:
        placed = [(self._anatomyIds[number], pose) for number, pose in self._placed()]
        return {"bones": [{"anatomy": identity, "world_from_volume": pose.tolist()} for identity, pose in placed]}

    def _drrOrigin(self, node: vtkMRMLScalarVolumeNode, pose: Matrix) -> str:
        own = [(self._bones[number].anatomy, place) for number, place in self._placed()]
        return originOf(self.ctNode, node, self.anatomy, pose, own)

    def _pose(self) -> Matrix:
        bones = self._result["bones"]
        return np.array(bones[weakestPlaced(bones)]["result"]["world_from_volume"])

    def _fillScene(self) -> None:
        poses = [(self._bones[number].part, self._bones[number].name, pose) for number, pose in self._placed()]
        setBonePoses(self._scene, self.ctNode, poses)
        super()._fillScene()

    def _tableResults(self) -> list[dict[str, Any]]:
        return [answer["result"] for answer in self._result["bones"] if answer["result"] is not None]

    def _placed(self) -> list[tuple[int, Matrix]]:
        """Index and pose of each bone that has a place."""
        return [
            (number, np.array(answer["result"]["world_from_volume"]))
            for number, answer in enumerate(self._result["bones"])
            if not isNothingPlaced(answer)
        ]
