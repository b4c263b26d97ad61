"""The history of a CT's poses: undo and redo of what a person, a view or a search has made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prostreg.geometry.frames import Matrix

SAME_POSE = 1e-6
MOST_KEPT = 100


@dataclass(frozen=True, eq=False)
class KeptPose:
    """One pose of the history.

    Attributes:
        worldFromVolume: rigid (4, 4).
        startedBy: how this start was found, for the table of attempts.
        reference: what the sliders counted from then, as the parameter node keeps it.
    """

    worldFromVolume: Matrix
    startedBy: str
    reference: str


class PoseHistory:
    """Poses in the order in which they came, and the one that is shown."""

    def __init__(self) -> None:
        self._kept: list[KeptPose] = []
        self._at = -1

    @property
    def isEmpty(self) -> bool:
        """True before the first pose."""
        return not self._kept

    @property
    def canUndo(self) -> bool:
        """True while there is a pose before the one that is shown."""
        return self._at > 0

    @property
    def canRedo(self) -> bool:
        """True while a pose was taken back."""
        return self._at < len(self._kept) - 1

    def isAt(self, worldFromVolume: Matrix) -> bool:
        """True where the pose that is shown is this one."""
        return self._at >= 0 and np.allclose(self._kept[self._at].worldFromVolume, worldFromVolume, atol=SAME_POSE)

    def note(self, pose: KeptPose) -> None:
        """Keeps a pose as the one that is shown; those that were taken back go. The same pose counts once."""
        if not self.isAt(pose.worldFromVolume):
            self._kept = [*self._kept[: self._at + 1], pose][-MOST_KEPT:]
            self._at = len(self._kept) - 1

    def undo(self) -> KeptPose:
        """The pose before; only while ``canUndo``."""
        self._at -= 1
        return self._kept[self._at]

    def redo(self) -> KeptPose:
        """The pose after; only while ``canRedo``."""
        self._at += 1
        return self._kept[self._at]
