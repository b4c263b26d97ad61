"""DRRs: right against closed forms, fast equal to reference, derivatives equal to finite differences."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import invert_rigid, transform_points
from prostreg.geometry.se3 import exp_se3
from prostreg.images.volume import Volume
from prostreg.projector.reference import project
from prostreg.projector.selection import make_projector

PROJECTORS = ["fused-cpu", "reference"]
CARM = CArm(np.array([[900.0, 0, 40.0], [0, 950.0, 33.0], [0, 0, 1]]), (84, 72))
POSES_DEG = [(0, 0, 0), (20, 30, 10), (80, 10, 0), (5, 85, 0), (180, 0, 45), (45, 45, 0)]


def oblique_volume(values: np.ndarray, spacing_mm=(1.1, 1.4, 2.3), left_handed: bool = False) -> Volume:
    """A volume with turned, anisotropic axes, its centre at the origin."""
    axes = Rotation.from_euler("xyz", [10, 20, 30], degrees=True).as_matrix() @ np.diag(spacing_mm)
    if left_handed:
        axes[:, 0] *= -1
    volume_from_index = np.eye(4)
    volume_from_index[:3, :3] = axes
    volume_from_index[:3, 3] = -axes @ ((np.array(values.shape[::-1]) - 1) / 2)
    return Volume(values.astype(np.float32), volume_from_index)


def pose(angles_deg, depth_mm: float = 700.0) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
    matrix[:3, 3] = 5.0, 3.0, depth_mm
    return matrix


def places_mm(volume: Volume) -> np.ndarray:
    """Voxel centres (k, j, i, 3) in the volume frame."""
    k, j, i = np.indices(volume.values.shape)
    return transform_points(volume.volume_from_index, np.stack([i, j, k], axis=-1))


def smooth_volume(left_handed: bool = False) -> Volume:
    """Gaussian blobs that fade before the border."""
    volume = oblique_volume(np.zeros((40, 44, 48)), left_handed=left_handed)
    places, rng = places_mm(volume), np.random.default_rng(0)
    values = sum(
        np.exp(-((places - rng.uniform(-12, 12, 3)) ** 2).sum(-1) / (2 * rng.uniform(5, 7) ** 2)) for _ in range(5)
    )
    return volume.with_values((0.02 * values).astype(np.float32))


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def rays_in_volume(camera_from_volume: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The source (3,) and unit directions (height, width, 3) in the volume frame."""
    v, u = np.mgrid[: CARM.height, : CARM.width]
    directions = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(CARM.intrinsics).T
    volume_from_camera = invert_rigid(camera_from_volume)
    turned = directions @ volume_from_camera[:3, :3].T
    return volume_from_camera[:3, 3], turned / np.linalg.norm(turned, axis=-1, keepdims=True)


@pytest.mark.parametrize("name", PROJECTORS)
@pytest.mark.parametrize("angles", POSES_DEG)
def test_ellipsoid_has_the_chords_of_the_closed_form(name, angles):
    radii = np.array([46.0, 40.0, 52.0])
    volume = oblique_volume(np.zeros((90, 120, 140)), spacing_mm=(0.9, 0.9, 1.3))
    places = places_mm(volume)
    level = np.linalg.norm(places / radii, axis=-1)
    distance_mm = (1 - level) * level / np.maximum(np.linalg.norm(places / radii**2, axis=-1), 1e-9)
    soft_edge = np.clip(distance_mm + 0.5, 0, 1)
    image = make_projector(volume.with_values(soft_edge.astype(np.float32)), name).render(pose(angles)[None], CARM)[0]
    source, directions = rays_in_volume(pose(angles))
    a = ((directions / radii) ** 2).sum(-1)
    b = (directions / radii) @ (source / radii)
    discriminant = b**2 - a * (((source / radii) ** 2).sum() - 1)
    chords = np.where(discriminant > 0, 2 * np.sqrt(np.maximum(discriminant, 0)) / a, 0)
    inside = chords > 0.5 * chords.max()
    voxelised_edge = 2e-3
    assert relative(image[inside], chords[inside]) < voxelised_edge
    assert image.sum() == pytest.approx(chords.sum(), rel=1e-3)


