"""Walks the whole workflow in the module's panel and saves a picture of every step.

    Slicer --python-script Testing/Slicer/walk.py --out FOLDER [--sample spine] [--deadline SECONDS] [--stay]

Needs what the panel's Environment line asks for; load a sample by hand once, to have it installed. Nobody has to watch:
Slicer ends with exit code 0 when every step did what it should, with 1 otherwise. FOLDER/report.json has the time and
the longest blocking of each step, and says what went wrong. After the deadline the process ends at once, whatever holds
it; FOLDER/deadline.txt then shows where it stood. --stay leaves Slicer open.
"""

import argparse
import faulthandler
import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

import ctk
import numpy as np
import slicer
from WalkReport import WalkReport

PATIENCE_S = 300.0
DEADLINE_S = 1800.0
LARGEST_MTRE_MM = 3.0
SLIDER_MM = 15.0


class StepFailed(Exception):
    """A step of the walk did not do what it should."""


class Walk:
    """One walk through a panel with an empty scene.

    Args:
        widget: the module's widget object.
        report: a WalkReport, into whose folder the pictures go; one that writes nothing if it is None.
        sample: "phantom" or "spine".
    """

    def __init__(self, widget, report=None, sample="phantom"):
        self.widget, self.ui, self.panel = widget, widget.ui, widget.panel
        self.report, self.sample = report or WalkReport(), sample
        self._start = None

    def all(self):
        """All steps in their order; raises StepFailed at the first that goes wrong."""
        for step in (
            self.empty, self.loadSample, self.standardView, self.slide, self.register, self.overlays, self.fromSource,
            self.accept, self.reject,
        ):  # fmt: skip
            with self.report.step(step.__name__):
                step()
        self.report.succeed()

    def empty(self):
        """The panel without any data says what it needs."""
        self._need(not self.ui.registerButton.enabled, "Register is enabled without images.")
        self._need(self.ui.imagesStatusLabel.text, "The first step does not say what is missing.")
        self._picture("empty", self.ui.imagesSection)

    def loadSample(self):
        """The sample by its button: CT, X-ray, layout and first DRR."""
        button = self.ui.phantomButton if self.sample == "phantom" else self.ui.sampleButton
        button.click()
        self._until(
            lambda: self.panel.ctNode is not None or not self.panel.images.samples.isRunning,
            "The sample does not come.",
        )
        self._need(self.panel.ctNode is not None, self.ui.imagesStatusLabel.text or self.ui.progressLabel.text)
        self._untilDrr(0)
        self._need(self.ui.checkViewsButton.checked, "The views for checking did not come up.")
        self._until(self._isDrrInItsView, "The DRR is there, but its view stays empty.")
        self._start = self._pose()
        self._picture("sample", self.ui.imagesSection)

    def standardView(self):
        """The CT as in a straight AP picture, and back."""
        self.ui.standardViewComboBox.currentIndex = 0
        shown = self.panel.logic.live.shown
        self.ui.standardViewButton.click()
        self._untilDrr(shown)
        self._need(not np.allclose(self._pose(), self._start), "The standard view did not move the CT.")
        self._picture("standard view", self.ui.startSection)
        self._backToStart()

    def slide(self):
        """A slider, the DRR behind it, and back."""
        shown = self.panel.logic.live.shown
        self.ui.shiftUSlider.value = self.ui.shiftUSlider.value + SLIDER_MM
        self._untilDrr(shown)
        moved = np.linalg.norm(self._centre(self._pose()) - self._centre(self._start))
        self._need(abs(moved - SLIDER_MM) < 1.0, f"The slider moved the CT by {moved:.1f} mm, not by {SLIDER_MM:g}.")
        self._picture("slider", self.ui.startSection)
        self._backToStart()

    def register(self):
        """A registration from the sample's start, watched and waited for."""
        self.ui.registerButton.click()
        self._until(lambda: self.ui.progressBar.value > 0 or not self.panel.logic.isBusy, "There is no progress.")
        self._need(self.panel.logic.isBusy, self.ui.progressLabel.text)
        self._picture("registering", self.ui.progressLabel)
        self._until(lambda: not self.panel.logic.isBusy, "The registration does not end.")
        self._until(lambda: self.ui.acceptButton.enabled, "The result cannot be judged: " + self.ui.progressLabel.text)
        mtre = self._mtreMm()
        self._need(mtre < LARGEST_MTRE_MM, f"The pose that was found is off by {mtre:.1f} mm (mTRE).")
        self._picture("result", self.ui.attemptsTable)

    def overlays(self):
        """Every kind of overlay, by the combo box."""
        comboBox = self.ui.overlayComboBox
        for index in range(comboBox.count):
            comboBox.currentIndex = index
            self._wait(0.3)
            self._need(comboBox.currentIndex == index, f"The overlay '{comboBox.itemText(index)}' cannot be chosen.")
            self._picture(f"overlay {index + 1}", comboBox)
        comboBox.currentIndex = 0

    def fromSource(self):
        """The 3D view as the X-ray source sees it."""
        self.ui.sourceViewButton.click()
        self._wait(0.3)
        self._picture("from the source", self.ui.sourceViewButton)
        self.ui.sourceViewButton.click()

    def accept(self):
        """The result is kept."""
        found = self._pose()
        self.ui.acceptButton.click()
        self._wait(0.1)
        self._need(np.allclose(self._pose(), found), "Accept moved the CT.")
        self._picture("accepted", self.ui.acceptButton)

    def reject(self):
        """The start pose comes back; then the result again."""
        found = self._pose()
        self.ui.rejectButton.click()
        self._wait(0.1)
        self._need(np.allclose(self._pose(), self._start, atol=1e-6), "Reject did not bring the start pose back.")
        self.ui.acceptButton.click()
        self._wait(0.1)
        self._need(np.allclose(self._pose(), found, atol=1e-6), "Accept did not bring the result back.")

    def _backToStart(self):
        shown = self.panel.logic.live.shown
        self.panel.scene.setPose(self.panel.ctNode, self._start)
        self._untilDrr(shown)

    def _pose(self):
        return self.panel.scene.ct(self.panel.ctNode)[1]

    def _centre(self, worldFromVolume):
        return (worldFromVolume @ [*self.panel.start.centreMm(), 1.0])[:3]

    def _mtreMm(self):
        from ProSTRegistrationLib.Nodes.Attempts import attempts

        return float(attempts(self.panel.scene, self.panel.ctNode)[-1]["mTRE mm"])

    def _isDrrInItsView(self):
        from ProSTRegistrationLib.Views.CheckLayout import DRR_VIEW

        layer = slicer.app.layoutManager().sliceWidget(DRR_VIEW).sliceLogic().GetBackgroundLayer()
        return layer.GetVolumeNode() is not None

    def _untilDrr(self, shown):
        self._until(lambda: self.panel.logic.live.shown > shown, "The live DRR does not come.")

    def _until(self, condition, otherwise):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self._need(time.monotonic() < deadline, otherwise)
            self._wait(0.01)

    def _wait(self, seconds):
        """Lets the application work for at least so long."""
        end = time.monotonic() + seconds
        while True:
            slicer.app.processEvents()
            if time.monotonic() >= end:
                return
            # Python gives its lock away here, which nothing else in Slicer does for it.
            time.sleep(0.005)

    def _picture(self, name, widget):
        """Saves the main window with a widget of the panel in sight."""
        if self.report.folder is None:
            return
        self._reveal(widget)
        self._wait(0.2)
        slicer.util.forceRenderAllViews()
        slicer.app.processEvents()
        path = self.report.picturePath(name)
        if not ctk.ctkWidgetsUtils.grabWidget(slicer.util.mainWindow()).save(str(path)):
            raise StepFailed(f"The picture {path} cannot be written.")

    def _reveal(self, widget):
        area = widget.parentWidget()
        while area is not None and not hasattr(area, "ensureWidgetVisible"):
            area = area.parentWidget()
        if area is not None:
            area.ensureWidgetVisible(widget)

    def _need(self, isGood, otherwise):
        if not isGood:
            raise StepFailed(otherwise)


