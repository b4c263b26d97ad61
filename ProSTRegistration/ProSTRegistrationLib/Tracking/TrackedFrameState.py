"""The state of a track in a situation: whether it is about the frame that is shown, and where the CT is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ProSTRegistrationLib.Nodes.RunFrames import frameOf
from ProSTRegistrationLib.Tracking.KeptTrack import TABLE_ROLE, KeptTrack, trackOfTable
from ProSTRegistrationLib.Tracking.TrackBrowsing import asidePose
from ProSTRegistrationLib.Validity import NOTHING_TO_JUDGE, SAME_POSE

if TYPE_CHECKING:
    from prostreg.tracking.track import TrackedFrame
    from ProSTRegistrationLib.Nodes.Scene import Scene
    from ProSTRegistrationLib.Situation import Situation


@dataclass(frozen=True, eq=False)
class TrackedFrameState:
    """The word of a track on the frame that is shown.

    Attributes:
        kept: the track.
        number: of the frame, counted from 1.
        frame: what was found in it; None where it was not looked at.
        changes: parts of JudgedInputs that are others than when it was tracked, or NOTHING_TO_JUDGE.
        isThere: the CT lies where the track puts it in this frame.
    """

    kept: KeptTrack
    number: int
    frame: TrackedFrame | None
    changes: tuple[str, ...]
    isThere: bool

    @property
    def isValid(self) -> bool:
        """True while the views show what was tracked."""
        return self.isThere and not self.changes


class TrackReader:
    """Reads the track of a situation; its table is read again only when it has changed."""

    def __init__(self) -> None:
        self._known: tuple[object, KeptTrack | None] = (None, None)

    def read(self, scene: Scene, situation: Situation) -> TrackedFrameState | None:
        """The state of the track that is kept with the first X-ray; None without one."""
        kept = self._kept(scene, situation)
        if kept is None:
            return None
        number = (frameOf(situation.images[0]) or 0) + 1
        frame = kept.frame(number)
        if situation.judged is None or situation.pose is None:
            return TrackedFrameState(kept, number, frame, (NOTHING_TO_JUDGE,), isThere=False)
        pose = None if frame is None else frame.world_from_volume
        place = asidePose(kept.track) if pose is None else pose
        isThere = bool(np.allclose(situation.pose, place, atol=SAME_POSE))
        return TrackedFrameState(kept, number, frame, tuple(kept.changes(number, situation.judged)), isThere)

    def _kept(self, scene: Scene, situation: Situation) -> KeptTrack | None:
        node = scene.findOwned(situation.images[0], TABLE_ROLE) if situation.images else None
        if node is None or node.GetTable() is None:
            return None
        state = (node.GetID(), node.GetMTime(), node.GetTable().GetMTime())
        if self._known[0] != state:
            self._known = state, trackOfTable(node)
        return self._known[1]
