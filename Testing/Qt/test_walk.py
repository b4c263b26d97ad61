"""What runs in the application, run here: the walk with its pictures, and the test for ctest."""

import importlib
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

import pytest
import slicer
from PySide6 import QtGui

from Patience import PATIENCE_S
from ProSTRegistrationLib.Install import Requirements

FOLDER = Path(__file__).resolve().parents[1] / "Slicer"


@pytest.fixture
def load(panelWidget, monkeypatch):
    """Imports a file of Testing/Slicer as the application would, the module's panel in front."""
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module
    for name in ("walk", "WalkReport", "ProSTRegistrationSlicerTest"):
        sys.modules.pop(name, None)


@pytest.fixture
def exits(monkeypatch):
    """Codes that the application was ended with."""
    codes = []
    monkeypatch.setattr(slicer.util, "exit", codes.append)
    return codes


def commandLine(monkeypatch, folder):
    monkeypatch.setattr(sys, "argv", ["walk.py", "--out", str(folder), "--unknown-to-us"])


def reportIn(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_walk_through_all_steps_with_times_heartbeat_and_pictures(load, panelWidget, tmp_path, exits, monkeypatch):
    folder = tmp_path / "new folder"
    commandLine(monkeypatch, folder)
    panelWidget.ui.qualityComboBox.currentIndex = 0
    load("walk").main()
    report = reportIn(folder)
    assert (report["stopped"], report["traceback"], report["running"]) == ("", "", "")
    assert report["passed"] is True
    assert exits == [0]
    assert [step["name"] for step in report["steps"]] == [
        "empty", "loadSample", "standardView", "slide", "register", "overlays", "fromSource", "accept", "reject",
    ]  # fmt: skip
    for step in report["steps"]:
        assert 0.0 < step["largestGapMs"] <= 1000.0 * step["seconds"] + 10.0
        assert step["beats"] >= 1
    assert report["slicer"] == slicer.app.applicationVersion
    assert len(report["pictures"]) == 13
    assert sorted(path.name for path in folder.iterdir()) == [*report["pictures"], "report.json"]
    for name in report["pictures"]:
        picture = QtGui.QImage(str(folder / name))
        assert picture.width() > 500
        assert (folder / name).stat().st_size > 5000


def test_walk_says_what_is_missing(load, panelWidget, tmp_path, exits, monkeypatch):
    commandLine(monkeypatch, tmp_path)
    monkeypatch.setattr(Requirements, "TORCH_REQUIREMENT", "torch>=99")
    load("walk").main()
    assert exits == [1]
    assert "Missing: torch" in reportIn(tmp_path)["stopped"]


def test_error_nobody_foresaw_ends_the_walk_with_its_traceback(load, panelWidget, tmp_path, exits, monkeypatch):
    commandLine(monkeypatch, tmp_path)
    walk = load("walk")
    monkeypatch.delattr(walk.Walk, "_picture")
    walk.main()
    report = reportIn(tmp_path)
    assert exits == [1]
    assert report["passed"] is False
    assert report["running"] == "empty"
    assert "_picture" in report["stopped"]
    assert "in empty" in report["traceback"]


def test_wrong_command_line_ends_the_application_too(load, exits, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["walk.py"])
    load("walk").main()
    assert exits == [1]
    assert "--out" in capsys.readouterr().err


HANGING = """
import ctypes, sys, types
sys.modules["ctk"] = types.ModuleType("ctk")
sys.modules["slicer"] = types.ModuleType("slicer")
sys.path.insert(0, sys.argv[1])
import walk
from pathlib import Path
with walk.deadline(0.5, Path(sys.argv[2])):
    # PyDLL keeps Python's lock, as a call from Slicer's event loop does: no thread of Python can run.
    ctypes.PyDLL(None).sleep(int(sys.argv[3]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows' C library has no sleep")
def test_deadline_ends_a_process_that_holds_pythons_lock(tmp_path):
    command = [sys.executable, "-c", HANGING, str(FOLDER), str(tmp_path), str(int(PATIENCE_S))]
    assert subprocess.run(command, timeout=PATIENCE_S).returncode == 1
    assert "<module>" in (tmp_path / "deadline.txt").read_text(encoding="utf-8")


def test_test_of_the_application_passes(load, driver, monkeypatch):
    # Tests of the engine may have loaded it into this process; the module must not.
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    suite = unittest.TestLoader().loadTestsFromModule(load("ProSTRegistrationSlicerTest"))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    driver.pump()
    assert result.testsRun == 4
    assert [text for _, text in result.errors + result.failures] == []
    assert result.skipped == []
