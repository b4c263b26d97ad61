"""The table of attempts in step 5."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from ProSTRegistrationLib.Panel.Messages import setVisible
from ProSTRegistrationLib.Situation import Situation
from ProSTRegistrationLib.Validity import isRowOutdated
from ProSTRegistrationLib.VerdictWords import attemptCells, attemptHeadings


class AttemptsTable:
    """The table of attempts: rows, the current one selected.

    Args:
        table: QTableWidget.
        onClicked: called with the row that was clicked.
    """

    def __init__(self, table: Any, onClicked: Callable[[int], object]) -> None:
        self._table = table
        headings = attemptHeadings()
        table.setColumnCount(len(headings))
        table.setHorizontalHeaderLabels(headings)
        table.horizontalHeader().toolTip = _(
            "Error: expected, across / along the beam. Point at a row to see all of it"
        )
        table.verticalHeader().setVisible(False)
        table.horizontalHeader().setStretchLastSection(True)
        table.connect("cellClicked(int,int)", lambda row, column: onClicked(row))

    def fill(self, known: list[dict[str, str]], current: int | None, situation: Situation) -> None:
        """Shows these attempts (texts by column name), of which the one with the number ``current`` is selected."""
        table = self._table
        table.setRowCount(len(known))
        for row, cells in enumerate(known):
            texts = attemptCells(cells, isRowOutdated(cells, situation))
            whole = "\n".join(f"{name}: {text}" for name, text in zip(attemptHeadings(), texts, strict=True) if text)
            for column, text in enumerate(texts):
                item = table.item(row, column)
                if item is None or (item.text(), item.toolTip()) != (text, whole):
                    item = qt.QTableWidgetItem(text)
                    item.setToolTip(whole)
                    table.setItem(row, column, item)
            if int(cells["Attempt"]) == current:
                table.selectRow(row)
        table.resizeColumnsToContents()
        setVisible(table, bool(known))
