"""How often the signs of an image alone tell its polarity, on simulated X-rays, by kind of display.

.venv/bin/python Testing/Measurements/polarity_signs.py --protocol prost-pelvis-hard --cases DATA --number 40 --seed 1
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from prostreg.evaluation.protocol import read_protocol
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.evaluation.sources.simulated_cases import SIMULATOR, TRUTH
from prostreg.images.polarity import decided_polarity
from prostreg.images.radiation_field import find_radiation_field


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protocol", default="prost-pelvis-hard")
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--number", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    source = make_case_source(read_protocol(given.protocol).with_changes(seed=given.seed), given.cases)
    right: dict[str, list[bool]] = defaultdict(list)
    for number in range(given.number):
        truth = source._scene.true_pose(source._centre_mm, source._rng(number, TRUTH))
        seed = int(source._rng(number, SIMULATOR).integers(2**31))
        image = source._simulator.image(source._carms[0], truth, seed)
        everywhere = np.ones(image.pixels.shape, dtype=bool)
        field = find_radiation_field(image.pixels.astype(np.float32), everywhere)
        is_right = decided_polarity(image.pixels.astype(np.float32), field, everywhere) == image.polarity
        blocked = {None: "no frame", True: "dark frame", False: "bright frame"}[field.blocked_is_dark]
        right[f"{image.polarity}, {image.pixels.dtype}, {blocked}"].append(is_right)
        right["all"].append(is_right)
    for kind, outcomes in sorted(right.items()):
        print(f"{kind:40} {sum(outcomes)} of {len(outcomes)}", flush=True)


if __name__ == "__main__":
    main()
