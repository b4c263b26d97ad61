"""Uses the module for a long time: does memory, do files and threads grow?

Usage: python Testing/Measurements/soak.py --out FILE [--registrations 500] [--adaptations 50] [--loads 200]

Real Qt (offscreen), real MRML and the real worker on the phantom. FILE gets a line of JSON after each act: memory in
MB, open files and threads of the panel's process and of the worker's, and what lies in the scene. Half of the
registrations are accepted. An adaptation has some seconds instead of minutes; a load is a scene saved with a result,
closed and read again. Linux only. `python docs/figures/soak.py FILE` draws it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "ProSTRegistration"), str(ROOT / "Testing")]
warnings.simplefilter("ignore")

import numpy as np

from SlicerFacade.Opening import openedModule

from PySide6 import QtGui, QtWidgets  # isort: skip  (after the facade, which chooses how enums are)

PATIENCE_S = 900.0
ADAPTATION_MINUTES = 0.05
SAID_EVERY = 20


def main() -> None:
    arguments = _arguments()
    with (
        openedModule(1600, 1000) as (facade, driver, panel),
        tempfile.TemporaryDirectory() as folder,
        arguments.out.open("w", encoding="utf-8") as file,
    ):
        soak = Soak(facade, driver, panel, Path(folder))

        def repeated(name: str, count: int, act: Callable[[int], str]) -> None:
            for number in range(count):
                began = time.perf_counter()
                said = act(number)
                row = {"act": name, "number": number, "s": round(time.perf_counter() - began, 2), "said": said}
                line = json.dumps(row | soak.inUse())
                print(line, file=file, flush=True)
                if number % SAID_EVERY == 0:
                    print(line, flush=True)

        soak.open()
        repeated("load", arguments.loads, soak.load)
        repeated("registration", arguments.registrations, soak.register)
        repeated("adaptation", arguments.adaptations, soak.adapt)


class Soak:
    """One use of the panel, again and again."""

    def __init__(self, facade, driver, panel, folder: Path) -> None:
        self._facade, self._driver, self._panel, self._folder = facade, driver, panel, folder
        self._start = None

    def open(self) -> None:
        """Loads the phantom and registers it from its own start."""
        self._driver.click(self._panel.ui.phantomButton)
        self._driver.pump(lambda: self._panel.ctNode is not None, PATIENCE_S)
        self._driver.pump(lambda: self._panel.logic.live.shown > 0, PATIENCE_S)
        self._start = self._panel.scene.ct(self._panel.ctNode)[1]
        self.register(0)
        self._start = self._panel.scene.ct(self._panel.ctNode)[1]

    def register(self, number: int) -> str:
        """Registers near the answer, which is quick; every other result is accepted. Returns the verdict."""
        panel, driver = self._panel, self._driver
        shift_mm = np.eye(4)
        shift_mm[0, 3] = number % 5
        panel.scene.setPose(panel.ctNode, shift_mm @ self._start)
        driver.pump(0.1)
        driver.click(panel.ui.registerButton)
        driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
        driver.pump(0.1)
        said = _words(panel.ui.verdictLabel)
        if number % 2:
            # A busy machine may leave a result uncertain, which is asked about.
            self._facade.dialogs.answerNext(QtWidgets.QMessageBox.Yes)
            driver.click(panel.ui.acceptButton)
        return said

    def adapt(self, _number: int) -> str:
        """Adapts the network for some seconds. Returns how it ended."""
        ended: list[str] = []
        panel = self._panel
        panel.logic.adapt(
            panel.ctNode,
            panel.fluoroscopyNodes,
            panel.anatomy,
            minutes=ADAPTATION_MINUTES,
            onDone=lambda done: ended.append(f"{done['steps']} steps"),
            onError=lambda *error: ended.append(str(error)),
        )
        self._driver.pump(lambda: ended and not panel.logic.isBusy, PATIENCE_S)
        return ended[0]

    def load(self, _number: int) -> str:
        """Saves the scene, closes it and reads it again. Returns the verdict that is there then."""
        scene, panel = self._folder / "scene.mrb", self._panel
        assert self._facade.headless.save(scene)
        self._facade.scene.Clear(False)
        self._driver.pump(0.1)
        assert panel.ctNode is None
        assert self._facade.headless.load(scene)
        shown = panel.logic.live.shown
        self._driver.pump(lambda: panel.ctNode is not None and panel.logic.live.shown > shown, PATIENCE_S)
        return _words(panel.ui.verdictLabel)

    def inUse(self) -> dict[str, Any]:
        """What both processes and the scene hold now."""
        found = {f"panel {name}": value for name, value in _processInUse(os.getpid()).items()}
        workers = [int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]
        found["children"] = len(workers)
        for worker in workers[:1]:
            found |= {f"worker {name}": value for name, value in _processInUse(worker).items()}
        found["nodes"] = self._panel.scene.mrmlScene.GetNumberOfNodes()
        return found


def _words(label) -> str:
    text = QtGui.QTextDocument()
    text.setHtml(label.text)
    return " ".join(text.toPlainText().split())


def _processInUse(pid: int) -> dict[str, float]:
    folder = Path(f"/proc/{pid}")
    pages = int((folder / "statm").read_text(encoding="ascii").split()[1])
    return {
        "MB": round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1),
        "files": len(list((folder / "fd").iterdir())),
        "threads": len(list((folder / "task").iterdir())),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="gets a line of JSON for each act")
    for act, count in {"registrations": 500, "adaptations": 50, "loads": 200}.items():
        parser.add_argument(f"--{act}", type=int, default=count, metavar="N", help=f"how many (default: {count})")
    return parser.parse_args()


if __name__ == "__main__":
    main()
