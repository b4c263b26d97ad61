"""Everything that ``prostreg calibrate`` is told, read and judged before anything is fitted."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prostreg.calibration.bead_list import BeadList, mark_faults, read_beads
from prostreg.cli.outcome import ANOTHER_OUT
from prostreg.errors import FaultList
from prostreg.files import output_folder_faults, replaced_inputs
from prostreg.geometry.carm import CArm
from prostreg.images.xray_reading import XRayImage, read_xray_image


@dataclass(frozen=True, eq=False)
class Shot:
    """One image of a phantom.

    Attributes:
        path: of the list of its beads, which names it.
        beads: of the phantom, with their marks in this image.
        image: None where the marks are all that is told of it.
        picture: path of the picture of it that will be written; None without an image.
    """

    path: Path
    beads: BeadList
    image: XRayImage | None = None
    picture: Path | None = None


@dataclass(frozen=True, eq=False)
class Inputs:
    """The images of one C-arm.

    Attributes:
        rough: the C-arm to begin with.
        is_flipped: the images are stored as seen from the detector.
    """

    shots: tuple[Shot, ...]
    rough: CArm
    is_flipped: bool


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Everything that was told.

    Raises:
        InputError: lists all its faults.
    """
    faults = FaultList()
    pictures = _pictures(arguments.out, len(arguments.image))
    faults.extend(_place_faults(arguments, [arguments.out, *pictures]))
    has_images = bool(arguments.image)
    lists = [faults.collect(partial(read_beads, path, has_images)) for path in arguments.beads]
    images = [faults.collect(partial(read_xray_image, path)) for path in arguments.image]
    size = _size(arguments, images, faults)
    pitch_mm = (arguments.pixel_mm, arguments.pixel_mm)
    rough = None if size is None else faults.collect(lambda: CArm.from_sdd(arguments.sdd, pitch_mm, size))
    for path, beads in zip(arguments.beads, lists, strict=True):
        if beads is not None and rough is not None:
            before = f"{path}: " if len(lists) > 1 else ""
            faults.extend(before + fault for fault in mark_faults(beads, rough.size))
    faults.extend(_same_image_faults(arguments, lists, images))
    is_flipped = _is_flipped(arguments, images, faults)
    faults.raise_if_any()
    if rough is None:
        raise AssertionError("a C-arm that cannot be made is a fault")
    read = [beads for beads in lists if beads is not None]
    pairs = zip(images, pictures, strict=True) if has_images else [(None, None)] * len(read)
    shots = [Shot(path, beads, *pair) for path, beads, pair in zip(arguments.beads, read, pairs, strict=True)]
    return Inputs(tuple(shots), rough, is_flipped)


def _pictures(out: Path, count: int) -> list[Path]:
    """The path of each image's picture, beside the camera file."""
    if count == 1:
        return [out.with_suffix(".png")]
    return [out.with_name(f"{out.stem}_{number}.png") for number in range(1, count + 1)]


def _place_faults(arguments: argparse.Namespace, written: Sequence[Path]) -> list[str]:
    """Sentences on what cannot be written, and on images that belong to no list."""
    faults = [*output_folder_faults(arguments.out.parent, ANOTHER_OUT)]
    if arguments.out.suffix.lower() != ".json":
        faults.append(f"The camera file {arguments.out} must end in .json, or it is not read again as one.")
    faults += [f"{path} is a folder. {ANOTHER_OUT}" for path in written if path.is_dir()]
    faults += replaced_inputs(written, (*arguments.beads, *arguments.image), ANOTHER_OUT)
    if len(arguments.image) not in (0, len(arguments.beads)):
        faults.append(
            f"There are {len(arguments.beads)} lists of beads and {len(arguments.image)} images: give one list for each"
            " image, in the same order, with the marks of that image."
        )
    return faults


def _size(
    arguments: argparse.Namespace, images: Sequence[XRayImage | None], faults: FaultList
) -> tuple[int, int] | None:
    """The images' size (width, height); None where it is not known."""
    size = None if arguments.size is None else (int(arguments.size[0]), int(arguments.size[1]))
    if not arguments.image and size is None:
        faults.add("The size of the image is not told: give --size WIDTH HEIGHT, or the image itself with --image.")
    of = "--size: leave --size away"
    for path, image in zip(arguments.image, images, strict=True):
        if image is None:
            continue
        shown = image.pixels.shape[1], image.pixels.shape[0]
        if size not in (None, shown):
            faults.add(f"{path} has {shown[0]} x {shown[1]} pixels, not those of {of}.")
        if size is None:
            of = f"{path}: give images of one C-arm in one mode"
        size = shown if size is None else size
    return size


def _same_image_faults(
    arguments: argparse.Namespace, lists: Sequence[BeadList | None], images: Sequence[XRayImage | None]
) -> list[str]:
    """Sentences on images, or lists without images, that are there twice: they would make a camera look well known."""
    seen: list[NDArray[np.floating] | None] = [None if image is None else image.pixels for image in images]
    if not arguments.image:
        seen = [None if beads is None else beads.marks_px for beads in lists]
    contents = zip(arguments.image or arguments.beads, seen, strict=True)
    return [
        f"{one} and {other} are the same image: give each image once."
        for (one, content), (other, same) in combinations(contents, 2)
        if content is not None and same is not None and np.array_equal(content, same)
    ]


def _is_flipped(arguments: argparse.Namespace, images: Sequence[XRayImage | None], faults: FaultList) -> bool:
    """True for images that are stored as seen from the detector, as is told or by their tags."""
    by_tags = {image.side is not None and image.side.is_from_detector for image in images if image is not None}
    if arguments.flip is None and len(by_tags) > 1:
        faults.add(
            "By their tags some images are stored as seen from the detector, others from the source, and so they share"
            " no principal point: give images of one kind, or overrule the tags by --flip or --no-flip."
        )
    return any(by_tags) if arguments.flip is None else bool(arguments.flip)
