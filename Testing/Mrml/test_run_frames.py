"""A run in Slicer: one image of it shows one frame at a time, to begin with the one that the command line takes."""

import numpy as np
import pytest
import slicer

from DicomFiles import write_xray
from prostreg.errors import InputError
from prostreg.images.frames import Frames
from prostreg.images.xray_reading import read_xray_image
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
from ProSTRegistrationLib.Nodes.CArmNode import carmOf, pixelsOf
from ProSTRegistrationLib.Nodes.CArmSettings import CArmSettings, applySettings, settingsOf
from ProSTRegistrationLib.Nodes.DicomCArm import settingsFromTags, tagsOf
from ProSTRegistrationLib.Nodes.FluoroscopyImage import comparedPartOf, flipLeftRight, isFlipped, keepShutter
from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from ProSTRegistrationLib.Nodes.JudgedInputs import InputDigester
from ProSTRegistrationLib.Nodes.RunFrames import (
    frameImage,
    frameOf,
    frameTotal,
    isSurelyRun,
    runOf,
    showFrame,
    usualFrame,
)
from ProSTRegistrationLib.Worker.WorkerData import WorkerData, _Load

FRAMES = (np.random.default_rng(4).integers(0, 3000, (1, 30, 40)) + 100 * np.arange(5)[:, None, None]).astype(np.uint16)
TAGS = {
    "NumberOfFrames": 5, "RepresentativeFrameNumber": 4, "DistanceSourceToDetector": 1000,
    "ImagerPixelSpacing": [0.3, 0.3], "PositionerPrimaryAngle": 10.0, "PositionerSecondaryAngle": 0.0,
}  # fmt: skip
SETTINGS = CArmSettings(1020.0, 620.0, (0.30, 0.45), (11.5, 17.25), 25.0, -10.0)


@pytest.fixture
def run(addVolume):
    return addVolume(FRAMES, np.diag([-0.3, -0.3, 66.0, 1]), name="Run")


@pytest.fixture
def dicomRun(load, tmp_path):
    def loaded(**tags):
        path = write_xray(tmp_path / "run.dcm", "XA", FRAMES, **(TAGS | tags))
        return load(path), path

    return loaded


def test_frames_are_shown_in_one_image_that_keeps_its_c_arm(scene, run):
    node = frameImage(run, 2)
    assert (node.GetName(), frameOf(node), runOf(node)) == ("Run frame 3", 2, run)
    assert np.array_equal(pixelsOf(node), FRAMES[2])
    applySettings(scene, node, SETTINGS)
    flipLeftRight(node)
    carm = carmOf(node)
    assert showFrame(node, 0) is node
    assert (node.GetName(), frameOf(node)) == ("Run frame 1", 0)
    assert isFlipped(node)
    assert np.array_equal(pixelsOf(node), FRAMES[0][:, ::-1])
    assert np.array_equal(carmOf(node).intrinsics, carm.intrinsics)
    assert np.array_equal(slicer.util.arrayFromVolume(run), FRAMES)
    assert frameImage(run, 4) is node
    flipLeftRight(node)
    assert np.array_equal(pixelsOf(node), FRAMES[4])


@pytest.mark.parametrize("index", [-1, 5])
def test_a_frame_that_is_not_there_changes_nothing(headless, run, index):
    count = headless.scene.GetNumberOfNodes()
    with pytest.raises(InputError, match=f"'Run' has no frame {index + 1}: choose one from 1 to 5"):
        frameImage(run, index)
    assert headless.scene.GetNumberOfNodes() == count
    node = frameImage(run, 1)
    with pytest.raises(InputError, match="has no frame"):
        showFrame(node, index)
    assert frameOf(node) == 1


def test_a_run_that_has_left_the_scene_is_said(headless, run):
    node = frameImage(run, 1)
    headless.scene.RemoveNode(run)
    with pytest.raises(InputError, match="The run of 'Run frame 2' has left the scene"):
        showFrame(node, 0)


def test_panel_and_command_line_take_the_same_frame(dicomRun, run):
    for tags in ({}, {"RepresentativeFrameNumber": 9}, {"RepresentativeFrameNumber": 1}):
        node, path = dicomRun(**tags)
        index = usualFrame(node)
        assert np.array_equal(pixelsOf(frameImage(node, index)), read_xray_image(path).pixels)
    assert usualFrame(run) == 2


