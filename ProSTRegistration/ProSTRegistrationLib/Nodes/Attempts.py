"""All registrations of a CT in one table, so that attempts can be compared and gone back to."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix, invert_rigid, rigid_faults
from ProSTRegistrationLib.Nodes.KeptTexts import (
    cellNumber,
    cells,
    keptCellJson,
    keptJson,
    keptNumbers,
    keptPose,
    keptWhole,
    setCells,
)

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Nodes.Scene import Scene

ROLE = "attempts"
COLUMNS = (
    "Attempt", "Time", "Start", "Method", "Quality", "C-arm", "Status", "Confidence %", "Similarity",
    "Error across mm", "Error along mm", "Turn error deg", "Landmark error mm", "mTRE mm", "Seconds", "Decision",
    "Reasons", "Inputs", "Judged by", "Pose", "Start pose", "Bone", "Part", "Run", "Against", "Motion deg mm",
    "Found C-arms",
)  # fmt: skip
DECISIONS = ("none", "accepted", "rejected")
NOT_KNOWN = "not known"
REASONS_BORDER = "; "
MOTION_NUMBERS = 6
JUDGED_BY = ("evidence", "expected_error", "polarity")
"""Of a result, what a track goes on from beside the columns."""

Rows = list[dict[str, str]]
"""Texts by COLUMNS."""


@dataclass(frozen=True)
class BoneOfRun:
    """One of several bones that were registered together.

    Attributes:
        name: for people.
        part: key of the part of the anatomy that it is.
        run: the number of their run, which is that of its first attempt.
        against: name of the bone that its motion is told against; "" where none is known.
        motion: rotation vector in degrees, then shift of its centre in mm, each about the CT's RAS axes; or None.
    """

    name: str
    part: str
    run: int
    against: str = ""
    motion: tuple[float, ...] | None = None


def addAttempt(
    scene: Scene,
    ctNode: vtkMRMLScalarVolumeNode,
    result: dict[str, Any],
    start: str,
    method: str,
    quality: str,
    startWorldFromVolume: Matrix,
    landmarkErrorMm: float | None = None,
    mtreMm: float | None = None,
    inputs: str = NOT_KNOWN,
    carm: str = NOT_KNOWN,
    bone: BoneOfRun | None = None,
) -> int:
    """Adds a row for a finished registration.

    Args:
        scene: Scene.
        result: dict as in result.json.
        start, method, quality: words for people, as "landmarks", "cmaes", "normal".
        startWorldFromVolume: where the CT lay before, rigid (4, 4).
        landmarkErrorMm: mean distance of landmarks to their rays; None where there are none.
        mtreMm: mean distance to the true pose; None where that is not known.
        inputs: text of the JudgedInputs that the result belongs to.
        carm: how well the least known of the C-arms is known, one of the engine's CARM_ACCURACIES.
        bone: the one that the result is of; None where all that is chosen moved together.

    Returns:
        the attempt's number, counted from 1.
    """
    rows, number = _rows(scene, ctNode), nextNumber(scene, ctNode)
    expected = result.get("expected_error") or {}
    texts = (
        str(number), time.strftime("%H:%M:%S"), start, method, quality, carm, result["status"],
        _text(100 * result["confidence"]), _text(_similarity(result)),
        *(_text(expected.get(direction)) for direction in ("across_mm", "along_mm")),
        _texts(expected.get("rotation_deg")), _text(landmarkErrorMm), _text(mtreMm), _text(result["seconds"]),
        DECISIONS[0], REASONS_BORDER.join(result.get("reasons", [])), inputs, _judgedBy(result),
        *(json.dumps(np.asarray(pose).tolist()) for pose in (result["world_from_volume"], startWorldFromVolume)),
        *_boneTexts(bone), _camerasText(result),
    )  # fmt: skip
    _write(scene, ctNode, [*rows, dict(zip(COLUMNS, texts, strict=True))])
    return number


def nextNumber(scene: Scene, ctNode: vtkMRMLScalarVolumeNode) -> int:
    """The number that the next attempt of a CT will have."""
    return max([0, *(_wholeNumber(row["Attempt"]) for row in _rows(scene, ctNode))]) + 1


def attempts(scene: Scene, ctNode: vtkMRMLScalarVolumeNode) -> Rows:
    """All attempts of a CT in their order, as dicts of texts by COLUMNS; for people to read."""
    return _rows(scene, ctNode)


def attempt(scene: Scene, ctNode: vtkMRMLScalarVolumeNode, number: int) -> dict[str, Any]:
    """One attempt as a dict of values; see `attemptOf`.

    Raises:
        InputError: there is no such attempt, or its row was damaged.
    """
    return attemptOf(_row(_rows(scene, ctNode), ctNode, number))


def attemptOf(row: dict[str, str]) -> dict[str, Any]:
    """A row, as `attempts` gives it, as a dict of values.

    Returns:
        number, time, start, method, quality, status, decision; confidence (0 to 1), acrossMm and alongMm (expected
        error across and along the first view's beam), landmarkErrorMm, mtreMm, each None where not known; carm, one of
        the engine's CARM_ACCURACIES, or NOT_KNOWN; reasons, a list of texts; inputs, the text of JudgedInputs;
        judgedBy, a dict of JUDGED_BY and ``device`` as in result.json, or None where an earlier version made the
        attempt; worldFromVolume and startWorldFromVolume, rigid (4, 4); bone, a BoneOfRun or None; foundCameras,
        camera_from_world (4, 4) of each further C-arm that was only roughly known, none where all were known.

    Raises:
        InputError: the row was damaged.
    """
    confidence = cellNumber(row["Confidence %"])
    return {
        "number": _wholeNumber(row["Attempt"]),
        **{name.lower(): row[name] for name in ("Time", "Start", "Method", "Quality", "Status", "Decision")},
        "confidence": None if confidence is None else confidence / 100,
        "acrossMm": cellNumber(row["Error across mm"]),
        "alongMm": cellNumber(row["Error along mm"]),
        "carm": row["C-arm"],
        "landmarkErrorMm": cellNumber(row["Landmark error mm"]),
        "mtreMm": cellNumber(row["mTRE mm"]),
        "reasons": [] if row["Reasons"] == NOT_KNOWN else [r for r in row["Reasons"].split(REASONS_BORDER) if r],
        "inputs": row["Inputs"],
        "judgedBy": keptCellJson(row["Judged by"]),
        "worldFromVolume": _pose(row, "Pose"),
        "startWorldFromVolume": _pose(row, "Start pose"),
        "bone": _bone(row),
        "foundCameras": _foundCameras(row),
    }


def decide(scene: Scene, ctNode: vtkMRMLScalarVolumeNode, number: int, decision: str) -> None:
    """Writes down what a person made of an attempt.

    Args:
        decision: one of DECISIONS.

    Raises:
        InputError: there is no such attempt, or no such decision.
    """
    if decision not in DECISIONS:
        raise InputError(f"'{decision}' is no decision about an attempt: choose one of {', '.join(DECISIONS)}.")
    rows = _rows(scene, ctNode)
    _row(rows, ctNode, number)["Decision"] = decision
    _write(scene, ctNode, rows)


def _rows(scene: Scene, ctNode: vtkMRMLScalarVolumeNode) -> Rows:
    node = scene.findOwned(ctNode, ROLE)
    if node is None or node.GetTable() is None:
        return []
    # People can edit tables in Slicer: a column that is gone counts as not known, a row without a number as none.
    rows = [{name: row.get(name, NOT_KNOWN) for name in COLUMNS} for row in cells(node)]
    return [row for row in rows if _wholeNumber(row["Attempt"])]


def _row(rows: Rows, ctNode: vtkMRMLScalarVolumeNode, number: int) -> dict[str, str]:
    for row in rows:
        if _wholeNumber(row["Attempt"]) == number:
            return row
    raise InputError(f"There is no attempt {number} of '{ctNode.GetName()}': its table has {len(rows)}.")


def _write(scene: Scene, ctNode: vtkMRMLScalarVolumeNode, rows: Rows) -> None:
    node = scene.ownedNode(ctNode, ROLE, "vtkMRMLTableNode", f"{ctNode.GetName()} attempts")
    setCells(node, COLUMNS, [[row[name] for name in COLUMNS] for row in rows])


def _boneTexts(bone: BoneOfRun | None) -> tuple[str, ...]:
    if bone is None:
        return (NOT_KNOWN,) * 5
    motion = None if bone.motion is None else json.dumps([round(float(number), 4) for number in bone.motion])
    return bone.name, bone.part, str(bone.run), bone.against or NOT_KNOWN, motion or NOT_KNOWN


def _bone(row: dict[str, str]) -> BoneOfRun | None:
    run = _wholeNumber(row["Run"])
    if not run:
        return None
    numbers = keptNumbers(row["Motion deg mm"], MOTION_NUMBERS)
    against = "" if numbers is None or row["Against"] == NOT_KNOWN else row["Against"]
    return BoneOfRun(row["Bone"], row["Part"], run, against, numbers)


def _similarity(result: dict[str, Any]) -> float | None:
    """The score of the pose at the last stage; None where no stage came to its end."""
    stages = result.get("stages") or []
    return stages[-1]["score"] if stages else None


def _judgedBy(result: dict[str, Any]) -> str:
    device = str(result.get("device") or "cpu").split()[0]
    return json.dumps({**{name: result.get(name) for name in JUDGED_BY}, "device": device})


def _camerasText(result: dict[str, Any]) -> str:
    """camera_from_world of each further C-arm where a result found it; NOT_KNOWN where they stood as told."""
    if not result.get("relation"):
        return NOT_KNOWN
    volumeFromWorld = invert_rigid(np.array(result["world_from_volume"]))
    return json.dumps([(np.array(camera) @ volumeFromWorld).tolist() for camera in result["camera_from_volume"][1:]])


def _foundCameras(row: dict[str, str]) -> list[Matrix]:
    """As `_camerasText` wrote them; none where it did not."""
    texts = keptJson(row["Found C-arms"])
    found = [keptPose(json.dumps(camera)) for camera in texts] if isinstance(texts, list) else []
    cameras = [camera for camera in found if camera is not None and not rigid_faults(camera, "camera")]
    return cameras if len(cameras) == len(found) else []


def _pose(row: dict[str, str], column: str) -> Matrix:
    pose = keptPose(row[column])
    if pose is None or rigid_faults(pose, "pose"):
        raise InputError(f"The pose of attempt {row['Attempt']} is damaged in the table: register again.")
    return pose


def _text(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:.4g}"


def _texts(values: Sequence[float] | None) -> str:
    return NOT_KNOWN if values is None else " ".join(f"{value:.3g}" for value in values)


def _wholeNumber(text: str) -> int:
    return keptWhole(text) or 0
