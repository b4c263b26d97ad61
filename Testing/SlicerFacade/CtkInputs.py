"""Stand-ins for CTK's remaining inputs."""

from PySide6 import QtCore, QtGui, QtWidgets


class ctkComboBox(QtWidgets.QComboBox):
    """A combo box that can show a text while nothing is chosen."""

    ownState = ("_default",)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._default = ""

    def setDefaultText(self, text):
        self._default = text
        self.setPlaceholderText(text)

    defaultText = QtCore.Property(str, lambda self: self._default, setDefaultText)


class ctkCheckableComboBox(QtWidgets.QComboBox):
    """A combo box with a check mark per item."""

    checkedIndexesChanged = QtCore.Signal()

    def __init__(self, parent=None):
        super().__init__(parent)
        self.model().itemChanged.connect(lambda *_: self.checkedIndexesChanged.emit())

    def addItem(self, text, data=None):
        item = QtGui.QStandardItem(text)
        item.setFlags(QtCore.Qt.ItemIsEnabled | QtCore.Qt.ItemIsUserCheckable)
        item.setData(QtCore.Qt.Unchecked, QtCore.Qt.CheckStateRole)
        item.setData(data, QtCore.Qt.UserRole)
        self.model().appendRow(item)

    def checkableModel(self):
        return self.model()

    def checkState(self, index):
        return self.model().itemFromIndex(index).checkState()

    def setCheckState(self, index, state):
        self.model().itemFromIndex(index).setCheckState(QtCore.Qt.CheckState(state))

    def checkedIndexes(self):
        model = self.model()
        indexes = [model.index(row, 0) for row in range(model.rowCount())]
        return tuple(index for index in indexes if self.checkState(index) == QtCore.Qt.Checked)

    def allChecked(self):
        return len(self.checkedIndexes()) == self.model().rowCount()

    def noneChecked(self):
        return not self.checkedIndexes()


class ctkCheckBox(QtWidgets.QCheckBox):
    """A check box."""


class ctkPushButton(QtWidgets.QPushButton):
    """A push button."""


class ctkMenuButton(QtWidgets.QPushButton):
    """A push button with a menu."""


class ctkCheckablePushButton(QtWidgets.QPushButton):
    """A push button that a check mark makes stay pressed."""

    ownState = ("_isControlled",)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._isControlled = False

    def _setControlled(self, value):
        self._isControlled = value

    checkBoxControlsButtonToggleState = QtCore.Property(bool, lambda self: self._isControlled, _setControlled)


class ctkPathLineEdit(QtWidgets.QWidget):
    """A path with a button that asks for one."""

    ownState = ("_edit", "_filters", "_nameFilters", "_settingKey")
    currentPathChanged = QtCore.Signal(str)
    Dirs, Drives, Files, Executable, Writable, Readable = 0x001, 0x004, 0x002, 0x040, 0x020, 0x010

    def __init__(self, parent=None):
        super().__init__(parent)
        self._nameFilters, self._filters, self._settingKey = [], self.Files, ""
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._edit = QtWidgets.QLineEdit(self)
        browse = QtWidgets.QToolButton(self)
        browse.setText("...")
        layout.addWidget(self._edit)
        layout.addWidget(browse)
        self.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self._edit.textChanged.connect(self.currentPathChanged)
        browse.clicked.connect(self.browse)

    def setCurrentPath(self, path):
        self._edit.setText(path)

    @QtCore.Slot()
    def browse(self):
        chosen = QtWidgets.QFileDialog.getOpenFileName(self, "Select", self.currentPath, ";;".join(self._nameFilters))
        if chosen:
            self.setCurrentPath(chosen)

    def addCurrentPathToHistory(self):
        """The history of paths is not kept here."""

    def _setNameFilters(self, value):
        self._nameFilters = list(value)

    def _setFilters(self, value):
        self._filters = int(value)

    def _setSettingKey(self, value):
        self._settingKey = value

    currentPath = QtCore.Property(str, lambda self: self._edit.text, setCurrentPath, notify=currentPathChanged)
    nameFilters = QtCore.Property("QStringList", lambda self: self._nameFilters, _setNameFilters)
    filters = QtCore.Property(int, lambda self: self._filters, _setFilters)
    settingKey = QtCore.Property(str, lambda self: self._settingKey, _setSettingKey)


class ctkDirectoryButton(QtWidgets.QPushButton):
    """A button that shows a folder."""

    directoryChanged = QtCore.Signal(str)

    def setDirectory(self, path):
        path = QtCore.QDir(path).absolutePath()
        if path != self.text:
            self.setText(path)
            self.directoryChanged.emit(path)

    directory = QtCore.Property(str, lambda self: self.text, setDirectory, notify=directoryChanged)


class ctkColorPickerButton(QtWidgets.QPushButton):
    """A button that shows a colour."""

    ownState = ("_color",)
    colorChanged = QtCore.Signal(QtGui.QColor)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._color = QtGui.QColor("black")

    def setColor(self, color):
        if color != self._color:
            self._color = QtGui.QColor(color)
            self.setText(self._color.name())
            self.colorChanged.emit(self._color)

    color = QtCore.Property(QtGui.QColor, lambda self: self._color, setColor, notify=colorChanged)


class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box with a box to be left alone by it."""

    ownState = ("_isHiddenNextTime", "_settingsKey")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._isHiddenNextTime, self._settingsKey = False, ""

    def setDontShowAgainVisible(self, value):
        self.setCheckBox(QtWidgets.QCheckBox("Don't show this message again", self) if value else None)

    def setDontShowAgainSettingsKey(self, value):
        self._settingsKey = value

    def setDontShowAgain(self, value):
        self._isHiddenNextTime = value

    dontShowAgainVisible = QtCore.Property(bool, lambda self: self.checkBox() is not None, setDontShowAgainVisible)
    dontShowAgainSettingsKey = QtCore.Property(str, lambda self: self._settingsKey, setDontShowAgainSettingsKey)
    dontShowAgain = QtCore.Property(bool, lambda self: self._isHiddenNextTime, setDontShowAgain)
