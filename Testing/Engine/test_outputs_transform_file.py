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
        ("pose.tfm", "no transform at all", "no complete ITK transform"),
        ("pose.h5", "no transform at all", "no linear 3D transform that ITK can read: its reader refused the data"),
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
    with pytest.raises(InputError, match="cannot be read as text"):
        read_pose(path)


VERSOR = "Transform: VersorRigid3DTransform_double_3_3\nParameters: {}\nFixedParameters: {}\n"
AFFINE = "Transform: AffineTransform_double_3_3\nParameters: 1 0 0 0 1 0 0 0 1 3 -4 5\nFixedParameters: 0 0 0\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (VERSOR.format("0 0 0.2", "0 0 0"), "3 parameters, and VersorRigid3DTransform 6"),
        (VERSOR.format("0 0 0.2 1 2 3", "0"), "1 fixed parameters"),
        (VERSOR.format("0 0 x 1 2 3", "0 0 0"), "no numbers"),
        (VERSOR.format("0 0 nan 1 2 3", "0 0 0"), "not finite"),
        (VERSOR.format("2 2 2 1 2 3", "0 0 0"), "cannot have"),
        ("Transform: AffineTransform_double_3_3\n", "no complete ITK transform"),
        ("Transform: CompositeTransform_double_3_3\n", "no complete ITK transform"),
        ("Transform: CompositeTransform_double_3_3\n" + VERSOR.format("x 0 0 0.2", "0 0 0"), "no numbers"),
        ("Transform: AffineTransform_double_2_2\nParameters: 1 0 0 1 3 4\nFixedParameters: 0 0\n", "warps, or is"),
        (AFFINE + AFFINE, "2 transforms"),
        (AFFINE + "#" * (1 << 20), "more than 1 MiB"),
    ],
)
def test_itk_text_that_lacks_something_is_refused_before_itk_makes_it_up(tmp_path, text, words):
    (tmp_path / "pose.tfm").write_text(f"#Insight Transform File V1.0\n#Transform 0\n{text}")
    with pytest.raises(InputError, match=words):
        read_pose(tmp_path / "pose.tfm")


@pytest.mark.parametrize("ending", ["tfm", "h5"])
def test_a_composite_moves_as_in_itk(tmp_path, ending):
    turn = sitk.VersorRigid3DTransform((0.0, 0.0, 1.0), 0.5, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    both = sitk.CompositeTransform([turn, sitk.TranslationTransform(3, (30.0, 20.0, 10.0))])
    sitk.WriteTransform(both, str(tmp_path / f"pose.{ending}"))
    world_from_volume, lps = read_pose(tmp_path / f"pose.{ending}"), np.array([-1, -1, 1])
    volume_ras = np.array(both.TransformPoint((11.0, -12.0, 13.0))) * lps
    expected = np.array([11.0, -12.0, 13.0]) * lps
    np.testing.assert_allclose(world_from_volume[:3, :3] @ volume_ras + world_from_volume[:3, 3], expected, atol=1e-9)


def test_damaged_hdf5_says_nothing_but_our_sentence(tmp_path, capfd):
    path = tmp_path / "pose.h5"
    sitk.WriteTransform(sitk.AffineTransform(3), str(path))
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(InputError, match="its reader refused the data"):
        read_pose(path)
    assert capfd.readouterr().err == ""


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.tfm does not exist"):
        read_pose(tmp_path / "nowhere.tfm")


def test_a_warping_transform_is_refused(tmp_path):
    warp = sitk.BSplineTransformInitializer(sitk.Image(16, 16, 16, sitk.sitkFloat32), [2, 2, 2])
    sitk.WriteTransform(warp, str(tmp_path / "warp.tfm"))
    with pytest.raises(InputError, match="warps"):
        read_pose(tmp_path / "warp.tfm")