@pytest.mark.parametrize("name", PROJECTORS)
def test_gaussian_blob_has_the_values_and_derivatives_of_the_closed_form(name):
    sigma, centre = 20.0, np.array([6.0, -4.0, 3.0])
    volume = oblique_volume(np.zeros((130, 130, 130)), spacing_mm=(1.2, 1.1, 1.3))
    squares = ((places_mm(volume) - centre) ** 2).sum(-1)
    projector = make_projector(volume.with_values(np.exp(-squares / (2 * sigma**2)).astype(np.float32)), name)

    def closed_form(camera_from_volume: np.ndarray) -> np.ndarray:
        source, directions = rays_in_volume(camera_from_volume)
        along = directions @ (centre - source)
        passing = ((centre - source) ** 2).sum() - along**2
        return np.sqrt(2 * np.pi) * sigma * np.exp(-passing / (2 * sigma**2))

    here = pose((20, 30, 10), 900.0)
    images, derivative = projector.render_with_derivative(here[None], CARM)
    assert relative(images[0], closed_form(here)) < 1e-3
    for index in range(6):
        step = np.zeros(6)
        step[index] = 1e-4 if index < 3 else 1e-2
        there, back = (exp_se3(torch.from_numpy(sign * step)).numpy() @ here for sign in (1, -1))
        expected = (closed_form(there) - closed_form(back)) / (2 * step[index])
        assert relative(derivative[0, index], expected) < 1e-2


@pytest.mark.parametrize("name", PROJECTORS)
def test_box_along_the_beam_weighs_its_thickness_and_sits_on_its_pixels(name):
    values = np.zeros((40, 40, 40))
    values[10:30, 5:25, 8:28] = 0.03
    volume = Volume(values.astype(np.float32), np.diag([1.0, 1.0, 2.0, 1.0]))
    camera_from_volume = np.eye(4)
    camera_from_volume[:3, 3] = -20, -20, 600
    carm = CArm(np.array([[1000.0, 0, 50], [0, 1000.0, 50], [0, 0, 1]]), (101, 101))
    image = make_projector(volume, name).render(camera_from_volume[None], carm)[0]
    lengths = np.sqrt(1 + ((50 - np.arange(101)) / 1000.0) ** 2)
    u, v = carm.project(transform_points(camera_from_volume, [17.5, 14.5, 39.0]))
    centre_row, centre_column = round(v), round(u)
    expected = 0.03 * 40 * lengths[centre_row] * lengths[centre_column]
    assert image[centre_row, centre_column] == pytest.approx(expected, rel=1e-3)
    rows, columns = np.nonzero(image > 0.5 * image.max())
    near, far = 600 + 20.0, 600 + 58.0
    assert columns.min() >= 1000 * (7.5 - 20) / near + 50 - 1
    assert columns.max() <= 1000 * (27.5 - 20) / near + 50 + 1
    assert columns.mean() == pytest.approx(np.mean([1000 * (17.5 - 20) / z + 50 for z in (near, far)]), abs=0.5)
    assert rows.mean() == pytest.approx(np.mean([1000 * (14.5 - 20) / z + 50 for z in (near, far)]), abs=0.5)


