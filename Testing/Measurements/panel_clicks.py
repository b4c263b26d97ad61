"""Clicks, scrolls and seconds from a cold start to a judged result, counted on the real panel as a laptop shows it.

``python Testing/Measurements/panel_clicks.py`` goes three ways with the phantom: as the sample; its CT with a DICOM
X-ray that tells the C-arm; and with a PNG, whose four numbers are typed. Own data are loaded already, which is
Slicer's part. A choice in a list is two clicks, a field that is typed into is one. A scroll is counted where a widget
that is needed does not lie wholly in the 460 x 800 pixels, and for the verdict and the three decisions at the end.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "ProSTRegistration"), str(ROOT / "Testing")]
warnings.simplefilter("ignore")

import numpy as np
import slicer

from DicomFiles import write_xray
from ProSTRegistrationLib.Nodes.Attempts import attempts
from ProSTRegistrationLib.Nodes.CArmSettings import settingsOf
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas, setIjkToRas
from SlicerFacade.Opening import openedModule

from PySide6 import QtCore  # isort: skip  (after the facade, which chooses how enums are)

PATIENCE_S = 900.0
PANEL_PX = (460, 800)


class Person:
    """Acts on the panel and counts; scrolls only where something that is needed is out of sight."""

    def __init__(self, facade, driver) -> None:
        self._area, self._driver = facade.mainWindow.panel(), driver
        self._area.setFixedSize(*PANEL_PX)
        driver.pump()
        self.clicks = self.scrolls = 0
        self._began = time.perf_counter()

    def click(self, widget) -> None:
        self.see(widget)
        self._driver.click(widget)
        self.clicks += 1

    def choose(self, box, wanted) -> None:
        self.see(box)
        self._driver.choose(box, wanted)
        self.clicks += 2

    def type(self, field, value) -> None:
        self.see(field)
        self._driver.type(field, value)
        self.clicks += 1

    def see(self, widget) -> None:
        viewport = self._area.viewport()
        corner = widget.mapTo(viewport, QtCore.QPoint(0, 0))
        if not viewport.rect.contains(QtCore.QRect(corner, widget.size)):
            self.scrolls += 1
            self._area.ensureWidgetVisible(widget)
            self._driver.pump()

    def judge(self, panel) -> dict[str, object]:
        """Registers and looks at the verdict; the counts."""
        ui = panel.ui
        self.click(ui.registerButton)
        self._driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
        self._driver.pump(0.3)
        for widget in (ui.verdictLabel, ui.acceptButton, ui.rejectButton, ui.redoButton):
            self.see(widget)
        return {
            "clicks": self.clicks,
            "scrolls": self.scrolls,
            "seconds": round(time.perf_counter() - self._began, 1),
            "verdict": attempts(panel.scene, panel.ctNode)[-1]["Status"],
        }


def main() -> None:
    with openedModule(1400, 900) as (facade, driver, panel), tempfile.TemporaryDirectory() as folder:
        person = Person(facade, driver)
        person.click(panel.ui.phantomButton)
        driver.pump(lambda: panel.ctNode is not None and panel.logic.live.shown > 0, PATIENCE_S)
        report = {"sample": person.judge(panel)}
        ct, xray = panel.ctNode, panel.fluoroscopyNodes[0]
        settings = settingsOf(xray)
        voxels, pixels = slicer.util.arrayFromVolume(ct).copy(), slicer.util.arrayFromVolume(xray).copy()
        rasFromIjk = ijkToRas(ct)
        for name, addXray in (("own DICOM", _addDicom), ("own PNG", _addPng)):
            facade.scene.Clear()
            driver.pump()
            panel.headings.fold(0)
            facade.mainWindow.panel().verticalScrollBar().value = 0
            own = _add(facade, voxels, "CT", rasFromIjk)
            image = addXray(facade, pixels, settings, Path(folder))
            report[name] = _ownWay(Person(facade, driver), driver, panel, own, image, settings, name == "own PNG")
    print(json.dumps(report, indent=1))


def _ownWay(person, driver, panel, ct, xray, settings, isTyped) -> dict[str, object]:
    ui = panel.ui
    person.choose(ui.ctSelector, ct)
    person.choose(ui.fluoroscopySelector, xray)
    if isTyped:
        person.type(ui.sddSpinBox, settings.sddMm)
        person.type(ui.sodSpinBox, settings.sodMm)
        person.type(ui.pixelSizeUSpinBox, settings.pixelSizeMm[0])
        person.type(ui.primaryAngleSpinBox, settings.primaryAngleDeg)
    person.click(ui.placeButton)
    driver.pump(lambda: panel.logic.live.shown > 0, PATIENCE_S)
    return person.judge(panel)


def _add(facade, voxels, name, rasFromIjk):
    node = facade.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, voxels)
    setIjkToRas(node, rasFromIjk)
    node.CreateDefaultDisplayNodes()
    return node


def _addPng(facade, pixels, settings, folder: Path):
    return _add(facade, pixels, "X-ray.png", np.eye(4))


def _addDicom(facade, pixels, settings, folder: Path):
    tags = {
        "DistanceSourceToDetector": str(settings.sddMm),
        "DistanceSourceToPatient": str(settings.sodMm),
        "ImagerPixelSpacing": list(settings.pixelSizeMm[::-1]),
        "PositionerPrimaryAngle": str(settings.primaryAngleDeg),
        "PositionerSecondaryAngle": str(settings.secondaryAngleDeg),
    }
    seenFromDetector = np.ascontiguousarray(pixels[0][:, ::-1])
    path = write_xray(folder / "x.dcm", "XA", seenFromDetector, **tags)
    node = facade.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "XA image")
    storage = facade.scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    if not storage.ReadData(node):
        raise OSError(f"{path} could not be read.")
    node.SetAndObserveStorageNodeID(storage.GetID())
    node.CreateDefaultDisplayNodes()
    return node


if __name__ == "__main__":
    main()
