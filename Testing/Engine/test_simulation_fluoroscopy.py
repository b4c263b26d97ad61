"""Simulated X-rays of small bodies: physics against closed forms, seeds, independent effects, no edge of the CT."""

from dataclasses import replace

import numpy as np
import pytest
from PhantomImages import the_phantom

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.pyramid import reduced_volume
from prostreg.images.volume import Volume
from prostreg.simulation.beam import Beam
from prostreg.simulation.collimation import beam_share
from prostreg.simulation.continuation import continued
from prostreg.simulation.fine_grid import refined
from prostreg.simulation.fluoroscopy import FluoroscopySimulator
from prostreg.simulation.imaging import blurred
from prostreg.simulation.instruments import instruments
from prostreg.simulation.presets import preset
from prostreg.simulation.settings import SimulatorSettings
from prostreg.simulation.surroundings import add_drape, add_table
from prostreg.simulation.tissue import hu_of

CARM = CArm.from_sdd(1000.0, (2.0, 2.0), (96, 80))
ALL_EFFECTS = replace(
    preset("hard"), collimation_share=1.0, table_share=1.0, drape_share=1.0, instruments=(4, 4), bodies=1
)


def volume(values, spacing_mm=3.0):
    matrix = np.diag([spacing_mm] * 3 + [1.0])
    matrix[:3, 3] = -(np.array(values.shape[::-1]) - 1) / 2 * spacing_mm
    return Volume(values.astype(np.float32), matrix)


