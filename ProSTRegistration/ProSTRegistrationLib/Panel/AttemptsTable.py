"""The table of attempts in step 5."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from ProSTRegistrationLib.Panel.Messages import prepareTable, setVisible
from ProSTRegistrationLib.Situation import Situation
from ProSTRegistrationLib.Validity import isRowOutdated
from ProSTRegistrationLib.VerdictWords import attemptCells, attemptHeadings

WIDE_COLUMN = 3
"""How an attempt came about, whose words are the longest: it takes the room that is left, and breaks its lines."""


class AttemptsTable:
    """The table of attempts: rows, the current one selected.

    Args:
        table: QTableWidget.
        onClicked: called with the row that was clicked.
    """

    def __init__(self, table: Any, onClicked: Callable[[int], object]) -> None:
        self._table = table
        toolTip = _("Error: expected, across / along the beam. Point at a row to see all of it")
        prepareTable(table, _stacked(attemptHeadings()), [WIDE_COLUMN], toolTip)
        table.connect("cellClicked(int,int)", lambda row, column: onClicked(row))

    def fill(self, known: list[dict[str, str]], current: int | None, situation: Situation) -> None:
        """Shows these attempts (texts by column name), of which the one with the number ``current`` is selected."""
        table = self._table
        table.setRowCount(len(known))
        for row, cells in enumerate(known):
            texts = attemptCells(cells, isRowOutdated(cells, situation))
            whole = "\n".join(f"{name}: {text}" for name, text in zip(attemptHeadings(), texts, strict=True) if text)
            for column, text in enumerate(_stacked(texts)):
                item = table.item(row, column)
                if item is None or (item.text(), item.toolTip()) != (text, whole):
                    item = qt.QTableWidgetItem(text)
                    item.setToolTip(whole)
                    table.setItem(row, column, item)
            if int(cells["Attempt"]) == current:
                table.selectRow(row)
        setVisible(table, bool(known))


def _stacked(texts: list[str]) -> list[str]:
    """The texts of an attempt in four columns of two lines, for which a narrow panel has room."""
    number, verdict, decision, likely, error, start, method, carm, seconds = texts
    came = [", ".join(filter(None, words)) for words in ((start, method), (seconds, carm))]
    return [number, *("\n".join(filter(None, lines)) for lines in ((verdict, decision), (likely, error), came))]
