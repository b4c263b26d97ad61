"""slicer.app: the application object. There is one per process; each installation of the facade starts it anew."""

import tempfile
from pathlib import Path

import slicer
from PySide6 import QtCore, QtWidgets

from SlicerFacade.Connections import endConnectionsOf

LAUNCHER_VARIABLES = (
    "LD_LIBRARY_PATH", "PIP_REQUIRE_VIRTUALENV", "PYTHONHOME", "PYTHONNOUSERSITE", "PYTHONPATH", "QT_PLUGIN_PATH",
    "SSL_CERT_FILE",
)  # fmt: skip
"""Set by Slicer's launcher: SlicerBlockCTKAppLauncherSettings.cmake and External_python.cmake."""
APPLICATION_SIGNALS = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}


class SlicerApplication(QtWidgets.QApplication):
    """What a module uses of Slicer's application."""

    ownState = ("_context", "_isTesting", "profile")
    startupCompleted = QtCore.Signal()
    mrmlSceneChanged = QtCore.Signal(object)
    vtkSignals = APPLICATION_SIGNALS

    def start(self, context):
        """Serves an installation of the facade, an Installation.Facade."""
        self._context, self._isTesting, self.profile = context, False, context.profile

    def stop(self):
        """Forgets who listened; the object itself lives as long as the process."""
        endConnectionsOf(self)
        if self.receivers("2startupCompleted()"):
            self.startupCompleted.disconnect()
        self._context = None

    def testingEnabled(self):
        return self._isTesting

    def setTestingEnabled(self, value):
        """As if Slicer had been started with --testing: messages are logged instead of shown."""
        self._isTesting = value

    def mainWindow(self):
        return self._context.mainWindow

    def layoutManager(self):
        return self._context.layoutManager

    def moduleManager(self):
        return self._context.moduleManager

    def coreIOManager(self):
        return self._context.ioManager

    ioManager = coreIOManager

    def applicationLogic(self):
        return self._context.applicationLogic

    def mrmlScene(self):
        return slicer.mrmlScene

    def userSettings(self):
        return QtCore.QSettings()

    settings = revisionUserSettings = userSettings

    def startupEnvironment(self):
        """The variables as they were before Slicer's launcher added its own."""
        environment = QtCore.QProcessEnvironment.systemEnvironment()
        for name in LAUNCHER_VARIABLES:
            environment.remove(name)
        return environment

    def translate(self, _context, text):
        return text

    def pauseRender(self):
        """Rendering is on request here."""

    resumeRender = pauseRender

    @property
    def temporaryPath(self):
        return str(self._context.folder)

    @property
    def slicerHome(self):
        return str(self._context.folder)

    @property
    def majorVersion(self):
        return self.profile.version[0]

    @property
    def minorVersion(self):
        return self.profile.version[1]

    @property
    def applicationVersion(self):
        return f"{self.majorVersion}.{self.minorVersion}.0-facade"

    @property
    def applicationName(self):
        return "Slicer"

    @property
    def mainApplicationName(self):
        return "Slicer"

    @property
    def documentationBaseUrl(self):
        return "https://slicer.readthedocs.io/en/latest/"


def application():
    """The application object of this process."""
    existing = QtWidgets.QApplication.instance()
    if existing is None:
        existing = SlicerApplication(["Slicer"])
        existing.setStyle("Fusion")
    if not isinstance(existing, SlicerApplication):
        raise RuntimeError("There is another QApplication in this process already.")
    return existing


def keepSettingsIn(folder):
    """Makes QSettings write into a folder instead of the user's."""
    QtCore.QCoreApplication.setOrganizationName("SlicerFacade")
    QtCore.QCoreApplication.setApplicationName("Slicer")
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
    QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, QtCore.QSettings.UserScope, str(folder))


def temporaryFolder():
    """A TemporaryDirectory for one installation."""
    return tempfile.TemporaryDirectory(prefix="slicer-facade-")


def asPath(folder):
    """The folder of a TemporaryDirectory."""
    return Path(folder.name)
