"""What is registered: by label values in any grid, or bone by threshold without specks and table."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from prostreg.errors import InputError
from prostreg.images.anatomy import anatomy_bounds, anatomy_by_threshold, anatomy_from_labels
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.volume import Volume

PELVIS = Path(__file__).parents[3] / "shared" / "data" / "ct" / "pelvis_lumbar.nii.gz"


def grid(spacing: tuple[float, float, float], origin: tuple[float, float, float]) -> NDArray[np.float64]:
    volume_from_index = np.diag([*spacing, 1.0])
    volume_from_index[:3, 3] = origin
    return volume_from_index


def points_mm(shape: tuple[int, int, int], volume_from_index: NDArray[np.float64]) -> NDArray[np.float64]:
    k, j, i = np.mgrid[tuple(slice(n) for n in shape)]
    return np.stack([i, j, k], axis=-1) @ volume_from_index[:3, :3].T + volume_from_index[:3, 3]


def label_volume(values: NDArray[np.int32], volume_from_index: NDArray[np.float64]) -> Volume:
    return Volume(cast(NDArray[np.float32], values), volume_from_index)


def ct_in(shape: tuple[int, int, int], volume_from_index: NDArray[np.float64]) -> Volume:
    return Volume(np.zeros(shape, np.float32), volume_from_index)


def test_labels_in_the_same_grid_are_taken_voxel_by_voxel() -> None:
    values = np.random.default_rng(0).integers(0, 6, (5, 6, 7)).astype(np.int32)
    where = grid((1, 2, 3), (4, 5, 6))
    mask = anatomy_from_labels(ct_in((5, 6, 7), where), label_volume(values, where), [2, 5])
    np.testing.assert_array_equal(mask, (values == 2) | (values == 5))


def test_labels_in_an_oblique_left_handed_grid_land_where_they_lie() -> None:
    ct = ct_in((30, 36, 40), grid((1.5, 1.5, 2.0), (-30, -25, -28)))
    labels_from_index = np.eye(4)
    rotation = Rotation.from_euler("xyz", [10, 20, -15], degrees=True).as_matrix()
    labels_from_index[:3, :3] = rotation @ np.diag([0.9, -1.0, 0.8])
    labels_from_index[:3, 3] = rotation @ [-45, 50, -40]
    centre, radius = np.array([3.0, -2.0, 5.0]), 14.0
    in_labels = np.linalg.norm(points_mm((100, 100, 100), labels_from_index) - centre, axis=-1) < radius
    mask = anatomy_from_labels(ct, label_volume(in_labels * np.int32(9), labels_from_index), [9])
    distance = np.linalg.norm(points_mm(ct.values.shape, ct.volume_from_index) - centre, axis=-1)
    half_voxel = 0.5 * np.linalg.norm([0.9, 1.0, 0.8])
    assert mask[distance < radius - half_voxel].all()
    assert not mask[distance > radius + half_voxel].any()


def test_no_such_value_lists_those_present() -> None:
    where = grid((1, 1, 1), (0, 0, 0))
    values = np.array([0, 3, 12, 12, 3, 0, 0, 25], np.int32).reshape(2, 2, 2)
    with pytest.raises(InputError, match=r"\(7, 8\).*contain 3, 12, 25"):
        anatomy_from_labels(ct_in((2, 2, 2), where), label_volume(values, where), [7, 8])


def test_one_value_present_is_enough() -> None:
    where = grid((1, 1, 1), (0, 0, 0))
    values = np.array([0, 3, 12, 12, 3, 0, 0, 25], np.int32).reshape(2, 2, 2)
    assert anatomy_from_labels(ct_in((2, 2, 2), where), label_volume(values, where), [25, 77, 10**400]).sum() == 1


def test_labels_elsewhere_do_not_overlap() -> None:
    values = np.ones((4, 4, 4), np.int32)
    with pytest.raises(InputError, match="do not overlap"):
        anatomy_from_labels(
            ct_in((4, 4, 4), grid((1, 1, 1), (0, 0, 0))), label_volume(values, grid((1, 1, 1), (50, 0, 0))), [1]
        )


def body_with_bone_and_table() -> tuple[Volume, dict[str, NDArray[np.bool_]]]:
    """A water cylinder along k with two bones, a speck of metal, and a table with a bright skin below it."""
    where = grid((2.0, 2.0, 2.5), (-100, -90, 0))
    shape = (40, 100, 100)
    x, y, z = np.moveaxis(points_mm(shape, where), -1, 0)
    hu = np.full(shape, -1000.0, np.float32)
    hu[np.hypot(x / 80, (y - 0) / 60) < 1] = 40
    parts = {
        "femur": np.hypot(x + 40, y) < 14,
        "sacrum": (x - 35) ** 2 + y**2 + (z - 50) ** 2 < 22**2,
        "marrow": (x - 35) ** 2 + y**2 + (z - 50) ** 2 < 8**2,
        "speck": (np.abs(x) < 2.5) & (np.abs(y - 30) < 2.5) & (np.abs(z - 20) < 2),
        "table": (np.abs(y - 66) < 3) & (np.abs(x) < 90),
    }
    for name, value in (("femur", 700), ("sacrum", 500), ("marrow", 0), ("speck", 2500), ("table", 400)):
        hu[parts[name]] = value
    return Volume(hu + np.random.default_rng(1).normal(0, 15, shape).astype(np.float32), where), parts


def test_bone_by_threshold_leaves_specks_and_the_table() -> None:
    ct, parts = body_with_bone_and_table()
    mask = anatomy_by_threshold(ct)
    assert mask[parts["femur"]].all()
    assert mask[parts["sacrum"]].all()  # with the marrow, which is below the threshold and enclosed
    assert not mask[parts["speck"]].any()
    assert not mask[parts["table"]].any()
    np.testing.assert_array_equal(mask, parts["femur"] | parts["sacrum"])


def test_threshold_is_in_hu() -> None:
    ct, parts = body_with_bone_and_table()
    np.testing.assert_array_equal(anatomy_by_threshold(ct, 600), parts["femur"])


def test_cut_out_bone_without_air_around_it() -> None:
    """A CT whose outside is filled with 0 has no body to find: all of the bone is taken."""
    where = grid((1, 1, 1), (0, 0, 0))
    values = np.zeros((20, 20, 20), np.float32)
    values[5:15, 5:15, 5:15] = 900
    np.testing.assert_array_equal(anatomy_by_threshold(Volume(values, where)), values > 0)


def test_ct_without_bone() -> None:
    values = np.full((5, 5, 5), -1000, np.float32)
    values[2, 2, 2] = 60
    with pytest.raises(InputError, match="nothing reaches 200 HU \\(its largest value is 60\\)"):
        anatomy_by_threshold(Volume(values, np.eye(4)))


def test_bounds_hold_the_mask_and_its_margin() -> None:
    mask = np.zeros((10, 12, 14), bool)
    mask[3:5, 6:11, 1:3] = True
    assert anatomy_bounds(mask) == ((1, 6, 3), (2, 5, 2))
    assert anatomy_bounds(mask, 2) == ((0, 4, 1), (5, 8, 6))
    with pytest.raises(InputError, match="empty"):
        anatomy_bounds(np.zeros((3, 3, 3), bool))


@pytest.mark.skipif(not PELVIS.exists(), reason="../shared/data is not there")
def test_threshold_finds_the_labelled_bones_of_a_real_pelvis() -> None:
    ct = read_ct(PELVIS)
    labels = read_labels(PELVIS.with_name("pelvis_lumbar_labels.nii.gz"))
    by_labels = anatomy_from_labels(ct, labels, [25, 77, 78])
    bright = by_labels & (ct.values >= 200)
    assert np.mean(anatomy_by_threshold(ct)[bright]) > 0.98
