"""Tells one state of the program from another, so that rows of two states never mix."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import prostreg

PARTS = ("geometry", "images", "projector", "prost", "similarity", "search", "registration", "simulation")


SUFFIXES = (".py", ".json", ".safetensors")


@cache
def engine_digest() -> str:
    """Twelve digits that change with every file of the engine that a result depends on."""
    root = Path(prostreg.__file__).parent
    digest = hashlib.sha256(prostreg.__version__.encode())
    for path in sorted(file for part in PARTS for file in (root / part).rglob("*") if file.suffix in SUFFIXES):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes() if path.suffix == ".safetensors" else path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:12]
