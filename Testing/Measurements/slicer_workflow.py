"""The whole workflow in the module's panel, with its timings and the longest time the main thread was blocked.

Real Qt (offscreen), real MRML, the real worker process; without the Slicer application, whose drawing of the views is
not part of it. ``python Testing/Measurements/slicer_workflow.py`` takes the spine sample (downloaded once);
``--case FILE`` another case with a known answer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "ProSTRegistration"), str(ROOT / "Testing"), str(ROOT / "Testing" / "Slicer")]
warnings.simplefilter("ignore")

import numpy as np
from Heartbeat import Heartbeat

from ProSTRegistrationLib.Nodes.Attempts import attempts
from ProSTRegistrationLib.SampleDataSets import loadSampleCase
from SlicerFacade.Opening import openedModule

from PySide6 import QtWidgets  # isort: skip  (after the facade, which chooses how enums are)

PATIENCE_S = 900.0
DRAG_S = 8.0


def main() -> None:
    arguments = _arguments()
    report: dict[str, object] = {}
    with openedModule(1600, 1000) as (facade, driver, panel), tempfile.TemporaryDirectory() as folder:
        _loadSample(driver, panel, arguments, report)
        _drag(driver, panel, report)
        _register(driver, panel, arguments.registrations, report)
        # A busy machine may leave a result uncertain, which is asked about.
        facade.dialogs.answerNext(QtWidgets.QMessageBox.Yes)
        driver.click(panel.ui.acceptButton)
        if arguments.adapt_seconds > 0:
            _adapt(driver, panel, arguments.adapt_seconds, report)
        scene = Path(folder) / "scene.mrb"
        began = time.perf_counter()
        assert facade.headless.save(scene)
        report["save scene, s"] = round(time.perf_counter() - began, 1)
    print(json.dumps(report, indent=1))


def _loadSample(driver, panel, arguments, report) -> None:
    began = time.perf_counter()
    if arguments.case is None:
        driver.click(panel.ui.phantomButton if arguments.phantom else panel.ui.sampleButton)
        driver.pump(lambda: panel.ctNode is not None, PATIENCE_S)
    else:
        nodes = loadSampleCase(panel.scene, arguments.case)
        panel.parameters.ct, panel.parameters.fluoroscopy = nodes.ct, nodes.fluoroscopy
        panel.parameters.anatomy, panel.parameters.anatomyParts = nodes.anatomy, nodes.parts
        panel.check.showViews()
    report["load, s"] = round(time.perf_counter() - began, 1)
    report["CT voxels"] = list(panel.ctNode.GetImageData().GetDimensions())
    report["X-ray pixels"] = list(panel.fluoroscopyNodes[0].GetImageData().GetDimensions()[:2])
    began = time.perf_counter()
    with Heartbeat() as heartbeat:
        driver.pump(lambda: panel.logic.live.shown > 0, PATIENCE_S)
    report["first DRR after, s"] = round(time.perf_counter() - began, 1)
    report["first DRR, largest gap ms"] = round(heartbeat.largestGapMs, 1)


def _drag(driver, panel, report) -> None:
    """Moves a slider at every turn of the event loop, as a fast hand does."""
    driver.pump(2.0)
    start = panel.scene.ct(panel.ctNode)[1]
    slider, before, began = panel.ui.shiftUSlider, panel.logic.live.shown, time.perf_counter()
    with Heartbeat() as heartbeat:
        while time.perf_counter() - began < DRAG_S:
            slider.value = 20.0 * np.sin(2.0 * (time.perf_counter() - began))
            driver.pump(0.005)
    rate = (panel.logic.live.shown - before) / (time.perf_counter() - began)
    report["live DRR, updates per s"] = round(rate, 1)
    report["live DRR, largest gap ms"] = round(heartbeat.largestGapMs, 1)
    panel.scene.setPose(panel.ctNode, start)
    driver.pump(2.0)


def _register(driver, panel, count, report) -> None:
    """Registers from the same start again and again."""
    start = panel.scene.ct(panel.ctNode)[1]
    seconds, gaps, computed, beats = [], [], [], []
    for _ in range(count):
        panel.scene.setPose(panel.ctNode, start)
        driver.pump(1.0)
        began = time.perf_counter()
        with Heartbeat() as heartbeat:
            driver.click(panel.ui.registerButton)
            driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
            driver.pump(0.3)
        seconds.append(round(time.perf_counter() - began, 1))
        gaps.append(round(heartbeat.largestGapMs, 1))
        computed.append(round(heartbeat.largestCpuMs, 1))
        beats.append(heartbeat.beats)
    report["register, s"] = seconds
    report["register, largest gap ms"] = gaps
    report["register, most computed between beats ms"] = computed
    report["register, beats"] = beats
    rows = attempts(panel.scene, panel.ctNode)
    report["verdict"] = [row["Status"] for row in rows]
    report["mTRE, mm"] = [row["mTRE mm"] for row in rows]


def _adapt(driver, panel, seconds, report) -> None:
    """Watches the beginning of an adaptation, then cancels it."""
    panel.ui.adaptGroup.collapsed = False
    driver.pump(2.0)
    with Heartbeat() as heartbeat:
        driver.click(panel.ui.adaptButton)
        driver.pump(seconds, timeout=seconds + PATIENCE_S)
        report["adapt, says after that time"] = panel.ui.progressLabel.text
        began = time.perf_counter()
        driver.click(panel.ui.adaptButton)
        driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    report["adapt, cancelled within, s"] = round(time.perf_counter() - began, 1)
    report["adapt, largest gap ms"] = round(heartbeat.largestGapMs, 1)
    report["adapt, beats"] = heartbeat.beats


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantom", action="store_true", help="the phantom instead of the spine: no download")
    parser.add_argument("--case", type=Path, help="a case.json with a start pose and the true pose")
    parser.add_argument("--registrations", type=int, default=1, metavar="N", help="how often, from the same start")
    parser.add_argument("--adapt-seconds", type=float, default=0.0, help="begins to adapt the network as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
