"""The C-arm as people enter it: where distances and angles put it in the patient, and what is kept with an image."""

from dataclasses import replace

import numpy as np
import pytest

from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_devices import PRESETS
from prostreg.geometry.frames import invert_rigid
from prostreg.geometry.standard_views import standard_view
from ProSTRegistrationLib.Nodes import CArmNode
from ProSTRegistrationLib.Nodes.CArmPresets import presetSettings, presetsFor
from ProSTRegistrationLib.Nodes.CArmSettings import (
    SETTINGS_ATTRIBUTE,
    CArmSettings,
    applySettings,
    carmOfSettings,
    inMillimetres,
    isPlaced,
    settingsOf,
    settingsOfCarm,
)
from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene

SIZE = (160, 120)
SETTINGS = CArmSettings(1020.0, 620.0, (0.30, 0.45), (60.5, 71.25), 25.0, -10.0)
CENTRE_MM = np.array([12.0, -40.0, 310.0])


@pytest.fixture
def xray(addVolume):
    return addVolume(np.zeros((1, 120, 160), dtype=np.uint16), name="Fluoro")


def cameraFromCtAtIsocentre(settings):
    """camera_from_volume of a CT whose centre was shifted into the isocentre without turning it."""
    worldFromVolume = np.eye(4)
    worldFromVolume[:3, 3] = -CENTRE_MM
    return carmOfSettings(settings, SIZE).camera_from_world @ worldFromVolume


@pytest.mark.parametrize(
    ("primary", "name"), [(0, "PA"), (90, "left lateral"), (-90, "right lateral"), (180, "AP"), (-180, "AP")]
)
def test_angles_give_the_standard_views(primary, name):
    settings = CArmSettings(1000.0, 600.0, (0.3, 0.3), primaryAngleDeg=primary)
    assert np.allclose(cameraFromCtAtIsocentre(settings), standard_view(name, CENTRE_MM, 600.0), atol=1e-9)


@pytest.mark.parametrize(
    ("primary", "secondary", "towardsDetector"),
    [
        (0, 0, (0, 1, 0)),  # above the patient
        (90, 0, (-1, 0, 0)),  # at the patient's left
        (30, 0, (-0.5, np.sqrt(0.75), 0)),
        (0, 30, (0, np.sqrt(0.75), 0.5)),  # towards the head
        (90, 30, (-np.sqrt(0.75), 0, 0.5)),
        (0, -90, (0, 0, -1)),  # below the feet
    ],
)
def test_detector_goes_where_dicom_says(scene, xray, primary, secondary, towardsDetector):
    settings = CArmSettings(1000.0, 600.0, (0.3, 0.3), None, primary, secondary)
    applySettings(scene, xray, settings)
    carm = CArmNode.carmOf(xray)
    worldFromCamera = invert_rigid(carm.camera_from_world)
    assert np.allclose(worldFromCamera[:3, 3], -600 * np.array(towardsDetector), atol=1e-6)
    bounds = [0.0] * 6
    xray.GetRASBounds(bounds)
    assert np.allclose(np.reshape(bounds, (3, 2)).mean(axis=1), 400 * np.array(towardsDetector), atol=0.6)
    # Without roll: whatever the angles, nothing of the patient's length runs along the picture's rows.
    assert np.allclose(worldFromCamera[2, 0], 0, atol=1e-12)
    assert np.allclose(carm.project_world((0, 0, 0)), (79.5, 59.5))


def test_pixels_of_points_in_closed_form():
    # Seen from behind a supine patient: 50 mm to the right and 20 mm towards the feet, as deep as the isocentre.
    carm = carmOfSettings(replace(SETTINGS, primaryAngleDeg=0.0, secondaryAngleDeg=0.0), SIZE)
    magnification = 1020 / 620
    expected = 60.5 + 50 * magnification / 0.30, 71.25 + 20 * magnification / 0.45
    assert np.allclose(carm.project_world((50, 0, -20)), expected)


@pytest.mark.parametrize("angles", [(0, 0), (25, -10), (-135.5, 40), (180, 0), (10, 90), (-60, -89)])
def test_settings_are_read_off_a_camera(angles):
    settings = replace(SETTINGS, primaryAngleDeg=float(angles[0]), secondaryAngleDeg=float(angles[1]))
    found = settingsOfCarm(carmOfSettings(settings, SIZE))
    assert not found.isFixedPose
    assert np.allclose((found.primaryAngleDeg, found.secondaryAngleDeg, found.sddMm, found.sodMm), (*angles, 1020, 620))
    assert np.allclose(found.pixelSizeMm + found.principalPointPx, (0.30, 0.45, 60.5, 71.25))


