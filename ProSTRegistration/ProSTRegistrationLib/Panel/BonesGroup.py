"""Step 4, of several bones: a list with the verdict on each, one of them shown below, and a decision on all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from prostreg.errors import InputError
from prostreg.outputs.bone_colours import colour_of
from prostreg.outputs.verdict_words import INK, verdict_colour
from ProSTRegistrationLib.Bones.BoneDecisions import placeBones
from ProSTRegistrationLib.Bones.BonesOfAnatomy import bonesOf
from ProSTRegistrationLib.Bones.BonesRuns import bonesOfRun
from ProSTRegistrationLib.Bones.BoneWords import (
    boneCells,
    boneDetails,
    boneHeadings,
    isDoubted,
    isWholeTrusted,
    questionBeforeKeepingAll,
    wholeWords,
)
from ProSTRegistrationLib.Nodes.Attempts import decide
from ProSTRegistrationLib.Panel.Messages import MISSING_STYLE, PLAIN_STYLE, prepareTable, setVisible, showStatus
from ProSTRegistrationLib.Validity import validityOf
from ProSTRegistrationLib.VerdictWords import OUTDATED_COLORS

if TYPE_CHECKING:
    from ProSTRegistrationLib.Panel.CheckStep import CheckStep
    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation

VERDICT_COLUMN = 1
WIDE_COLUMNS = (0, 3)
SHOWN_MARK = "▸ "
"""A selection would hide the colour of a verdict."""


class BonesGroup:
    """The bones of the run that the current attempt belongs to; hidden for other attempts.

    Args:
        panel: Panel.
        check: CheckStep, which knows the current attempt.
    """

    def __init__(self, panel: Panel, check: CheckStep) -> None:
        self._panel, self._ui, self._check = panel, panel.ui, check
        self._bones: list[dict[str, Any]] = []
        self._filled: list[tuple[str, str, list[str], tuple[int, int, int] | None]] = []
        ui, table = panel.ui, panel.ui.bonesTable
        toolTip = _(
            "Error: expected, across / along the beam. Moved: turn, and shift of the centre, since the CT against the"
            " reference. Point at a row to see all of it"
        )
        prepareTable(table, boneHeadings(), WIDE_COLUMNS, toolTip)
        table.connect("cellClicked(int,int)", lambda row, column: self._chosen(row))
        ui.acceptAllButton.connect("clicked(bool)", lambda checked: self._acceptAll())
        ui.rejectAllButton.connect("clicked(bool)", lambda checked: self._rejectAll())

    def refresh(self, situation: Situation, shown: dict[str, Any] | None) -> bool:
        """Brings widgets up to date; True if all bones can be accepted and each is trusted.

        Args:
            shown: the current attempt.
        """
        panel, ui = self._panel, self._ui
        bone = shown and shown["bone"]
        self._bones = bonesOfRun(panel.scene, panel.ctNode, bone.run) if bone else []
        areValid = bool(self._bones) and validityOf(self._bones[0], situation).isOfTheseInputs
        self._fill(shown, areValid, [bone.name for bone in situation.bones])
        missing = self._missing(situation) if areValid else []
        text = wholeWords(self._bones, missing) if areValid else ""
        areTrusted = isWholeTrusted(self._bones, missing)
        showStatus(ui.bonesLabel, text, PLAIN_STYLE if areTrusted else MISSING_STYLE)
        undecided = [bone for bone in self._onScreen(situation) if bone["decision"] != "accepted"]
        for button, isOfUse in (
            (ui.acceptAllButton, bool(undecided)),
            (ui.rejectAllButton, any(bone["decision"] != "rejected" for bone in self._bones)),
        ):
            setVisible(button, bool(self._bones))
            button.enabled = isOfUse and areValid and not situation.isBusy
        return areTrusted and bool(ui.acceptAllButton.enabled)

    def _fill(self, shown: dict[str, Any] | None, areValid: bool, drawn: list[str]) -> None:
        """Fills the list; ``drawn`` are the bones that the pictures show, in the order of their colours."""
        table = self._ui.bonesTable
        lines = [(*self._line(bone, shown, areValid), _swatch(bone["bone"].name, drawn)) for bone in self._bones]
        if lines != self._filled:
            self._filled = lines
            table.setRowCount(len(lines))
            for row, (background, details, cells, swatch) in enumerate(lines):
                for column, text in enumerate(cells):
                    item = qt.QTableWidgetItem(text)
                    item.setToolTip(details)
                    if column == 0 and swatch is not None:
                        item.setData(qt.Qt.DecorationRole, qt.QColor(*swatch))
                    if column == VERDICT_COLUMN:
                        item.setBackground(qt.QBrush(qt.QColor(background)))
                        item.setForeground(qt.QBrush(qt.QColor(INK)))
                    table.setItem(row, column, item)
        setVisible(table, bool(lines))

    def _line(self, bone: dict[str, Any], shown: dict[str, Any] | None, areValid: bool) -> tuple[str, str, list[str]]:
        """The colour of the verdict, all of the line in words, and its cells."""
        name, *cells = boneCells(bone, self._bones, not areValid)
        if shown is not None and bone["number"] == shown["number"]:
            name = f"{SHOWN_MARK}{name}"
        background = verdict_colour(bone["status"]) if areValid else OUTDATED_COLORS[0]
        return background, boneDetails(bone, self._bones, not areValid), [name, *cells]

    def _missing(self, situation: Situation) -> list[str]:
        """Names of the chosen bones whose turn never came."""
        try:
            chosen = bonesOf(situation.anatomy)
        except InputError:  # told when it is registered
            return []
        known = [bone["bone"].part for bone in self._bones]
        return [bone.name for bone in chosen if bone.part not in known]

    def _onScreen(self, situation: Situation) -> list[dict[str, Any]]:
        """The bones with a place that the pictures show each at its own pose."""
        names = [bone.name for bone in situation.bones]
        return [bone for bone in self._bones if bone["bone"].name in names and bone["status"] != "failed"]

    def _chosen(self, row: int) -> None:
        if row < len(self._bones) and not self._panel.logic.isBusy:
            self._check.choose(self._bones[row]["number"])

    def _acceptAll(self) -> None:
        bones = self._onScreen(self._panel.situation())
        if not any(map(isDoubted, bones)) or slicer.util.confirmYesNoDisplay(questionBeforeKeepingAll(bones)):
            self._decide(bones, "accepted")

    def _rejectAll(self) -> None:
        self._decide(self._bones, "rejected")

    def _decide(self, bones: list[dict[str, Any]], decision: str) -> None:
        panel = self._panel

        def keep() -> None:
            for bone in bones:
                decide(panel.scene, panel.ctNode, bone["number"], decision)
            placeBones(panel.scene, panel.ctNode, bones[0]["bone"].run)
            if decision == "rejected":
                panel.scene.setPose(panel.ctNode, bones[0]["startWorldFromVolume"])

        if bones:
            panel.attempt(keep, self._check.sayFault)
            panel.refreshSoon()


def _swatch(name: str, drawn: list[str]) -> tuple[int, int, int] | None:
    """The colour of a bone's edges in the pictures; None where there is one body."""
    return colour_of(drawn.index(name)) if name in drawn and len(drawn) > 1 else None
