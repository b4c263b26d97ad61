"""What pip finds for each system and each Slicer: the table of docs/installation.md.

``.venv/bin/python Testing/Measurements/resolve_packages.py``; needs the network, and some minutes.

pip evaluates "on Linux only" for the system it runs on, so torch is looked for without what it needs itself. No other
needed package has such needs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "ProSTRegistration"))

from ProSTRegistrationLib.Install.Requirements import TORCH_REQUIREMENT, WANTED, requirements

NUMPY_OF_SLICER = {"5.10": "2.0.2", "5.12": "2.4.6"}
TAGS = {
    "Linux x86_64": ["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64"],
    "Windows amd64": ["win_amd64"],
    "macOS arm64": [f"macosx_{version}_arm64" for version in ("14_0", "12_0", "11_0")],
    "macOS x86_64": [f"macosx_{version}_x86_64" for version in ("14_0", "12_0", "11_0", "10_13", "10_9")],
}
LIMIT_S = 120


def resolved(texts: list[str], tags: list[str], numpy: str, with_needs: bool = True) -> list[str] | None:
    """Names with versions that pip would install; None where it finds none that go together.

    Raises:
        ConnectionError: no package index answers.
    """
    with tempfile.TemporaryDirectory() as folder:
        report, constraints = Path(folder) / "report.json", Path(folder) / "constraints.txt"
        constraints.write_text(f"numpy=={numpy}\n")
        platforms = [part for tag in tags for part in ("--platform", tag)]
        command = [
            sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report", str(report), "--only-binary",
            ":all:", *platforms, "--python-version", "3.12", "--implementation", "cp", "--target", folder,
            "--ignore-installed", "-c", str(constraints), "--retries", "1", "--disable-pip-version-check",
            *([] if with_needs else ["--no-deps"]), *texts,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
        if done.returncode == 0:
            found = [item["metadata"] for item in json.loads(report.read_text(encoding="utf-8"))["install"]]
            return [f"{item['name']} {item['version']}" for item in found]
        # pip names the versions that it did not take; without an index it knows of none.
        is_answered = "ResolutionImpossible" in done.stderr or "No matching distribution" in done.stderr
        if is_answered and "from versions: none" not in done.stderr:
            return None
        raise ConnectionError(done.stderr)


def needed_and_wanted() -> tuple[list[str], list[str]]:
    """What pip is asked for besides torch, as Requirements has it."""
    others = [requirement for requirement in requirements() if requirement.text != TORCH_REQUIREMENT]
    return (
        [requirement.text for requirement in others if requirement.name not in WANTED],
        [requirement.text for requirement in others if requirement.name in WANTED],
    )


def row(system: str, slicer_version: str) -> tuple[str, ...]:
    """System, Slicer, and what was found for the needed packages, numba and torch."""
    needed, wanted = needed_and_wanted()
    tags, numpy = TAGS[system], NUMPY_OF_SLICER[slicer_version]
    found = [resolved(needed, tags, numpy), resolved(wanted, tags, numpy)]
    found.append(resolved([TORCH_REQUIREMENT], tags, numpy, with_needs=False))
    return system, f"{slicer_version} (numpy {numpy})", *("none" if part is None else ", ".join(part) for part in found)


if __name__ == "__main__":
    print("| system | Slicer | needed | numba, wanted | torch |\n|---|---|---|---|---|")
    for system in TAGS:
        for slicer_version in NUMPY_OF_SLICER:
            print("| " + " | ".join(row(system, slicer_version)) + " |", flush=True)
