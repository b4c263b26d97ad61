"""Installing from the panel: seen, ended by a person, and never in the way of the application."""

import sys

import pytest
from PySide6 import QtWidgets

from ProSTRegistrationLib.Install import Requirements

PIP = """#!{python}
import sys, time
print("Collecting " + sys.argv[-1], flush=True)
time.sleep({seconds})
sys.exit("No space left on device")
"""


@pytest.fixture
def lacking(monkeypatch, tmp_path, facade):
    """torch is too old, and Slicer's Python is a script; gives a function that says how long pip takes."""
    if sys.platform == "win32":
        pytest.skip("a script stands for PythonSlicer")
    monkeypatch.setattr(Requirements, "TORCH_REQUIREMENT", "torch>=99")

    def pipTakes(seconds):
        launcher = tmp_path / "PythonSlicer"
        launcher.write_text(PIP.format(python=sys.executable, seconds=seconds))
        launcher.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return pipTakes


def test_progress_and_the_last_line_stand_beside_a_button_that_cancels(driver, panelWidget, facade, lacking):
    ui = panelWidget.ui
    lacking(600)
    facade.dialogs.answerNext(QtWidgets.QMessageBox.Ok)
    driver.click(ui.environmentButton)
    driver.pump(until=lambda: "Collecting light-the-torch" in ui.environmentLabel.text)
    assert "Installing light-the-torch" in ui.environmentLabel.text
    assert ui.environmentButton.text == "Cancel"
    driver.click(ui.environmentButton)
    driver.pump(until=lambda: "cancelled" in ui.progressLabel.text)
    driver.pump(until=lambda: ui.environmentButton.text == "Install...")
    assert ui.environmentLabel.text.startswith("Missing: torch (")


def test_a_failure_shows_what_pip_said(driver, panelWidget, facade, lacking):
    ui = panelWidget.ui
    lacking(0)
    facade.dialogs.answerNext(QtWidgets.QMessageBox.Ok)
    driver.click(ui.environmentButton)
    driver.pump(until=lambda: "No space left on device" in ui.progressLabel.text)
    assert "torch could not be installed" in ui.progressLabel.text
