"""The engine in another Python, chosen in the panel and used from then on."""

import sys
from pathlib import Path

import pytest
import slicer

from Patience import PATIENCE_S
from ProSTRegistrationLib.Install.EnginePython import shortPath

MODULE = Path(__file__).parents[2] / "ProSTRegistration" / "ProSTRegistration.py"
NOTING = """#!{python}
import os, sys
with open({calls!r}, "a") as calls:
    calls.write(" ".join(sys.argv[1:3]).splitlines()[0] + " " + os.environ.get("PYTHONHOME", "") + "\\n")
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a script stands for a Python")


@pytest.fixture
def ui(driver, monkeypatch):
    """The panel's widgets, its own client behind them."""
    return driver.load(MODULE).ui


@pytest.fixture
def python(tmp_path):
    """A Python that notes how it was started; its path and a function that gives the notes."""
    path, calls = tmp_path / "other python", tmp_path / "calls"
    path.write_text(NOTING.format(python=sys.executable, calls=str(calls)), encoding="utf-8")
    path.chmod(0o755)
    return str(path), lambda: calls.read_text().splitlines()


def choose(facade, path):
    """Answers the file dialog as a person who takes this file."""

    def take(dialog):
        dialog.selectFile(path)
        return True

    facade.dialogs.answerNext(take)


def test_a_python_is_chosen_tried_kept_and_given_up_again(driver, facade, ui, python, monkeypatch):
    path, calls = python
    monkeypatch.setenv("PYTHONHOME", "slicers")
    assert ui.pythonButton.text == "Other Python..."
    choose(facade, path)
    driver.click(ui.pythonButton)
    driver.pump(until=lambda: f"Looking at {shortPath(path)}, " in ui.environmentLabel.text)
    assert ui.environmentButton.text == "Cancel"
    driver.pump(lambda: ui.environmentLabel.text.startswith("Ready: computing on the CPU"), PATIENCE_S)
    assert "a small DRR in " in ui.environmentLabel.text
    assert ui.pythonButton.text == "Back to Slicer's"
    assert slicer.app.userSettings().value("ProSTRegistration/EnginePython") == path
    driver.click(ui.environmentButton)
    driver.pump(lambda: ui.environmentLabel.text.startswith("Ready: computing on the CPU"), PATIENCE_S)
    asked, tried, used = calls()
    assert asked == "-c  "
    assert tried == used == "-m prostreg.worker "
    driver.leave()
    driver.enter("ProSTRegistration")
    assert ui.environmentLabel.text == f"Ready: the engine runs in {shortPath(path)}"
    driver.click(ui.pythonButton)
    driver.pump(until=lambda: ui.environmentLabel.text == "Ready")
    assert ui.environmentLabel.toolTip.startswith("torch ")
    assert ui.pythonButton.text == "Other Python..."


def test_a_file_that_is_no_python_changes_nothing(driver, facade, ui, tmp_path):
    (tmp_path / "notes").write_text("no program")
    choose(facade, str(tmp_path / "notes"))
    driver.click(ui.pythonButton)
    driver.pump(until=lambda: "could not be started" in ui.progressLabel.text)
    assert ui.pythonButton.text == "Other Python..."
    assert not slicer.app.userSettings().contains("ProSTRegistration/EnginePython")


def test_closing_the_file_dialog_changes_nothing(driver, facade, ui):
    facade.dialogs.answerNext(0)
    driver.click(ui.pythonButton)
    assert ui.environmentButton.text == "Check"
    assert ui.progressLabel.text == ""
