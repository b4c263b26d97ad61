"""Grey values become line integrals: logarithm, polarity, and what of the image counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PhantomImages import FINEST_MM, the_phantom
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.images.xray_preparation import prepare_xray
from prostreg.images.xray_reading import read_xray_image
from prostreg.simulation.fluoroscopy import FluoroscopySimulator
from prostreg.simulation.presets import preset

XRAYS = Path(__file__).parents[3] / "shared" / "data" / "xray"
HEIGHT, WIDTH = 180, 240


def limb_line_integrals() -> NDArray[np.float64]:
    """A limb across the image: 6 cm of muscle as a cylinder, with two bones; air on both sides."""
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    across = (u - 120) + 0.15 * (v - 90)
    muscle = 0.02 * 60 * np.sqrt(np.clip(1 - (across / 62) ** 2, 0, None))
    bones = sum(0.04 * 20 * np.sqrt(np.clip(1 - ((across - at) / 14) ** 2, 0, None)) for at in (-24, 22))
    return np.asarray(gaussian_filter(muscle + bones, 1.0))


def intensity(line_integrals: NDArray[np.float64], noise: float = 0.0) -> NDArray[np.float32]:
    photons = 40000 * np.exp(-line_integrals)
    return (photons + noise * np.random.default_rng(0).normal(0, 1, photons.shape) * np.sqrt(photons)).astype(
        np.float32
    )


def circle(radius: float) -> NDArray[np.bool_]:
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    return np.hypot(u - 120, v - 90) < radius


def test_bone_dark_becomes_line_integrals() -> None:
    truth = limb_line_integrals()
    xray = prepare_xray(intensity(truth), "bone-dark")
    assert xray.line_integrals.dtype == np.float32
    assert xray.mask.all()
    gain = np.polyfit(truth.ravel(), xray.line_integrals.ravel(), 1)
    np.testing.assert_allclose(np.polyval(gain, truth), xray.line_integrals, atol=0.01)
    np.testing.assert_allclose(np.percentile(xray.line_integrals, [1, 99]), [0, 1], atol=1e-4)


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (250.0, -3000.0)])
def test_bone_bright_is_taken_as_it_is(gain: float, offset: float) -> None:
    truth = limb_line_integrals()
    xray = prepare_xray((gain * truth + offset).astype(np.float32), "bone-bright")
    low, high = np.percentile(truth, [1, 99])
    np.testing.assert_allclose(xray.line_integrals, (truth - low) / (high - low), atol=1e-3)


def test_scale_of_the_detector_does_not_matter() -> None:
    pixels = intensity(limb_line_integrals(), noise=1.0)
    once = prepare_xray(pixels, "bone-dark").line_integrals
    np.testing.assert_array_equal(prepare_xray(pixels, "bone-dark").line_integrals, once)
    np.testing.assert_allclose(prepare_xray(pixels / np.float32(65.0), "bone-dark").line_integrals, once, atol=1e-4)


@pytest.mark.parametrize("levels", [255, 65535])
def test_dark_collimator_is_masked_and_air_is_not(levels: int) -> None:
    field = circle(85)
    truth = limb_line_integrals()
    grey = gaussian_filter(np.where(field, intensity(truth, 1.0), 80.0), 0.7)
    pixels = np.rint(grey / grey.max() * levels).astype(np.float32)
    for polarity in ("bone-dark", "auto"):
        xray = prepare_xray(pixels, polarity)
        assert not xray.mask[~field].any()
        assert xray.mask[circle(76)].all()
        assert np.corrcoef(xray.line_integrals[xray.mask], truth[xray.mask])[0, 1] > 0.995


def test_bright_collimator_of_a_logarithmic_image_is_masked() -> None:
    truth = limb_line_integrals()
    pixels = np.where(circle(85), truth, 6.0).astype(np.float32)
    for polarity in ("bone-bright", "auto"):
        xray = prepare_xray(pixels, polarity)
        assert not xray.mask[~circle(85)].any()
        assert xray.mask[circle(76)].all()
        low, high = np.percentile(truth[xray.mask], [1, 99])
        np.testing.assert_allclose(xray.line_integrals[xray.mask], ((truth - low) / (high - low))[xray.mask], atol=1e-3)


def test_air_that_saturates_the_detector_stays() -> None:
    pixels = np.minimum(intensity(limb_line_integrals(), 1.0), 30000).astype(np.float32)
    assert prepare_xray(pixels, "bone-dark").mask.all()


def test_users_mask_rules_what_counts() -> None:
    truth = limb_line_integrals()
    pixels = intensity(truth)
    mask = np.ones(pixels.shape, bool)
    mask[:60] = False
    pixels[:60] = np.linspace(0, 9e5, WIDTH)  # burnt-in nonsense
    xray = prepare_xray(pixels, "bone-dark", mask)
    np.testing.assert_array_equal(xray.mask, mask)
    assert np.corrcoef(xray.line_integrals[60:].ravel(), truth[60:].ravel())[0, 1] > 0.999


def test_input_that_cannot_be_prepared() -> None:
    pixels = intensity(limb_line_integrals())
    with pytest.raises(InputError, match="polarity") as raised:
        prepare_xray(pixels, "inverted", np.ones((3, 3), bool))  # type: ignore[arg-type]
    assert len(raised.value.faults) == 2
    with pytest.raises(InputError, match="no valid pixels"):
        prepare_xray(pixels, "bone-dark", np.zeros(pixels.shape, bool))
    pixels[0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        prepare_xray(pixels)


@pytest.fixture(scope="module")
def fluoroscopies() -> list[NDArray[np.uint16]]:
    """A phantom's lumbar spine from front, back, side and between, near and far."""
    simulator = FluoroscopySimulator(
        the_phantom().ct, replace(preset("paper"), log_share=0.0, bodies=1), finest_mm=FINEST_MM
    )
    carm = CArm.from_sdd(1020.0, (1.6, 1.6), (160, 160))
    facing_front = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    images = []
    for number, (turn, distance) in enumerate([(0, 700), (180, 800), (90, 650), (-35, 750), (140, 850), (60, 700)]):
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_euler("zxy", [7, -6, turn], degrees=True).as_matrix() @ facing_front
        pose[:3, 3] = [15, -10, distance]
        images.append(simulator.image(carm, pose, seed=number).pixels)
    return images


