"""``prostreg track``: registers one frame of a run, finds the anatomy in the others, and writes where it was."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from prostreg.cli.console import progress_display, say, say_notes
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.interruption import stop_requests
from prostreg.cli.outcome import ANOTHER_OUT, Outcome
from prostreg.cli.register import configuration, register_and_write, write_somewhere
from prostreg.errors import FaultList, InputError
from prostreg.files import output_folder_faults
from prostreg.images.frames import Frames
from prostreg.outputs.result_file import result_folder_faults
from prostreg.outputs.track_files import track_folder_faults, write_track
from prostreg.outputs.track_texts import track_to_dict
from prostreg.registration.case import Case
from prostreg.registration.case_file import read_case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import SEVERAL_BONES
from prostreg.registration.start import start_pose
from prostreg.registration.weights_choice import model_to_ask
from prostreg.search.libraries import begin_to_load
from prostreg.spoken_numbers import spans
from prostreg.tracking.frame_images import DicomRuns
from prostreg.tracking.track import Track
from prostreg.tracking.tracker import refuse_frames, track_run

FIRST_FOLDER = "first_frame"
FRAMES_SO_FAR = "Stopping; the frames so far will be written. Press Ctrl-C again to leave without them."


def run(arguments: argparse.Namespace) -> Outcome:
    """Checks everything first, then registers one frame and tracks the others."""
    faults = FaultList()
    faults.extend(output_folder_faults(arguments.out, ANOTHER_OUT))
    config = faults.collect(lambda: _configuration(arguments))
    if arguments.case.exists() and config is not None:
        begin_to_load()
    case = faults.collect(lambda: _case(arguments))
    runs = None
    if case is not None:
        folder = arguments.out / case.name
        faults.extend(result_folder_faults(folder / FIRST_FOLDER, ANOTHER_OUT))
        faults.extend(track_folder_faults(folder, ANOTHER_OUT))
        if case.bones:
            faults.add(SEVERAL_BONES)
        if config is not None:
            faults.collect(lambda: model_to_ask(config, case))
        runs = faults.collect(lambda: DicomRuns(case))
        if runs is not None:
            faults.collect(lambda: _refuse_frames(_asked(arguments, runs), case, runs))
    faults.raise_if_any()
    if case is None or config is None or runs is None:
        raise AssertionError("what cannot be used is a fault")
    with stop_requests(FRAMES_SO_FAR) as is_cancelled:
        track = _tracked(arguments, case, config, runs, is_cancelled)
    say_notes(track.warnings[len(track.first.warnings) :], indent="  ")
    for line in summary(track):
        say(f"  {line}")
    warnings: list[str] = []
    write = lambda place: warnings.extend(write_track(place, track, arguments.transforms))  # noqa: E731
    write_somewhere(case.name, folder, write, {f" of frame {track.first_frame}": track.first.world_from_volume})
    say_notes(warnings, indent="  ")
    told = track_to_dict(replace(track, warnings=(*track.warnings, *warnings)))
    return Outcome(_exit_code(track), {"track": told, "out": str(arguments.out)})


def _tracked(
    arguments: argparse.Namespace,
    case: Case,
    config: RegistrationConfig,
    runs: DicomRuns,
    is_cancelled: Callable[[], bool],
) -> Track:
    """The track, with the first frame's result written beside it."""
    began, frames = time.perf_counter(), case.views[0].frames
    limit_s = arguments.time_limit or np.inf
    say(f"Registering frame {frames.first if frames.count == 1 else frames.value} of {case.name}")
    first_config = replace(config, time_limit_s=min(config.time_limit_s, limit_s))
    first = register_and_write(case, first_config, arguments.out / case.name / FIRST_FOLDER, is_cancelled)
    asked = _asked(arguments, runs)
    say(f"Tracking frames {asked[0]} to {asked[1]}")
    with progress_display() as display:
        left_s = limit_s - (time.perf_counter() - began)
        return track_run(case, first, runs, asked, config, left_s, display.show, is_cancelled)


def summary(track: Track) -> list[str]:
    """Lines on how many frames have each status, which of them are not tracked, and how long it took."""
    count = track.asked[1] - track.asked[0] + 1
    lines = []
    for status in ("uncertain", "lost"):
        numbers = track.numbers(status)
        if numbers:
            lines.append(f"{status}: {spans(numbers)}")
    speed = f", {len(track.frames) / track.seconds:.1f} frames a second" if track.seconds > 0 else ""
    lines.append(f"{len(track.numbers('tracked'))} of {count} frames tracked, {track.seconds:.1f} s{speed}")
    if track.stopped is not None:
        lines.append(f"stopped: {track.stopped}")
    return lines


def _exit_code(track: Track) -> ExitCode:
    if track.stopped is not None:
        return ExitCode.STOPPED
    return ExitCode.DONE if track.is_complete else ExitCode.NOT_ACCEPTED


def _case(arguments: argparse.Namespace) -> Case:
    """The case with the frame that is registered first, whose start shows something.

    Raises:
        InputError: as `read_case`; or its views are to be registered in different frames.
    """
    case = read_case(arguments.case, frame=arguments.first_frame)
    if arguments.first_frame is None and arguments.frames is not None and _is_open(case, arguments.frames):
        case = read_case(arguments.case, frame=(arguments.frames.first + arguments.frames.last) // 2)
    frames = {view.frames for view in case.views}
    if len(frames) > 1:
        listed = " and ".join(str(one.value) for one in sorted(frames, key=lambda one: one.first))
        raise InputError(f'The views begin in different frames ({listed}): give one "frame" to all, or --first-frame.')
    if case.initial_world_from_volume is not None:
        start_pose(case)
    return case


def _is_open(case: Case, wanted: Frames) -> bool:
    """True if nobody has said which frame is first, and the file's own choice is not among those that are wanted."""
    is_told = all(view.frames.is_told for view in case.views)
    return not is_told and not all(wanted.first <= view.frames.first <= wanted.last for view in case.views)


def _refuse_frames(asked: tuple[int, int], case: Case, runs: DicomRuns) -> None:
    """Refuses frames that the runs do not have, that leave the first one out, or in which the C-arm moved.

    Raises:
        InputError: as `refuse_frames` and `DicomRuns.refuse_moving`.
    """
    refuse_frames(asked, case, runs.count)
    runs.refuse_moving(case.views[0].frames.first, asked)


def _asked(arguments: argparse.Namespace, runs: DicomRuns) -> tuple[int, int]:
    return (1, runs.count) if arguments.frames is None else (arguments.frames.first, arguments.frames.last)


def _configuration(arguments: argparse.Namespace) -> RegistrationConfig:
    """Settings of the first frame's registration; the time limit is that of the whole run.

    Raises:
        InputError: names every invalid field.
    """
    return configuration(
        arguments.config, {"seed": arguments.seed, "device": arguments.device, "weights": arguments.weights}
    )
