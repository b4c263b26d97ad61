"""The decimal comma in number fields: Slicer's show a point, and Qt drops a comma without a word (0,35 became 35)."""

from __future__ import annotations

from typing import Any

import qt


class DecimalComma(qt.QObject):
    """Has a field take a comma for its point.

    Args:
        box: QDoubleSpinBox.
    """

    def __init__(self, box: Any) -> None:
        super().__init__(box)
        self._line = box.findChild(qt.QLineEdit)
        # Keys go to the box, and to its line where that has the focus.
        box.installEventFilter(self)
        self._line.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Qt's own: True where the event is dealt with."""
        if event.type() != qt.QEvent.KeyPress:
            return False
        # Qt would refuse a pasted comma without a word.
        pasted = qt.QApplication.clipboard().text() if event.matches(qt.QKeySequence.Paste) else ""
        typed = pasted or event.text()
        if "," not in typed:
            return False
        self._line.insert(typed.strip().replace(",", "."))
        return True