def test_polarity_of_simulated_fluoroscopies(fluoroscopies: list[NDArray[np.uint16]]) -> None:
    for image in fluoroscopies:
        raw = image.astype(np.float32)
        inverted = raw.max() - raw
        logarithmic = -np.log(raw + 1)
        np.testing.assert_array_equal(prepare_xray(raw).line_integrals, prepare_xray(raw, "bone-dark").line_integrals)
        for bright in (inverted, logarithmic):
            np.testing.assert_array_equal(
                prepare_xray(bright).line_integrals, prepare_xray(bright, "bone-bright").line_integrals
            )


def test_polarity_behind_a_collimator(fluoroscopies: list[NDArray[np.uint16]]) -> None:
    v, u = np.mgrid[:160, :160]
    open_field = (np.abs(u - 82) < 62) & (np.abs(v - 75) < 68)
    for image in fluoroscopies:
        raw = np.where(open_field, image, image.min() / 3).astype(np.float32)
        xray = prepare_xray(raw)
        np.testing.assert_array_equal(xray.line_integrals, prepare_xray(raw, "bone-dark").line_integrals)
        assert np.mean(xray.mask[~open_field]) < 0.02
        assert np.mean(xray.mask[open_field]) > 0.9


@pytest.mark.skipif(not XRAYS.exists(), reason="../shared/data is not there")
@pytest.mark.parametrize("camera", ["cam01", "cam02"])
def test_real_wrist(camera: str) -> None:
    pixels = read_xray_image(XRAYS / "wrist_biplane" / camera / "frame_0099.tif").pixels
    xray = prepare_xray(pixels)
    np.testing.assert_array_equal(xray.line_integrals, prepare_xray(pixels, "bone-dark").line_integrals)
    v, u = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    from_centre = np.hypot(u - 880, v - 880)
    assert not xray.mask[from_centre > 930].any()  # outside the intensifier's circle
    assert xray.mask[from_centre < 800].all()


@pytest.mark.skipif(not XRAYS.exists(), reason="../shared/data is not there")
def test_real_hip() -> None:
    pixels = read_xray_image(XRAYS / "hip_cr" / "hip_cr.dcm").pixels
    xray = prepare_xray(pixels)
    np.testing.assert_array_equal(xray.line_integrals, prepare_xray(pixels, "bone-bright").line_integrals)
    assert not xray.mask[:, :150].any()  # left of the exposed field
    assert xray.mask[700:1300, 500:1400].all()  # the joint
