"""case.json: what it says is what the case holds, and every fault of it and its files is listed at once."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, XRayAngiographicImageStorage, generate_uid

from prostreg.errors import InputError
from prostreg.registration.case_file import read_case

INTRINSICS = [[800.0, 0.0, 31.5], [0.0, 790.0, 23.5], [0.0, 0.0, 1.0]]
SIDE_VIEW = [[0.0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, 900], [0, 0, 0, 1]]
START = [[1.0, 0, 0, 5], [0, 0, -1, 6], [0, 1, 0, 700], [0, 0, 0, 1]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A CT with two labelled bones, and an X-ray with its mask, in a folder with a difficult name."""
    folder = tmp_path / "Fälle 2026"
    (folder / "images").mkdir(parents=True)
    hu = np.full((10, 12, 14), -1000, np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    hu[2:9, 2:10, 2:12] = 40
    hu[3:5, 3:6, 3:8], labels[3:5, 3:6, 3:8] = 600, 25
    hu[6:8, 6:8, 4:11], labels[6:8, 6:8, 4:11] = 900, 77
    for name, values in (("ct.nii.gz", hu), ("labels.nrrd", labels)):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing((2, 2, 3))
        sitk.WriteImage(image, str(folder / name))
    v, u = np.mgrid[:48, :64]
    xray = (60000 * np.exp(-1.5 * np.exp(-((u - 31) ** 2 + (v - 20) ** 2) / 150))).astype(np.uint16)
    for number in (1, 2, 3):
        sitk.WriteImage(sitk.GetImageFromArray(xray + np.uint16(number)), str(folder / "images" / f"xray {number}.tif"))
    mask = np.zeros((48, 64), np.uint8)
    mask[5:40, 10:] = 255
    sitk.WriteImage(sitk.GetImageFromArray(mask), str(folder / "images" / "mask.png"))
    return folder


def content() -> dict[str, Any]:
    view = {"image": "images/xray 1.tif", "camera": {"K": INTRINSICS, "size": [64, 48]}}
    case = {
        "name": "case-001",
        "ct": "ct.nii.gz",
        "anatomy": {"labels": "labels.nrrd", "values": [25]},
        "views": [view],
        "initial": {"world_from_volume": START},
        "truth": {"world_from_volume": np.eye(4).tolist(), "landmarks": [[1, 2, 3], [4, 5, 6]]},
    }
    return deepcopy(case)  # its lists are changed by who asks


def written(folder: Path, case: dict[str, Any]) -> Path:
    path = folder / "case.json"
    path.write_text(json.dumps(case), encoding="utf-8")
    return path


def faults_of(folder: Path, case: dict[str, Any]) -> list[str]:
    with pytest.raises(InputError) as raised:
        read_case(written(folder, case))
    return raised.value.faults


def only_fault_of(folder: Path, case: dict[str, Any]) -> str:
    faults = faults_of(folder, case)
    assert len(faults) == 1, faults
    return faults[0]


def test_a_full_case(folder: Path) -> None:
    given = content()
    given["views"][0] |= {"polarity": "bone-dark", "mask": "images/mask.png"}
    case = read_case(written(folder, given))
    assert case.name == "case-001"
    assert case.ct.size == (14, 12, 10)
    assert case.anatomy.sum() == 2 * 3 * 5
    assert (case.ct.values[case.anatomy] == 600).all()
    view = case.views[0]
    np.testing.assert_array_equal(view.carm.intrinsics, INTRINSICS)
    assert view.carm.size == view.xray.size == (64, 48)
    np.testing.assert_array_equal(view.carm.camera_from_world, np.eye(4))
    assert view.xray.mask[5:40, 10:].all()
    assert view.xray.mask.sum() == 35 * 54
    v, u = np.unravel_index(np.argmax(view.xray.line_integrals), (48, 64))
    assert (u, v) == (31, 20)
    np.testing.assert_array_equal(case.initial_world_from_volume, START)
    np.testing.assert_array_equal(case.truth_world_from_volume, np.eye(4))
    np.testing.assert_array_equal(case.landmarks_mm, [[1, 2, 3], [4, 5, 6]])


def test_what_may_be_left_out(folder: Path) -> None:
    given = content()
    for key in ("anatomy", "initial", "truth"):
        del given[key]
    given["views"][0] |= {"mask": None, "polarity": "auto"}
    case = read_case(written(folder, given))
    np.testing.assert_array_equal(case.anatomy, case.ct.values >= 200)
    assert case.initial_world_from_volume is None
    assert case.truth_world_from_volume is None
    assert case.landmarks_mm is None
    assert case.views[0].xray.mask.all()


def test_several_views_and_pixel_spacing(folder: Path) -> None:
    given = content()
    for number, pose in ((2, np.eye(4).tolist()), (3, SIDE_VIEW)):
        camera = {"K": INTRINSICS, "size": [64, 48], "camera_from_world": pose, "spacing_mm": [0.5, 0.51]}
        given["views"].append({"image": f"images/xray {number}.tif", "camera": camera})
    case = read_case(written(folder, given | {"views": given["views"][1:]}))
    np.testing.assert_array_equal(case.views[1].carm.camera_from_world, SIDE_VIEW)
    assert case.views[1].carm.spacing_mm == (0.5, 0.51)
    assert "View 1" in only_fault_of(folder, given)  # it does not say where it stands


def test_the_folder_names_its_case_file(folder: Path) -> None:
    written(folder, content())
    assert read_case(folder).name == "case-001"


def dicom_xray(path: Path) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = XRayAngiographicImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.Modality, dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "XA", "MONOCHROME2", 1
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path.with_name("xray 1.tif"))))
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelIntensityRelationship = "LIN"
    dataset.DistanceSourceToDetector, dataset.ImagerPixelSpacing = "1000", [0.5, 0.4]
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(path, enforce_file_format=True)


