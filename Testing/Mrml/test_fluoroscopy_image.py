"""An image is made fit for a registration: turned, one frame, grey; what it was made of stays as it is."""

from dataclasses import replace

import numpy as np
import pytest

from prostreg.errors import InputError
from ProSTRegistrationLib.Nodes.CArmNode import carmOf, pixelsOf
from ProSTRegistrationLib.Nodes.CArmSettings import CArmSettings, applySettings, settingsOf
from ProSTRegistrationLib.Nodes.FluoroscopyImage import (
    flipLeftRight,
    greyCopy,
    isFlipped,
    turnAsStored,
)
from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene

PIXELS = np.random.default_rng(4).integers(0, 4000, (1, 120, 160)).astype(np.uint16)
SETTINGS = CArmSettings(1020.0, 620.0, (0.30, 0.45), (60.5, 71.25), 25.0, -10.0)


@pytest.fixture
def xray(addVolume):
    return addVolume(PIXELS, name="Fluoro")


class TestFlip:
    def test_columns_and_principal_point_go_together(self, scene, xray):
        applySettings(scene, xray, SETTINGS)
        before = carmOf(xray)
        flipLeftRight(xray)
        assert isFlipped(xray)
        pixels, carm = scene.fluoroscopy(xray)
        assert np.array_equal(pixels, PIXELS[0, :, ::-1])
        assert settingsOf(xray) == replace(SETTINGS, principalPointPx=(159 - 60.5, 71.25))
        assert np.allclose(carm.camera_from_world, before.camera_from_world)
        # The pixel that the central ray meets is the same pixel as before.
        assert np.allclose(carm.project_world((0, 0, 0)), (159 - 60.5, 71.25))
        flipLeftRight(xray)
        assert not isFlipped(xray)
        assert np.array_equal(pixelsOf(xray), PIXELS[0])
        assert settingsOf(xray) == SETTINGS
        assert np.array_equal(carmOf(xray).intrinsics, before.intrinsics)

    def test_image_without_geometry(self, xray):
        flipLeftRight(xray)
        assert np.array_equal(pixelsOf(xray), PIXELS[0, :, ::-1])

    def test_general_camera(self, scene, xray, obliqueCarm):
        scene.placeFluoroscopy(xray, obliqueCarm)
        flipLeftRight(xray)
        carm = carmOf(xray)
        assert np.isclose(carm.principal_point[0], 159 - 60.5)
        assert np.allclose(carm.camera_from_world, obliqueCarm.camera_from_world)

    def test_image_data_of_others_is_not_touched(self, headless, xray):
        other = headless.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Other")
        other.SetAndObserveImageData(xray.GetImageData())
        flipLeftRight(xray)
        assert np.array_equal(pixelsOf(other), PIXELS[0])

    def test_survives_saving(self, headless, scene, xray, tmp_path):
        applySettings(scene, xray, SETTINGS)
        assert headless.save(tmp_path / "before.mrb")
        flipLeftRight(xray)
        assert headless.save(tmp_path / "scene.mrb")
        with HeadlessScene() as other:
            assert other.load(tmp_path / "scene.mrb")
            loaded = other.scene.GetFirstNodeByName("Fluoro")
            assert isFlipped(loaded)
            flipLeftRight(loaded)
            assert np.array_equal(pixelsOf(loaded), PIXELS[0])
            assert settingsOf(loaded) == SETTINGS

    def test_nothing_changes_under_a_transform_that_cannot_be_used(self, scene, xray, addTransform):
        applySettings(scene, xray, SETTINGS)
        xray.SetAndObserveTransformNodeID(addTransform(np.diag([2.0, 1, 1, 1]), "Stretch").GetID())
        with pytest.raises(InputError, match="'Stretch'"):
            flipLeftRight(xray)
        assert np.array_equal(pixelsOf(xray), PIXELS[0])
        assert not isFlipped(xray)


class TestTurnAsStored:
    def test_what_the_detector_sees_is_turned_once(self, xray):
        for _ in range(2):
            turnAsStored(xray, True)
            assert isFlipped(xray)
            assert np.array_equal(pixelsOf(xray), PIXELS[0, :, ::-1])

    def test_what_the_source_sees_is_not(self, xray):
        turnAsStored(xray, False)
        assert not isFlipped(xray)
        assert np.array_equal(pixelsOf(xray), PIXELS[0])

    @pytest.mark.parametrize("turns", [1, 2])
    def test_what_a_person_decided_stays(self, xray, turns):
        for _ in range(turns):
            flipLeftRight(xray)
        turnAsStored(xray, isFromDetector=turns == 2)
        assert isFlipped(xray) is (turns == 1)
        assert np.array_equal(pixelsOf(xray), PIXELS[0, :, ::-1] if turns == 1 else PIXELS[0])


class TestGreyCopy:
    @pytest.mark.parametrize("channels", [3, 4])
    def test_equal_channels(self, addVolume, channels):
        colours = np.repeat(PIXELS[..., np.newaxis] // 16, channels, axis=-1).astype(np.uint8)
        colours[..., 3:] = 255
        node = greyCopy(addVolume(colours, name="Shot", className="vtkMRMLVectorVolumeNode"))
        assert node.GetName() == "Shot grey"
        assert np.array_equal(pixelsOf(node), colours[0, ..., 0])

    def test_real_colours(self, headless, addVolume):
        colours = np.zeros((1, 8, 9, 3), dtype=np.uint8)
        colours[0, 4, 4] = 255, 0, 0
        picture = addVolume(colours, name="Shot", className="vtkMRMLVectorVolumeNode")
        count = headless.scene.GetNumberOfNodes()
        with pytest.raises(InputError, match="'Shot' is a picture in colour"):
            greyCopy(picture)
        assert headless.scene.GetNumberOfNodes() == count

    def test_empty(self, headless):
        node = headless.scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Shot")
        with pytest.raises(InputError, match="'Shot' is empty"):
            greyCopy(node)