def packagesMissing():
    """One sentence about what has to be installed first; "" if nothing has to."""
    from ProSTRegistrationLib.Install import Environment

    report = Environment.report()
    return "" if report.isReady else f"{report.text}. Load a sample in the panel by hand once, to install it."


@contextmanager
def deadline(seconds, folder):
    """Ends the process with exit code 1 after so long, and leaves in deadline.txt where each thread stood.

    A timer of Qt or of Python would wait for the main thread; this one ends even a process that a dialog or a call
    into C++ holds.
    """
    with (folder / "deadline.txt").open("w", encoding="utf-8") as file:
        faulthandler.dump_traceback_later(seconds, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    (folder / "deadline.txt").unlink()


def walkAndReport(options):
    """Walks in the running Slicer; returns the exit code."""
    report = WalkReport(options.out)
    try:
        with deadline(options.deadline, options.out):
            slicer.util.selectModule("ProSTRegistration")
            missing = packagesMissing()
            if missing:
                raise StepFailed(missing)
            Walk(slicer.util.getModuleWidget("ProSTRegistration"), report, options.sample).all()
    except StepFailed as error:
        report.stop(str(error))
    except Exception as error:
        report.stop(f"{type(error).__name__}: {error}", traceback.format_exc())
    return 0 if report.content["passed"] else 1


def main():
    """Reads the command line, walks, and ends Slicer with the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--sample", choices=("phantom", "spine"), default="phantom")
    parser.add_argument("--deadline", type=float, default=DEADLINE_S, metavar="SECONDS")
    parser.add_argument("--stay", action="store_true")
    code, isLeftOpen = 1, False
    try:
        options, _ = parser.parse_known_args()
        isLeftOpen = options.stay
        code = walkAndReport(options)
    except SystemExit as end:
        code = 1 if end.code else 0
    finally:
        # Slicer would stay open after an error in a script, and a build machine would wait for it.
        if not isLeftOpen:
            slicer.util.exit(code)


if __name__ == "__main__":
    sys.argv[0] = "walk.py"
    main()
