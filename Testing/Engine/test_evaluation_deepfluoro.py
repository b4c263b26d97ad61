"""The DeepFluoro loader on a small file in that layout, drawn with nothing but the authors' own formula."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, median_filter
from scipy.spatial.transform import Rotation

from Patience import PATIENCE_S
from prostreg.errors import InputError
from prostreg.evaluation.protocol import read_protocol
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.evaluation.sources.deepfluoro import DeepFluoroCases
from prostreg.evaluation.sources.deepfluoro_file import DeepFluoroFile
from prostreg.geometry.frames import transform_points
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register
from prostreg.samples.phantom import Phantom, make_phantom

PIXELS = 210
SPACING_MM = 1.55
SDD_MM = 1020.0
STEP_MM = 2.0
BORDER_PX = 12
BEAD_HU = 20000.0
BEADS = {"A-l": (38, 60, 30), "A-r": (104, 72, 38), "B-l": (52, 25, 82), "B-r": (96, 40, 95), "C-l": (70, 90, 62)}
"""Voxels (i, j, k) of the stored volume that hold a metal bead; no two sides alike."""

NEAR = {
    "tilt_u_deg": 4, "tilt_v_deg": 4, "in_plane_deg": 4, "shift_u_mm": 6, "shift_v_mm": 6, "depth_mm": 12,
}  # fmt: skip


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(3)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, phantom: Phantom) -> Path:
    path = tmp_path_factory.mktemp("deepfluoro") / "data.h5"
    write_file(path, phantom)
    return path


def cases_of(path: Path, **source: object) -> DeepFluoroCases:
    """The built-in protocol, with the test file's border and nearer starts."""
    protocol = read_protocol("deepfluoro")
    starts = {"kind": "drawn", "offsets": {name: {"normal": [0, spread]} for name, spread in NEAR.items()}}
    settings = {**protocol.content["source"], "border_px": BORDER_PX, "data": {"file": path.name}, **source}
    return make_case_source(protocol.with_changes(source=settings, starts=starts), path.parent)


def write_file(path: Path, phantom: Phantom) -> None:
    """Two specimens with one image each, the second one with the head down."""
    hu = phantom.ct.values[:, ::-1, ::-1].copy()  # the phantom's grid runs to R and A; stored grids run to L and P
    labels = phantom.labels.values[:, ::-1, ::-1]
    lps_from_index = np.diag([*phantom.ct.spacing_mm, 1.0])
    lps_from_index[:3, 3] = (-131.0, -88.5, -1040.25)
    for i, j, k in BEADS.values():
        hu[k, j, i] = BEAD_HU
    focal_px = SDD_MM / SPACING_MM
    intrinsic = np.array([[-focal_px, 0, 101.0], [0, -focal_px, 107.5], [0, 0, 1]])
    extrinsic = _rigid((0.2, -1.4, 0.5), (-150.0, -3.0, -632.0))
    with h5py.File(path, "w") as file:
        camera = file.create_group("proj-params")
        camera["intrinsic"], camera["extrinsic"] = intrinsic, extrinsic
        camera["num-cols"], camera["num-rows"] = PIXELS, PIXELS
        camera["pixel-col-spacing"], camera["pixel-row-spacing"] = SPACING_MM, SPACING_MM
        for name, head_is_down in (("17-0001", 0), ("18-0002", 1)):
            specimen = file.create_group(name)
            _write_volume(specimen.create_group("vol"), hu, lps_from_index)
            renamed = np.select([labels == value for value in (31, 30, 29)], [1, 2, 4]).astype(np.uint8)
            _write_volume(specimen.create_group("vol-seg/image"), renamed, lps_from_index)
            for bead, index in BEADS.items():
                point = lps_from_index @ (*index, 1.0)
                specimen[f"vol-landmarks/{bead}"] = point[:3, None].astype(np.float32)
            camera_from_lps = _frontal(head_is_down, lps_from_index, hu.shape)
            _write_projection(
                specimen.create_group("projections/000"), head_is_down, hu, lps_from_index, intrinsic, extrinsic,
                camera_from_lps,
            )  # fmt: skip


def _frontal(head_is_down: int, lps_from_index: NDArray, shape: tuple[int, ...]) -> NDArray:
    """A frontal view as one sees it from the detector, in the authors' camera: z towards the source."""
    up = 1.0 if head_is_down else -1.0  # LPS z against the image's rows
    axes = np.array([[-up, 0, 0], [0, 0, up], [0, 1.0, 0]])
    turned = Rotation.from_euler("xyz", [7, -11, 5], degrees=True).as_matrix() @ axes
    assert np.linalg.det(turned) == pytest.approx(1)
    pose = np.eye(4)
    pose[:3, :3] = turned
    centre = lps_from_index @ (*(np.array(shape[::-1]) - 1) / 2, 1.0)
    pose[:3, 3] = (6.0, -9.0, -640.0) - turned @ centre[:3]
    return pose


