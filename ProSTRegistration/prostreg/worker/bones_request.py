"""Several bones in a request and in its answer: each a named anatomy, each with a verdict and a pose of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import FaultList
from prostreg.geometry.frames import Matrix, rigid_faults
from prostreg.json_fields import JsonFields
from prostreg.outputs.bones_outputs import bones_to_dict
from prostreg.outputs.result_file import result_to_dict
from prostreg.registration.bones.bones_of_file import LONGEST_NAME, MOST_BONES
from prostreg.registration.bones.found import BonesResult
from prostreg.registration.case import Bone
from prostreg.worker.fields import Fields

Mask = NDArray[np.bool_]

MOST_SHARED = 0.05
"""Of the smaller bone: labels may touch, but what moves against each other is not drawn twice."""


def named_anatomies(fields: Fields) -> list[tuple[str, str]]:
    """Name and anatomy's id of each of ``bones``, of which there are 1 to MOST_BONES; faults are noted."""
    named: list[tuple[str, str]] = []
    for entry in _bones(fields):
        name = entry.text("name", advice="give a short text, results are told by it")
        if len(name) > LONGEST_NAME:
            fields.faults.add(f"A bone's name has {len(name)} characters: give {LONGEST_NAME} at most.")
        if name in [other for other, _ in named]:
            fields.faults.add(f'Two bones have the name "{name}": rename one.')
        named.append((name, entry.text("anatomy", advice="give an id, as loading answered it")))
    return named


def placed_anatomies(fields: Fields) -> list[tuple[str, Matrix]]:
    """Anatomy's id and rigid (4, 4) ``world_from_volume`` of each of ``bones``; faults are noted."""
    return [
        (
            entry.text("anatomy"),
            np.array(entry.judged("world_from_volume", rigid_faults, "give 4 rows of 4 numbers", np.eye(4))),
        )
        for entry in _bones(fields)
    ]


def told_apart(masks: Sequence[tuple[str, Mask]]) -> tuple[tuple[Bone, ...], Mask]:
    """The bones of named masks, and all of them in one: what labels share at their border is the earlier one's.

    Args:
        masks: those of the later ones are changed, masks of a whole CT are too large to copy.

    Raises:
        InputError: two are drawn over each other by more than that.
    """
    whole = np.zeros_like(masks[0][1])
    for _, mask in masks:
        whole |= mask
    if np.count_nonzero(whole) < sum(np.count_nonzero(mask) for _, mask in masks):
        _refuse_drawn_over(masks)
        taken = masks[0][1].copy()
        for _, mask in masks[1:]:
            mask &= ~taken
            taken |= mask
    return tuple(Bone(name, mask) for name, mask in masks), whole


def bones_reply(found: BonesResult) -> dict[str, Any]:
    """All as bones.json tells it, but with the whole ``result`` of each bone, null for one whose turn never came."""
    bones = [
        {
            "name": bone.bone.name,
            "status": None if bone.result is None else bone.result.status,
            "result": None if bone.result is None else result_to_dict(bone.result),
        }
        for bone in found.bones
    ]
    return {**bones_to_dict(found), "bones": bones}


def _refuse_drawn_over(masks: Sequence[tuple[str, Mask]]) -> None:
    faults = FaultList()
    for (name, mask), (other, other_mask) in combinations(masks, 2):
        shared = np.count_nonzero(mask & other_mask) / min(np.count_nonzero(mask), np.count_nonzero(other_mask))
        if shared > MOST_SHARED:
            faults.add(
                f'"{name}" and "{other}" share {100 * shared:.0f}% of the smaller one: bones that move against each'
                " other share no voxel, so take it out of one of them."
            )
    faults.raise_if_any()


def _bones(fields: Fields) -> list[JsonFields]:
    entries = fields.inners("bones")
    if not 1 <= len(entries) <= MOST_BONES:
        fields.faults.add(f"The request has {len(entries)} bones: give 1 to {MOST_BONES}.")
        return []
    return entries
