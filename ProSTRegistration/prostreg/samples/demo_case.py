"""Writes a complete case with a known truth: a CT, labels, a simulated fluoroscopy and a rough start pose."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.files import complete_file
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_values import carm_to_values
from prostreg.geometry.frames import Matrix, ras_from_lps, transform_points
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.images.anatomy import anatomy_from_labels
from prostreg.images.image_file import write_image
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.volume import Volume
from prostreg.samples.phantom import VERTEBRA_LABELS, make_phantom
from prostreg.samples.sample_ct import SampleCt
from prostreg.simulation.fluoroscopy import FluoroscopySimulator

SDD_MM = 1020.0
ISOCENTRE_TO_DETECTOR_MM = 400.0
FIELD_MM = 298.0
IMAGE_PIXELS = 512
START_ROTATION_DEG = 15.0
START_SHIFT_MM = (20.0, 40.0)
TRUTH_TILT_DEG = 6.0
"""The patient lies not quite straight: each axis is turned by up to this much."""
SAMPLE_OBLIQUE_DEG = -30.0
"""From AP, the beam enters 30 degrees to the patient's right. In a straight AP view of this CT the
aorta and the heart lie over the spine, and wrong poses score as well as the true one."""
SAMPLE_CT_BINNING = (2, 2, 1)
"""Voxels averaged along (i, j, k): 1.4 x 1.4 x 2.5 mm, as fine as the image resolves and quick to read."""

ORGAN_LABELS = (*range(1, 25), *range(51, 69))
BONE_LABELS = (*range(25, 51), *range(69, 79), *range(91, 117))
"""TotalSegmentator 2; the sample CT was taken with contrast agent, which a fluoroscopy later does not show."""
SOFT_TISSUE_HU = 60.0

CAMERA_FROM_PATIENT_AP = np.array([[-1.0, 0, 0], [0, 0, -1.0], [0, -1.0, 0]])
"""Rotation of an anterior-posterior view: columns run to the patient's left, rows to the feet, the beam to the back.

Seen from the source, the picture is the usual one: the patient's right is on its left.
"""


def write_sample_case(folder: Path, sample: SampleCt, seed: int) -> Path:
    """Writes the case of the sample CT's spine into ``folder``; gives the path of its case.json."""
    folder.mkdir(parents=True, exist_ok=True)
    ct = sitk.Cast(sitk.Clamp(sitk.ReadImage(str(sample.ct)), lowerBound=-1024, upperBound=3071), sitk.sitkFloat32)
    ct = sitk.Cast(sitk.Round(sitk.BinShrink(ct, SAMPLE_CT_BINNING)), sitk.sitkInt16)
    write_image(folder / "ct.nii.gz", ct, is_compressed=True, compression_level=1)
    shutil.copyfile(sample.labels, folder / "labels.nii.gz")
    volume, labels = read_ct(folder / "ct.nii.gz"), read_labels(folder / "labels.nii.gz")
    seen = without_contrast_agent(volume, labels)
    anatomy = (*sample.spine_labels, *sample.rib_labels)
    landmarks = structure_landmarks_mm(labels, sample.spine_labels)
    ends = structure_landmarks_mm(labels, anatomy)
    aim = (landmarks.mean(axis=0) + (ends.min(axis=0) + ends.max(axis=0)) / 2) / 2  # between spine and rib cage
    return _write_case(folder, _Scene("spine-demo", seen, anatomy, landmarks, aim, SAMPLE_OBLIQUE_DEG), seed)


def write_phantom_case(folder: Path, seed: int) -> Path:
    """Writes the case of a generated phantom into ``folder``; gives the path of its case.json."""
    folder.mkdir(parents=True, exist_ok=True)
    phantom = make_phantom(seed)
    _write_volume(folder / "ct.nii.gz", phantom.ct, np.int16)
    _write_volume(folder / "labels.nii.gz", phantom.labels, np.uint8)
    landmarks = structure_landmarks_mm(phantom.labels, VERTEBRA_LABELS)
    aim = landmarks.mean(axis=0)
    return _write_case(folder, _Scene("phantom-demo", phantom.ct, VERTEBRA_LABELS, landmarks, aim, 0.0), seed)


def without_contrast_agent(ct: Volume, labels: Volume) -> Volume:
    """The CT as the patient is in the operating room: heart, vessels and organs no denser than soft tissue."""
    organs = anatomy_from_labels(ct, labels, ORGAN_LABELS)
    bones = anatomy_from_labels(ct, labels, BONE_LABELS)
    grown = sitk.BinaryDilate(sitk.GetImageFromArray(organs.astype(np.uint8)), (1, 1, 1))
    enhanced = sitk.GetArrayFromImage(grown).astype(bool) & ~bones & (ct.values > SOFT_TISSUE_HU)
    return ct.with_values(np.where(enhanced, np.float32(SOFT_TISSUE_HU), ct.values))