def test_camera_from_dicom_tags(folder: Path) -> None:
    dicom_xray(folder / "images" / "xa.dcm")
    given = content()
    given["views"] = [{"image": "images/xa.dcm"}]
    carm = read_case(written(folder, given)).views[0].carm
    np.testing.assert_allclose(carm.intrinsics, [[2500, 0, 31.5], [0, 2000, 23.5], [0, 0, 1]])
    given["views"] = [{"image": "images/xa.dcm", "camera": {"camera_from_world": SIDE_VIEW}}]
    carm = read_case(written(folder, given)).views[0].carm
    np.testing.assert_allclose(carm.intrinsics[0, 0], 2500)
    np.testing.assert_array_equal(carm.camera_from_world, SIDE_VIEW)


def test_the_camera_may_be_a_file_and_a_projection_matrix(folder: Path) -> None:
    given, side = content(), np.array(INTRINSICS) @ np.array(SIDE_VIEW)[:3]
    np.savetxt(folder / "images" / "side.csv", side, delimiter=",")
    given["views"][0]["camera"] = {"P": (-side).tolist(), "size": [64, 48]}
    given["views"].append({"image": "images/xray 2.tif", "camera": "images/side.csv"})
    for view in read_case(written(folder, given)).views:
        assert view.carm.size == (64, 48)
        np.testing.assert_allclose(view.carm.intrinsics, INTRINSICS, atol=1e-9)
        np.testing.assert_allclose(view.carm.camera_from_world, SIDE_VIEW, atol=1e-9)


def test_faults_of_a_camera_file_stand_among_the_others(folder: Path) -> None:
    given = content()
    given["name"] = ""
    cameras = enumerate(("none.csv", "wide.json"), start=1)
    given["views"] = [{"image": f"images/xray {number}.tif", "camera": name} for number, name in cameras]
    camera = {"K": INTRINSICS, "size": [60, 48], "camera_from_world": SIDE_VIEW}
    (folder / "wide.json").write_text(json.dumps(camera), encoding="utf-8")
    faults = faults_of(folder, given)
    assert len(faults) == 3, faults
    assert "results are filed under it" in faults[0]
    assert "none.csv does not exist" in faults[1]
    assert "View 2 has an image of 64 x 48 pixels, but its camera says 60 x 48" in faults[2]


