"""The module opened as for a person, for scripts that are no tests."""

import contextlib
from pathlib import Path

from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from SlicerFacade.Driving import Driver
from SlicerFacade.Installation import installed

MODULE = Path(__file__).resolve().parents[2] / "ProSTRegistration" / "ProSTRegistration.py"


@contextlib.contextmanager
def openedModule(width, height):
    """Gives (facade, driver, panel) of the module in a main window of this size, in pixels."""
    with HeadlessScene() as headless, installed(headless) as facade:
        driver = Driver(facade)
        panel = driver.load(MODULE).panel
        facade.mainWindow.resize(width, height)
        yield facade, driver, panel