def test_image_centre_stays_the_image_centre():
    assert settingsOfCarm(carmOfSettings(replace(SETTINGS, principalPointPx=None), SIZE)).principalPointPx is None


def test_settings_survive_saving(headless, scene, xray, tmp_path):
    applySettings(scene, xray, SETTINGS)
    assert headless.save(tmp_path / "scene.mrb")
    with HeadlessScene() as other:
        assert other.load(tmp_path / "scene.mrb")
        assert settingsOf(other.scene.GetFirstNodeByName("Fluoro")) == SETTINGS


class TestGeneralCamera:
    def test_pose_is_kept_while_the_rest_is_edited(self, scene, xray, obliqueCarm):
        scene.placeFluoroscopy(xray, obliqueCarm)
        found = settingsOf(xray)
        assert found.isFixedPose
        assert np.allclose(found.pixelSizeMm + found.principalPointPx, (0.30, 0.45, 60.5, 71.25))
        applySettings(scene, xray, replace(found, sddMm=900.0, principalPointPx=None))
        carm = CArmNode.carmOf(xray)
        assert np.allclose(carm.camera_from_world, obliqueCarm.camera_from_world, atol=1e-12)
        assert np.isclose(carm.sdd_mm, 900)
        assert settingsOf(xray) == replace(found, sddMm=900.0, principalPointPx=None)
        assert carm.principal_point == (79.5, 59.5)
        assert np.allclose(carm.detector_spacing_mm, (0.30, 0.45))

    def test_camera_as_world_has_its_isocentre_between_source_and_detector(self, scene, xray):
        scene.placeFluoroscopy(xray, CArm(np.array([[3000.0, 0, 30], [0, 2900.0, 20], [0, 0, 1]]), SIZE))
        found = settingsOf(xray)
        assert found.isFixedPose
        assert 0 < found.sodMm < found.sddMm == 1000
        assert np.allclose(carmOfSettings(found, SIZE).intrinsics, CArmNode.carmOf(xray).intrinsics)

    @pytest.mark.parametrize(("shiftMm", "rollDeg", "isFixed"), [(0.5, 0, False), (2, 0, True), (0, 1, True)])
    def test_small_misses_are_forgiven(self, rotation, shiftMm, rollDeg, isFixed):
        carm = carmOfSettings(SETTINGS, SIZE)
        moved = rotation((0, 0, 1), rollDeg, (shiftMm, 0, 0)) @ carm.camera_from_world
        assert settingsOfCarm(replace(carm, camera_from_world=moved)).isFixedPose is isFixed

    def test_camera_placed_later_counts(self, scene, xray, obliqueCarm):
        applySettings(scene, xray, SETTINGS)
        scene.placeFluoroscopy(xray, obliqueCarm)
        assert settingsOf(xray).isFixedPose

    def test_moved_image_tells_its_angles(self, scene, xray, addTransform, rotation):
        applySettings(scene, xray, SETTINGS)
        xray.SetAndObserveTransformNodeID(addTransform(rotation((0, 0, 1), 12)).GetID())
        assert np.isclose(settingsOf(xray).primaryAngleDeg, 25 + 12)
        applySettings(scene, xray, SETTINGS)
        assert settingsOf(xray) == SETTINGS


