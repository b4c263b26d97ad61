"""Pictures of the panel in every state, to be looked at as somebody who is told nothing.

``python Testing/Measurements/panel_states.py FOLDER`` writes a sheet for each state: light and dark, each at 350 and at
460 pixels of width. The bar at the left of a panel tells what of it a 14-inch laptop shows without scrolling. The
phantom is registered once; uncertain and failed are its result with the engine's own reasons for others.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "ProSTRegistration"), str(ROOT / "Testing")]
warnings.simplefilter("ignore")

import numpy as np
import slicer
from PIL import Image

from prostreg.geometry.frames import transform_points
from prostreg.registration.acceptance import judge
from prostreg.registration.evidence import Evidence, MirrorFit
from ProSTRegistrationLib.Install import Requirements
from ProSTRegistrationLib.Install.EnginePython import choosePath
from ProSTRegistrationLib.Nodes.Attempts import COLUMNS, REASONS_BORDER
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.CArmSettings import applySettings, settingsOf
from ProSTRegistrationLib.Nodes.FluoroscopyImage import outlinesOf, tellPolarity
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas
from ProSTRegistrationLib.Tracking.KeptTrack import COLUMNS as TRACK_COLUMNS
from ProSTRegistrationLib.Tracking.KeptTrack import TABLE_ROLE
from SlicerFacade.Opening import openedModule

from PySide6 import QtCore, QtGui, QtWidgets  # isort: skip  (after the facade, which chooses how enums are)

PATIENCE_S = 600.0
WIDTHS_PX, HEIGHT_PX = (350, 460), 800
DESKTOPS = {"light": ("#efefef", "#ffffff", "#000000"), "dark": ("#353535", "#252525", "#ffffff")}
"""Colours of window, of fields, and of text."""
DISABLED = "#8c8c8c"
BAR_PX, GAP_PX = 4, 12
RUN_FRAMES, FIRST_FRAME, BLANK_FRAMES = 5, 3, (1,)
BAR_COLOR = (30, 120, 255)
LOST = Evidence(confirmed=0.05, patches=100.0, seen=0.9, runner_up=0.0, agreement=0.0, restarts=2.0, surprise=1.0)
FOUND = Evidence(confirmed=0.7, patches=100.0, seen=0.9, runner_up=0.0, agreement=0.0, restarts=2.0, surprise=1.0)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with openedModule(1400, HEIGHT_PX) as (facade, driver, panel):
        for number, name in enumerate(_states(facade, driver, panel)):
            _sheet(facade, driver, panel).save(folder / f"{number:02d}-{name}.png")


def _states(facade, driver, panel) -> Iterator[str]:
    """Brings the panel from one state to the next, in the order of a first day; gives their names."""
    ui, parameters = panel.ui, panel.parameters
    yield from _withoutEngine(panel)
    yield "no-data"
    driver.click(ui.phantomButton)
    driver.pump(lambda: panel.ctNode is not None and panel.logic.live.shown > 0, PATIENCE_S)
    ct, xray = panel.ctNode, parameters.fluoroscopy
    yield "sample"
    parameters.fluoroscopy = own = _copyOf(xray)
    yield "images-chosen"
    parameters.fluoroscopy = _run(xray)
    yield "run"
    parameters.fluoroscopy = xray
    facade.scene.RemoveNode(own)
    start = panel.scene.ct(ct)[1]
    aside = start.copy()
    aside[:3, 3] += 400.0
    panel.scene.setPose(ct, aside)
    yield "out-of-the-beam"
    panel.scene.setPose(ct, start)
    yield from _outlines(driver, panel, xray)
    yield from _badLandmarks(driver, panel, ct, xray)
    panel.scene.setPose(ct, start)
    driver.pump(1.0)
    driver.click(ui.registerButton)
    driver.pump(lambda: ui.stopButton.enabled, PATIENCE_S)
    yield "registering"
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    yield "trusted"
    yield from _judgedOtherwise(panel, ct)
    driver.click(ui.acceptButton)
    yield "accepted"
    driver.click(ui.rejectButton)
    yield "rejected"
    ui.flipCheckBox.click()
    yield "outlived"
    choosePath(sys.executable)
    panel.register.lookAtEnvironment()
    yield "other-python"
    choosePath("")
    panel.register.lookAtEnvironment()
    panel.scene.setPose(ct, start)
    yield from _partsByThemselves(driver, panel)
    panel.scene.setPose(ct, start)
    yield from _tracked(driver, panel, xray)


def _partsByThemselves(driver, panel) -> Iterator[str]:
    """Bones that move against each other, each with its own verdict."""
    ui = panel.ui
    if ui.flipCheckBox.checked:
        ui.flipCheckBox.click()
    ui.eachPartCheckBox.checked = True
    driver.pump()
    panel.headings.fold(0)
    ui.jointsCheckBox.checked = True
    yield "each-part-moves-by-itself"
    driver.click(ui.registerButton)
    driver.pump(lambda: ui.stopButton.enabled, PATIENCE_S)
    yield "bones-under-way"
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    yield "bones"
    driver.click(ui.acceptAllButton)
    yield "bones-accepted"
    ui.jointsCheckBox.checked = ui.eachPartCheckBox.checked = False


def _tracked(driver, panel, xray) -> Iterator[str]:
    """A run in which the X-ray stands still and one frame shows nothing, tracked from its third frame."""
    ui, parameters = panel.ui, panel.parameters
    parameters.fluoroscopy = _run(xray, RUN_FRAMES, BLANK_FRAMES)
    driver.pump(1.0)
    panel.headings.fold(0)
    ui.frameSpinBox.value = FIRST_FRAME
    driver.click(ui.frameButton)
    applySettings(panel.scene, parameters.fluoroscopy, settingsOf(xray))
    driver.pump(1.0)
    driver.click(ui.registerButton)
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    yield "run-registered"
    driver.click(ui.acceptButton)
    yield "run-can-be-tracked"
    driver.click(ui.trackButton)
    driver.pump(lambda: ui.stopButton.enabled, PATIENCE_S)
    yield "run-under-way"
    driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
    yield "run-tracked"
    for name, number in (("run-frame-tracked", FIRST_FRAME + 1), ("run-frame-lost", BLANK_FRAMES[0])):
        ui.trackFrameSlider.value = number
        driver.pump(1.0)
        yield name
    _callUncertain(panel.scene, parameters.fluoroscopy, FIRST_FRAME + 1)
    ui.trackFrameSlider.value = FIRST_FRAME + 1
    driver.pump(1.0)
    yield "run-frame-uncertain"


def _callUncertain(scene, image, number) -> None:
    """Has the track doubt a frame, in words of the engine."""
    table = scene.findOwned(image, TABLE_ROLE)
    texts = {
        "Status": "uncertain",
        "Confidence": "0.4",
        "Reasons": "about half of the projected bone's structure is confirmed by the image",
    }
    for column, text in texts.items():
        table.SetCellText(number - 1, TRACK_COLUMNS.index(column), text)


def _withoutEngine(panel) -> Iterator[str]:
    wanted, Requirements.TORCH_REQUIREMENT = Requirements.TORCH_REQUIREMENT, "torch>=99"
    panel.register.lookAtEnvironment()
    yield "without-engine"
    Requirements.TORCH_REQUIREMENT = wanted
    panel.register.lookAtEnvironment()


def _copyOf(xray):
    """The same X-ray as it comes from a plain file: nothing is known of its C-arm."""
    copy = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "XA lateral.png")
    slicer.util.updateVolumeFromArray(copy, slicer.util.arrayFromVolume(xray).copy())
    return copy


def _run(xray, frames=12, blank=()):
    stack = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "XA run")
    voxels = np.repeat(slicer.util.arrayFromVolume(xray), frames, axis=0)
    for number in blank:
        voxels[number - 1] = voxels.mean() + np.random.default_rng(number).normal(0.0, 20.0, voxels.shape[1:])
    slicer.util.updateVolumeFromArray(stack, voxels)
    return stack


def _outlines(driver, panel, xray) -> Iterator[str]:
    """An instrument that is outlined, in an X-ray of which the greys are told."""
    ui = panel.ui
    tellPolarity(xray, "bone-dark")
    driver.click(ui.outlineButton)
    outline = outlinesOf(xray)[0]
    for pixel in ((40, 40), (90, 40), (90, 90)):
        outline.AddControlPointWorld(list(transform_points(ijkToRas(xray), (*pixel, 0))))
    yield "outlining"
    driver.click(ui.outlineButton)
    yield "outlined"
    driver.click(ui.removeOutlinesButton)
    tellPolarity(xray, "auto")


def _badLandmarks(driver, panel, ct, xray) -> Iterator[str]:
    """Five pairs of which two are exchanged."""
    ui = panel.ui
    ui.landmarksGroup.collapsed = False
    driver.pump()
    driver.click(ui.ctLandmarksButton)
    pose, image = panel.scene.ct(ct)[1], carmOf(xray)
    offsets = np.random.default_rng(3).uniform(-30.0, 30.0, (5, 3))
    points = [transform_points(pose, panel.start.centreMm() + offset) for offset in offsets]
    for point in points:
        panel.parameters.ctLandmarks.AddControlPointWorld(list(point))
    driver.click(ui.xrayLandmarksButton)
    marks = slicer.mrmlScene.GetNodeByID(slicer.app.applicationLogic().GetSelectionNode().GetActivePlaceNodeID())
    for point in (points[1], points[0], *points[2:]):
        pixel = image.project_world(point)
        marks.AddControlPointWorld(list(transform_points(ijkToRas(xray), (*pixel, 0))))
    yield "marking"
    driver.click(ui.xrayLandmarksButton)
    driver.click(ui.solveLandmarksButton)
    yield "landmarks-do-not-fit"
    ui.landmarksGroup.collapsed = True


def _judgedOtherwise(panel, ct) -> Iterator[str]:
    table = panel.scene.findOwned(ct, "attempts")
    columns = [COLUMNS.index(name) for name in ("Status", "Confidence %", "Reasons")]
    before = [table.GetCellText(0, column) for column in columns]
    uncertain, failed = judge(FOUND, MirrorFit(score=0.9, margin=9.0)), judge(LOST)
    for name, verdict in (("uncertain", uncertain), ("failed", failed)):
        texts = (verdict.status, f"{100 * verdict.confidence:.1f}", REASONS_BORDER.join(verdict.reasons))
        for column, text in zip(columns, texts, strict=True):
            table.SetCellText(0, column, text)
        yield name
    for column, text in zip(columns, before, strict=True):
        table.SetCellText(0, column, text)
    panel.refresh()


def _sheet(facade, driver, panel) -> Image.Image:
    """The whole panel, scrolled or not, four times side by side."""
    area, pictures = facade.mainWindow.panel(), []
    for colors in DESKTOPS.values():
        _usePalette(*colors)
        for width in WIDTHS_PX:
            area.setMinimumWidth(width)
            area.setMaximumWidth(width)
            panel.refresh()
            driver.pump(0.3)
            pictures.append(_withBar(_asPillow(driver.grab(area.widget())), area))
    height = max(picture.height for picture in pictures)
    sheet = Image.new("RGB", (sum(picture.width + GAP_PX for picture in pictures), height), "white")
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + GAP_PX
    return sheet


def _withBar(picture: Image.Image, area) -> Image.Image:
    framed = Image.new("RGB", (picture.width + BAR_PX, picture.height), "white")
    framed.paste(picture, (BAR_PX, 0))
    top = area.verticalScrollBar().value
    framed.paste(BAR_COLOR, (0, top, BAR_PX, min(picture.height, top + area.viewport().height)))
    return framed


def _asPillow(image) -> Image.Image:
    data = QtCore.QBuffer()
    data.open(QtCore.QIODevice.WriteOnly)
    image.save(data, "PNG")
    return Image.open(io.BytesIO(bytes(data.data()))).convert("RGB")


def _usePalette(window: str, base: str, text: str) -> None:
    palette = QtGui.QPalette(QtGui.QColor(window))
    palette.setColor(QtGui.QPalette.Base, QtGui.QColor(base))
    for role in (QtGui.QPalette.WindowText, QtGui.QPalette.ButtonText, QtGui.QPalette.Text):
        palette.setColor(role, QtGui.QColor(text))
        palette.setColor(QtGui.QPalette.Disabled, role, QtGui.QColor(DISABLED))
    QtWidgets.QApplication.instance().setPalette(palette)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    main(parser.parse_args().folder)
