"""How well the check of labels against their own CT tells labels that were moved from labels that were not.

Labels are moved by a given length in random directions, or grown or shrunk in place. Phantoms of given seeds are
always measured; a CT with its labels as well where they are given.

    python Testing/Measurements/labels_beside_bone.py --seeds 2 3 4
    python Testing/Measurements/labels_beside_bone.py --ct ct.nii.gz --labels labels.nii.gz --values 25,77,78 29 75
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from prostreg.errors import InputError
from prostreg.images.anatomy import anatomy_from_labels
from prostreg.images.label_fit import LabelFit, label_fit
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.volume import Volume
from prostreg.samples.phantom import VERTEBRA_LABELS, make_phantom

SHIFTS_MM = (0.0, 5.0, 10.0, 15.0, 20.0, 45.0)
DIRECTIONS = 4
GROWTH_MM = (-2.0, 2.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="*", default=[2, 3, 4])
    parser.add_argument("--ct", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--values", nargs="*", default=[])
    arguments = parser.parse_args()
    print(
        "| anatomy | change | lowest to highest fit in place / best | refused | doubted | error of the offset, mm | s |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, ct, labels, values in _anatomies(arguments):
        for shift_mm in SHIFTS_MM:
            _print_shift(name, ct, labels, values, shift_mm)
        for growth_mm in GROWTH_MM:
            grown = _grown(anatomy_from_labels(ct, labels, values), ct, growth_mm)
            began = time.perf_counter()
            fit = label_fit(ct, grown)
            _print_row(name, f"grown by {growth_mm:g} mm", [fit], [], time.perf_counter() - began)


def _anatomies(arguments: argparse.Namespace) -> Iterator[tuple[str, Volume, Volume, list[int]]]:
    for seed in arguments.seeds:
        phantom = make_phantom(seed)
        for values in ([*VERTEBRA_LABELS], [VERTEBRA_LABELS[1]]):
            yield f"phantom {seed}, {values}", phantom.ct, phantom.labels, values
    if arguments.ct is not None:
        ct, labels = read_ct(arguments.ct), read_labels(arguments.labels)
        for values in arguments.values:
            yield f"{arguments.ct.name}, {values}", ct, labels, [int(value) for value in values.split(",")]


def _print_shift(name: str, ct: Volume, labels: Volume, values: list[int], shift_mm: float) -> None:
    rng = np.random.default_rng(0)
    fits, errors_mm, seconds = [], [], []
    for direction in rng.normal(size=(DIRECTIONS if shift_mm else 1, 3)):
        shift = shift_mm * direction / np.linalg.norm(direction)
        moved = labels.volume_from_index.copy()
        moved[:3, 3] += shift
        try:
            mask = anatomy_from_labels(ct, Volume(labels.values, moved), values)
        except InputError:
            continue
        began = time.perf_counter()
        fits.append(label_fit(ct, mask))
        seconds.append(time.perf_counter() - began)
        errors_mm.append(float(np.linalg.norm(fits[-1].offset_mm + shift)))
    _print_row(name, f"moved by {shift_mm:g} mm", fits, errors_mm, float(np.median(seconds)))


def _print_row(name: str, change: str, fits: list[LabelFit], errors_mm: list[float], seconds: float) -> None:
    shares = [fit.here / fit.best for fit in fits]
    refused = sum(fit.is_elsewhere for fit in fits)
    doubted = sum(fit.doubt() is not None for fit in fits)
    errors = f"{np.median(errors_mm):.1f}" if errors_mm else ""
    print(
        f"| {name} | {change} | {min(shares):.2f} to {max(shares):.2f} | {refused} of {len(fits)} |"
        f" {doubted} of {len(fits)} | {errors} | {seconds:.2f} |",
        flush=True,
    )


def _grown(mask: NDArray[np.bool_], ct: Volume, growth_mm: float) -> NDArray[np.bool_]:
    spacing = ct.spacing_mm[::-1]
    outside, inside = distance_transform_edt(~mask, sampling=spacing), distance_transform_edt(mask, sampling=spacing)
    return np.asarray(outside <= growth_mm if growth_mm > 0 else inside > -growth_mm)


if __name__ == "__main__":
    main()
