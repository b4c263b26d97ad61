"""Poses written for Slicer, and poses read back from every format."""

import json

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy.spatial.transform import Rotation

from prostreg.errors import InputError
from prostreg.outputs.transform_file import read_pose, write_transform


def rigid(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pose = np.eye(4)
    pose[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    pose[:3, 3] = rng.normal(0, 300, 3)
    return pose


def test_the_file_holds_the_inverse_in_lps(tmp_path):
    pose = rigid(1)
    write_transform(tmp_path / "pose.tfm", pose)
    transform = sitk.ReadTransform(str(tmp_path / "pose.tfm"))
    point_ras = np.array([12.0, -34.0, 56.0])
    world_ras = pose[:3, :3] @ point_ras + pose[:3, 3]
    lps = np.array([-1, -1, 1])
    np.testing.assert_allclose(transform.TransformPoint((world_ras * lps).tolist()), point_ras * lps, atol=1e-9)


@pytest.mark.parametrize("ending", ["tfm", "txt"])
def test_itk_text_comes_back_exactly(tmp_path, ending):
    pose = rigid(2)
    write_transform(tmp_path / f"pose.{ending}", pose)
    np.testing.assert_allclose(read_pose(tmp_path / f"pose.{ending}"), pose, atol=1e-10)


@pytest.mark.parametrize("ending", ["tfm", "h5"])
@pytest.mark.parametrize("kind", [sitk.Euler3DTransform, sitk.AffineTransform])
def test_a_centre_away_from_the_origin_counts(tmp_path, ending, kind):
    transform = kind(3) if kind is sitk.AffineTransform else kind()
    transform.SetMatrix(Rotation.from_euler("xyz", [0.3, -0.2, 0.9]).as_matrix().ravel().tolist())
    transform.SetCenter((40.0, -70.0, 25.0))
    transform.SetTranslation((5.0, 6.0, -7.0))
    sitk.WriteTransform(transform, str(tmp_path / f"pose.{ending}"))
    world_from_volume = read_pose(tmp_path / f"pose.{ending}")
    lps = np.array([-1, -1, 1])
    world_ras = np.array([100.0, 20.0, -30.0])
    volume_ras = np.array(transform.TransformPoint((world_ras * lps).tolist())) * lps
    np.testing.assert_allclose(world_from_volume[:3, :3] @ volume_ras + world_from_volume[:3, 3], world_ras, atol=1e-9)


def test_json_and_plain_numbers(tmp_path):
    pose = rigid(3)
    (tmp_path / "result.json").write_text(json.dumps({"status": "accepted", "world_from_volume": pose.tolist()}))
    np.savetxt(tmp_path / "pose.txt", pose, fmt="%.17g")
    np.testing.assert_array_equal(read_pose(tmp_path / "result.json"), pose)
    np.testing.assert_array_equal(read_pose(tmp_path / "pose.txt"), pose)
    (tmp_path / "notepad.txt").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "pose.txt").read_bytes())
    np.testing.assert_array_equal(read_pose(tmp_path / "notepad.txt"), pose)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("pose.tfm", "no transform at all", "not a readable ITK transform"),
        ("pose.json", "{", "is not valid JSON"),
        ("pose.json", "[1]", "world_from_volume"),
        ("pose.json", '{"world_from_volume": [[1, 0], [0, 1]]}', "shape 2x2"),
        ("pose.txt", "1 0 0\nabc", "4 rows of 4 numbers"),
        ("pose.txt", "1 0 0 0\n0 1 0\n0 0 1 0\n0 0 0 1", "4 rows of 4 numbers"),
        ("pose.txt", "2 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1", "not rigid"),
        ("pose.txt", "-1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1", "left-handed"),
        ("pose.txt", "nan 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1", "NaN"),
        ("pose.png", "", "unknown ending"),
    ],
)
def test_what_is_no_pose_is_refused_in_words(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        read_pose(tmp_path / name)


@pytest.mark.parametrize("ending", ["tfm", "txt"])
def test_a_type_that_is_no_text_is_refused(tmp_path, ending):
    path = tmp_path / f"pose.{ending}"
    path.write_bytes(b"#Insight Transform File V1.0\n#Transform 0\nTransform: Affine\xfdTransform_double_3_3\n")
    with pytest.raises(InputError, match="not a readable ITK transform"):
        read_pose(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.tfm does not exist"):
        read_pose(tmp_path / "nowhere.tfm")


def test_a_warping_transform_is_refused(tmp_path):
    warp = sitk.BSplineTransformInitializer(sitk.Image(16, 16, 16, sitk.sitkFloat32), [2, 2, 2])
    sitk.WriteTransform(warp, str(tmp_path / "warp.tfm"))
    with pytest.raises(InputError, match="warps"):
        read_pose(tmp_path / "warp.tfm")
