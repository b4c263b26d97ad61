"""Breaks lines of the product one at a time and tells which breaks no test notices.

    .venv/bin/python Testing/Breaks/break_lines.py

The list is breaks.json beside this file: a text that occurs once in its file, what stands there instead, and the tests
that shall notice. Everything happens in copies of the checkout that are removed afterwards. Ends with 1 where fewer
than 92 % of the breaks are noticed, with 2 where the list or the tests are at fault.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

REPOSITORY = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("breaks.json")
LEAST_NOTICED = 0.92
COMPILED = "@compiled"
PASSED, FAILED, INTERRUPTED = 0, 1, 2
"""How pytest ends: all passed, some failed, or a test file could not even be read."""


@dataclass(frozen=True)
class Break:
    """One line to break.

    Attributes:
        number: its place in the list, from 1.
        file: in the repository.
        text: what is replaced, found once in the file.
        tests: files under Testing that shall notice.
    """

    number: int
    area: str
    name: str
    file: str
    text: str
    instead: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a break: a word, and the seconds it took."""

    word: str
    seconds: float

    @property
    def is_noticed(self) -> bool:
        return self.word != "SURVIVED"


def breaks_of(file: Path = LIST) -> list[Break]:
    """Every break of the list."""
    listed = [
        (area, entry, entry.get("tests", content["tests"]))
        for area, content in json.loads(file.read_text(encoding="utf-8")).items()
        for entry in content["breaks"]
    ]
    return [
        Break(number, area, entry["name"], entry["file"], entry["text"], entry["instead"], tuple(tests))
        for number, (area, entry, tests) in enumerate(listed, start=1)
    ]


def faults_of(listed: list[Break], repository: Path = REPOSITORY) -> list[str]:
    """Says in words which breaks cannot be made: the text is gone or not unique, or a test file is gone."""
    faults = []
    for one in listed:
        where = f'"{one.name}" ({one.area})'
        path = repository / one.file
        count = path.read_text(encoding="utf-8").count(one.text) if path.is_file() else 0
        if count != 1:
            faults.append(f"{where}: its text occurs {count} times in {one.file}, and must occur once: {one.text!r}")
        elif one.file.endswith(".py"):
            try:
                compile(broken(one, path.read_text(encoding="utf-8")), one.file, "exec")
            except SyntaxError as error:
                faults.append(f"{where}: what stands there instead is no Python ({error.msg}).")
        faults += [f"{where}: there is no Testing/{name}." for name in one.tests if not tests_exist(name, repository)]
    return faults


def tests_exist(name: str, repository: Path) -> bool:
    return (repository / "Testing" / name).is_file()


def broken(one: Break, text: str) -> str:
    """The file's text with the break in it."""
    return text.replace(one.text, one.instead)


