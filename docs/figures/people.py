"""Draws twelve people who are drawn for training beside a real CT: two slices and a simulated X-ray of each.

python docs/figures/people.py --data DATA [--real CT]

DATA has the wheel musculoskeletal_models-0.2.4 (docs/method.md), and CT is a pelvis. It comes first, and
nothing but its picture is used.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import transform_points
from prostreg.geometry.standard_views import standard_view
from prostreg.images.anatomy import anatomy_by_threshold
from prostreg.images.reading import read_ct
from prostreg.images.volume import Volume
from prostreg.people.atlas import read_atlas
from prostreg.people.person import PELVIS, Person
from prostreg.people.population import Population
from prostreg.simulation.fluoroscopy import FluoroscopySimulator
from prostreg.simulation.settings import SimulatorSettings
from prostreg.training.config_files import CONFIGS_FOLDER

FOLDER = Path(__file__).resolve().parent
PEOPLE, COLUMNS, TILE, GAP = 12, 7, 150, 4
WINDOW_HU = (-250.0, 750.0)
SEED = 40
"""Not that of a training."""
CARM = CArm.from_sdd(1020.0, (300.0 / TILE,) * 2, (TILE, TILE))
SETTINGS = SimulatorSettings(
    log_share=1.0, clipped_share=(0.02, 0.02), photons_per_mm2=(2e4, 2e4), scatter_fraction=(0.2, 0.2)
)


def slice_tile(ct: Volume, centre_mm: NDArray[np.float64], axis: int) -> Image.Image:
    """A slice of 330 mm through a point: 2 axial, 1 coronal."""
    low, high = WINDOW_HU
    offsets = np.linspace(-165.0, 165.0, TILE)
    across, along = np.meshgrid(-offsets, offsets if axis == 2 else -offsets)
    points = np.broadcast_to(centre_mm, (TILE, TILE, 3)).copy()
    points[..., 0] += across
    points[..., 1 if axis == 2 else 2] += -along if axis == 2 else along
    index = np.rint(transform_points(np.linalg.inv(ct.volume_from_index), points)).astype(int)
    is_inside = ((index >= 0) & (index < ct.size)).all(axis=-1)
    i, j, k = np.where(is_inside[..., None], index, 0).transpose(2, 0, 1)
    hu = np.where(is_inside, ct.values[k, j, i], -1000.0)
    return Image.fromarray((255 * np.clip((hu - low) / (high - low), 0, 1)).astype(np.uint8))


def column(ct: Volume, centre_mm: NDArray[np.float64], title: str) -> Image.Image:
    """An axial and a coronal slice, and an X-ray."""
    pose = standard_view("AP", centre_mm, 1020.0 * 0.62)
    pixels = FluoroscopySimulator(ct, SETTINGS).image(CARM, pose, SEED).pixels.astype(np.float64)
    xray = Image.fromarray((255 * pixels / pixels.max()).astype(np.uint8))
    tiles = [slice_tile(ct, centre_mm - (0, 0, 40), 2), slice_tile(ct, centre_mm, 1), xray]
    sheet = Image.new("L", (TILE, 3 * TILE + 2 * GAP + 14), 0)
    for row, tile in enumerate(tiles):
        sheet.paste(tile, (0, 14 + row * (TILE + GAP)))
    ImageDraw.Draw(sheet).text((3, 1), title, fill=255)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--real", type=Path)
    arguments = parser.parse_args()
    listed = json.loads((CONFIGS_FOLDER / "prost-light-population-patients.json").read_text(encoding="utf-8"))[
        "patients"
    ]
    entry = next(entry for entry in listed if "people" in entry)
    population = Population(read_atlas(arguments.data / entry["ct"]), entry["people"]["of"])
    columns = []
    if arguments.real is not None:
        ct = read_ct(arguments.real)
        bone = np.argwhere(anatomy_by_threshold(ct))[:, ::-1]
        columns.append(column(ct, transform_points(ct.volume_from_index, bone).mean(axis=0), "a real CT"))
    for number in range(PEOPLE):
        rng = np.random.default_rng([SEED, number])
        ct, labels = Person.drawn(population.drawn(rng), rng).scanned(0)
        pelvis = np.argwhere(np.isin(labels.values, PELVIS))[:, ::-1]
        columns.append(column(ct, transform_points(ct.volume_from_index, pelvis).mean(axis=0), f"drawn {number + 1}"))
    rows = -(-len(columns) // COLUMNS)
    width, height = columns[0].size
    sheet = Image.new("L", (COLUMNS * (width + GAP), rows * (height + GAP)), 40)
    for number, tile in enumerate(columns):
        sheet.paste(tile, (number % COLUMNS * (width + GAP), number // COLUMNS * (height + GAP)))
    sheet.save(FOLDER / "people.png", optimize=True)


if __name__ == "__main__":
    main()
