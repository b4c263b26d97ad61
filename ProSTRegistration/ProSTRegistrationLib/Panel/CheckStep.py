"""Step 5: the pictures by which a result is judged, and the attempts; the verdict itself stands in step 4."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import qt
from slicer.i18n import tr as _

from prostreg.errors import InputError
from ProSTRegistrationLib.AttemptsFile import writeAttempts
from ProSTRegistrationLib.AttemptUnderWay import AttemptUnderWay
from ProSTRegistrationLib.Bones.BoneDecisions import placeBones
from ProSTRegistrationLib.Bones.BonesOfAnatomy import PlacedBone, bonesOf
from ProSTRegistrationLib.Bones.BonesRuns import isNothingPlaced
from ProSTRegistrationLib.Nodes.Attempts import attempt, attempts
from ProSTRegistrationLib.Nodes.DrrOrigin import isMadeOf
from ProSTRegistrationLib.Nodes.Scene import DRR_ROLE
from ProSTRegistrationLib.Panel.AttemptsTable import AttemptsTable
from ProSTRegistrationLib.Panel.BonesGroup import BonesGroup
from ProSTRegistrationLib.Panel.CheckViews import CheckViews
from ProSTRegistrationLib.Panel.DecisionGroup import DecisionGroup
from ProSTRegistrationLib.Panel.Messages import CSV, FAULT_STYLE, MISSING_STYLE, reveal, saveAs, setVisible, showStatus
from ProSTRegistrationLib.ParameterNode import Method, OverlayChoice, Quality
from ProSTRegistrationLib.Validity import areCarmsFound, validityOf
from ProSTRegistrationLib.VerdictWords import placeWords, searchWords

if TYPE_CHECKING:
    from prostreg.geometry.frames import Matrix
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation
    from ProSTRegistrationLib.Worker.WorkerClient import WorkerError


class CheckStep:
    """Shows the check views and the attempts.

    Args:
        panel: Panel.

    Attributes:
        views: CheckViews.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        self.viewsText, self._fault = "", ""
        self._failedFor: list[str] | None = None
        self.views = CheckViews(panel, self._tellOfViews)
        self._running: AttemptUnderWay | None = None
        self._best: dict[str, Any] | None = None
        self._current: int | None = None
        self._seen: tuple[Situation, str] | None = None
        self._isWanted = False
        self._decision, self._bones, self._searched = DecisionGroup(panel, self), BonesGroup(panel, self), ""
        self._table = AttemptsTable(panel.ui.attemptsTable, self._chosenInTable)
        panel.ui.saveAttemptsButton.connect("clicked(bool)", lambda checked: self._saveAttempts())

    def refresh(self, situation: Situation) -> None:
        """Brings widgets up to date."""
        panel, ui = self._panel, self._ui
        known = attempts(panel.scene, panel.ctNode) if panel.ctNode is not None else []
        numbers = [int(row["Attempt"]) for row in known]
        if self._current not in numbers:
            self._current = numbers[-1] if numbers else None
        self._followBest(situation)
        self._renewDrr(situation)
        shown = self.shown()
        validity = validityOf(shown, situation)
        found = shown["foundCameras"] if shown is not None and areCarmsFound(shown, validity) else []
        panel.attempt(lambda: panel.scene.showFoundCarms(situation.images, found), self.sayFault)
        self._decision.refresh(situation, shown, validity, self._bones.refresh(situation, shown))
        self._table.fill(known, self._current, situation)
        setVisible(ui.saveAttemptsButton, bool(known))
        startedBy = panel.parameters.startedBy or _("as loaded")
        place = placeWords(shown, validity, startedBy, [bone.name for bone in situation.bones])
        place = self._decision.track.legend or place
        self._seen = situation, searchWords(self._searched) if situation.isRegistering else place
        panel.later(self._refreshViews)
        missing = (
            ""
            if known or not situation.isReady or situation.isBusy
            else _("Register first; then judge the overlay here.")
        )
        if self._fault:
            showStatus(ui.checkStatusLabel, self._fault, FAULT_STYLE)
        else:
            showStatus(ui.checkStatusLabel, self.viewsText or missing, MISSING_STYLE)

    def _refreshViews(self) -> None:
        """Draws what the views show, in a turn of its own; where something changed since, another refresh comes.

        In the turns between two scenes there are no parameters, and nothing to draw.
        """
        if self._seen is not None and self._panel.isUpToDate and self._panel.parameters is not None:
            self.views.refresh(*self._seen)

    def showViews(self) -> None:
        """Brings up the layout for checking, and a DRR to check."""
        self._panel.refresh()
        self.views.show()
        self.followPose()

    def followPose(self, situation: Situation | None = None) -> None:
        """Has the DRR follow the CT where no search moves it; takes it away where the live DRR is off.

        Args:
            situation: of now, where it was read already.
        """
        panel, situation = self._panel, situation or self._panel.situation()
        if situation.pose is None or situation.isRegistering:
            return
        pose = situation.pose
        if not panel.parameters.liveDrr:
            panel.logic.live.forget()
            self._removeDrrs()
            return
        panel.attempt(lambda: self._follow(situation, pose, situation.bones), self.sayFault)

    def _renewDrr(self, situation: Situation) -> None:
        """No DRR stays that was made of another CT, anatomy, C-arm or pose than those of now."""
        panel = self._panel
        if not self.views.isShown or not situation.isFree:
            return
        origins = situation.origins
        drrs = {node: panel.scene.findOwned(node, DRR_ROLE) for node in origins}
        isOld = any(drr is not None and not isMadeOf(drr, origins[node]) for node, drr in drrs.items())
        isMissing = panel.parameters.liveDrr and None in drrs.values()
        if (isOld or isMissing) and list(origins.values()) != self._failedFor:
            self.followPose(situation)

    def _removeDrrs(self) -> None:
        for node in self._panel.fluoroscopyNodes:
            self._panel.scene.removeOwned(node, DRR_ROLE)

    def beginAttempt(self) -> None:
        """Notes where a registration begins."""
        panel = self._panel
        self._fault = ""
        panel.start.notePose()
        self._searched, self._best = "", None
        self._running = AttemptUnderWay.begun(panel.scene, panel.parameters, panel.situation())

    def showBestSoFar(self, progress: dict[str, Any]) -> None:
        """Shows the DRR of the best pose of a running search, of several bones that of the one at hand alone.

        Of several that come at once the panel is brought up to date for the last one only.
        """
        self._best = progress
        self._panel.refreshSoon()

    def _followBest(self, situation: Situation) -> None:
        progress, self._best = self._best, None
        isWanted = situation.isRegistering and self._panel.parameters.liveDrr and self.views.isShown
        if progress is None or not isWanted:
            return
        pose = np.array(progress["world_from_volume"])
        if not situation.anatomy.movesInParts:
            self._follow(situation, pose)
            return
        for bone in bonesOf(situation.anatomy):
            if bone.name == progress["bone"]:
                self._searched = bone.name
                self._follow(situation, pose, (PlacedBone(bone.name, bone.anatomy, pose),))

    def endAttempt(self, result: dict[str, Any] | None) -> None:
        """Adds a result to the table; None for a task that brought none."""
        panel, running, self._running = self._panel, self._running, None
        panel.logic.live.forget()
        isHere = running is not None and panel.scene.holds(running.ctNode)
        if running and isHere and result is not None and result.get("stopped") != "cancelled":
            self._current = running.ended(panel.scene, panel.situation(), result)
            if self._current == 1 and panel.parameters.overlayKind is OverlayChoice.BLEND:
                # Edges are what one judges by. Put off, it would undo what a person chooses meanwhile.
                panel.parameters.overlayKind = OverlayChoice.CONTOURS
            self.views.show()
            self._isWanted = not panel.isEntered
            # A result is to be judged; a hand that slips shall not move it.
            self._ui.mouseCheckBox.checked = isNothingPlaced(result) and self._ui.mouseCheckBox.checked
            qt.QTimer.singleShot(0, lambda: reveal(self._ui.redoButton, mayFocus=False))
        if result is None or isNothingPlaced(result) or result.get("stopped") == "cancelled":
            # The CT is where it was; the pictures of the search are not.
            panel.later(self.followPose)
        panel.refreshSoon()

    def enter(self) -> None:
        """Brings the views back where they were up, or where a result has come meanwhile."""
        if self._isWanted and self._panel.situation().isReady:
            self.showViews()
        self._isWanted = False

    def leave(self) -> None:
        """Brings the former layout back."""
        self._isWanted = self.views.isShown
        self.views.leave()

    def closeScene(self) -> None:
        """Forgets what the scene held."""
        self._current = self._running = self._failedFor = self._seen = None
        self.viewsText, self._fault, self._isWanted = "", "", False
        self.views.forget()

    def stop(self) -> None:
        """For the end of the module."""
        self.views.stop()

    def _follow(self, situation: Situation, worldFromVolume: Matrix, bones: tuple[PlacedBone, ...] = ()) -> None:
        self._failedFor, self._fault = None, ""
        first = situation.shownImage
        nodes = [first, *(node for node in situation.images if node is not first)]
        live = self._panel.logic.live
        live.follow(situation.ct, nodes, situation.anatomy, worldFromVolume, self._liveFailed, bones)

    def shown(self) -> dict[str, Any] | None:
        """The attempt that is shown; None where there is none that can be read."""
        panel = self._panel
        if panel.ctNode is None or self._current is None:
            return None
        try:
            return attempt(panel.scene, panel.ctNode, self._current)
        except InputError as error:
            self.sayFault("\n".join(error.faults))
            return None

    def _chosenInTable(self, row: int) -> None:
        panel = self._panel
        known = attempts(panel.scene, panel.ctNode)
        if row < len(known) and not panel.logic.isBusy:
            self.choose(int(known[row]["Attempt"]))

    def choose(self, number: int) -> None:
        """Makes an attempt the current one, by its number, and shows it."""
        self._current = number
        self.show(self.shown())

    def _saveAttempts(self) -> None:
        def write(path: Path) -> None:
            self._fault = ""
            writeAttempts(path, attempts(self._panel.scene, self._panel.ctNode))

        saveAs(self._panel, _("Save the table of attempts"), "attempts.csv", CSV, write, self.sayFault)
        self._panel.refreshSoon()

    def show(self, shown: dict[str, Any] | None) -> None:
        """Puts the CT where an attempt found it, and the method back that found it."""
        panel, parameters = self._panel, self._panel.parameters
        if shown is None:
            return

        def put() -> None:
            panel.scene.setPose(panel.ctNode, shown["worldFromVolume"])
            if shown["bone"] is not None:
                placeBones(panel.scene, panel.ctNode, shown["bone"].run)
            # People can edit the table: words that nobody knows change nothing.
            with contextlib.suppress(ValueError):
                parameters.method, parameters.quality = Method(shown["method"]), Quality(shown["quality"])

        panel.attempt(put, self.sayFault)
        panel.refreshSoon()

    def _tellOfViews(self, text: str) -> None:
        if text != self.viewsText:
            self.viewsText = text
            self._panel.refreshSoon()

    def sayFault(self, text: str) -> None:
        if text and text != self._fault:
            self._fault = text
            self._panel.refreshSoon()

    def _liveFailed(self, error: InputError | WorkerError) -> None:
        """Rather no DRR than an old one; another is tried when something changes."""
        situation = self._panel.situation()
        self.sayFault("\n".join(error.faults))
        if situation.isReady:
            self._removeDrrs()
            self._failedFor = list(situation.origins.values())
