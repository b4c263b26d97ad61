"""Between CT and X-ray soft tissue moves and femora turn; bones keep their shape, the pelvis its place."""

from dataclasses import replace

import numpy as np
import pytest
from PhantomImages import the_phantom

from prostreg.images.volume import Volume
from prostreg.simulation.bodies import MOST_KEPT, Bodies
from prostreg.simulation.deformation import SoftTissue
from prostreg.simulation.femora import joint_centres_mm
from prostreg.simulation.fine_grid import refined, refined_mask
from prostreg.simulation.settings import SimulatorSettings

SPACING_MM = 3.0
HEAD_MM = 24.0
JOINT_MM = np.array([0.0, 0.0, 20.0])


@pytest.fixture(scope="module")
def hip():
    """A socket, and in it a femur with a head of 24 mm and a shaft towards the foot; the CT and the femur's mask."""
    index = np.stack(np.meshgrid(np.arange(60), np.arange(60), np.arange(60), indexing="ij")[::-1], axis=-1)
    matrix = np.diag([SPACING_MM] * 3 + [1.0])
    matrix[:3, 3] = -29.5 * SPACING_MM
    points = index @ matrix[:3, :3] + matrix[:3, 3]
    rng = np.random.default_rng(0)
    from_joint = np.linalg.norm(points - JOINT_MM, axis=-1)
    head = from_joint < HEAD_MM
    shaft = (np.hypot(points[..., 0] - 15, points[..., 1]) < 10) & (points[..., 2] < JOINT_MM[2])
    socket = (from_joint > HEAD_MM + 4) & (from_joint < HEAD_MM + 16) & (points[..., 2] > JOINT_MM[2] + 5)
    hu = np.where(np.hypot(points[..., 0], points[..., 1]) < 80, rng.normal(40, 8, head.shape), -1000.0)
    hu[head | shaft] = 600.0
    hu[socket] = 700.0
    return Volume(hu.astype(np.float32), matrix), (head | shaft), socket


def test_bone_does_not_move_when_soft_tissue_does():
    ct = the_phantom().ct
    fine = refined(ct)
    moved = SoftTissue(ct, None).displaced(fine, 12.0, np.random.default_rng(1))
    change = np.abs(moved.values - fine.values)
    bone = refined_mask(ct.values > 150, ct, fine) > 0  # all that a voxel of bone reaches into
    assert change[bone].max() < 0.05
    soft = (fine.values > -200) & (fine.values < 100)
    assert np.mean(change[soft] > 3) > 0.05
    assert np.count_nonzero(moved.values > 400) == np.count_nonzero(fine.values > 400)  # no bone appears twice


def test_the_hip_joint_is_found_to_a_millimetre(hip):
    ct, femur, _ = hip
    (centre,) = joint_centres_mm(ct, [femur])
    np.testing.assert_allclose(centre, JOINT_MM, atol=1.5)


def test_a_femur_without_a_joint_has_no_centre(hip):
    ct, femur, socket = hip
    without = ct.with_values(np.where(socket, np.float32(40), ct.values))
    assert joint_centres_mm(without, [femur]) == [None]


def test_a_turned_femur_moves_about_its_head_and_the_pelvis_stays(hip):
    ct, femur, _ = hip
    still = SimulatorSettings()
    turning = replace(still, femur_turn_deg=(15.0, 15.0))
    before = Bodies(ct, still, [femur]).hu(0)
    after = Bodies(ct, turning, [femur]).hu(0)
    assert after.size == before.size
    k, j, i = np.nonzero(before.values > 300)
    points = np.stack([i, j, k], -1) @ before.volume_from_index[:3, :3].T + before.volume_from_index[:3, 3]
    change = np.abs(after.values - before.values)[k, j, i]
    from_joint = np.linalg.norm(points - JOINT_MM, axis=1)
    in_socket = (from_joint > HEAD_MM + 5) & (points[:, 2] > JOINT_MM[2] + 8)
    assert change[in_socket].max() < 1e-3
    assert np.mean(change[from_joint < HEAD_MM - 6] < 30) > 0.95  # a ball turns within itself
    far_shaft = (points[:, 2] < JOINT_MM[2] - 60) & (points[:, 2] > -85)
    assert np.mean(change[far_shaft] > 200) > 0.2
    volumes = [np.count_nonzero(body.values[40:] > 300) for body in (before, after)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.1)


def coarse_phantom(step: int) -> Volume:
    """Every so many voxels of the phantom."""
    ct = the_phantom().ct
    values = np.ascontiguousarray(ct.values[::step, ::step, ::step])
    return Volume(values, ct.volume_from_index @ np.diag([step, step, step, 1.0]))


def test_few_bodies_are_kept_and_seeds_choose_among_them():
    settings = SimulatorSettings(soft_tissue_shift_mm=(2.0, 6.0), bodies=6)
    coarse = coarse_phantom(4)
    bodies = Bodies(coarse, settings, [])
    drawn = [bodies.body(seed) for seed in range(20)]
    assert len({id(body) for body in drawn[-6:]}) > 1
    assert len(bodies._kept) == MOST_KEPT
    np.testing.assert_array_equal(bodies.hu(2).values, Bodies(coarse, settings, []).hu(2).values)
    assert not np.array_equal(bodies.hu(2).values, bodies.hu(3).values)


def test_bodies_with_other_numbers_are_other_bodies():
    ct = coarse_phantom(3)
    settings = SimulatorSettings(soft_tissue_shift_mm=(8.0, 8.0), bodies=2)
    first, later = Bodies(ct, settings, ()), Bodies(ct, replace(settings, first_body=1), ())
    seeds = range(40)
    drawn = [{id(bodies.body(seed)) for seed in seeds} for bodies in (first, later)]
    assert [len(found) for found in drawn] == [2, 2]
    np.testing.assert_array_equal(first.hu(1).values, later.hu(1).values)
    assert np.abs(first.hu(0).values - later.hu(2).values).max() > 50
