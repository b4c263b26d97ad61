"""Stand-ins for CTK's foldable sections."""

from PySide6 import QtCore, QtGui, QtWidgets

INDENT_PX = 6


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A title with an arrow; what is laid out inside it is shown below, unless it is collapsed.

    What is inside is cut off, not hidden, by collapsing: its own ``visible`` tells nothing about the section.
    """

    ownState = ("_isCollapsed",)
    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, parent=None):
        if isinstance(parent, str):
            title, parent = parent, None
        else:
            title = ""
        super().__init__(parent)
        self._isCollapsed = False
        self.setText(title)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Preferred)
        self.setContentsMargins(0, self._headerHeight(), 0, 0)
        self.toggled.connect(self._follow)

    def isCollapsed(self):
        return self._isCollapsed

    @QtCore.Slot(bool)
    def setCollapsed(self, value):
        self.setChecked(not value)

    collapsed = QtCore.Property(bool, isCollapsed, setCollapsed, notify=contentsCollapsed)

    def flat(self):
        return False

    def hitButton(self, position):
        return position.y() <= self._headerHeight()

    def paintEvent(self, event):
        painter = QtWidgets.QStylePainter(self)
        header = QtWidgets.QStyleOptionButton()
        header.initFrom(self)
        header.rect = QtCore.QRect(0, 0, self.width, self._headerHeight())
        header.state |= QtWidgets.QStyle.State_Raised
        painter.drawControl(QtWidgets.QStyle.CE_PushButtonBevel, header)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(INDENT_PX, 0, 12, self._headerHeight())
        style = QtWidgets.QStyle
        painter.drawPrimitive(style.PE_IndicatorArrowRight if self._isCollapsed else style.PE_IndicatorArrowDown, arrow)
        place = header.rect.adjusted(INDENT_PX + 18, 0, -INDENT_PX, 0)
        flags = QtCore.Qt.AlignLeft | QtCore.Qt.AlignVCenter | QtCore.Qt.TextShowMnemonic
        painter.drawItemText(place, int(flags), self.palette, self.enabled, self.text, QtGui.QPalette.ButtonText)

    def sizeHint(self):
        content = self.layout().sizeHint() if self.layout() is not None else QtCore.QSize(0, self._headerHeight())
        title = self.fontMetrics().horizontalAdvance(self.text) + 2 * INDENT_PX + 24
        return content.expandedTo(QtCore.QSize(title, self._headerHeight()))

    def minimumSizeHint(self):
        return self.layout().minimumSize() if self.layout() is not None else self.sizeHint()

    def _headerHeight(self):
        return self.fontMetrics().height() + 10

    def _follow(self, isOpen):
        self._isCollapsed = not isOpen
        self.setMaximumHeight(16777215 if isOpen else self._headerHeight())
        self.update()
        self.contentsCollapsed.emit(self._isCollapsed)


class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    """A group box whose check mark folds it."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._follow)

    def isCollapsed(self):
        return not self.checked

    @QtCore.Slot(bool)
    def setCollapsed(self, value):
        self.setChecked(not value)

    collapsed = QtCore.Property(bool, isCollapsed, setCollapsed)

    def _follow(self, isOpen):
        self.setMaximumHeight(16777215 if isOpen else self.fontMetrics().height() + 8)
