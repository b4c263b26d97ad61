"""A case told on the command line: the CT, its X-rays, and what these do not tell themselves."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from prostreg.errors import FaultList, InputError
from prostreg.files import complete_file
from prostreg.geometry.camera_files.reading import read_calibration
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_accuracy import CALIBRATED, GUESSED
from prostreg.geometry.carm_devices import PRESETS
from prostreg.geometry.carm_values import carm_to_values
from prostreg.geometry.distortion import Distortion
from prostreg.images.anatomy import contained_values
from prostreg.images.frames import Frames
from prostreg.images.reading import read_labels
from prostreg.images.xray_reading import read_xray_image
from prostreg.outputs.result_file import plain
from prostreg.outputs.transform_file import read_pose
from prostreg.registration.case import Case
from prostreg.registration.case_file import case_of

_WORDS_BESIDE = (
    "frame", "labels", "values", "bones", "keep_joints", "sdd", "pixel_mm", "preset", "camera",
    "rough_relation", "polarity", "flip", "initial", "name",
)  # fmt: skip


def is_told(arguments: argparse.Namespace) -> bool:
    """True where the command line describes a case of its own."""
    return any(getattr(arguments, word) not in (None, []) for word in ("ct", "xray"))


def words_beside(arguments: argparse.Namespace) -> list[str]:
    """The words of a case that are given and count only where the command line describes one."""
    given = [word for word in _WORDS_BESIDE if getattr(arguments, word) not in (None, [])]
    return ["--bone" if word == "bones" else f"--{word.replace('_', '-')}" for word in given]


def told_content(arguments: argparse.Namespace) -> dict[str, Any]:
    """The content of the case file that the command line describes; `told_case` judges the files that it names.

    Raises:
        InputError: lists all that is missing, and all that is wrong with C-arms and start.
    """
    faults = FaultList()
    if arguments.ct is None:
        faults.add("The CT is missing: give --ct FILE, or the folder of its DICOM slices.")
    if not arguments.xray:
        faults.add("The X-ray is missing: give --xray FILE, or the folder of a run.")
    named = [path for path in (arguments.ct, *arguments.xray, arguments.labels) if path is not None]
    faults.extend(f"{path} does not exist: check the path." for path in named if not path.exists())
    faults.extend(
        f"{word} holds half of a character, which no case file can: rename it in UTF-8."
        for word in (arguments.name, *map(_found, named))
        if word is not None and not _is_text(word)
    )
    if arguments.values and arguments.bones:
        faults.add("--values and --bone exclude each other: give --values for one bone, --bone for several that move.")
    elif arguments.bones and arguments.labels is None:
        faults.add("--bone needs --labels FILE: the label map that has the bones' values.")
    elif not arguments.bones and (arguments.labels is None) != (not arguments.values):
        together = "--labels and --values belong together: the label map, and the values of the bone in it."
        faults.add(together + _values_to_choose(arguments.labels))
    if arguments.keep_joints and len(arguments.bones) < 2:
        faults.add("--keep-joints is about bones that share a joint: give two or more with --bone NAME=VALUES.")
    if arguments.rough_relation and len(arguments.xray) < 2:
        faults.add("--rough-relation is about several views: give two or more with --xray FILE FILE.")
    if len(arguments.frame) not in (0, 1, len(arguments.xray)):
        faults.add(
            f"There are {len(arguments.xray)} X-rays and {len(arguments.frame)} frames: give one --frame, or one"
            " for each --xray, in the same order."
        )
    cameras = [] if faults else faults.collect(lambda: _cameras(arguments))
    start = None if arguments.initial is None else faults.collect(lambda: read_pose(arguments.initial))
    faults.raise_if_any()
    content: dict[str, Any] = {
        "name": arguments.name or _name_of(arguments.xray[0]),
        "ct": _found(arguments.ct),
        "views": [_view(arguments, *v) for v in zip(arguments.xray, cameras or [], _frames(arguments), strict=True)],
    }
    if arguments.labels is not None:
        bones = [{"name": name, "values": values} for name, values in arguments.bones]
        chosen: dict[str, Any] = {"bones": bones} if bones else {"values": arguments.values}
        if arguments.keep_joints:
            chosen["keep_joints"] = True
        content["anatomy"] = {"labels": _found(arguments.labels), **chosen}
    if arguments.rough_relation:
        content["relation"] = {}
    if start is not None:
        content["initial"] = {"world_from_volume": start.tolist()}
    return content


def write_case(content: dict[str, Any], path: Path) -> None:
    """Writes a case file, whole or not at all."""
    with complete_file(path) as unfinished:
        text = json.dumps(plain(content), indent=1, ensure_ascii=False)
        unfinished.write_text(text + "\n", encoding="utf-8")


def told_case(content: dict[str, Any]) -> Case:
    """The case of a `told_content`, with every file that it names.

    Raises:
        InputError: lists every fault, in the command line's words.
    """
    try:
        return case_of(content, Path())
    except InputError as error:
        ways = "--sdd MM with --pixel-mm MM, --preset NAME, or --camera FILE"
        raise InputError(
            [f"{fault} Here that is {ways}." if 'no "camera"' in fault else fault for fault in error.faults]
        ) from error


def _values_to_choose(labels: Path | None) -> str:
    """The end of a sentence on values that nobody gave: those that there are, where the labels can be read."""
    try:
        return "" if labels is None else f" {contained_values(read_labels(labels))}."
    except InputError:
        return ""


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name_of(xray: Path) -> str:
    """The name of a file or folder; that of a folder which is told as "." too."""
    return xray.resolve().name if xray.is_dir() else xray.stem


def _found(path: Path) -> str:
    return str(path.resolve())


def _frames(arguments: argparse.Namespace) -> list[Frames | None]:
    """The frames of each X-ray; None where nobody has said."""
    count = len(arguments.xray)
    given: list[Frames | None] = [*arguments.frame] or [None]
    return given * count if len(given) == 1 else given


def _view(
    arguments: argparse.Namespace, xray: Path, camera: dict[str, Any] | None, frames: Frames | None
) -> dict[str, Any]:
    frame = None if frames is None else frames.value
    told = {"frame": frame, "camera": camera, "flip": arguments.flip, "polarity": arguments.polarity}
    return {"image": _found(xray), **{key: value for key, value in told.items() if value is not None}}


def _cameras(arguments: argparse.Namespace) -> list[dict[str, Any] | None]:
    """The camera of each X-ray as a case file has it; None where its own tags are to tell it."""
    ways = [arguments.camera, arguments.preset, arguments.sdd or arguments.pixel_mm]
    if sum(bool(way) for way in ways) > 1:
        raise InputError("--camera, --preset and --sdd with --pixel-mm each tell the C-arm: give one of the three.")
    if arguments.camera:
        if len(arguments.camera) != len(arguments.xray):
            raise InputError(
                f"There are {len(arguments.xray)} X-rays and {len(arguments.camera)} cameras: give one --camera FILE"
                " for each --xray, in the same order."
            )
        makers = [partial(_carm_in_file, path) for path in arguments.camera]
    else:
        made = _carm_maker(arguments)
        if made is None:
            return [None] * len(arguments.xray)
        makers = [partial(_carm_of_size, made)] * len(arguments.xray)
    faults = FaultList()
    sizes = [partial(_size, *pair) for pair in zip(arguments.xray, _frames(arguments), strict=True)]
    carms = [faults.collect(partial(maker, size)) for maker, size in zip(makers, sizes, strict=True)]
    faults.raise_if_any()
    return [None if found is None else _camera(*found) for found in carms]


def _camera(carm: CArm, distortion: Distortion | None) -> dict[str, Any]:
    """The "camera" of a case file."""
    bent = {} if distortion is None else {"distortion": distortion.coefficients}
    return carm_to_values(carm) | bent


def _size(xray: Path, frames: Frames | None) -> tuple[int, int]:
    height, width = read_xray_image(xray, frames).pixels.shape
    return width, height


def _carm_in_file(path: Path, size: Callable[[], tuple[int, int]]) -> tuple[CArm, Distortion | None]:
    return read_calibration(path, image_size=size)


def _carm_of_size(
    made: Callable[[tuple[int, int]], CArm], size: Callable[[], tuple[int, int]]
) -> tuple[CArm, Distortion | None]:
    return made(size()), None


def _carm_maker(arguments: argparse.Namespace) -> Callable[[tuple[int, int]], CArm] | None:
    """A function from an image's size (width, height) to its C-arm; None where nothing is told."""
    if arguments.preset:
        facts = PRESETS[_preset(arguments.preset)]
        return lambda size: CArm.from_sdd(facts.sdd_mm, (facts.pitch_mm(size),) * 2, size, accuracy=GUESSED)
    if arguments.sdd is None and arguments.pixel_mm is None:
        return None
    if arguments.sdd is None or arguments.pixel_mm is None:
        lacking = "--sdd MM, the distance from source to detector" if arguments.sdd is None else "--pixel-mm MM"
        raise InputError(f"--sdd and --pixel-mm belong together, and one is missing: give {lacking}.")
    if len(arguments.pixel_mm) > 2:
        raise InputError(
            f"--pixel-mm has {len(arguments.pixel_mm)} numbers: give one, or two, along columns and along rows."
        )
    pitch_mm = np.broadcast_to(arguments.pixel_mm, 2)
    return lambda size: CArm.from_sdd(
        arguments.sdd, (float(pitch_mm[0]), float(pitch_mm[1])), size, accuracy=CALIBRATED
    )


def _preset(words: str) -> str:
    """The one preset whose name holds the words."""
    matching = [name for name in PRESETS if words.lower() in name.lower()]
    if len(matching) == 1 or words in matching:
        return words if words in matching else matching[0]
    if matching:
        raise InputError(f'--preset "{words}" may be {_quoted(matching, " or ")}: give more of the name.')
    raise InputError(f'There is no --preset "{words}": give a part of {_quoted(PRESETS, ", ")}.')


def _quoted(names: Iterable[str], between: str) -> str:
    """Names that have commas in them."""
    return between.join(f'"{name}"' for name in names)
