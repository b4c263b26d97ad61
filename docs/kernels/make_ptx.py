"""Writes prostreg/projector/kernels.ptx: the kernels of `cuda_kernels` for every NVIDIA GPU since Turing.

    pip install -e ".[kernels]"
    python docs/kernels/make_ptx.py

Needs no GPU. PTX is assembled by the user's driver, in a fraction of a second, and kept by it. It is written in an old
version of its language that says all these kernels need, so that old drivers take it: see docs/adr/0012.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from types import SimpleNamespace

import numba.cuda.dispatcher
from cuda_kernels import KERNELS
from numba import cuda, float32, float64, int64, types, uint8

ARCHITECTURE = (7, 5)
LANGUAGE = "6.5"
"""PTX ISA of CUDA 10.2: the first that knows nothing less than Turing and all that is used here."""

ROOT = Path(__file__).parents[2]
PTX = ROOT / "ProSTRegistration/prostreg/projector/kernels.ptx"
SOURCES = (ROOT / "ProSTRegistration/prostreg/projector/plane_march.py", ROOT / "docs/kernels/cuda_kernels.py")


def digest_of_sources() -> str:
    """SHA256 of the files that the kernels are made of, with the line ends of any system."""
    return hashlib.sha256("".join(source.read_text(encoding="utf-8") for source in SOURCES).encode()).hexdigest()


def ptx() -> str:
    """The text of the file."""
    # numba-cuda asks the GPU that is there what it can when a kernel calls a function that is not its own.
    numba.cuda.dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=ARCHITECTURE)
    flat = {kind: types.Array(kind, 1, "C") for kind in (float32, float64, int64, uint8)}
    signature = types.void(flat[float32], flat[uint8], flat[int64], flat[float64], flat[float32])
    parts = [
        f"// Made by docs/kernels/make_ptx.py from sources with SHA256 {digest_of_sources()}",
        f".version {LANGUAGE}", f".target sm_{ARCHITECTURE[0]}{ARCHITECTURE[1]}", ".address_size 64",
    ]  # fmt: skip
    for name, function in KERNELS.items():
        text, _ = cuda.compile_ptx(function, signature, fastmath=True, cc=ARCHITECTURE)
        body = re.sub(r"^(//.*|\.version.*|\.target.*|\.address_size.*)\n", "", text, flags=re.MULTILINE).strip("\0\n ")
        body = re.sub(r"^\.(?:common )?\.?global .*NumbaEnv.*;\n", "", body, flags=re.MULTILINE)
        parts.append(body.replace(re.search(r"\.entry (\w+)\(", body)[1], name))
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PTX.write_text(ptx(), encoding="utf-8", newline="\n")
    print(f"{PTX.name}: {PTX.stat().st_size} bytes")