class TestRefusals:
    def test_all_faults_at_once(self):
        with pytest.raises(InputError) as caught:
            CArmSettings(50.0, 20.0, (0.3, 0.0), (float("nan"), 3), 200.0, "steep")
        words = ["SDD) is 50 mm", "pixel size", "principal point", "primary angle is 200", "secondary angle is 'steep'"]
        assert len(caught.value.faults) == len(words)
        for word, fault in zip(words, caught.value.faults, strict=True):
            assert word in fault

    @pytest.mark.parametrize("sodMm", [0, -5, 1020, 2000, None, float("nan")])
    def test_isocentre_lies_before_the_detector(self, sodMm):
        with pytest.raises(InputError, match=r"\(SOD\).*below the SDD of 1020 mm"):
            CArmSettings(1020.0, sodMm, (0.3, 0.3))

    def test_principal_point_in_other_units(self, scene, xray):
        applySettings(scene, xray, SETTINGS)
        with pytest.raises(InputError, match="principal point's v is 4000"):
            applySettings(scene, xray, replace(SETTINGS, principalPointPx=(80.0, 4000.0)))
        assert settingsOf(xray) == SETTINGS

    def test_nothing_is_kept_of_an_image_that_cannot_be_placed(self, scene, xray, addTransform):
        xray.SetAndObserveTransformNodeID(addTransform(np.diag([2.0, 1, 1, 1]), "Stretch").GetID())
        with pytest.raises(InputError, match="'Stretch', which scales"):
            applySettings(scene, xray, SETTINGS)
        assert not isPlaced(xray)
        assert xray.GetAttribute(SETTINGS_ATTRIBUTE) is None

    def test_image_without_geometry(self, xray):
        with pytest.raises(InputError, match="'Fluoro' has no C-arm"):
            settingsOf(xray)

    @pytest.mark.parametrize(
        "text",
        ["{", "[]", "3", '{"sddMm": 1000}', '{"sddMm": 1, "sodMm": 1, "pixelSizeMm": 1}',
         '{"sddMm": 1000, "sodMm": 600, "pixelSizeMm": [1, 1], "fixedCameraFromWorld": [[1]]}'],
    )  # fmt: skip
    def test_damaged_attribute(self, scene, xray, text):
        applySettings(scene, xray, SETTINGS)
        xray.SetAttribute(SETTINGS_ATTRIBUTE, text)
        with pytest.raises(InputError, match="settings kept with 'Fluoro' are damaged"):
            settingsOf(xray)
        applySettings(scene, xray, SETTINGS)
        assert settingsOf(xray) == SETTINGS


class TestPresets:
    @pytest.mark.parametrize("name", PRESETS)
    @pytest.mark.parametrize("size", [(1024, 1024), (512, 384), (1536, 1536)])
    def test_field_fills_the_longer_side(self, name, size):
        settings = presetSettings(name, size)
        assert np.isclose(settings.pixelSizeMm[0] * max(size), PRESETS[name].field_mm)
        assert carmOfSettings(settings, size).principal_point == ((size[0] - 1) / 2, (size[1] - 1) / 2)

    def test_devices_that_make_no_sense_with_an_image_are_left_out(self):
        assert list(presetsFor((1024, 1024))) == list(PRESETS)
        assert [PRESETS[name].field_mm for name in presetsFor((60, 48))] == [229.0, 205.0, 298.0]

    def test_nine_inches_on_1024_pixels(self):
        name = "Mobile C-arm, 9 inch intensifier, 1024 px"
        assert np.allclose(presetSettings(name, (1024, 1024)).pixelSizeMm, 9 * 25.4 / 1024, rtol=2e-3)

    def test_unknown_name_lists_the_known(self):
        with pytest.raises(InputError, match=r"no C-arm preset 'X'.*Angiography, flat panel 40 cm"):
            presetSettings("X", (10, 10))


@pytest.mark.parametrize(
    ("told", "mm"),
    [
        ((1020.0, 620.0), (1020.0, 620.0)), ((102.0, 62.0), (1020.0, 620.0)), ((1020.0, 62.0), (1020.0, 620.0)),
        ((102.0, 620.0), (1020.0, 620.0)), ((180.0, 160.0), (1800.0, 1600.0)), ((1020.0, 5.0), (1020.0, 5.0)),
        ((20.0, 10.0), (20.0, 10.0)), ((0.0, 0.0), (0.0, 0.0)), ((350.0, 300.0), (350.0, 300.0)),
    ],
)  # fmt: skip
def test_what_can_only_be_centimetres_is_taken_for_them(told, mm):
    assert inMillimetres(*told) == mm


@pytest.mark.parametrize("name", PRESETS)
def test_no_usual_device_is_doubted(name):
    assert presetSettings(name, (1024, 1024)).doubts() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sodMm": 200.0}, "magnified"), ({"sodMm": 1010.0}, "magnified"), ({"pixelSizeMm": (0.3, 0.4)}, "square"),
        ({"secondaryAngleDeg": -75.0}, "head or feet"),
    ],
)  # fmt: skip
def test_what_no_usual_device_has_is_doubted_and_not_refused(change, words):
    usual = CArmSettings(1020.0, 620.0, (0.3, 0.3))
    assert usual.doubts() == []
    (doubt,) = replace(usual, **change).doubts()
    assert words in doubt
