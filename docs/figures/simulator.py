"""Draws what the X-ray simulator does, effect by effect and preset by preset, on the sample CT.

python docs/figures/simulator.py      (part of `make figures`; downloads the sample CT once, 35 MB)
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from prostreg.geometry.carm import CArm
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.volume import Volume
from prostreg.samples.demo_case import ap_pose, structure_landmarks_mm, without_contrast_agent
from prostreg.samples.sample_ct import fetch_sample_ct
from prostreg.simulation.fluoroscopy import FluoroscopySimulator, SimulatedXray
from prostreg.simulation.presets import PRESETS, preset
from prostreg.simulation.settings import SimulatorSettings

FOLDER = Path(__file__).resolve().parent
PIXELS, LABEL_HEIGHT, GAP = 256, 20, 4
CARM = CArm.from_sdd(1020.0, (298.0 / PIXELS,) * 2, (PIXELS, PIXELS))
VIEWS_DEG = (0, -35, -90, 30)
PRESET_IMAGES = 6

BASE = SimulatorSettings(log_share=1.0, inverted_share=1.0, clipped_share=(0.02, 0.02))
EFFECTS: dict[str, tuple[dict[str, object], int]] = {
    "spectrum alone": ({}, 0),
    "linear output": ({"log_share": 0.0}, 0),
    "bone bright": ({"inverted_share": 0.0}, 0),
    "600 photons/mm2": ({"photons_per_mm2": (600, 600)}, 0),
    "scatter 45 %": ({"scatter_fraction": (0.45, 0.45), "scatter_evenness": (0.3, 0.3)}, 0),
    "focal spot, detector blur": ({"focal_spot_mm": (1.5, 1.5), "detector_blur_mm": (0.6, 0.6)}, 0),
    "heel, vignetting": ({"heel": (0.6, 0.6), "vignetting": (0.4, 0.4)}, 0),
    "8 bits, local contrast": ({"eight_bit_share": 1.0, "local_contrast": (0.8, 0.8), "gamma": (1.2, 1.2)}, 0),
    "collimator, round": ({"collimation_share": 1.0, "collimator_opening": (0.8, 0.8)}, 5),
    "collimator, rectangular": ({"collimation_share": 1.0, "collimator_opening": (0.6, 0.9)}, 1),
    "instruments": ({"instruments": (4, 4)}, 2),
    "instruments, others": ({"instruments": (4, 4)}, 7),
    "table edge": ({"table_share": 1.0}, 1),
    "drape": ({"drape_share": 1.0, "drape_mm": (12, 12)}, 0),
    "soft tissue moved by 15 mm": ({"soft_tissue_shift_mm": (15, 15)}, 0),
    "all of it (hard)": ({}, 3),
}


def sample_body() -> tuple[Volume, NDArray[np.float64]]:
    """The sample CT without its contrast agent, 1.4 x 1.4 x 2.5 mm, and the middle of its spine (RAS mm)."""
    sample = fetch_sample_ct()
    ct = read_ct(sample.ct)
    labels = read_labels(sample.labels)
    spine = structure_landmarks_mm(labels, sample.spine_labels).mean(axis=0)
    body = without_contrast_agent(ct, labels)
    halved = sitk.GetArrayFromImage(sitk.BinShrink(sitk.GetImageFromArray(body.values), (2, 2, 1)))
    matrix = body.volume_from_index @ np.array([[2, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    return Volume(halved, matrix), spine


def pose(centre_mm: NDArray[np.float64], oblique_deg: float) -> NDArray[np.float64]:
    turn = rotation_from_vector([0.05, np.deg2rad(oblique_deg), 0.03])
    return ap_pose(centre_mm, turn)


def picture(xray: SimulatedXray) -> Image.Image:
    """8-bit images as they are, others windowed and with a bent scale, so that a page shows what is in them."""
    pixels = xray.pixels.astype(float)
    if xray.pixels.dtype == np.uint16 and xray.polarity == "bone-dark":
        pixels = np.sqrt(pixels)
    low, high = (0.0, 255.0) if xray.pixels.dtype == np.uint8 else np.percentile(pixels, [0.5, 97])
    return Image.fromarray(np.clip((pixels - low) / (high - low) * 255, 0, 255).astype(np.uint8))


def draw_sheet(path: Path, panels: list[tuple[str, Image.Image]], columns: int) -> None:
    """Writes labelled pictures, row by row, as a grey PNG."""
    rows = -(-len(panels) // columns)
    width, height = PIXELS + GAP, PIXELS + LABEL_HEIGHT + GAP
    sheet = Image.new("L", (columns * width - GAP, rows * height - GAP), 255)
    draw = ImageDraw.Draw(sheet)
    for number, (label, image) in enumerate(panels):
        corner = (number % columns * width, number // columns * height)
        draw.text((corner[0] + 2, corner[1] + 3), label, fill=0, font=ImageFont.load_default(13))
        sheet.paste(image, (corner[0], corner[1] + LABEL_HEIGHT))
    sheet.quantize(112).save(path, optimize=True)
    print(f"wrote {path.name}")


def main() -> None:
    """Writes both sheets."""
    ct, centre = sample_body()
    effects = []
    for label, (changes, seed) in EFFECTS.items():
        settings = preset("hard") if label.startswith("all of it") else replace(BASE, **changes)
        effects.append((label, picture(FluoroscopySimulator(ct, settings).image(CARM, pose(centre, -20), seed))))
    draw_sheet(FOLDER / "simulator-effects.png", effects, 4)
    shown = []
    for name in PRESETS:
        simulator = FluoroscopySimulator(ct, preset(name))
        for number in range(PRESET_IMAGES):
            view = VIEWS_DEG[number % len(VIEWS_DEG)]
            xray = simulator.image(CARM, pose(centre, view), number)
            shown.append((f"{name}, {view} degrees, {xray.polarity}", picture(xray)))
    draw_sheet(FOLDER / "simulator-presets.png", shown, PRESET_IMAGES)


if __name__ == "__main__":
    main()
