"""Simulates a run of frames in which a bone moves, blanks and jumps, tracks it, and compares each frame with the truth.

Usage: python Testing/Measurements/tracked_run.py PROTOCOL --out FOLDER [--cases FOLDER] [--frames 100] [--first 1]
           [--blank 30-32 ...] [--jump 60 ...] [--jump-times 1] [--single 10] [--sequence 0]

PROTOCOL is one of `prostreg evaluate --list` with a motion, `tracking` for one, or a file like one. Of the motion the
turns are widened to 2 degrees a frame. All frames show one patient, deformed, lit and instrumented alike; the noise
of each frame is its own, 1 % of the open field beside the simulator's. In `--blank` frames no radiation came; at a
`--jump` the anatomy moves by 25 mm and 8 degrees at once, or `--jump-times` that, and stays there. `--single` frames
are also registered alone, each from the truth of the one before, for comparison. The frames are kept in FOLDER and not
simulated again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prostreg.evaluation.pose_error import pose_error
from prostreg.evaluation.protocol import read_protocol
from prostreg.evaluation.sources.patient import open_patient
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, mean_distance_mm
from prostreg.images.anatomy import anatomy_from_labels
from prostreg.images.frames import Frames, frames_of_text
from prostreg.images.xray_preparation import prepare_xray
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.simulation.fluoroscopy import FluoroscopySimulator
from prostreg.tracking.track import Track
from prostreg.tracking.tracker import track_run

LARGEST_TURN_DEG = 2.0
JUMP = np.array([*np.deg2rad([5.0, -4.0, 5.0]), 18.0, -17.0, 5.0])
FRESH_NOISE = 0.01
START_ERROR = np.array([*np.deg2rad([6.0, -5.0, 7.0]), 12.0, -10.0, 25.0])


@dataclass(frozen=True, eq=False)
class SimulatedRun:
    """A run with its truth; `pixels`, `count` and `time_s` as trackers want them."""

    case: Case
    images: NDArray[np.float32]
    truth: Sequence[Matrix]
    polarity: str

    @property
    def count(self) -> int:
        return len(self.images)

    def pixels(self, number: int) -> Sequence[NDArray[np.float32]]:
        return [self.images[number - 1]]

    def time_s(self, number: int) -> float | None:
        return (number - 1) / 15

    def at(self, number: int, initial: Matrix) -> Case:
        """The case of one frame, to be registered from a start."""
        xray = prepare_xray(self.images[number - 1], self.polarity)  # type: ignore[arg-type]
        view = replace(self.case.views[0], xray=xray, frames=Frames(number, number))
        truth = self.truth[number - 1]
        return replace(
            self.case, views=(view,), initial_world_from_volume=initial, truth_world_from_volume=truth
        )  # fmt: skip


def simulated_run(arguments: argparse.Namespace, blank: set[int]) -> SimulatedRun:
    protocol = read_protocol(arguments.protocol)
    setup, files, femora = protocol.source
    ct, labels = open_patient(files, arguments.cases, protocol.name)
    anatomy = anatomy_from_labels(ct, labels, setup.anatomy)
    bare = Case("run", ct, anatomy, landmarks_mm=np.array(protocol.landmarks_mm))
    centre = anatomy_centre_mm(anatomy_points_mm(bare))
    (carm,) = setup.carms(centre)
    base = PoseChart(
        setup.true_pose(centre, np.random.default_rng([protocol.seed, arguments.sequence, 0])), np.eye(4), centre
    )
    motion = protocol.motion
    if motion is None:
        raise SystemExit(f"{protocol.name} has no motion")
    largest = LARGEST_TURN_DEG * motion.period_frames[0] / (2 * np.pi)
    motion = replace(motion, amplitudes=(largest,) * 3 + motion.amplitudes[3:])
    truth: list[Matrix] = []
    for number in range(1, arguments.frames + 1):
        moved = motion.parameters(number, np.random.default_rng([protocol.seed, arguments.sequence, 3]))
        moved = moved + arguments.jump_times * JUMP * sum(number >= jump for jump in arguments.jump)
        truth.append(base.world_from_volume_at(moved)[0])
    masks = [anatomy_from_labels(ct, labels, [value]) for value in femora]
    images, polarity = _images(arguments, FluoroscopySimulator(ct, setup.simulator, masks), carm, truth)
    for number in blank:
        noise = np.random.default_rng([7, number]).normal(0, 1, images[0].shape)
        images[number - 1] = np.percentile(images[number - 1], 1) + np.ptp(images[0]) * FRESH_NOISE * noise
    view = View(prepare_xray(images[arguments.first - 1], polarity), carm)
    return SimulatedRun(replace(bare, views=(view,)), images, truth, polarity)


def _images(
    arguments: argparse.Namespace, simulator: FluoroscopySimulator, carm: CArm, truth: Sequence[Matrix]
) -> tuple[NDArray[np.float32], str]:
    """All frames, and their polarity; those that were simulated before are read."""
    kept = arguments.out / "frames.npz"
    if kept.exists():
        found = np.load(kept)
        if np.array_equal(found["truth"], np.array(truth)):
            return found["images"], str(found["polarity"])
    images, polarity = [], ""
    for number, pose in enumerate(truth, start=1):
        image = simulator.image(carm, pose, seed=1000 + arguments.sequence)
        pixels, polarity = image.pixels.astype(np.float32), image.polarity
        noise = np.random.default_rng([5, number]).normal(0, FRESH_NOISE * float(np.ptp(pixels)), pixels.shape)
        images.append(pixels + noise.astype(np.float32))
        print(f"\rframe {number} simulated", end="", file=sys.stderr, flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(kept, images=np.array(images), truth=np.array(truth), polarity=polarity)
    return np.array(images), polarity


def errors(run: SimulatedRun, number: int, pose: Matrix) -> tuple[float, float]:
    """mTRE, and shift in the image plane, in mm."""
    case = replace(run.case, truth_world_from_volume=run.truth[number - 1])
    if case.landmarks_mm is None:
        raise AssertionError("the protocol has landmarks")
    mtre = mean_distance_mm(pose, run.truth[number - 1], case.landmarks_mm)
    return mtre, pose_error(case, pose).in_plane_translation_mm


def row(name: str, found: Sequence[tuple[float, float]], count: int) -> str:
    if not found:
        return f"| {name} | 0 of {count} | - | - | - | - | - |"
    mtre, plane = np.array(found).T
    return (
        f"| {name} | {len(found)} of {count} | {np.median(mtre):.2f} | {np.percentile(mtre, 95):.2f} | {mtre.max():.2f}"
        f" | {(mtre < 1).mean():.0%} | {(plane < 1).mean():.0%} |"
    )


def report(run: SimulatedRun, track: Track, blank: set[int], singles: Sequence[tuple[float, float]]) -> str:
    shown = track.frames_in_run - len(blank)
    lines = [
        "| frames | found | median mTRE, mm | 95 % | worst | mTRE < 1 mm | in plane < 1 mm |",
        "|---|---|---|---|---|---|---|",
    ]
    for status in ("tracked", "uncertain"):
        chosen = [f for f in track.frames if f.status == status and f.world_from_volume is not None]
        lines.append(row(status, [errors(run, f.number, f.world_from_volume) for f in chosen], shown))  # type: ignore[arg-type]
    if singles:
        lines.append(row("registered alone", singles, len(singles)))
    lost = track.numbers("lost")
    seconds = sorted(f.seconds for f in track.frames if f.search == "near")
    lines += [
        "",
        f"lost: {lost}; blank: {sorted(blank)}; blank and not lost: {sorted(blank - set(lost))}",
        f"wider searches: {[(f.number, f.search) for f in track.frames if f.search not in ('near', 'first')]}",
        f"{len(track.frames) / track.seconds:.2f} frames a second over all, median of a near search"
        f" {1000 * seconds[len(seconds) // 2]:.0f} ms; first frame {track.first.status}, {track.first.seconds:.1f} s",
        f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="A tracked run.")
    parser.add_argument("protocol")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--sequence", type=int, default=0)
    parser.add_argument("--single", type=int, default=0)
    parser.add_argument("--blank", type=frames_of_text, nargs="*", default=[])
    parser.add_argument("--jump", type=int, nargs="*", default=[])
    parser.add_argument("--jump-times", type=float, default=1.0)
    arguments = parser.parse_args()
    blank = {number for span in arguments.blank for number in range(span.first, span.last + 1)}
    run = simulated_run(arguments, blank)
    centre = anatomy_centre_mm(anatomy_points_mm(run.case))
    start = PoseChart(run.truth[arguments.first - 1], np.eye(4), centre).world_from_volume_at(START_ERROR)[0]
    case, config = run.at(arguments.first, start), RegistrationConfig(time_limit_s=600)
    first = register(case, config)
    print(f"first frame: {first.status}, mTRE {first.mtre_mm:.2f} mm, {first.reasons}", file=sys.stderr)
    used, began = time.process_time(), time.perf_counter()
    track = track_run(case, first, run, config=config, on_progress=lambda p: print(p.message, file=sys.stderr))
    used, wall = time.process_time() - used, time.perf_counter() - began
    singles = []
    for number in np.linspace(2, run.count, arguments.single, dtype=int) if arguments.single else ():
        if number not in blank:
            alone = register(run.at(int(number), run.truth[number - 2]), config)
            singles.append(errors(run, int(number), alone.world_from_volume))
    text = report(run, track, blank, singles)
    text += (
        f"\n{used / len(track.frames):.3f} s of the processor a frame, {wall / len(track.frames):.3f} s by the clock"
    )
    print(text)
    rows = [
        {"frame": f.number, "status": f.status, "search": f.search, "seconds": f.seconds, "evidence": dict(f.evidence),
         "errors_mm": None if f.world_from_volume is None else errors(run, f.number, f.world_from_volume)}
        for f in track.frames
    ]  # fmt: skip
    (arguments.out / "track.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    (arguments.out / "report.md").write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