@dataclass(frozen=True, eq=False)
class _Scene:
    """The imaging of a demo case: what is imaged and from where.

    Attributes:
        ct: what the X-rays pass through, HU.
        anatomy: label values of what is registered.
        landmarks_mm: (n, 3) in the volume frame.
        aim_mm: (3,), the point in the isocentre, about which the start pose is turned.
        oblique_deg: turn from an AP view about the patient's long axis.
    """

    name: str
    ct: Volume
    anatomy: Sequence[int]
    landmarks_mm: NDArray[np.float64]
    aim_mm: NDArray[np.float64]
    oblique_deg: float


def _write_case(folder: Path, scene: _Scene, seed: int) -> Path:
    """Writes xray.tif and case.json beside the CT and the labels that are there."""
    rng = np.random.default_rng(seed)
    carm = demo_carm()
    oblique = rotation_from_vector(np.array([0.0, np.deg2rad(scene.oblique_deg), 0.0]))
    tilt = rotation_from_vector(np.deg2rad(rng.uniform(-TRUTH_TILT_DEG, TRUTH_TILT_DEG, 3)))
    truth = ap_pose(scene.aim_mm, tilt @ oblique)
    xray = FluoroscopySimulator(scene.ct).image(carm, truth, seed)
    write_image(folder / "xray.tif", sitk.GetImageFromArray(xray.pixels))
    content = {
        "name": scene.name,
        "ct": "ct.nii.gz",
        "anatomy": {"labels": "labels.nii.gz", "values": [int(value) for value in scene.anatomy]},
        "views": [{"image": "xray.tif", "camera": carm_to_values(carm), "polarity": xray.polarity, "mask": None}],
        "initial": {"world_from_volume": rough_start(truth, scene.aim_mm, rng).tolist()},
        "truth": {"world_from_volume": truth.tolist(), "landmarks": scene.landmarks_mm.tolist()},
    }
    path = folder / "case.json"
    with complete_file(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def demo_carm() -> CArm:
    """A mobile C-arm with a 298 mm field, 1020 mm from source to detector; world = camera."""
    pitch_mm = FIELD_MM / IMAGE_PIXELS
    return CArm.from_sdd(SDD_MM, (pitch_mm, pitch_mm), (IMAGE_PIXELS, IMAGE_PIXELS))


def structure_landmarks_mm(labels: Volume, values: Sequence[int]) -> NDArray[np.float64]:
    """For each label its centre and its outermost voxels along the patient's axes, (7 n, 3) in RAS mm."""
    landmarks = []
    for value in values:
        k, j, i = np.nonzero(labels.values == value)
        points = transform_points(labels.volume_from_index, np.stack([i, j, k], axis=-1))
        landmarks.append(points.mean(axis=0))
        for axis in range(3):
            landmarks += [points[points[:, axis].argmin()], points[points[:, axis].argmax()]]
    return np.array(landmarks)


def rough_start(truth: Matrix, centre_mm: NDArray[np.float64], rng: np.random.Generator) -> Matrix:
    """A start pose: the anatomy turned by 15 degrees about a point and moved by 20 to 40 mm in camera axes."""
    axis, direction = rng.normal(size=(2, 3))
    turn = rotation_from_vector(np.deg2rad(START_ROTATION_DEG) * axis / np.linalg.norm(axis))
    shift = rng.uniform(*START_SHIFT_MM) * direction / np.linalg.norm(direction)
    start = np.eye(4)
    start[:3, :3] = turn @ truth[:3, :3]
    start[:3, 3] = transform_points(truth, centre_mm) + shift - start[:3, :3] @ centre_mm
    return start


def ap_pose(centre_mm: NDArray[np.float64], turn: NDArray[np.float64]) -> Matrix:
    """world_from_volume of an AP view with ``centre_mm`` in the isocentre, the patient turned by ``turn`` (3, 3)."""
    pose = np.eye(4)
    pose[:3, :3] = turn @ CAMERA_FROM_PATIENT_AP
    pose[:3, 3] = np.array([0, 0, SDD_MM - ISOCENTRE_TO_DETECTOR_MM]) - pose[:3, :3] @ centre_mm
    return pose


def _write_volume(path: Path, volume: Volume, kind: type[np.generic]) -> None:
    image = sitk.GetImageFromArray(np.rint(volume.values).astype(kind))
    lps_from_index = ras_from_lps(volume.volume_from_index)
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetOrigin(lps_from_index[:3, 3].tolist())
    image.SetDirection((lps_from_index[:3, :3] / volume.spacing_mm).ravel().tolist())
    write_image(path, image, is_compressed=True, compression_level=1)
