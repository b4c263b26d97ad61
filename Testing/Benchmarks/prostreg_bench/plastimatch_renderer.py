"""The program plastimatch in the benchmark."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from prostreg_bench.output import Output, Render
from prostreg_bench.scene import FIELD_MM, SDD_MM, SOURCE_ISOCENTRE_MM, Scene

PROGRAM = "plastimatch"
PER_CM = 0.1
"""Its line integrals are in voxel value times cm."""

_TIME = re.compile(r"Total time:\s*([\d.eE+-]+)\s*sec")


def exact_image(scene: Scene) -> Render:
    """Siddon's exact path lengths; the time is the program's own, without its start and its reading."""
    folder = Path(tempfile.mkdtemp(prefix="plastimatch-"))
    volume_file, prefix = folder / "volume.mha", folder / "drr"
    _write_volume(scene, volume_file)
    command = _command(scene, volume_file, prefix)

    def render() -> Output:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        pixels = np.fromfile(f"{prefix}0000.raw", dtype=np.float32)
        image = pixels.reshape(scene.carm.height, scene.carm.width) / np.float32(PER_CM)
        stated = _TIME.search(done.stdout)
        if stated is None:
            raise RuntimeError(f"{PROGRAM} did not say how long it took")
        return Output(image, own_seconds=float(stated[1]))

    return render


def _write_volume(scene: Scene, path: Path) -> None:
    """MetaImage, written here: an image library in this process would hide the program's peak memory."""
    header = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": True,
        "BinaryDataByteOrderMSB": False,
        "Offset": _words(scene.volume.volume_from_index[:3, 3]),
        "ElementSpacing": _words(scene.volume.spacing_mm),
        "DimSize": " ".join(map(str, scene.volume.size)),
        "ElementType": "MET_FLOAT",
        "ElementDataFile": "LOCAL",
    }
    with path.open("wb") as file:
        file.write("".join(f"{key} = {value}\n" for key, value in header.items()).encode("ascii"))
        scene.volume.values.astype("<f4", copy=False).tofile(file)


def _command(scene: Scene, volume_file: Path, prefix: Path) -> list[str]:
    _, down, forwards = scene.volume_from_camera[:3, :3].T
    options = {
        "--input": volume_file,
        "--output": prefix,
        "--output-format": "raw",
        "--algorithm": "exact",
        "--hu-conversion": "none",
        "--dim": _words([scene.carm.height, scene.carm.width]),
        "--detector-size": _words([FIELD_MM, FIELD_MM]),
        "--sad": SOURCE_ISOCENTRE_MM,
        "--sid": SDD_MM,
        "--isocenter": "0 0 0",
        "--nrm": _words(-forwards),
        "--vup": _words(-down),
    }
    return [PROGRAM, "drr", *(str(word) for pair in options.items() for word in pair)]


def _words(numbers: Iterable[float]) -> str:
    return " ".join(f"{float(number):.12g}" for number in numbers)