@pytest.mark.parametrize("name", PROJECTORS)
@pytest.mark.parametrize("left_handed", [False, True])
def test_bead_falls_on_its_projected_pixel(name, left_handed):
    values = np.zeros((31, 33, 35))
    values[20, 9, 25] = 1.0
    volume = oblique_volume(values, spacing_mm=(0.6, 0.7, 0.8), left_handed=left_handed)
    carm = CARM.resized(3.0, (3 * CARM.width, 3 * CARM.height))
    for angles in POSES_DEG:
        image = make_projector(volume, name).render(pose(angles, 400.0)[None], carm)[0].astype(np.float64)
        bead = transform_points(volume.volume_from_index, [25.0, 9.0, 20.0])
        expected = carm.project(transform_points(pose(angles, 400.0), bead))
        v, u = np.indices(image.shape)
        found = np.array([(u * image).sum(), (v * image).sum()]) / image.sum()
        np.testing.assert_allclose(found, expected, atol=0.15)


@pytest.mark.parametrize("angles", POSES_DEG)
@pytest.mark.parametrize("left_handed", [False, True])
def test_fast_and_reference_agree_in_values_and_derivatives(angles, left_handed):
    volume = smooth_volume(left_handed)
    fast, fast_derivative = make_projector(volume, "fused-cpu").render_with_derivative(pose(angles)[None], CARM)
    slow, slow_derivative = make_projector(volume, "reference").render_with_derivative(pose(angles)[None], CARM)
    assert relative(fast, slow) < 1e-5
    assert relative(make_projector(volume, "fused-cpu").render(pose(angles)[None], CARM), fast) < 1e-6
    for index in range(6):
        assert relative(fast_derivative[:, index], slow_derivative[:, index]) < 1e-2


def test_fast_and_reference_agree_on_noise_where_every_voxel_differs():
    volume = oblique_volume(np.random.default_rng(1).random((30, 26, 34)))
    poses = np.stack([pose(angles) for angles in POSES_DEG])
    fast = make_projector(volume, "fused-cpu").render(poses, CARM)
    slow = make_projector(volume, "reference").render(poses, CARM)
    assert relative(fast, slow) < 1e-4


def test_empty_space_that_is_skipped_changes_nothing():
    values = np.zeros((70, 64, 90))
    values[5:9, 40:44, 70:75] = 0.5
    values[50:66, 8:12, 12:20] = 0.2
    volume = oblique_volume(values)
    poses = np.stack([pose(angles) for angles in POSES_DEG])
    fast = make_projector(volume, "fused-cpu").render(poses, CARM)
    assert fast.max() > 0.5
    assert relative(fast, make_projector(volume, "reference").render(poses, CARM)) < 1e-5


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 30, 10), (5, 85, 0)])
def test_derivatives_equal_finite_differences(angles):
    volume = smooth_volume()
    _, derivative = make_projector(volume, "fused-cpu").render_with_derivative(pose(angles)[None], CARM)
    reference = make_projector(volume, "reference")

    def image(twist: np.ndarray) -> np.ndarray:
        moved = exp_se3(torch.from_numpy(twist)).numpy() @ pose(angles)
        return reference._project(torch.from_numpy(moved[None]), (CARM,)).numpy()[0]

    for index in range(6):
        step = np.zeros(6)
        step[index] = 1e-6 if index < 3 else 1e-4
        difference = (image(step) - image(-step)) / (2 * step[index])
        assert relative(derivative[0, index], difference) < 1e-2


def test_source_inside_the_volume_sees_only_what_lies_ahead():
    volume = Volume(np.full((21, 21, 21), 0.1, dtype=np.float32), np.eye(4))
    camera_from_volume = np.eye(4)
    camera_from_volume[:3, 3] = -10, -10, -10.25
    carm = CArm(np.array([[1000.0, 0, 2], [0, 1000.0, 2], [0, 0, 1]]), (5, 5))
    fast = make_projector(volume, "fused-cpu").render(camera_from_volume[None], carm)
    slow = make_projector(volume, "reference").render(camera_from_volume[None], carm)
    assert fast[0, 2, 2] == pytest.approx(0.1 * 10)
    np.testing.assert_allclose(fast, slow, rtol=1e-5)