def _write_projection(group, head_is_down, hu, lps_from_index, intrinsic, extrinsic, camera_from_lps) -> None:
    pixels = 50000 * np.exp(-_ray_sums(hu, lps_from_index, intrinsic, camera_from_lps))
    pixels[:9], pixels[:, -9:] = 65000, 40  # what the collimator leaves at the border
    group["image/pixels"] = pixels.astype(np.float32)
    # The authors' renderer took voxel i for i..i+1, so their volume lies half a voxel further on.
    stored_from_true = np.eye(4)
    stored_from_true[:3, 3] = lps_from_index[:3, :3] @ (0.5, 0.5, 0.5)
    stored = stored_from_true @ np.linalg.inv(camera_from_lps) @ extrinsic
    group["gt-poses/cam-to-pelvis-vol"] = stored
    group["rot-180-for-up"] = head_is_down
    for bead, index in BEADS.items():
        point = extrinsic @ np.linalg.inv(stored) @ lps_from_index @ (*index, 1.0)
        seen = intrinsic @ point[:3]
        group[f"gt-landmarks/{bead}"] = seen[:2, None] / seen[2]


def _ray_sums(hu, lps_from_index, intrinsic, camera_from_lps) -> NDArray:
    """Line integrals [row, column]: points along the rays from the origin to the detector at z = -SDD."""
    v, u = np.mgrid[:PIXELS, :PIXELS]
    detector = -SDD_MM * np.linalg.inv(intrinsic) @ np.stack([u.ravel(), v.ravel(), np.ones(u.size)])
    attenuation = 0.02 * np.clip(1 + hu / 1000, 0, None)
    index_from_camera = np.linalg.inv(camera_from_lps @ lps_from_index)
    total = np.zeros(u.size)
    shares = np.arange(490.0, 800.0, STEP_MM) / SDD_MM
    for share in shares:
        i, j, k = index_from_camera[:3, :3] @ (share * detector) + index_from_camera[:3, 3:]
        total += map_coordinates(attenuation, [k, j, i], order=1)
    return (total * STEP_MM * np.linalg.norm(detector, axis=0) / SDD_MM).reshape(PIXELS, PIXELS)


def _write_volume(group: h5py.Group, values: NDArray, lps_from_index: NDArray) -> None:
    group["pixels"] = values
    group["spacing"] = np.diag(lps_from_index)[:3, None]
    group["origin"] = lps_from_index[:3, 3:]
    group["dir-mat"] = np.eye(3)


def _rigid(rotation_vector, translation) -> NDArray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = Rotation.from_rotvec(rotation_vector).as_matrix(), translation
    return matrix


def bead_errors_px(case: Case) -> NDArray:
    """Distance of each projected landmark from the small bright spot near it."""
    view, pose = case.views[0], case.truth_world_from_volume
    image = view.xray.line_integrals.astype(np.float64)
    spots = np.clip(image - median_filter(image, 11), 0, None)
    errors = []
    for u, v in view.carm.project_world(transform_points(pose, case.landmarks_mm)):
        left, top = round(u) - 5, round(v) - 5
        weight = spots[top : top + 11, left : left + 11]
        weight = np.clip(weight - weight.max() / 2, 0, None)
        rows, columns = np.mgrid[top : top + 11, left : left + 11]
        errors.append(np.hypot((weight * columns).sum() / weight.sum() - u, (weight * rows).sum() / weight.sum() - v))
    return np.array(errors)


@pytest.mark.parametrize("number", [0, 1])
def test_true_pose_projects_landmarks_onto_the_beads(path: Path, number: int) -> None:
    case = cases_of(path).case(number)
    assert len(case.landmarks_mm) == len(BEADS)
    assert bead_errors_px(case).max() < 0.4


def test_stored_pose_without_the_shift_is_half_a_voxel_off(path: Path) -> None:
    shifted, stored = cases_of(path).case(0), cases_of(path, half_voxel_shift="as stored").case(0)
    difference = shifted.truth_world_from_volume - stored.truth_world_from_volume
    assert np.linalg.norm(difference[:3, 3]) == pytest.approx(np.sqrt(3) * 1.0)  # voxels of 2 mm
    assert bead_errors_px(stored).min() > 1.0


