"""A track in a scene: one row of a table for each frame, from which all else can be made again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, rigid_faults
from prostreg.registration.result import WORST_FIRST, Result
from prostreg.tracking.track import FrameStatus, Track, TrackedFrame
from ProSTRegistrationLib.Nodes.Attempts import REASONS_BORDER
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.JudgedInputs import JudgedInputs
from ProSTRegistrationLib.Nodes.KeptTexts import cellNumber, cells, keptJson, keptPose, keptWhole, setCells

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLTableNode

    from ProSTRegistrationLib.Nodes.Scene import Scene

TABLE_ROLE = "track"
RUN_ATTRIBUTE = "ProSTRegistration.Track"
INPUTS_ATTRIBUTE = "ProSTRegistration.TrackInputs"
COLUMNS = ("Frame", "Time s", "Status", "Confidence", "Confirmed", "Search", "Seconds", "Reasons", "Pixels", "Pose")
STATUSES: tuple[FrameStatus, ...] = ("tracked", "uncertain", "lost")


@dataclass(frozen=True, eq=False)
class KeptTrack:
    """A track, and what it was made of.

    Attributes:
        track: the engine's, as far as files and words need it.
        inputs: JudgedInputs of the registered frame.
        pixels: the part ``pixels`` of the inputs for each frame, by its number.
    """

    track: Track
    inputs: JudgedInputs
    pixels: Mapping[int, str]

    def frame(self, number: int) -> TrackedFrame | None:
        """A frame counted from 1; None where it was not looked at."""
        return next((frame for frame in self.track.frames if frame.number == number), None)

    def changes(self, number: int, judged: JudgedInputs) -> list[str]:
        """Parts of the inputs that are others than when a frame was tracked."""
        return replace(self.inputs, pixels=self.pixels.get(number, "")).differences(judged)


def writeTrack(
    scene: Scene,
    imageNode: vtkMRMLScalarVolumeNode,
    answer: Mapping[str, Any],
    poses: NDArray[np.float64],
    inputs: JudgedInputs,
    pixels: Sequence[str],
) -> vtkMRMLTableNode:
    """Keeps a track with the first X-ray, in place of an earlier one; returns the table node.

    Args:
        answer: the worker's.
        poses: (frames, 4, 4), NaN where a frame is lost.
        inputs: of the registered frame.
        pixels: of each frame of the run.
    """
    node = scene.ownedNode(imageNode, TABLE_ROLE, "vtkMRMLTableNode", f"{imageNode.GetName()} track")
    of_run = ("name", "first_frame", "first_status", "first_confidence", "frames_in_run", "asked", "seconds", "stopped")
    first = poses[[frame["frame"] for frame in answer["frames"]].index(answer["first_frame"])]
    told = {name: answer[name] for name in of_run} | {"centre_mm": answer["centre_mm"], "first_pose": first.tolist()}
    told["camera_from_world"] = carmOf(imageNode).camera_from_world.tolist()
    node.SetAttribute(RUN_ATTRIBUTE, json.dumps(told))
    node.SetAttribute(INPUTS_ATTRIBUTE, inputs.text())
    setCells(node, COLUMNS, [_row(*pair, pixels) for pair in zip(answer["frames"], poses, strict=True)])
    return node


def keptTrack(scene: Scene, imageNode: vtkMRMLScalarVolumeNode | None) -> KeptTrack | None:
    """The track that is kept with an X-ray; None where there is none, or it is damaged."""
    node = None if imageNode is None else scene.findOwned(imageNode, TABLE_ROLE)
    return None if node is None or node.GetTable() is None else trackOfTable(node)


def trackOfTable(node: vtkMRMLTableNode) -> KeptTrack | None:
    """The track that a table node holds; None where it is damaged."""
    told, inputs = (
        keptJson(node.GetAttribute(RUN_ATTRIBUTE)),
        JudgedInputs.fromText(node.GetAttribute(INPUTS_ATTRIBUTE) or ""),
    )
    if not isinstance(told, dict) or inputs is None:
        return None
    rows = [row for row in cells(node) if set(COLUMNS) <= set(row)]
    frames = [frame for frame in map(_frame, rows) if frame is not None]
    try:
        track = _track(told, frames)
    except (KeyError, TypeError, ValueError):
        return None
    return KeptTrack(track, inputs, {keptWhole(row["Frame"]) or 0: row["Pixels"] for row in rows})


def _row(frame: Mapping[str, Any], pose: Matrix, pixels: Sequence[str]) -> list[str]:
    numbers = [_text(frame[name]) for name in ("confidence", "confirmed")]
    return [
        str(frame["frame"]), _text(frame["time_s"]), frame["status"], *numbers, frame["search"],
        _text(frame["seconds"]), REASONS_BORDER.join(frame["reasons"]), pixels[frame["frame"] - 1],
        "" if np.isnan(pose).any() else json.dumps(pose.tolist()),
    ]  # fmt: skip


def _text(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _frame(row: Mapping[str, str]) -> TrackedFrame | None:
    """The frame of a row; one whose pose a person made something else is lost."""
    number, pose = keptWhole(row["Frame"], 1), keptPose(row["Pose"])
    status = next((one for one in STATUSES if one == row["Status"]), None)
    if number is None or status is None:
        return None
    isFound = pose is not None and not rigid_faults(pose.tolist(), "pose") and status != "lost"
    confirmed = cellNumber(row["Confirmed"])
    return TrackedFrame(
        number=number,
        time_s=cellNumber(row["Time s"]),
        status=status if isFound else "lost",
        confidence=cellNumber(row["Confidence"]) or 0.0,
        world_from_volume=pose if isFound else None,
        evidence={} if confirmed is None else {"confirmed": confirmed},
        reasons=tuple(reason for reason in row["Reasons"].split(REASONS_BORDER) if reason),
        search=row["Search"],
        seconds=cellNumber(row["Seconds"]) or 0.0,
    )


def _track(told: Mapping[str, Any], frames: Sequence[TrackedFrame]) -> Track:
    """The engine's track of what the scene keeps.

    Raises:
        KeyError, TypeError, ValueError: the attribute was damaged.
    """
    pose, camera = (
        np.array(told[name], dtype=np.float64).reshape(4, 4) for name in ("first_pose", "camera_from_world")
    )
    centre_mm = np.array(told["centre_mm"], dtype=np.float64).reshape(3)
    status = WORST_FIRST[WORST_FIRST.index(told["first_status"])]
    first = Result(
        name=str(told["name"]), status=status, confidence=float(told["first_confidence"]), world_from_volume=pose,
        camera_from_volume=(camera @ pose,), stages=(), seconds=0.0, device="", projector="", mtre_mm=None, config={},
        versions={},
    )  # fmt: skip
    begin, end = map(int, told["asked"])
    stopped = told["stopped"]
    return Track(
        str(told["name"]), first, int(told["first_frame"]), int(told["frames_in_run"]),
        PoseChart(pose, camera, centre_mm), (begin, end), tuple(frames), float(told["seconds"]),
        None if stopped is None else str(stopped),
    )  # fmt: skip
