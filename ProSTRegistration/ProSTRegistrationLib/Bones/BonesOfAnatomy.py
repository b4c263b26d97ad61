"""The bones of an anatomy whose parts move by themselves: one for each chosen part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix
from prostreg.registration.bones.bones_of_file import LONGEST_NAME, MOST_BONES
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
from ProSTRegistrationLib.Nodes.KeptTexts import keptWhole
from ProSTRegistrationLib.Nodes.PartsOfAnatomy import LOWEST_LABEL, partsOf


@dataclass(frozen=True)
class Bone:
    """A part of the anatomy that moves by itself.

    Attributes:
        part: its key: id of a segment, or label value as text.
        name: for people; no other bone's.
        anatomy: AnatomyChoice of it alone.
    """

    part: str
    name: str
    anatomy: AnatomyChoice


@dataclass(frozen=True, eq=False)
class PlacedBone:
    """A bone at a pose of its own.

    Attributes:
        worldFromVolume: rigid (4, 4).
    """

    name: str
    anatomy: AnatomyChoice
    worldFromVolume: Matrix


def bonesOf(anatomy: AnatomyChoice) -> tuple[Bone, ...]:
    """The bones of an anatomy whose parts move by themselves, in the order of its parts.

    Raises:
        InputError: there are none, or too many for one run.
    """
    chosen = _chosenParts(anatomy)
    parts = [(part, name) for part, name in partsOf(anatomy.node) if chosen is None or part in chosen]
    if not 1 <= len(parts) <= MOST_BONES:
        raise InputError(
            f"{len(parts)} parts of the anatomy are chosen to move by themselves: choose 1 to {MOST_BONES} of them."
        )
    names = _told([name for _, name in parts])
    return tuple(Bone(part, name, partAlone(anatomy, part)) for (part, _), name in zip(parts, names, strict=True))


def ownPoses(bones: Sequence[PlacedBone]) -> list[tuple[AnatomyChoice, Matrix]]:
    """The parts and places that are drawn, as the origin of a DRR is told."""
    return [(bone.anatomy, bone.worldFromVolume) for bone in bones]


def partAlone(anatomy: AnatomyChoice, part: str) -> AnatomyChoice:
    """One part of an anatomy, by its key."""
    if anatomy.node is not None and anatomy.node.IsA("vtkMRMLSegmentationNode"):
        return AnatomyChoice(anatomy.node, segmentIds=(part,))
    value = keptWhole(part, LOWEST_LABEL)
    return AnatomyChoice(anatomy.node, labelValues=() if value is None else (value,))


def _chosenParts(anatomy: AnatomyChoice) -> tuple[str, ...] | None:
    if anatomy.segmentIds is not None:
        return anatomy.segmentIds
    return None if anatomy.labelValues is None else tuple(str(value) for value in anatomy.labelValues)


def _told(names: Sequence[str]) -> list[str]:
    """The names without those that two bones share: later ones get a number."""
    told: list[str] = []
    for name in names:
        short, number = name[: LONGEST_NAME - 5].strip() or "bone", 1
        unique = short
        while unique in told:
            number += 1
            unique = f"{short} ({number})"
        told.append(unique)
    return told