def test_what_surely_is_a_run(dicomRun, run, addVolume):
    node, _ = dicomRun()
    assert isSurelyRun(node)
    assert not isSurelyRun(frameImage(node, 1))
    assert not isSurelyRun(dicomRun(Modality="CT")[0])
    assert not isSurelyRun(run)  # might be anything
    assert not isSurelyRun(addVolume(FRAMES[:1], name="Single"))
    assert not isSurelyRun(None)
    assert frameTotal(node) == 5


def test_every_frame_has_the_tags_that_the_command_line_reads(dicomRun):
    node, path = dicomRun(PositionerPrimaryAngleIncrement=[0.0, 5.0, 10.0, 15.0, 20.0])
    image = frameImage(node, 3)
    found = settingsFromTags(tagsOf(image), (64, 48))
    assert found.settings.primaryAngleDeg == 25.0
    assert "check the angles" in found.said
    told = {number.name: number.value for number in read_xray_image(path, Frames(4, 4)).numbers}
    assert told["primary angle"] == "25.0 degrees"


def test_the_c_arm_of_a_turning_run_turns_along(scene, dicomRun):
    node, _ = dicomRun(PositionerPrimaryAngleIncrement=[0.0, 5.0, 10.0, 15.0, 20.0])
    image = frameImage(node, 1)
    applySettings(scene, image, SETTINGS)  # a person knows the angle better than the tags
    showFrame(image, 4)
    assert settingsOf(image).primaryAngleDeg == pytest.approx(SETTINGS.primaryAngleDeg + 15.0)
    showFrame(image, 1)
    assert settingsOf(image) == SETTINGS


def test_a_verdict_is_about_one_frame(scene, addVolume, addTransform):
    """Also where two frames are equal."""
    ct = addVolume(np.zeros((4, 5, 6), np.int16), name="CT")
    image = frameImage(addVolume(np.stack([FRAMES[0]] * 3), name="Still"), 1)
    applySettings(scene, image, SETTINGS)
    digester = InputDigester()
    before = digester.inputs(ct, [image], AnatomyChoice(), {})
    showFrame(image, 2)
    assert before.differences(digester.inputs(ct, [image], AnatomyChoice(), {})) == ["xrays", "pixels"]
    showFrame(image, 1)
    assert digester.inputs(ct, [image], AnatomyChoice(), {}) == before


def test_a_saved_scene_knows_run_and_frame(headless, run, tmp_path):
    frameImage(run, 3)
    assert headless.save(tmp_path / "scene.mrb")
    with HeadlessScene() as other:
        assert other.load(tmp_path / "scene.mrb")
        node = other.scene.GetFirstNodeByName("Run frame 4")
        assert frameOf(node) == 3
        assert np.array_equal(pixelsOf(showFrame(node, 0)), FRAMES[0])


SHUTTER = {
    "ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 4, "ShutterRightVerticalEdge": 40,
    "ShutterUpperHorizontalEdge": 1, "ShutterLowerHorizontalEdge": 30,
}  # fmt: skip


def test_a_shutter_covers_the_same_part_as_on_the_command_line(dicomRun, scene):
    node, path = dicomRun(**SHUTTER)
    image = frameImage(node, 3)
    assert comparedPartOf(image) is None
    keepShutter(image, tagsOf(image))
    expected = read_xray_image(path).open_part
    assert np.array_equal(comparedPartOf(image), expected)
    flipLeftRight(image)
    assert np.array_equal(comparedPartOf(image), expected[:, ::-1])
    assert "What its shutter covers is left out." in settingsFromTags(tagsOf(image), (64, 48)).summary
    keepShutter(image, {})
    assert comparedPartOf(image) is None


def test_the_worker_is_told_what_a_shutter_covers(dicomRun, scene, addVolume):
    node, path = dicomRun(**SHUTTER)
    image = frameImage(node, 3)
    applySettings(scene, image, SETTINGS)
    keepShutter(image, tagsOf(image))
    data = WorkerData(scene, None)
    ct = addVolume(np.zeros((4, 5, 6), np.int16), name="CT")
    _, steps = data._plan(_Load(ct, [image], AnatomyChoice(), None, None))
    arrays = {name: array for step in steps for name, array in step.arrays.items()}
    assert np.array_equal(arrays["mask0"], read_xray_image(path).open_part)
