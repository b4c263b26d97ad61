"""The verdict where Register was pressed, what a person decides about it, and what to do then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ProSTRegistrationLib.Bones.BoneDecisions import placeBones
from ProSTRegistrationLib.Bones.BonesRuns import bonesOfRun
from ProSTRegistrationLib.Bones.BoneTransforms import boneTransform
from ProSTRegistrationLib.Bones.BoneWords import motionSentence
from ProSTRegistrationLib.Nodes.Attempts import decide
from ProSTRegistrationLib.Panel.Messages import PLAIN_STYLE, setVisible, showStatus
from ProSTRegistrationLib.Panel.NextThing import NextSteps, NextThing
from ProSTRegistrationLib.Panel.SectionHeadings import shortened
from ProSTRegistrationLib.Panel.TrackGroup import TrackGroup
from ProSTRegistrationLib.Validity import isKept, validityOf
from ProSTRegistrationLib.VerdictWords import detailsText, isTakenBack, questionBeforeKeeping, verdictText
from ProSTRegistrationLib.WhatNext import FIRST_STEP, nextSteps, nextThing

if TYPE_CHECKING:
    from ProSTRegistrationLib.Panel.CheckStep import CheckStep
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation
    from ProSTRegistrationLib.Validity import Validity

SEEDS = 1_000_000


class DecisionGroup:
    """Shows the verdict on the current attempt; accepts, rejects, repeats.

    Args:
        panel: Panel.
        check: CheckStep, which knows the current attempt.
    """

    def __init__(self, panel: Panel, check: CheckStep) -> None:
        self._panel, self._ui, self._check = panel, panel.ui, check
        self._nextSteps = NextSteps(panel.ui)
        self._nextThing = NextThing(panel.ui, self._nextSteps.first)
        self.track = TrackGroup(panel, check)
        ui = self._ui
        ui.acceptButton.connect("clicked(bool)", lambda checked: self._acceptOrShow())
        ui.rejectButton.connect("clicked(bool)", lambda checked: self._decide("rejected"))
        ui.redoButton.connect("clicked(bool)", lambda checked: self._redo())
        ui.saveButton.connect("clicked(bool)", lambda checked: slicer.util.openSaveDataDialog())

    def refresh(
        self, situation: Situation, shown: dict[str, Any] | None, validity: Validity, areAllTrusted: bool
    ) -> None:
        """Brings widgets up to date.

        Args:
            shown: the current attempt, and ``validity`` of its verdict.
            areAllTrusted: it is one of several bones that are all trusted.
        """
        ui = self._ui
        # A frame that was tracked has its own verdict; that of the registered one is about another image.
        isTracked = self.track.refresh(situation, shown, validity)
        # Beside a search that runs, the last verdict would be taken for its.
        isTold = not (isTracked or situation.isRegistering)
        isFree = shown is not None and not situation.isBusy
        canBeShown = validity.isOfTheseInputs and not validity.isOnScreen
        isStillKept = isKept(shown, validity)
        for button, isOfUse in (
            (ui.acceptButton, validity.isOfTheseInputs and not isStillKept),
            (ui.rejectButton, validity.isOfTheseInputs and validity.isOnScreen),
            (ui.redoButton, not self._panel.carm.isDraft),
        ):
            setVisible(button, shown is not None and isTold)
            button.enabled = isFree and isOfUse
        ofBone = f" {shortened(shown['bone'].name)}" if shown is not None and shown["bone"] is not None else ""
        ui.acceptButton.text = _("Show this pose") if canBeShown else _("Accept") + ofBone
        ui.rejectButton.text = _("Reject") + ofBone
        # While the next search runs, the last result is none to go on from.
        isCurrent = validity.isValid and not situation.isBusy
        for label, text in (
            (ui.verdictLabel, verdictText(shown, validity) if isTold else ""),
            (ui.detailsLabel, "" if situation.isRegistering else detailsText(shown, validity, self._motionOf(shown))),
            (ui.keptLabel, self._keptText(situation, shown) if shown is not None and isStillKept else ""),
        ):
            showStatus(label, text, PLAIN_STYLE)
        setVisible(ui.saveButton, isStillKept)
        isDraft, startButton = self._panel.carm.isDraft, self._panel.start.nextButton
        name = self.track.nextButton
        if not isTracked:
            name = nextThing(situation, isDraft, startButton, shown, validity)
        isOpen = shown is not None and isCurrent and not isStillKept and shown["status"] != "accepted"
        steps = nextSteps(shown, situation) if shown is not None and isOpen else []
        if self.track.isAside or (shown is not None and not situation.isBusy and isTakenBack(shown, validity)):
            name, steps = FIRST_STEP if self.track.isAside else name, ["start"]
        self._nextThing.show("acceptAllButton" if name == "acceptButton" and areAllTrusted else name)
        self._nextSteps.show(steps)

    def _motionOf(self, shown: dict[str, Any] | None) -> str:
        """The motion of the bone that is shown against another; "" where there is none."""
        if shown is None or shown["bone"] is None:
            return ""
        return motionSentence(shown, bonesOfRun(self._panel.scene, self._panel.ctNode, shown["bone"].run))

    def _keptText(self, situation: Situation, shown: dict[str, Any]) -> str:
        if shown["bone"] is not None:
            own = boneTransform(self._panel.scene, situation.ct, shown["bone"].part)
            text = _("Accepted: the transform '{name}' in the Data module holds this bone's pose. Save to keep it.")
            return "" if own is None else text.format(name=own.GetName())
        transform = self._panel.scene.poseTransform(situation.ct)
        if transform is None:
            return ""
        companions = (situation.ct, situation.anatomy.node, situation.ctLandmarks)
        nodes = [node for node in companions if node is not None and node.GetParentTransformNode() is transform]
        text = _("Accepted: the transform '{name}' in the Data module carries {nodes}. Save to keep or export it.")
        return text.format(name=transform.GetName(), nodes=", ".join(node.GetName() for node in nodes))

    def _decide(self, decision: str) -> None:
        panel, shown = self._panel, self._check.shown()
        if shown is None:
            return

        def keep() -> None:
            pose = shown["startWorldFromVolume" if decision == "rejected" else "worldFromVolume"]
            panel.scene.setPose(panel.ctNode, pose)
            decide(panel.scene, panel.ctNode, shown["number"], decision)
            if shown["bone"] is not None:
                placeBones(panel.scene, panel.ctNode, shown["bone"].run)

        panel.attempt(keep, self._check.sayFault)
        panel.refreshSoon()

    def _redo(self) -> None:
        panel, shown = self._panel, self._check.shown()
        if shown is None:
            return

        def again() -> None:
            panel.scene.setPose(panel.ctNode, shown["startWorldFromVolume"])
            panel.parameters.seed = (panel.parameters.seed + 1) % SEEDS
            panel.register.register()

        panel.attempt(again, self._check.sayFault)

    def _acceptOrShow(self) -> None:
        """Keeps the pose that is on the screen; one that was not shown yet is shown first."""
        shown = self._check.shown()
        if shown is None:
            return
        validity = validityOf(shown, self._panel.situation())
        if not validity.isOfTheseInputs:
            self._panel.refreshSoon()
        elif not validity.isOnScreen:
            self._check.show(shown)
        elif shown["status"] == "accepted" or slicer.util.confirmYesNoDisplay(questionBeforeKeeping(shown["status"])):
            self._decide("accepted")
