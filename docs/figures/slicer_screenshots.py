"""Makes the pictures of the module: python docs/figures/slicer_screenshots.py FOLDER.

The panel in real Qt, the views drawn by VTK from real MRML, outside of the Slicer application: window frames and fonts
differ from Slicer's, what is in the views does not. The spine sample is downloaded once.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "ProSTRegistration"), str(ROOT / "Testing")]
warnings.simplefilter("ignore")

from PIL import Image

from ProSTRegistrationLib.Views.CheckLayout import CARM_VIEW, FLUOROSCOPY_VIEW, viewNode
from SlicerFacade.Opening import openedModule

PATIENCE_S = 600.0
WINDOW = (1560, 1000)
VIEW_PIXELS = 420
GAP = 8


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with openedModule(*WINDOW) as (facade, driver, panel):
        driver.click(panel.ui.sampleButton)
        driver.pump(lambda: panel.ctNode is not None and panel.logic.live.shown >= 2, PATIENCE_S)
        driver.pump(1.0)
        _saveWindow(facade, driver, folder / "slicer-start.png")
        # A busy machine takes longer to the same result.
        panel.parameters.timeLimitS = PATIENCE_S
        driver.click(panel.ui.registerButton)
        driver.pump(lambda: not panel.logic.isBusy, PATIENCE_S)
        driver.pump(1.0)
        for section in (panel.ui.imagesSection, panel.ui.carmSection, panel.ui.startSection):
            section.collapsed = True
        driver.pump(0.2)
        _saveWindow(facade, driver, folder / "slicer-check.png")
        _saveOverlays(facade, driver, panel, folder / "slicer-overlays.png")
        panel.ui.sourceViewButton.checked = True
        driver.pump(0.5)
        view = viewNode(facade.scene, CARM_VIEW)
        _save(Image.fromarray(facade.views.grab(view, 640, 640)), folder / "slicer-source.png")


def _saveWindow(facade, driver, path: Path) -> None:
    # The first time tells the views their size; then the images are fitted into them.
    facade.refreshViews()
    driver.pump(0.3)
    facade.refreshViews()
    with tempfile.TemporaryDirectory() as scratch:
        grabbed = Path(scratch) / "window.png"
        driver.grab(path=grabbed)
        with Image.open(grabbed) as image:
            _save(image.convert("RGB"), path)


def _saveOverlays(facade, driver, panel, path: Path) -> None:
    """All kinds side by side, in the order of their keys."""
    pictures, kinds = [], type(panel.parameters.overlayKind)
    facade.views.grab(viewNode(facade.scene, FLUOROSCOPY_VIEW), VIEW_PIXELS, VIEW_PIXELS)
    for choice in kinds:
        panel.parameters.overlayKind = choice
        driver.pump(0.3)
        pictures.append(facade.views.grab(viewNode(facade.scene, FLUOROSCOPY_VIEW), VIEW_PIXELS, VIEW_PIXELS))
        if choice is kinds.FLICKER:
            driver.pump(0.5)
            pictures.append(facade.views.grab(viewNode(facade.scene, FLUOROSCOPY_VIEW), VIEW_PIXELS, VIEW_PIXELS))
    columns, pitch = 3, VIEW_PIXELS + GAP
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * pitch - GAP, rows * pitch - GAP), "white")
    for number, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture), (number % columns * pitch, number // columns * pitch))
    panel.parameters.overlayKind = kinds.BLEND
    _save(sheet, path)


def _save(image: Image.Image, path: Path) -> None:
    image.save(path, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    main(parser.parse_args().folder)
