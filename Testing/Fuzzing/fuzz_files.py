"""Reads damaged and hostile input until something else than a result or a refusal in words comes out.

    python Testing/Fuzzing/fuzz_files.py --minutes 30
    python Testing/Fuzzing/fuzz_files.py --examples 40 --target nrrd --seed 1

Each finding is printed with its target, its kind, the smallest input that shows it, as Python bytes, and the seed of
its round. The exit code is 1 where there are findings.
"""

from __future__ import annotations

import argparse
import importlib
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, given, seed, settings

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from targets import Target

from prostreg.errors import LONGEST_SENTENCE, ProSTError

MEMORY_BYTES = 5 << 29
"""Beyond what is in use before the first input."""
SLOWEST_S = 20.0
HANGS_S = 60.0

GROUPS = ("image_files", "case_files", "training_files", "pose_files", "weight_files", "worker_messages", "scene_texts")
"""Modules of this folder with TARGETS, by name."""


def fuzz(name: str, target: Target, folder: Path, examples: int, round_seed: int) -> list[str]:
    """The findings of a target, each with the smallest input that shows it; none where all was read or refused."""
    smallest: dict[str, bytes] = {}
    path = folder / target.file
    path.parent.mkdir(exist_ok=True)

    @settings(
        max_examples=max(1, examples // target.one_in),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @seed(round_seed)
    @given(target.contents)
    def survives(content: bytes) -> None:
        path.write_bytes(content)
        try:
            _judge(target, path)
        except Exception as error:
            smallest[f"{type(error).__name__} in {_place(error)}"] = content  # the last of a kind is the smallest
            raise

    # Whatever hypothesis raises at the end has been noted, and what its own strategies raise has not.
    try:
        survives()
    except BaseException as error:
        if not smallest:
            raise
        text = str(error)
        return [f"{name}: {kind}: {text}\n  input: {i!r}\n  seed: {round_seed}" for kind, i in smallest.items()]
    return []


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "ProSTRegistration" in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


def _judge(target: Target, path: Path) -> None:
    """Raises whatever is neither a result nor a refusal in words in a reasonable time."""
    started = time.process_time()
    try:
        with warnings.catch_warnings(record=True) as said, _alarm():
            warnings.simplefilter("always")
            target.read(path)
        if said:
            raise ValueError(f"a warning reached the user: {said[0].message}")
    except ProSTError as error:
        if not all(fault.isprintable() and len(fault) < LONGEST_SENTENCE + 10 for fault in error.faults):
            raise ValueError("a fault that breaks lines, steers a terminal, or is too long") from error
    if time.process_time() - started > SLOWEST_S:
        raise TimeoutError("too slow")


@contextmanager
def _alarm() -> Iterator[None]:
    """Ends what waits for ever, where the system can."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("it waits for ever")

    if sys.platform == "win32":
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, HANGS_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource

        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY_BYTES, in_use + MEMORY_BYTES))


def _targets(groups: list[str], only: str | None) -> dict[str, Target]:
    found: dict[str, Target] = {}
    for group in groups:
        found |= importlib.import_module(group).TARGETS
    if only is not None and only not in found:
        sys.exit(f"There is no target {only!r}: choose one of {', '.join(found)}.")
    return found if only is None else {only: found[only]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=0.0, help="go on for so long")
    parser.add_argument("--examples", type=int, default=200, help="inputs of each target in a round")
    parser.add_argument("--group", choices=GROUPS, action="append", help="the targets of this module alone")
    parser.add_argument("--target", help="this one alone")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of the first round")
    arguments = parser.parse_args()
    targets = _targets(arguments.group or list(GROUPS), arguments.target)
    _limit_memory()
    end, found, rounds, spent = time.monotonic() + 60 * arguments.minutes, 0, 0, dict.fromkeys(targets, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        while rounds == 0 or time.monotonic() < end:
            for name, target in targets.items():
                began = time.monotonic()
                findings = fuzz(name, target, Path(folder), arguments.examples, arguments.seed + rounds)
                spent[name] += time.monotonic() - began
                found += len(findings)
                for finding in findings:
                    print(finding, flush=True)
            rounds += 1
    for name, seconds in spent.items():
        print(f"{name}: {rounds * max(1, arguments.examples // targets[name].one_in)} inputs, {seconds:.0f} s")
    print(f"{rounds} rounds from seed {arguments.seed}, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
