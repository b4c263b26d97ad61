"""The validity of a verdict for what is chosen and shown: the one place that decides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ProSTRegistrationLib.Nodes.JudgedInputs import JudgedInputs

if TYPE_CHECKING:
    from ProSTRegistrationLib.Situation import Situation

SAME_POSE = 1e-3
NOTHING_TO_JUDGE = "missing"
"""Stands among the changes where no complete choice is there."""


@dataclass(frozen=True)
class Validity:
    """The state of an attempt's verdict.

    Attributes:
        isKnown: it is known what the attempt judged.
        changes: parts of JudgedInputs that are others now, or NOTHING_TO_JUDGE.
        isMoved: the CT lies neither where the result put it nor, after a failure, where the attempt began.
        isOnScreen: the CT lies where the result put it, so that the pictures show the judged pose.
        isAtStart: the CT lies where the attempt began.
    """

    isKnown: bool = True
    changes: tuple[str, ...] = ()
    isMoved: bool = False
    isOnScreen: bool = True
    isAtStart: bool = False

    @property
    def isOfTheseInputs(self) -> bool:
        """True while the attempt's pose is about what is chosen."""
        return self.isKnown and not self.changes

    @property
    def isValid(self) -> bool:
        """True while the verdict may be shown."""
        return self.isOfTheseInputs and not self.isMoved


def isKept(attempt: dict[str, Any] | None, validity: Validity) -> bool:
    """True while the pictures show an attempt's pose, which was accepted and may be."""
    return attempt is not None and attempt["decision"] == "accepted" and validity.isOnScreen and validity.isValid


def areCarmsFound(attempt: dict[str, Any], validity: Validity) -> bool:
    """True while further C-arms that were only roughly known are drawn where an attempt found them."""
    return attempt["status"] != "failed" and validity.isOnScreen and validity.isValid


def validityOf(attempt: dict[str, Any] | None, situation: Situation) -> Validity:
    """The validity of an attempt's verdict in a situation.

    While a search runs, the pictures show what it tries: nothing is on the screen then that could be kept.
    """
    if attempt is None or situation.judged is None or situation.pose is None:
        return Validity(changes=(NOTHING_TO_JUDGE,), isOnScreen=False)
    made = JudgedInputs.fromText(attempt["inputs"])
    isThere = np.allclose(situation.pose, attempt["worldFromVolume"], atol=SAME_POSE)
    # A failure does not move the CT: its verdict is about the start as well.
    isAtStart = bool(np.allclose(situation.pose, attempt["startWorldFromVolume"], atol=SAME_POSE))
    isOfStart = isAtStart and attempt["status"] == "failed"
    return Validity(
        isKnown=made is not None,
        changes=() if made is None else tuple(made.differences(situation.judged)),
        isMoved=not (isThere or isOfStart or situation.isRegistering),
        isOnScreen=bool(isThere) and not situation.isRegistering,
        isAtStart=isAtStart,
    )


def isRowOutdated(row: dict[str, str], situation: Situation) -> bool:
    """True if an attempt of the table judged other images than the chosen ones.

    Its pose and its method may be others than now: to compare these is what the table is for.
    """
    made = JudgedInputs.fromText(row["Inputs"])
    if made is None or situation.judged is None:
        return True
    return any(part != "settings" for part in made.differences(situation.judged))