def test_no_camera_and_no_tags(folder: Path) -> None:
    given = content()
    del given["views"][0]["camera"]
    assert 'no "camera", and its image has no DICOM tags' in only_fault_of(folder, given)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"name": None}, '"name" of the case is null: give a short text'),
        ({"name": "../up"}, "cannot be a folder's name"),
        ({"name": ".."}, "cannot be a folder's name"),
        ({"ct": None}, '"ct" of the case is null: give the path of a file'),
        ({"ct": "none.nrrd"}, "none.nrrd does not exist"),
        ({"anatomy": [25]}, '"anatomy" must be an object'),
        ({"anatomy": {"labels": "labels.nrrd", "values": []}}, '"values"'),
        ({"anatomy": {"labels": "labels.nrrd", "values": [25.5]}}, '"values"'),
        ({"anatomy": {"labels": "labels.nrrd", "values": [3]}}, "The labels contain 25, 77"),
        ({"views": []}, '"views" of the case is []: give a list of one or more'),
        ({"views": ["x.tif"]}, "View 1 must be an object, {...}"),
        ({"initial": START}, '"initial" must be an object'),
        ({"initial": {"world_from_volume": [[1, 2], [3, 4]]}}, "2x2"),
        ({"initial": {"world_from_volume": np.diag([1, 1, -1, 1]).tolist()}}, "left-handed"),
        ({"initial": {"world_from_volume": np.diag([2, 2, 2, 1]).tolist()}}, "not rigid"),
        ({"truth": {"world_from_volume": START, "landmarks": [[1, 2]]}}, '"landmarks"'),
        ({"truth": {"world_from_volume": START, "landmarks": []}}, '"landmarks"'),
        ({"veiws": []}, 'unknown key "veiws": did you mean "views"?'),
        ({"comment": "x"}, 'unknown key "comment": known are anatomy, ct, initial, name, relation, truth, views'),
    ],
)
def test_faults_of_a_case(folder: Path, change: dict[str, Any], fault: str) -> None:
    assert fault in only_fault_of(folder, content() | change)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"image": None}, '"image" of view 1 is null: give the path of a file'),
        ({"image": "images/none.png"}, "none.png does not exist"),
        ({"polarity": "dark"}, "\"polarity\" of view 1 is 'dark': choose one of auto, bone-dark, bone-bright"),
        ({"polarity": ["auto"]}, "choose one of auto"),
        ({"mask": "images/none.png"}, "The mask "),
        ({"camera": {"K": INTRINSICS}}, 'lacks "size": give [width, height]'),
        ({"camera": 5}, '"camera" of view 1 must be an object'),
        ({"camera": {"K": INTRINSICS, "size": [48, 64]}}, "64 x 48 pixels, but its camera says 48 x 64"),
        ({"camera": {"K": INTRINSICS, "size": [64, "48"]}}, "two whole numbers"),
        ({"camera": {"K": INTRINSICS, "size": [64, float("nan")]}}, "two whole numbers"),
        (
            {"camera": {"K": INTRINSICS, "size": [64, 48], "spacing_mm": 0.3}},
            '"spacing_mm" of "camera" of view 1 is 0.3: give two numbers',
        ),
        ({"camera": {"K": INTRINSICS, "size": [64, 48], "spacing_mm": [0.3, -1]}}, "must be positive"),
        ({"camera": {"K": np.zeros((3, 4)).tolist(), "size": [64, 48]}}, "3x4"),
        ({"camera": {"K": [[1, 2], [3]], "size": [64, 48]}}, "K is not a matrix"),
        (
            {"camera": {"K": INTRINSICS, "size": [64, 48], "camera_from_world": np.diag([1, -1, 1, 1]).tolist()}},
            "mirrors",
        ),
        ({"camera": {"K": INTRINSICS, "size": [64, 48], "sdd": 1000}}, 'unknown key "sdd"'),
        ({"maks": None}, 'unknown key "maks": did you mean "mask"?'),
    ],
)
def test_faults_of_a_view(folder: Path, change: dict[str, Any], fault: str) -> None:
    given = content()
    given["views"][0] |= change
    assert fault in only_fault_of(folder, given)


@pytest.mark.parametrize(("focal_length", "advice"), [(0.0, "Give K in pixels."), (-800.0, "A mirrored image")])
def test_singular_or_negative_intrinsics(folder: Path, focal_length: float, advice: str) -> None:
    given = content()
    given["views"][0]["camera"]["K"] = [[focal_length, 0, 31.5], [0, 790, 23.5], [0, 0, 1]]
    fault = only_fault_of(folder, given)
    assert "K is singular or flipped" in fault
    assert advice in fault