class Copy:
    """A copy of the checkout in which lines are broken and mended again.

    Args:
        folder: where it lies.
        timeout_s: for the tests of one break; tests that take longer have noticed it.
    """

    def __init__(self, folder: Path, timeout_s: float) -> None:
        self._folder, self._timeout_s = folder, timeout_s

    def outcome(self, one: Break) -> Outcome:
        path = self._folder / one.file
        whole, state = path.read_bytes(), path.stat()
        text = whole.decode("utf-8")
        began = time.monotonic()
        path.write_text(broken(one, text), encoding="utf-8", newline="")
        # Python and numba know a file's state by its time and size: each break gets a time of its own.
        stamp_ns = state.st_mtime_ns + one.number * 1_000_000_000
        os.utime(path, ns=(stamp_ns, stamp_ns))
        try:
            # Broken kernels are compiled into a folder of their own, so that those of the whole file stay as they are.
            with tempfile.TemporaryDirectory() as kernels:
                code, _ = self.run_tests(one.tests, kernels if COMPILED in text else None)
        finally:
            path.write_bytes(whole)
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        words = {PASSED: "SURVIVED", FAILED: "noticed", INTERRUPTED: "noticed", None: "noticed, out of time"}
        return Outcome(words.get(code, f"noticed, pytest ended with {code}"), time.monotonic() - began)

    def run_tests(self, tests: tuple[str, ...], kernels: str | None = None) -> tuple[int | None, str]:
        """Pytest's exit code, None where it ran out of time, and what it said."""
        paths = [self._folder / "ProSTRegistration", self._folder / "Testing" / "Benchmarks"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        environment.pop("NUMBA_CACHE_DIR", None)
        if kernels is not None:
            environment["NUMBA_CACHE_DIR"] = kernels
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command += [f"Testing/{name}" for name in tests]
        try:
            done = subprocess.run(
                command, cwd=self._folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, encoding="utf-8", errors="replace", timeout=self._timeout_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None, "out of time"
        return done.returncode, done.stdout


def copied(folder: Path) -> Path:
    """Copies what git knows of the checkout, as it is now, with the times of its files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, check=True,
    ).stdout.decode("utf-8")  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source, target = REPOSITORY / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder


def outcomes(listed: list[Break], scratch: Path, jobs: int, timeout_s: float) -> Iterator[tuple[Break, Outcome]]:
    """Each break with what came of it, as they end; as many at a time as there are copies.

    Raises:
        SystemExit: the tests fail without any break.
    """
    first = copied(scratch / "copy-1")
    tests = tuple(dict.fromkeys(name for one in listed for name in one.tests))
    print(f"Running {len(tests)} test files unbroken", flush=True)
    code, said = Copy(first, 10 * timeout_s).run_tests(tests)
    if code != PASSED:
        print(said[-8000:])
        print("The tests fail without any break: mend them first.")
        raise SystemExit(2)
    folders = [first, *(Path(shutil.copytree(first, scratch / f"copy-{number}")) for number in range(2, jobs + 1))]
    free: SimpleQueue[Copy] = SimpleQueue()
    for folder in folders:
        free.put(Copy(folder, timeout_s))

    def work(one: Break) -> tuple[Break, Outcome]:
        copy = free.get()
        try:
            return one, copy.outcome(one)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(work, listed)


def report(results: list[tuple[Break, Outcome]]) -> float:
    """Prints the shares noticed, by area, and every survivor; gives the share of all."""
    print()
    for area in dict.fromkeys(one.area for one, _ in results):
        noticed = [outcome.is_noticed for one, outcome in results if one.area == area]
        print(f"{sum(noticed):4d} of {len(noticed):3d} noticed: {area}")
    survivors = [one for one, outcome in results if not outcome.is_noticed]
    share = 1 - len(survivors) / len(results)
    print(f"{len(results) - len(survivors):4d} of {len(results):3d} noticed: {share:.1%}")
    for one in survivors:
        print(f"\nSURVIVED {one.name} ({one.area})\n  {one.file}\n  - {one.text.strip()}\n  + {one.instead.strip()}")
        print(f"  not noticed by {', '.join(one.tests)}")
    return share


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=2, help="breaks at a time, each in a copy of its own")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for the tests of one break")
    parser.add_argument("--only", default="", help="breaks whose area, name or file holds this text")
    arguments = parser.parse_args()
    listed = [one for one in breaks_of() if arguments.only in f"{one.area}\n{one.name}\n{one.file}"]
    faults = faults_of(listed)
    if faults or not listed:
        print("\n".join(faults) or f"No break holds the text '{arguments.only}'.")
        return 2
    began, results = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="prostreg-breaks-") as scratch:
        for one, outcome in outcomes(listed, Path(scratch), arguments.jobs, arguments.timeout):
            results.append((one, outcome))
            print(f"{outcome.word:9} {outcome.seconds:6.1f} s  {one.area}: {one.name}", flush=True)
    share = report(results)
    print(f"\n{time.monotonic() - began:.0f} s")
    return 0 if share >= LEAST_NOTICED else 1


if __name__ == "__main__":
    sys.exit(main())
