"""The words of ``prostreg calibrate``. Imports nothing heavy."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_calibrate(parser: argparse.ArgumentParser) -> None:
    """Adds the words to the command's parser."""
    parser.add_argument(
        "beads",
        type=Path,
        nargs="+",
        metavar="BEADS",
        help="CSV: name, x, y, z in mm, u, v in pixels as stored; one line for each bead. With --image, u and v of 6"
        " beads are enough, to a few pixels. Several lists are of several images of one C-arm, each with its marks",
    )
    parser.add_argument(
        "--image",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="X-ray of the phantom, in which the beads are found; one for each list. Else as marked",
    )
    parser.add_argument("--size", type=int, nargs=2, metavar="PX", help="width and height, where there is no --image")
    parser.add_argument("--sdd", type=float, required=True, metavar="MM", help="rough distance from source to detector")
    parser.add_argument("--pixel-mm", type=float, required=True, metavar="MM", help="pixel on the detector")
    parser.add_argument("--distortion", action="store_true", help="estimate k1 and k2 as well")
    parser.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        help="the image is stored as seen from the detector, left and right exchanged (default: by its tags)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="camera file to write, .json; with --image a picture .png beside it for each",
    )
