"""Case files, cameras and configurations as people and programs write them wrongly."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from hypothesis import strategies as st
from targets import Target, changed_words, damaged, json_files

from prostreg.geometry.camera_files.reading import read_camera
from prostreg.registration.case_file import read_case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.start import start_pose
from prostreg.registration.weights_choice import model_to_ask
from prostreg.simulation.settings import SimulatorSettings

PA = [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 700.0], [0.0, 0.0, 0.0, 1.0]]
CAMERA = {
    "K": [[400.0, 0.0, 15.5], [0.0, 400.0, 11.5], [0.0, 0.0, 1.0]],
    "size": [32, 24],
    "camera_from_world": np.eye(4).tolist(),
    "spacing_mm": [2.5, 2.5],
    "accuracy": "nominal",
}
CASE: dict[str, Any] = {
    "name": "one",
    "ct": "ct.nrrd",
    "anatomy": {"labels": "labels.nrrd", "values": [1]},
    "views": [
        {"image": "xray.tif", "camera": CAMERA, "polarity": "bone-dark", "mask": "mask.png", "flip": False, "frame": 1}
    ],
    "initial": {"world_from_volume": PA},
    "truth": {"world_from_volume": PA, "landmarks": [[0, 0, 0], [10, 0, 5]]},
}
BY_PROJECTION = {"views": [{"image": "xray.tif", "camera": {"P": PA[:3], "size": [32, 24]}}]}
CASES = [CASE, CASE | BY_PROJECTION, CASE | {"views": [{"image": "xray.tif", "camera": "none.json"}]}]
BY_THRESHOLD = {key: CASE[key] for key in ("name", "ct", "views", "initial")}
CONFIG = RegistrationConfig().to_dict()
YAML = """%YAML:1.0
---
image_width: 32
image_height: 24
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 400., 0., 15.5, 0., 400., 11.5, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ 0., 0., 0., 0., 0. ]
"""
MAYA_2 = """image size
32,24

camera matrix
400,0,15.5
0,400,11.5
0,0,1

rotation
1,0,0
0,0,-1
0,1,0

translation
0
0
700
"""
MAYA_1 = "0,-700,0\n90,0,0\n0,0,-40\n16.5,12.5,-400\n0.1,32,24\n"
PROJECTION = [[400.0, 15.5, 0.0, 10850.0], [0.0, 11.5, -400.0, 8050.0], [0.0, 1.0, 0.0, 700.0]]
ROWS = "\n".join(" ".join(map(repr, row)) for row in PROJECTION)
SIZED = {"P": PROJECTION, "size": [32, 24]}
CAMERA_WORDS = [
    "image size", "camera matrix", "rotation", "translation", "x", "0,0", "32,24", "1,2,3", "#", "nan", "inf", "-1",
    "1e308", "1e-320", "1e11", "0", "9" * 400, ",", "",
]  # fmt: skip
CAMERA_TEXTS = [MAYA_2, MAYA_1, ROWS]
YAML_WORDS = ["rows:", "cols:", "data:", "[", "]", "400.,", ".nan", "1e999", "9" * 400, "-1", "0", "K:", "3", "\t", "#"]


@functools.cache
def _write_images(folder: Path) -> None:
    """What a sound case names, and what nobody should wait for."""
    hu = np.full((10, 12, 14), -1000, np.int16)
    hu[3:8, 3:9, 3:10] = 600
    for name, voxels in (("ct.nrrd", hu), ("labels.nrrd", (hu > 0).astype(np.uint8))):
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing([4.0] * 3)
        sitk.WriteImage(image, str(folder / name))
    v, u = np.mgrid[:24, :32]
    xray = (60000 * np.exp(-1.5 * np.exp(-((u - 15) ** 2 + (v - 10) ** 2) / 40))).astype(np.uint16)
    sitk.WriteImage(sitk.GetImageFromArray(xray), str(folder / "xray.tif"))
    sitk.WriteImage(sitk.GetImageFromArray(np.full((24, 32), 255, np.uint8)), str(folder / "mask.png"))
    if sys.platform != "win32":
        os.mkfifo(folder / "none.json")


def _read_case(path: Path) -> None:
    """All that `prostreg register` does with a case before it begins."""
    _write_images(path.parent)
    case = read_case(path)
    if case.initial_world_from_volume is not None:
        start_pose(case)
    model_to_ask(RegistrationConfig(), case)


TARGETS = {
    "case": Target("case/case.json", _read_case, json_files(*CASES, BY_THRESHOLD)),
    "camera": Target("camera.json", read_camera, json_files(CAMERA, SIZED, {"views": [{"camera": CAMERA}]})),
    "camera in rows": Target(
        "camera.txt", lambda path: read_camera(path, image_size=lambda: (32, 24)),
        st.one_of(changed_words(CAMERA_TEXTS, CAMERA_WORDS), damaged([text.encode() for text in CAMERA_TEXTS])),
    ),
    "camera of OpenCV": Target(
        "camera.yml", read_camera, st.one_of(changed_words([YAML], YAML_WORDS), damaged([YAML.encode()]))
    ),
    "configuration": Target("config.json", RegistrationConfig.from_json_file, json_files(CONFIG)),
    "simulator": Target(
        "simulator.json", lambda path: SimulatorSettings.from_json_file(path, SimulatorSettings()),
        json_files(SimulatorSettings().to_dict()),
    ),
}  # fmt: skip
