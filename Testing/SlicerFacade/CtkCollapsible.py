"""Stand-ins for CTK's foldable sections. Folding hides what is directly inside, as in CTK.

A child that is shown or hidden meanwhile is hidden again at once, and what was wanted of it holds when the section is
opened (ctkCollapsibleButton.cpp and ctkCollapsibleGroupBox.cpp: setChildVisibility, eventFilter).
"""

from PySide6 import QtCore, QtGui, QtWidgets

INDENT_PX = 6
WANTED = "visibilityToParent"


class FoldingSection:
    """What both kinds of section do with the widgets directly inside them."""

    _isForcing = False

    def showEvent(self, event):
        super().showEvent(event)
        self._applyToAll()

    def childEvent(self, event):
        super().childEvent(event)
        if event.added() and event.child().isWidgetType():
            event.child().installEventFilter(self)
            self._apply(event.child())

    def eventFilter(self, watched, event):
        if event.type() in (QtCore.QEvent.ShowToParent, QtCore.QEvent.HideToParent) and not self._isForcing:
            watched.setProperty(WANTED, event.type() == QtCore.QEvent.ShowToParent)
            self._apply(watched)
        return False

    def _applyToAll(self):
        for child in self.children():
            if child.isWidgetType() and not child.isWindow():
                self._apply(child)

    def _apply(self, child):
        if not self.testAttribute(QtCore.Qt.WA_WState_Created):
            return
        isWanted = child.property(WANTED) is not False
        if not isWanted and child.testAttribute(QtCore.Qt.WA_WState_Hidden):
            return
        self._isForcing = True
        isShown = isWanted and not self.isCollapsed()
        if not (isShown and child.isVisible()):  # or Qt would lay out and show anew all that is in it
            child.setVisible(isShown)
        if isWanted:
            # Or Qt would take it for the module's own wish.
            child.setAttribute(QtCore.Qt.WA_WState_ExplicitShowHide, False)
        self._isForcing = False


class ctkCollapsibleButton(FoldingSection, QtWidgets.QAbstractButton):
    """A title with an arrow; what is laid out inside it is shown below, unless it is collapsed."""

    ownState = ("_isCollapsed", "_isForcing")
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
        self._applyToAll()
        self.update()
        self.contentsCollapsed.emit(self._isCollapsed)


class ctkCollapsibleGroupBox(FoldingSection, QtWidgets.QGroupBox):
    """A group box whose check mark folds it."""

    ownState = ("_isForcing",)

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
        self._applyToAll()