def test_a_volume_out_of_sight_gives_a_black_image():
    camera_from_volume = pose((0, 0, 0))
    camera_from_volume[0, 3] = 5000.0
    for name in PROJECTORS:
        images, derivative = make_projector(smooth_volume(), name).render_with_derivative(
            camera_from_volume[None], CARM
        )
        assert not images.any()
        assert not derivative.any()


def test_many_poses_in_one_call_equal_one_by_one():
    projector = make_projector(smooth_volume(), "fused-cpu")
    poses = np.stack([pose(angles) for angles in POSES_DEG * 4])
    together = projector.render(poses, CARM)
    np.testing.assert_array_equal(together, np.concatenate([projector.render(p[None], CARM) for p in poses]))


@pytest.mark.parametrize("name", PROJECTORS)
def test_poses_may_each_have_a_camera_of_its_own(name):
    projector = make_projector(smooth_volume(), name)
    poses, carms = np.stack([pose(POSES_DEG[0]), pose(POSES_DEG[1])]), (CARM, CARM.mirrored())
    together = projector.project_with_derivative(poses, *carms).numpy()
    alone = [projector.project_with_derivative(p[None], carm).numpy() for p, carm in zip(poses, carms, strict=True)]
    np.testing.assert_array_equal(together, np.concatenate(alone))
    assert relative(alone[1], projector.project_with_derivative(poses[1:], CARM).numpy()) > 0.1


def test_cameras_of_different_sizes_are_no_one_call():
    with pytest.raises(ValueError, match="one size"):
        make_projector(smooth_volume()).project(np.stack([pose((0, 0, 0))] * 2), CARM, CARM.downsampled(2))


def test_reference_has_first_and_second_derivatives_in_pose_and_features():
    rng = np.random.default_rng(2)
    features = torch.from_numpy(np.pad(rng.random((2, 2, 2, 3)), ((0, 0), (1, 1), (1, 1), (1, 1)))).requires_grad_()
    index_from_volume = torch.eye(4, dtype=torch.float64)
    index_from_volume[:3, 3] = torch.tensor([2.1, 1.6, 1.7])
    camera_from_pixel = torch.linalg.inv(torch.tensor([[60.0, 0, 0.9], [0, 60.0, 0.6], [0, 0, 1]], dtype=torch.float64))
    base = torch.eye(4, dtype=torch.float64)
    base[:3, 3] = torch.tensor([0.13, -0.21, 60.0])

    def images(twist: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        return project(values, index_from_volume, (exp_se3(twist) @ base)[None], camera_from_pixel, (3, 2), 5)

    twist = torch.tensor([0.03, -0.05, 0.02, 0.1, 0.2, 0.3], dtype=torch.float64, requires_grad=True)
    assert images(twist, features).shape == (1, 2, 2, 3)
    assert torch.autograd.gradcheck(images, (twist, features), eps=1e-7, atol=1e-4)
    assert torch.autograd.gradgradcheck(lambda values: images(twist, values), (features,), atol=1e-4, fast_mode=True)

    def gradient_in_pose(values: torch.Tensor) -> torch.Tensor:
        total = (images(twist, values) ** 2).sum()
        return torch.autograd.grad(total, twist, create_graph=True)[0]

    assert torch.autograd.gradcheck(gradient_in_pose, (features,), atol=1e-4, fast_mode=True), "as training needs it"


def test_an_unknown_projector_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="fused-cpu"):
        make_projector(smooth_volume(), "magic")


def test_calls_from_several_threads_at_once_do_not_disturb_each_other():
    """An adaptation makes its next batch on a thread of its own while live DRRs are rendered."""
    projector = make_projector(smooth_volume(), "fused-cpu")
    poses = [pose(angles)[None] for angles in POSES_DEG] * 3
    alone = [projector.render_with_derivative(p, CARM) for p in poses]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda p: projector.render_with_derivative(p, CARM), poses))
    for expected, found in zip(alone, together, strict=True):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
