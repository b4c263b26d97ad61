"""Runs of several bones in the table of attempts: a row for each bone, held together by the number of their run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix
from prostreg.registration.bones.motion import RelativeMotion
from prostreg.registration.result import WORST_FIRST
from ProSTRegistrationLib.Bones.BonesOfAnatomy import PlacedBone, partAlone
from ProSTRegistrationLib.Nodes.Attempts import BoneOfRun, Rows, addAttempt, attemptOf, attempts, nextNumber
from ProSTRegistrationLib.Nodes.JudgedInputs import JudgedInputs
from ProSTRegistrationLib.Nodes.KeptTexts import keptWhole

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
    from ProSTRegistrationLib.Nodes.Scene import Scene

SAME_POSE = 1e-3
CONTACTS = ("{bone} lies ", " deep in {bone}: ", " farther from {bone} than ")
"""Parts of the engine's sentences on two bones that lie in each other, or whose joint has opened."""


def isNothingPlaced(result: dict[str, Any]) -> bool:
    """True if a result, of one body or of several bones, has found no place at all."""
    return all(bone["status"] in (None, "failed") for bone in result.get("bones", [result]))


def weakestPlaced(bones: list[dict[str, Any]]) -> int:
    """The index of the bone with the worst verdict among those that have a place; of the first where none has.

    Args:
        bones: dicts with ``status``.
    """
    placed = [number for number, bone in enumerate(bones) if bone["status"] not in (None, "failed")]
    return min(placed, key=lambda number: WORST_FIRST.index(bones[number]["status"]), default=0)


def doubtContacts(result: dict[str, Any]) -> None:
    """Takes the trust from bones that lie where no joint has them against another, whatever the image says of each.

    Args:
        result: the worker's answer; changed.
    """
    for bone in result["bones"]:
        signs = [sign.format(bone=bone["name"]) for sign in CONTACTS]
        contacts = [
            text for text in result["warnings"] if text.startswith(signs[0]) or signs[1] in text or signs[2] in text
        ]
        if contacts and bone["result"] is not None:
            status = "uncertain" if bone["status"] == "accepted" else bone["status"]
            bone["status"] = bone["result"]["status"] = status
            bone["result"]["reasons"] = [*contacts, *bone["result"]["reasons"]]


def addBones(
    scene: Scene,
    ctNode: vtkMRMLScalarVolumeNode,
    result: dict[str, Any],
    words: dict[str, str],
    startWorldFromVolume: Matrix,
) -> int:
    """Adds a row for each bone whose turn came.

    Args:
        result: the worker's answer, whose ``bones`` have their ``part``.
        words: start, method, quality, carm and inputs of the attempts.
        startWorldFromVolume: where the CT lay before, rigid (4, 4).

    Returns:
        the number of the attempt of the weakest bone that was found.
    """
    run, numbers = nextNumber(scene, ctNode), dict[int, int]()
    for index, bone in enumerate(result["bones"]):
        if bone["result"] is not None:
            numbers[index] = addAttempt(
                scene,
                ctNode,
                bone["result"],
                **words,
                startWorldFromVolume=startWorldFromVolume,
                landmarkErrorMm=None,
                mtreMm=None,
                bone=_boneOfRun(result, index, run),
            )
    return numbers.get(weakestPlaced(result["bones"]), run)


def relativeMotion(bone: BoneOfRun) -> RelativeMotion | None:
    """The motion of a bone against another between CT and X-ray; None for the first, and where none is known."""
    if bone.motion is None:
        return None
    numbers = np.array(bone.motion)
    return RelativeMotion(bone.name, bone.against, numbers[:3], numbers[3:])


def bonesOfRun(scene: Scene, ctNode: vtkMRMLScalarVolumeNode, run: int) -> list[dict[str, Any]]:
    """The attempts of a run in their order, as `attempt` gives them; rows that are damaged are left out."""
    return _bonesIn(attempts(scene, ctNode), run)


def shownBones(
    scene: Scene, ctNode: vtkMRMLScalarVolumeNode, anatomy: AnatomyChoice, judged: JudgedInputs, pose: Matrix
) -> tuple[PlacedBone, ...]:
    """The bones that are drawn each at its own pose, as long as the CT lies where one of them was found.

    These are the bones of that run that have a place and were not rejected. Elsewhere all parts lie in the CT as one
    body, as where a search begins: none.

    Args:
        anatomy: AnatomyChoice of now.
        judged: the inputs of now.
        pose: world_from_volume (4, 4) of the CT.
    """
    if not anatomy.movesInParts:
        return ()
    rows = attempts(scene, ctNode)
    for run in sorted(set(filter(None, (keptWhole(row["Run"]) for row in rows))), reverse=True):
        bones = _bonesIn(rows, run)
        atPose = [bone for bone in bones if np.allclose(bone["worldFromVolume"], pose, atol=SAME_POSE)]
        if atPose and isOfInputs(atPose[0], judged):
            return tuple(
                PlacedBone(bone["bone"].name, partAlone(anatomy, bone["bone"].part), bone["worldFromVolume"])
                for bone in bones
                if bone is atPose[0] or (bone["status"] != "failed" and bone["decision"] != "rejected")
            )
    return ()


def isOfInputs(bone: dict[str, Any], judged: JudgedInputs) -> bool:
    """True if an attempt is about these images; how the method was set may be another matter."""
    made = JudgedInputs.fromText(bone["inputs"])
    return made is not None and not set(made.differences(judged)) - {"settings"}


def _bonesIn(rows: Rows, run: int) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        if keptWhole(row["Run"]) == run:
            try:
                found.append(attemptOf(row))
            except InputError:  # told where it is shown
                continue
    return found


def _boneOfRun(result: dict[str, Any], index: int, run: int) -> BoneOfRun:
    """A bone of the worker's answer as the table keeps it, with its motion against the first that has a place."""
    name, part = result["bones"][index]["name"], result["bones"][index]["part"]
    for motion in result["relative_motion"]:
        if motion["bone"] == name:
            numbers = (*motion["rotation_ras_deg"], *motion["translation_ras_mm"])
            return BoneOfRun(name, part, run, motion["against"], numbers)
    return BoneOfRun(name, part, run)