def slab(hu, thickness=20):
    """A plate across the beam of an AP view, wider than it; thickness in voxels of 3 mm."""
    values = np.full((64, 30, 64), -1000.0)
    values[:, 15 - thickness // 2 : 15 + thickness // 2] = hu
    return volume(values)


def frontal(depth_mm=600.0):
    return standard_view("AP", (0, 0, 0), depth_mm)


@pytest.fixture(scope="module")
def phantom():
    """The CT of the phantom, 4 mm."""
    fine = the_phantom().ct
    positive = reduced_volume(fine.with_values(fine.values + 1000), 4.0)
    return positive.with_values(positive.values - 1000)


def test_a_slab_obeys_beer_and_lambert():
    settings = SimulatorSettings(photons_per_mm2=(1e9, 1e9))
    pixels = {}
    for thickness in (0, 10, 20):
        ct = slab(hu_of("muscle"), thickness)
        image = FluoroscopySimulator(ct, settings).image(CARM, frontal(), 0)
        pixels[thickness] = image.pixels
    # Exposure control hides the level: within one image, central rays differ from slanting ones by their length.
    u, v = np.meshgrid((np.arange(96) - 47.5) * 2, (np.arange(80) - 39.5) * 2)
    for thickness in (10, 20):
        length = (3.0 * thickness * np.sqrt(1e6 + u**2 + v**2) / 1000).astype(np.float32)
        expected = Beam.of_tube(80).transmitted({"muscle": length})
        np.testing.assert_allclose(pixels[thickness] / pixels[thickness].max(), expected / expected.max(), atol=2e-3)
    assert np.ptp(pixels[0]) < 20


def test_a_step_of_bone_has_the_contrast_of_its_length():
    values = np.full((80, 60, 80), -1000.0)
    values[:, 20:40] = hu_of("muscle")
    values[:, 26:34, 40:] = hu_of("bone")  # 24 mm of the right half
    settings = SimulatorSettings(photons_per_mm2=(1e9, 1e9), clipped_share=(0, 0))
    pixels = FluoroscopySimulator(volume(values), settings).image(CARM, frontal(), 0).pixels.astype(float)
    beam = Beam.of_tube(80)
    with_bone = beam.transmitted({"muscle": np.float32([[36]]), "bone": np.float32([[24]])})[0, 0]
    without = beam.transmitted({"muscle": np.float32([[60]])})[0, 0]
    left, right = pixels[38:42, 70:76].mean(), pixels[38:42, 20:26].mean()
    assert min(left, right) / max(left, right) == pytest.approx(with_bone / without, rel=0.02)


@pytest.mark.parametrize("photons", [500.0, 8000.0])
def test_noise_is_that_of_the_dose(photons):
    settings = SimulatorSettings(photons_per_mm2=(photons, photons))
    ct = slab(0.0)
    noisy = FluoroscopySimulator(ct, settings).image(CARM, frontal(), 1).pixels.astype(float)
    still = FluoroscopySimulator(ct, replace(settings, photons_per_mm2=(1e9, 1e9))).image(CARM, frontal(), 1).pixels
    ratio = noisy / still
    assert ratio[20:60, 20:70].std() / ratio[20:60, 20:70].mean() == pytest.approx((photons * 4) ** -0.5, rel=0.06)


def test_detector_blur_makes_noise_coarser_and_weaker():
    sharp = SimulatorSettings(photons_per_mm2=(1000, 1000))
    ct = slab(0.0)
    noise = [
        FluoroscopySimulator(ct, settings).image(CARM, frontal(), 1).pixels.astype(float)
        for settings in (sharp, replace(sharp, detector_blur_mm=(2.0, 2.0)))
    ]
    inner = [image[10:70, 10:86] / image.mean() for image in noise]
    assert inner[1].std() < 0.6 * inner[0].std()
    neighbours = [np.corrcoef(image[:, :-1].ravel(), image[:, 1:].ravel())[0, 1] for image in inner]
    assert neighbours[1] > 0.5 > neighbours[0] + 0.3


@pytest.mark.parametrize("sigma", [10.0, 24.9, 25.1, 40.0, 500.0])
def test_a_blur_of_any_width_keeps_a_plain_image(sigma):
    """In ITK, averages wider than 26 pixels were no numbers."""
    np.testing.assert_allclose(blurred(np.full((30, 64), 3.0), sigma), 3.0, rtol=1e-3)


def test_a_small_field_has_scatter():
    """Scatter spreads as far as half of it."""
    small = CArm.from_sdd(1000.0, (0.8, 0.8), (64, 64))
    settings = SimulatorSettings(scatter_fraction=(0.5, 0.5), scatter_width_mm=(45.0, 45.0))
    assert FluoroscopySimulator(slab(0.0), settings).image(small, frontal(), 1).pixels.min() > 0


@pytest.mark.parametrize("shape", [(5, 5, 5), (60, 4, 60), (2, 30, 30)])
def test_small_and_thin_cts_have_x_rays(shape):
    values = np.full(shape, -1000.0)
    values[tuple(slice(n // 4, max(n - n // 4, n // 4 + 1)) for n in shape)] = 600.0
    image = FluoroscopySimulator(volume(values), replace(ALL_EFFECTS, bodies=2)).image(CARM, frontal(), 1)
    assert np.ptp(image.pixels) > 0


def test_equal_seeds_give_equal_images_whatever_was_asked_before(phantom):
    first = FluoroscopySimulator(phantom, preset("hard"))
    second = FluoroscopySimulator(phantom, preset("hard"))
    images = [first.image(CARM, frontal(), seed) for seed in (3, 4)]
    again = [second.image(CARM, frontal(), seed) for seed in (4, 3)][::-1]
    for a, b in zip(images, again, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)
        assert (a.polarity, a.pixels.dtype) == (b.polarity, b.pixels.dtype)
    assert images[0].pixels.tolist() != images[1].pixels.tolist()


def test_switching_one_effect_off_leaves_the_draws_of_the_others(phantom):
    fewer = replace(ALL_EFFECTS, instruments=(0, 0), drape_share=0.0, scatter_fraction=(0, 0), heel=(0, 0))
    np.testing.assert_array_equal(beam_share(ALL_EFFECTS, 5, CARM), beam_share(fewer, 5, CARM))
    with_table, without_drape = {}, {}
    add_table(with_table, ALL_EFFECTS, 5, CARM)
    add_table(without_drape, fewer, 5, CARM)
    np.testing.assert_array_equal(with_table["aluminium"], without_drape["aluminium"])
    add_drape(without_drape, fewer, 5, CARM)
    assert set(without_drape) == {"aluminium"}
    points = np.array([[0.0, 0, 600]])
    rods = [
        instruments(settings, 5, CARM, points, 600.0)
        for settings in (ALL_EFFECTS, replace(ALL_EFFECTS, collimation_share=0.0, log_share=0.0))
    ]
    assert len(rods[0]) >= 4
    assert [rod.start_mm.tolist() for rod in rods[0]] == [rod.start_mm.tolist() for rod in rods[1]]


def test_polarity_says_where_bone_is(phantom):
    base = replace(preset("paper"), soft_tissue_shift_mm=(0, 0))
    for changes, polarity, kind in (
        ({"log_share": 0.0}, "bone-dark", np.uint16),
        ({"log_share": 1.0}, "bone-bright", np.uint16),
        ({"log_share": 1.0, "inverted_share": 1.0, "eight_bit_share": 1.0}, "bone-dark", np.uint8),
    ):
        xray = FluoroscopySimulator(phantom, replace(base, **changes)).image(CARM, frontal(), 0)
        assert (xray.polarity, xray.pixels.dtype) == (polarity, kind)
        on_spine, beside = xray.pixels[30:50, 44:52].mean(), xray.pixels[30:50, 20:26].mean()
        assert (on_spine < beside) == (polarity == "bone-dark")


def test_collimation_leaves_the_inside_as_it_is_and_the_outside_dark(phantom):
    bare = SimulatorSettings(photons_per_mm2=(1e9, 1e9))
    collimated = replace(bare, collimation_share=1.0, collimator_opening=(0.7, 0.7))
    open_image = FluoroscopySimulator(phantom, bare).image(CARM, frontal(), 2).pixels.astype(float)
    closed = FluoroscopySimulator(phantom, collimated).image(CARM, frontal(), 2).pixels.astype(float)
    inside = np.s_[30:50, 38:58]
    ratio = closed[inside] / open_image[inside]
    assert ratio.std() / ratio.mean() < 2e-3  # exposure may differ, structure not
    corners = np.concatenate([closed[:3, :3].ravel(), closed[-3:, -3:].ravel()])
    assert corners.max() < 0.02 * np.median(closed[inside])


def test_the_scans_edge_does_not_show():
    """A body cut at head and foot looks like one that is not, across the place of the cut."""
    j, i = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in (50, 70)), indexing="ij")
    body = np.where((j / 20) ** 2 + (i / 30) ** 2 < 1, 40.0, -1000.0)
    spine = np.hypot(j - 6, i) < 5
    body[spine] = 500.0
    ct = volume(np.stack([body] * 20))  # 60 mm of it
    pixels = FluoroscopySimulator(ct, preset("clean")).image(CARM, frontal(), 0).pixels.astype(float)
    rows = pixels[:, 40:56].mean(axis=1)  # the cut lies at rows 15 and 65 or so
    steps = np.abs(np.diff(rows)) / rows.mean()
    assert steps.max() < 0.02
    assert rows.min() > 0.7 * rows.max()


def test_a_body_cut_at_its_side_ends_in_a_curve():
    values = np.full((30, 40, 40), -1000.0)
    values[:, 8:32, 10:] = 0.0  # the scan cuts it at the last column
    longer, _ = continued(volume(values))
    added = longer.values[longer.values.shape[0] // 2, :, 40:]
    assert added.shape[1] >= 10
    thickness = (added > -500).sum(axis=0)
    assert thickness[0] >= 22
    assert (np.diff(thickness) <= 0).all()
    assert thickness[-1] <= 4
    np.testing.assert_allclose(
        longer.volume_from_index @ [0, 0, (longer.values.shape[0] - 30) // 2, 1],
        volume(values).volume_from_index @ [0, 0, 0, 1],
    )


def test_the_fine_grid_is_a_cubic_spline_in_the_same_place():
    k, j, i = np.meshgrid(np.arange(20), np.arange(24), np.arange(28), indexing="ij")

    def field(points):
        return 100 * np.sin(points[..., 0] / 4) * np.cos(points[..., 1] / 5) + 3 * points[..., 2]

    ct = Volume(field(np.stack([i, j, k], -1)).astype(np.float32), np.diag([3.0, 3.0, 3.0, 1.0]))
    fine = refined(ct)
    assert fine.spacing_mm.max() <= 1.5
    fk, fj, fi = np.meshgrid(*(np.arange(n) for n in fine.values.shape), indexing="ij")
    places = np.stack([fi, fj, fk], -1) @ fine.volume_from_index[:3, :3].T / 3 + fine.volume_from_index[:3, 3] / 3
    inside = ((places > 3) & (places < np.array([24, 20, 16]))).all(axis=-1)
    assert np.abs(fine.values - field(places))[inside].max() < 0.4


def test_a_femur_mask_of_another_shape_is_refused(phantom):
    with pytest.raises(InputError, match="another shape"):
        FluoroscopySimulator(phantom, preset("hard"), [np.zeros((3, 3, 3), dtype=bool)])