@pytest.mark.parametrize("number", [0, 1])
def test_head_is_up_and_the_border_is_gone(path: Path, number: int) -> None:
    case = cases_of(path).case(number)
    carm = case.views[0].carm
    assert carm.size == (PIXELS - 2 * BORDER_PX,) * 2 == case.views[0].xray.size
    superior = case.truth_world_from_volume[:3, 2]
    assert superior[1] < -0.9
    assert case.name == ("deepfluoro-17-0001-000", "deepfluoro-18-0002-000")[number]


def test_volume_and_labels_are_the_phantom_in_ras(path: Path, phantom: Phantom) -> None:
    case = cases_of(path).case(0)
    assert np.linalg.det(case.ct.volume_from_index[:3, :3]) > 0
    assert case.anatomy.sum() == (phantom.labels.values > 0).sum()
    np.testing.assert_array_equal(case.anatomy, phantom.labels.values[:, ::-1, ::-1] > 0)
    index = np.array(BEADS["B-r"])
    there = np.array([131.0, 88.5, -1040.25]) + (-2, -2, 2) * index
    assert np.abs(case.landmarks_mm - there).sum(axis=1).min() < 1e-3


def test_registration_finds_the_stored_truth(path: Path) -> None:
    result = register(cases_of(path).case(1), RegistrationConfig(method="cmaes", seed=1, time_limit_s=PATIENCE_S))
    assert result.mtre_mm is not None
    assert result.mtre_mm < 1.0


def test_cases_do_not_depend_on_what_was_asked_before(path: Path) -> None:
    cases = cases_of(path)
    first, second = cases.case(0), cases.case(1)
    again = cases_of(path).case(1)
    np.testing.assert_array_equal(again.initial_world_from_volume, second.initial_world_from_volume)
    assert not np.allclose(first.initial_world_from_volume, second.initial_world_from_volume)
    assert len(cases) == 2


def test_all_faults_are_named_at_once(path: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(path.read_bytes())
    with h5py.File(damaged, "r+") as file:
        del file["proj-params/num-rows"]
        del file["17-0001/vol/origin"]
        file["17-0001/vol-seg/image/spacing"][...] = -1.0
        file["17-0001/projections/000/gt-poses/cam-to-pelvis-vol"][0, 0] = 4.0
        del file["18-0002/projections/000/image"]
        del file["18-0002/projections/000/rot-180-for-up"]
    with pytest.raises(InputError) as raised:
        DeepFluoroFile(damaged)
    text = str(raised.value)
    for part in ("num-rows", "17-0001, 'vol' has no 'origin'", "'spacing'", "not rigid", "no group 'image'", "rot-180"):
        assert part in text
    assert len(raised.value.faults) == 6


def test_pose_in_the_wrong_direction_is_noticed(path: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "inverted.h5"
    damaged.write_bytes(path.read_bytes())
    with h5py.File(damaged, "r+") as file:
        pose = file["18-0002/projections/000/gt-poses/cam-to-pelvis-vol"]
        pose[...] = np.linalg.inv(pose[()])
    with pytest.raises(InputError, match="do not belong together"):
        DeepFluoroFile(damaged)


def test_files_that_cannot_be_read_are_named(tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="does not exist"):
        DeepFluoroFile(tmp_path / "none.h5")
    cut = tmp_path / "cut.h5"
    cut.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(InputError, match="cannot be opened as HDF5"):
        DeepFluoroFile(cut)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match="pip install"):
        DeepFluoroFile(path)


def test_protocol_names_every_wrong_field_and_missing_data(tmp_path: Path) -> None:
    protocol = read_protocol("deepfluoro")
    with pytest.raises(InputError) as raised:
        protocol.with_changes(source={"kind": "deepfluoro", "data": {"file": "a.h5"}, "labels": [1.5], "border": 3})
    assert len(raised.value.faults) == 4  # labels, border_px and half_voxel_shift, and the key that is none
    with pytest.raises(InputError, match=r"does not exist.*DeepFluoroLabeling"):
        make_case_source(protocol, tmp_path)
    with pytest.raises(InputError, match="name their folder"):
        make_case_source(protocol, None)


def test_damaged_pixels_spoil_their_own_case_only(path: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "pixels.h5"
    damaged.write_bytes(path.read_bytes())
    with h5py.File(damaged, "r+") as file:
        file["18-0002/projections/000/image/pixels"][30, 40] = np.nan
    cases = cases_of(damaged)
    assert cases.case(0).name == "deepfluoro-17-0001-000"
    with pytest.raises(InputError, match="projection 000 of specimen 18-0002 contain NaN"):
        cases.case(1)
