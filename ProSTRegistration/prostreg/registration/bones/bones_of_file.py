"""The bones of a case file that move against each other: their names, values and poses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.frames import Matrix, rigid_faults
from prostreg.json_fields import JsonFields
from prostreg.registration.case import Bone

Mask = NDArray[np.bool_]

LONGEST_NAME = 60
MOST_BONES = 12
"""That are asked for at once from an application, which waits for all of them."""

_LETTERS = " -_"


def pose_in(fields: JsonFields, key: str) -> tuple[Matrix | None, NDArray[np.float64] | None]:
    """The pose under a key, with its landmarks where it is the truth; None without one."""
    if key not in fields:
        return None, None
    inside = fields.inner(key)
    pose = inside.judged("world_from_volume", rigid_faults, "give 4 rows of 4 numbers", np.eye(4))
    landmarks = None
    if key == "truth" and "landmarks" in inside:
        landmarks = np.array(inside.points("landmarks", least=1))
    inside.end()
    return np.array(pose, dtype=np.float64), landmarks


def are_label_values(value: object) -> bool:
    """True for a list of one or more whole numbers."""
    return isinstance(value, list) and bool(value) and all(type(number) is int for number in value)


def read_bones(anatomy: JsonFields, mask_of: Callable[[list[int]], Mask] | None) -> list[Bone]:
    """The bones of a case's "anatomy"; every fault of theirs is noted.

    Args:
        anatomy: with "bones", a list of one or more.
        mask_of: gives the voxels of the CT that have one of some values, or raises InputError; None where it is not
            known. Without it no bones are given, only their faults noted.
    """
    entries: list[object] = anatomy.checked(
        "bones", lambda given: isinstance(given, list) and given, "give a list of one or more bones", []
    )
    bones, values_by_name = [], list[tuple[str, list[int]]]()
    for number, entry in enumerate(entries, start=1):
        fields = JsonFields(entry, f"Bone {number}", anatomy.faults)
        name = _name(fields)
        values: list[int] = fields.checked(
            "values", are_label_values, "give a list of one or more whole numbers, for example [25, 77]", []
        )
        told = len(anatomy.faults.faults)
        initial, _ = pose_in(fields, "initial")
        truth, landmarks_mm = pose_in(fields, "truth")
        title = _quoted(name) if name else f"Bone {number}"
        anatomy.faults.faults[told:] = [f"{title}: {fault}" for fault in anatomy.faults.faults[told:]]
        fields.end()
        values_by_name.append((name, values))
        mask = None
        if mask_of is not None and values:
            mask = anatomy.faults.collect(lambda mask_of=mask_of, values=values: mask_of(values), f"{_quoted(name)}: ")  # type: ignore[misc]
        if mask is not None:
            bones.append(Bone(name, mask, initial, truth, landmarks_mm))
    anatomy.faults.extend(_faults_between(values_by_name))
    return bones


def _name(fields: JsonFields) -> str:
    name = fields.text("name", advice="give a short text, the bone's results are filed under it")
    if name != name.strip() or any(not (c.isalnum() or c in _LETTERS) for c in name):
        fields.faults.add(
            f"The bone's name {_quoted(name)} cannot be a folder's name: use letters, digits, spaces, - and _."
        )
    if len(name) > LONGEST_NAME:
        fields.faults.add(f"A bone's name has {len(name)} characters: give {LONGEST_NAME} at most.")
    return name


def _faults_between(bones: Sequence[tuple[str, list[int]]]) -> list[str]:
    """Names and values that two bones share; folders that differ by capitals alone are one on many systems."""
    faults, names_seen = [], dict[str, str]()
    owners: dict[int, str] = {}
    for name, values in bones:
        if name and name.casefold() in names_seen:
            faults.append(f"Two bones have the name {_quoted(name)}: results are filed under it, so rename one.")
        names_seen[name.casefold()] = name
        for value in dict.fromkeys(values):
            if value in owners:
                faults.append(
                    f"The value {value} belongs to {_quoted(owners[value])} and to {_quoted(name)}: bones that move"
                    " against each other share no voxel, so give it to one of them."
                )
            owners.setdefault(value, name)
    return faults


def _quoted(name: str) -> str:
    return f'"{name}"'
