"""What runs in the application, run here: the walk with its pictures, and the test for ctest."""

import importlib
import sys
import unittest
from pathlib import Path

import pytest
import slicer
from PySide6 import QtGui

from ProSTRegistrationLib.Install import Environment

FOLDER = Path(__file__).resolve().parents[1] / "Slicer"


@pytest.fixture
def load(panelWidget, monkeypatch):
    """Imports a file of Testing/Slicer as the application would, the module's panel in front."""
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module
    for name in ("walk", "ProSTRegistrationSlicerTest"):
        sys.modules.pop(name, None)


def test_walk_through_all_steps_with_a_picture_of_each(load, panelWidget, tmp_path):
    lines = []
    walk = load("walk").Walk(panelWidget, tmp_path / "new folder", say=lines.append)
    panelWidget.ui.qualityComboBox.currentIndex = 0
    walk.all()
    assert len(lines) == 9
    assert len(walk.pictures) == 13
    for path in walk.pictures:
        picture = QtGui.QImage(str(path))
        assert picture.width() > 500
        assert path.stat().st_size > 5000


def test_walk_says_which_step_went_wrong(load, panelWidget, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["walk.py", "--out", str(tmp_path / "out"), "--unknown-to-us"])
    exits = []
    monkeypatch.setattr(slicer.util, "exit", exits.append)
    monkeypatch.setattr(Environment, "TORCH_REQUIREMENT", "torch>=99")
    load("walk").main()
    assert exits == [1]
    assert "Missing: torch" in (tmp_path / "out" / "walk.txt").read_text(encoding="utf-8")


def test_test_of_the_application_passes(load, driver, monkeypatch):
    # Tests of the engine may have loaded it into this process; the module must not.
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    suite = unittest.TestLoader().loadTestsFromModule(load("ProSTRegistrationSlicerTest"))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    driver.pump()
    assert result.testsRun == 4
    assert [text for _, text in result.errors + result.failures] == []
    assert result.skipped == []