def test_mask_of_another_size(folder: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((48, 60), np.uint8)), str(folder / "small.png"))
    given = content()
    given["views"][0]["mask"] = "small.png"
    assert "a mask of 60 x 48 pixels and an image of 64 x 48" in only_fault_of(folder, given)


def test_labels_that_do_not_overlap(folder: Path) -> None:
    labels = sitk.ReadImage(str(folder / "labels.nrrd"))
    labels.SetOrigin((900, 0, 0))
    sitk.WriteImage(labels, str(folder / "labels.nrrd"))
    assert "do not overlap" in only_fault_of(folder, content())


@pytest.mark.parametrize(
    ("moved_mm", "fault"),
    [
        ((0, 0, 0), None),
        ((6, 0, 0), "moved 6 mm to the patient's left"),
        ((13, 0, 0), "of the anatomy lies in the CT"),
        ((0, -12, 0), "lies in air"),
    ],
)
def test_labels_of_another_scan(folder: Path, moved_mm: tuple[float, float, float], fault: str | None) -> None:
    """The labelled box is 10 mm wide, begins 6 mm from the CT's edge along x; along y, air begins 8 mm behind it."""
    labels = sitk.ReadImage(str(folder / "labels.nrrd"))
    labels.SetOrigin([-mm for mm in moved_mm])
    sitk.WriteImage(labels, str(folder / "labels.nrrd"))
    if fault is None:
        assert read_case(written(folder, content())).anatomy.any()
    else:
        assert fault in only_fault_of(folder, content())


def test_every_fault_is_listed_at_once(folder: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.full((48, 64), 9, np.uint8)), str(folder / "flat.png"))
    (folder / "ct.nii.gz").write_bytes(b"damaged")
    given = content()
    given["name"] = "a/b"
    given["views"] = [
        {"image": "flat.png", "camera": {"K": np.eye(3).tolist(), "size": [0, 5], "camera_from_world": START}},
        {
            "image": "images/xray 1.tif",
            "camera": {"K": (-np.eye(3)).tolist(), "size": [9, 9], "camera_from_world": np.zeros((4, 4)).tolist()},
        },
    ]
    given["initial"]["world_from_volume"][0][0] = float("inf")
    given["extra"] = 1
    text = "\n".join(faults_of(folder, given))
    for part in (
        '"extra"',
        '"a/b"',
        "ct.nii.gz cannot be read",
        "flat.png is constant",
        "View 1: The image size (0, 5)",
        "View 2: K has the last row",
        "View 2: K is singular or flipped: its focal length fx",
        "View 2: camera_from_world is not rigid",
        'world_from_volume of "initial" contains NaN or infinity',
    ):
        assert part in text


@pytest.mark.parametrize(
    ("text", "fault"),
    [("{", "not valid JSON"), ("[1]", "must hold one JSON object"), ("\udcff", "cannot be read as text")],
)
def test_files_that_are_no_case(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "case.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=fault):
        read_case(tmp_path / "case.json")
    with pytest.raises(InputError, match="does not exist"):
        read_case(tmp_path / "other.json")


@pytest.mark.parametrize(("polarity", "is_said"), [("bone-dark", True), ("bone-bright", False)])
def test_intensities_below_zero_are_doubted(folder: Path, polarity: str, is_said: bool) -> None:
    """Their logarithm needs the value of no radiation; line integrals may lie anywhere."""
    path = folder / "images" / "shifted.mha"
    stored = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "images" / "xray 1.tif"))).astype(np.float32)
    case = content()
    case["views"][0] |= {"image": "images/shifted.mha", "polarity": polarity}
    for shift in (0.0, -20000.0):
        sitk.WriteImage(sitk.GetImageFromArray(stored + shift), str(path))
        (view,) = read_case(written(folder, case)).views
        assert any("below 0" in note for note in view.notes) is (is_said and shift < 0)


def test_one_picture_is_no_second_view(folder: Path) -> None:
    given = content()
    camera = {"K": INTRINSICS, "size": [64, 48], "camera_from_world": SIDE_VIEW}
    copy = folder / "images" / "copy.tif"
    copy.write_bytes((folder / "images" / "xray 1.tif").read_bytes())
    given["views"] = [{"image": f"images/{name}.tif", "camera": camera} for name in ("xray 1", "xray 2", "copy")]
    assert "View 3 shows the same picture as view 1" in only_fault_of(folder, given)
