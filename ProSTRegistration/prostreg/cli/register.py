"""``prostreg register``: registers cases and writes a folder for each."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from prostreg.cli.case_words import is_told, told_case, told_content, words_beside, write_case
from prostreg.cli.console import progress_display, say, say_notes
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.interruption import stop_requests
from prostreg.cli.outcome import ANOTHER_OUT, Outcome
from prostreg.errors import FaultList, InputError, NotWritten
from prostreg.files import output_folder_faults, replaced_inputs
from prostreg.geometry.camera_files.reading import CASE_FILE
from prostreg.geometry.frames import Matrix
from prostreg.outputs.bones_outputs import bones_folder_faults, bones_to_dict, write_bones_outputs
from prostreg.outputs.case_outputs import write_case_outputs
from prostreg.outputs.result_file import files_of_result, result_folder_faults, result_to_dict
from prostreg.registration.bones.found import BonesResult
from prostreg.registration.bones.registering_bones import refuse_starts_behind_source, register_bones
from prostreg.registration.case import Case
from prostreg.registration.case_file import read_case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register
from prostreg.registration.result import Result
from prostreg.registration.start import start_pose
from prostreg.registration.weights_choice import model_to_ask
from prostreg.search.libraries import begin_to_load
from prostreg.spoken_numbers import percent, tenths

ReadCase = Callable[[Path], Case]

MEMORY_FOR_CASES = 2 << 30
"""Bytes of voxels kept from checking the cases to registering them; the rest is read again."""


def run(arguments: argparse.Namespace) -> Outcome:
    """Checks everything first, then registers case by case those that can be run, and lists the others."""
    faults, of_cases = FaultList(), FaultList()
    faults.extend(output_folder_faults(arguments.out, ANOTHER_OUT))
    config = faults.collect(lambda: _configuration(arguments))
    told = faults.collect(lambda: _told_content(arguments)) if is_told(arguments) or not arguments.cases else None
    faults.extend(_words_that_do_not_count(arguments))
    read: ReadCase = read_case
    paths = list(arguments.cases)
    if told is not None:
        read, paths = lambda _: told_case(told), [arguments.out / str(told["name"]) / CASE_FILE]
    if config is not None and (told is not None or all(path.exists() for path in paths)):
        begin_to_load()
    usable = _check_cases(paths, read, arguments.out, config, of_cases)
    if faults or not usable:
        faults.extend(of_cases.faults)
        faults.raise_if_any()
    if config is None:
        raise AssertionError("settings that cannot be used are a fault")
    _list_what_cannot_be_run(of_cases)
    if told is not None:
        write_case(told, paths[0])
    results: list[Result | BonesResult] = []
    with stop_requests() as is_cancelled:
        for number, path in enumerate(list(usable), start=1):
            case = usable.pop(path) or read(path)
            say(f"Registering {case.name} ({number} of {number + len(usable)})")
            register_one = register_bones_and_write if case.bones else register_and_write
            results.append(register_one(case, config, arguments.out / case.name, is_cancelled))
            if is_cancelled():
                break
    report: dict[str, Any] = {"results": [_to_dict(result) for result in results], "out": str(arguments.out)}
    if not of_cases:
        return Outcome(exit_code_of(results), report)
    _list_what_cannot_be_run(of_cases)
    error = {"kind": ExitCode.BAD_INPUT.name.lower(), "faults": of_cases.faults}
    return Outcome(ExitCode.BAD_INPUT, {**report, "error": error})


def _told_content(arguments: argparse.Namespace) -> dict[str, Any]:
    """The content of the case that the command line describes.

    Raises:
        InputError: as `told_content`; or no case at all is given, or one beside others.
    """
    if not is_told(arguments):
        raise InputError("There is nothing to register: give CASE, or --ct and --xray.")
    if arguments.cases:
        raise InputError("CASE and --ct with --xray exclude each other: register them one after the other.")
    return told_content(arguments)


def _words_that_do_not_count(arguments: argparse.Namespace) -> list[str]:
    words = words_beside(arguments)
    if not arguments.cases or is_told(arguments) or not words:
        return []
    return [
        f"{', '.join(words)} would change nothing: CASE tells it. Change the case file, or give --ct and --xray in its"
        " place."
    ]


def _list_what_cannot_be_run(faults: FaultList) -> None:
    if faults:
        say("Not every case can be run:")
        for fault in faults.faults:
            say(f"- {fault}")


def register_and_write(
    case: Case, config: RegistrationConfig, folder: Path, is_cancelled: Callable[[], bool]
) -> Result:
    """Registers one case with a progress display, says how it went, and writes its outputs."""
    with progress_display() as display:
        result = register(case, config, display.show, is_cancelled)
    _say_result(result)
    if len(case.views) > 1:
        say(f"  Drawing {len(case.views)} views")
    poses = {"": result.world_from_volume}
    write_somewhere(case.name, folder, lambda place: write_case_outputs(place, case, result), poses)
    return result


def register_bones_and_write(
    case: Case, config: RegistrationConfig, folder: Path, is_cancelled: Callable[[], bool]
) -> BonesResult:
    """The same for a case of several bones: a verdict for each, and how they moved against each other."""
    with progress_display() as display:
        found = register_bones(case, config, display.show, is_cancelled)
    for bone in found.bones:
        say(f"  {bone.bone.name}:")
        if bone.result is None:
            say("  not registered: the run was stopped before")
        else:
            _say_result(bone.result)
    for motion in found.motions:
        say(f"  {motion.sentence()}")
    for joint in found.joints:
        say(f"  {joint.sentence()}")
    for warning in found.warnings:
        say(f"  Warning: {warning}")
    say(f"  All bones: {found.status}, {found.seconds:.1f} s")
    poses = {f" of {b.bone.name}": b.result.world_from_volume for b in found.bones if b.result is not None}
    write_somewhere(case.name, folder, lambda place: write_bones_outputs(place, case, found), poses)
    return found


def _say_result(result: Result) -> None:
    say_notes(result.warnings, indent="  ")
    for reason in result.reasons:
        say(f"  {reason}")
    for place in result.relation:
        off = f"{place.rotation_deg:.1f} degrees and {place.translation_mm:.1f} mm"
        say(f"  view {place.view}: its C-arm stood {off} from where it was said to")
    say(f"  {summary(result)}")


def write_somewhere(name: str, folder: Path, write: Callable[[Path], object], poses: Mapping[str, Matrix]) -> None:
    """Writes what was found into a folder, or elsewhere, or prints the poses.

    Args:
        name: of the case.
        write: is given the folder.
        poses: by whose they are, in words.
    """
    try:
        write(folder)
    except Exception as error:
        for whose, pose in poses.items():
            say(f"  It cannot be written. The pose{whose}, world_from_volume:")
            for row in pose:
                say("  " + " ".join(f"{number:.9g}" for number in row))
        if isinstance(error, NotWritten):
            raise NotWritten(f"{' '.join(error.faults)} {_written_elsewhere(name, write)}") from error
        raise
    say(f"  -> {folder}")


def _written_elsewhere(name: str, write: Callable[[Path], object]) -> str:
    """Writes the result into a temporary folder of this user alone that stays; a sentence on how that went."""
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="prostreg-result-"))
        write(folder / name)
    except (InputError, OSError):
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        return "Nor could they be written among the temporary files: the pose is printed above."
    return f"They were written into {folder / name} instead: move them from there."


def _to_dict(result: Result | BonesResult) -> dict[str, Any]:
    return bones_to_dict(result) if isinstance(result, BonesResult) else result_to_dict(result)


def summary(result: Result) -> str:
    """One line: status, confidence, expected error, true error where it is known, time."""
    facts = [result.status, f"confidence {percent(result.confidence)}"]
    expected = result.expected_error
    if expected is not None and result.status != "failed":
        across, along = tenths(expected.across_mm), tenths(expected.along_mm)
        facts.append(f"expected error {across} mm across the beam and {along} mm along it")
    if result.mtre_mm is not None:
        facts.append(f"mTRE {result.mtre_mm:.2f} mm")
    facts.append(f"{result.seconds:.1f} s")
    if result.stopped is not None:
        facts.append(f"stopped: {result.stopped}")
    return ", ".join(facts)


def exit_code_of(results: Sequence[Result | BonesResult]) -> ExitCode:
    """Stopped weighs more than not accepted."""
    if any(result.stopped is not None for result in results):
        return ExitCode.STOPPED
    if any(result.status != "accepted" for result in results):
        return ExitCode.NOT_ACCEPTED
    return ExitCode.DONE


def _check_cases(
    paths: Sequence[Path], read: ReadCase, out: Path, config: RegistrationConfig | None, faults: FaultList
) -> dict[Path, Case | None]:
    """Reads every case to find its faults, and those of its weights; gives those without, None beyond the memory."""
    usable: dict[Path, Case | None] = {}
    paths_by_name: dict[str, list[Path]] = {}
    bones_of: dict[str, list[str]] = {}
    bytes_of: dict[int, int] = {}
    named_of: dict[str, list[Path]] = {}
    for path in paths:
        case = faults.collect(partial(_checked_case, path, read, config), f"{path}: " if len(paths) > 1 else "")
        if case is None:
            continue
        paths_by_name.setdefault(case.name, []).append(path)
        bones_of.setdefault(case.name, []).extend(bone.name for bone in case.bones)
        named_of.setdefault(case.name, []).extend(() if case.files is None else case.files.named)
        arrays = (case.ct.values, case.anatomy, *(bone.anatomy for bone in case.bones))
        bytes_of |= {id(array): array.nbytes for array in arrays}
        usable[path] = case if sum(bytes_of.values()) <= MEMORY_FOR_CASES else None
    for name, same in paths_by_name.items():
        folder_faults = _folder_faults(out / name, bones_of[name])
        folder_faults += replaced_inputs(files_of_result(out / name), named_of[name], ANOTHER_OUT)
        faults.extend(folder_faults)
        if len(same) > 1:
            listed = ", ".join(map(str, same))
            faults.add(f'{len(same)} cases have the name "{name}" ({listed}): results are filed under it, so rename.')
        if folder_faults or len(same) > 1:
            for path in same:
                usable.pop(path, None)
    return usable


def _folder_faults(folder: Path, bones: Sequence[str]) -> list[str]:
    return bones_folder_faults(folder, bones, ANOTHER_OUT) if bones else result_folder_faults(folder, ANOTHER_OUT)


def _checked_case(path: Path, read: ReadCase, config: RegistrationConfig | None) -> Case:
    """The case, whose start shows something and whose weights are there."""
    case = read(path)
    if case.initial_world_from_volume is not None:
        start_pose(case)
    refuse_starts_behind_source(case)
    if config is not None:
        model_to_ask(config, case)
    return case


def _configuration(arguments: argparse.Namespace) -> RegistrationConfig:
    """Settings from --config and from single options, which win.

    Raises:
        InputError: names every invalid field of the file, or of the options.
    """
    options = {
        "method": arguments.method,
        "restarts": arguments.restarts,
        "time_limit_s": arguments.time_limit,
        "seed": arguments.seed,
        "device": arguments.device,
        "weights": arguments.weights,
    }
    return configuration(arguments.config, options)


def configuration(file: Path | None, options: Mapping[str, Any]) -> RegistrationConfig:
    """Settings from a file, if any, and from options that win unless they are None.

    Raises:
        InputError: names every invalid field of the file, or of the options.
    """
    base = RegistrationConfig() if file is None else RegistrationConfig.from_json_file(file)
    chosen = {name: value for name, value in options.items() if value is not None}
    return RegistrationConfig.from_dict({**base.to_dict(), **chosen})
