"""A track in a scene: its sequence in the browser of the run, its table, what it says of a frame, and its files."""

import numpy as np
import pytest
import slicer

from prostreg.errors import InputError
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
from ProSTRegistrationLib.Nodes.CArmSettings import CArmSettings, applySettings
from ProSTRegistrationLib.Nodes.FluoroscopyImage import flipLeftRight
from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from ProSTRegistrationLib.Nodes.JudgedInputs import InputDigester
from ProSTRegistrationLib.Nodes.RunFrames import frameImage, frameOf, runOf, runPixels, showFrame
from ProSTRegistrationLib.Nodes.Scene import Scene
from ProSTRegistrationLib.Tracking.KeptTrack import keptTrack, trackOfTable, writeTrack
from ProSTRegistrationLib.Tracking.TrackBrowsing import ASIDE_MM, STATUS_ATTRIBUTE, showInBrowser, trackBrowserOf
from ProSTRegistrationLib.Tracking.TrackFiles import saveTrack
from ProSTRegistrationLib.Tracking.TrackPlots import plotTrack

FRAMES = (np.random.default_rng(4).integers(0, 3000, (5, 30, 40))).astype(np.uint16)
SETTINGS = CArmSettings(1020.0, 620.0, (0.30, 0.45), accuracy="dicom")
FIRST, LOST, MISSING = 2, 4, 5
STATUSES = {1: "uncertain", 2: "tracked", 3: "tracked", LOST: "lost"}


def pose_of(number):
    pose = np.eye(4)
    pose[:3, 3] = 10.0 * number, -3.0, 0.125
    return pose


def answer():
    """As the worker tells it; the last frame was not looked at."""
    frames = [
        {
            "frame": number, "time_s": 0.1 * (number - 1), "status": status, "confidence": 0.9, "confirmed": 0.7,
            "reasons": ["Frame 4 shows nothing, or noise alone."] if status == "lost" else [], "search": "near",
            "seconds": 0.2,
        }
        for number, status in STATUSES.items()
    ]  # fmt: skip
    told = {
        "name": "CT", "first_frame": FIRST, "first_status": "accepted", "first_confidence": 0.97, "frames_in_run": 5,
        "asked": [1, 5], "seconds": 1.5, "stopped": "cancelled", "centre_mm": [1.0, 2.0, 3.0], "frames": frames,
    }  # fmt: skip
    poses = [np.full((4, 4), np.nan) if status == "lost" else pose_of(number) for number, status in STATUSES.items()]
    return told, np.array(poses)


@pytest.fixture
def ct(addVolume):
    return addVolume(np.zeros((4, 5, 6), np.int16), name="CT")


@pytest.fixture
def stack(addVolume):
    """A run whose slices are frames."""
    return addVolume(FRAMES, np.diag([-0.3, -0.3, 66.0, 1]), name="Run")


@pytest.fixture
def sequence(headless, addVolume):
    """A run as a sequence in a browser; its values are no frame numbers."""
    images = headless.scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Run")
    images.SetIndexUnit("s")
    for number, frame in enumerate(FRAMES):
        node = addVolume(frame[None], name=f"Frame {number}")
        images.SetDataNodeAtValue(node, f"{0.5 * number:.1f}")
        headless.scene.RemoveNode(node)
    browser = headless.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.SetAndObserveMasterSequenceNodeID(images.GetID())
    headless.applicationLogic.GetModuleLogic("Sequences").UpdateProxyNodesFromSequences(browser)
    return browser.GetProxyNode(images)


def track(scene, ct, run):
    """The image of the registered frame, with a track of its run."""
    image = frameImage(run, FIRST - 1)
    applySettings(scene, image, SETTINGS)
    scene.setPose(ct, pose_of(FIRST))
    digester = InputDigester()
    inputs = digester.inputs(ct, [image], AnatomyChoice(), {})
    pixels = digester.framePixels([image], [runPixels(image)])
    kept = trackOfTable(writeTrack(scene, image, *answer(), inputs, pixels))
    showInBrowser(scene, ct, image, kept.track)
    return image


@pytest.mark.parametrize("kind", ["stack", "sequence"])
def test_browsing_the_run_moves_the_ct(request, scene, headless, ct, kind):
    image = track(scene, ct, request.getfixturevalue(kind))
    browser, transform = trackBrowserOf(scene, image), scene.poseTransform(ct)
    np.testing.assert_allclose(scene.ct(ct)[1], pose_of(FIRST))
    assert browser.GetSelectedItemNumber() == FIRST - 1
    for number in (3, 1, 2):
        browser.SetSelectedItemNumber(number - 1)
        np.testing.assert_allclose(scene.ct(ct)[1], pose_of(number))
        assert scene.poseTransform(ct) is transform
        assert transform.GetAttribute(STATUS_ATTRIBUTE) == STATUSES[number]
    assert transform.GetName() == "CT to C-arm"
    assert headless.scene.GetNumberOfNodesByClass("vtkMRMLLinearTransformNode") == 1


def test_the_sequence_has_the_values_of_the_images(scene, ct, sequence):
    image = track(scene, ct, sequence)
    browser = trackBrowserOf(scene, image)
    assert browser.GetProxyNode(browser.GetMasterSequenceNode()) is sequence
    poses = scene.findOwned(image, "track sequence")
    assert [poses.GetNthIndexValue(n) for n in range(5)] == ["0.0", "0.5", "1.0", "1.5", "2.0"]
    assert poses.GetIndexUnit() == "s"


@pytest.mark.parametrize(("number", "status"), [(LOST, "lost"), (MISSING, "not looked at")])
def test_where_nothing_was_found_the_ct_is_put_aside_and_marked(scene, ct, sequence, number, status):
    image = track(scene, ct, sequence)
    trackBrowserOf(scene, image).SetSelectedItemNumber(number - 1)
    assert scene.poseTransform(ct).GetAttribute(STATUS_ATTRIBUTE) == status
    shift = scene.ct(ct)[1][:3, 3] - pose_of(FIRST)[:3, 3]
    assert np.linalg.norm(shift) == pytest.approx(ASIDE_MM)


def test_a_ct_under_a_transform_of_its_own_goes_where_it_was_found(scene, ct, stack, addTransform, rotation):
    ct.SetAndObserveTransformNodeID(addTransform(rotation((1, 2, 3), 40, (5, 6, 7))).GetID())
    image = track(scene, ct, stack)
    trackBrowserOf(scene, image).SetSelectedItemNumber(2)
    np.testing.assert_allclose(scene.ct(ct)[1], pose_of(3), atol=1e-9)


def test_moving_the_ct_changes_no_track_and_another_track_takes_its_place(scene, headless, ct, sequence):
    image = track(scene, ct, sequence)
    browser = trackBrowserOf(scene, image)
    scene.setPose(ct, pose_of(9))
    browser.SetSelectedItemNumber(0)
    browser.SetSelectedItemNumber(FIRST - 1)
    np.testing.assert_allclose(scene.ct(ct)[1], pose_of(FIRST))
    counts = [headless.scene.GetNumberOfNodesByClass(f"vtkMRML{name}Node") for name in ("Sequence", "Table")]
    assert track(scene, ct, sequence) is image
    assert [headless.scene.GetNumberOfNodesByClass(f"vtkMRML{name}Node") for name in ("Sequence", "Table")] == counts
    assert trackBrowserOf(scene, image) is browser
    assert scene.poseTransform(ct) is not None


def test_what_is_kept_is_the_track_and_knows_what_it_was_made_of(scene, ct, stack):
    image = track(scene, ct, stack)
    kept = keptTrack(scene, image)
    assert kept.track.numbers("lost") == [LOST]
    assert (kept.track.first_frame, kept.track.frames_in_run, kept.track.stopped) == (FIRST, 5, "cancelled")
    np.testing.assert_array_equal(kept.frame(3).world_from_volume, pose_of(3))
    assert kept.frame(MISSING) is None
    assert kept.frame(LOST).world_from_volume is None
    assert kept.track.motion(kept.frame(3)) is not None
    digester = InputDigester()
    for number in (1, 2, 3):
        showFrame(image, number - 1)
        assert kept.changes(number, digester.inputs(ct, [image], AnatomyChoice(), {})) == []
    assert kept.changes(2, digester.inputs(ct, [image], AnatomyChoice(), {})) == ["xrays", "pixels"]
    flipLeftRight(image)
    assert "pixels" in kept.changes(3, digester.inputs(ct, [image], AnatomyChoice(), {}))


def test_a_flipped_image_has_a_flipped_run(scene, stack):
    image = frameImage(stack, 1)
    flipLeftRight(image)
    np.testing.assert_array_equal(runPixels(image), FRAMES[..., ::-1])
    with pytest.raises(InputError, match="'Run' shows no frame of a run"):
        runPixels(stack)


def test_a_saved_scene_has_the_track(scene, headless, ct, sequence, tmp_path):
    image = track(scene, ct, sequence)
    assert headless.save(tmp_path / "scene.mrb")
    before = keptTrack(scene, image)
    with HeadlessScene() as other:
        assert other.load(tmp_path / "scene.mrb")
        again, found = Scene(other.scene), other.scene.GetFirstNodeByName(image.GetName())
        ctAgain = other.scene.GetFirstNodeByName("CT")
        kept, browser = keptTrack(again, found), trackBrowserOf(again, found)
        assert kept.pixels == before.pixels
        assert [frame.status for frame in kept.track.frames] == list(STATUSES.values())
        assert runOf(found) is browser.GetProxyNode(browser.GetMasterSequenceNode())
        for number in (3, LOST, 1):
            browser.SetSelectedItemNumber(number - 1)
            assert again.poseTransform(ctAgain).GetAttribute(STATUS_ATTRIBUTE) == STATUSES[number]
            if number != LOST:
                np.testing.assert_allclose(again.ct(ctAgain)[1], pose_of(number), atol=1e-3)
        assert frameOf(found) == FIRST - 1


def test_a_damaged_table_is_no_track(scene, ct, stack):
    image = track(scene, ct, stack)
    table = scene.findOwned(image, "track")
    table.SetCellText(2, 9, "[1, 2]")
    assert trackOfTable(table).track.numbers("lost") == [3, LOST]
    told = table.GetAttribute("ProSTRegistration.Track")
    table.SetAttribute("ProSTRegistration.Track", told.replace('"accepted"', '"perhaps"'))
    assert trackOfTable(table) is None
    table.SetAttribute("ProSTRegistration.Track", "{")
    assert keptTrack(scene, image) is None


def test_files_are_the_engine_s(scene, ct, stack, tmp_path):
    kept = keptTrack(scene, track(scene, ct, stack))
    for name in ("track.csv", "track.tra"):
        saveTrack(tmp_path / name, kept.track)
    lines = (tmp_path / "track.csv").read_text().splitlines()
    assert lines[0].startswith("frame,time_s,status,confidence,confirmed,tilt_u_deg")
    assert [line.split(",")[2] for line in lines[1:]] == list(STATUSES.values())
    rows = (tmp_path / "track.tra").read_text().splitlines()
    assert len(rows) == 5
    np.testing.assert_allclose(np.array(rows[2].split(","), float).reshape(4, 4), pose_of(3))
    assert set(rows[LOST - 1].split(",")) == set(rows[MISSING - 1].split(",")) == {"NaN"}
    with pytest.raises(InputError, match="The track could not be saved"):
        saveTrack(tmp_path / "track.csv" / "below.csv", kept.track)


def test_the_motion_is_plotted_without_lost_frames_and_saved(scene, headless, ct, stack, tmp_path):
    image = track(scene, ct, stack)
    for _ in range(2):  # another takes its place
        plotTrack(scene, image, keptTrack(scene, image).track)
    assert headless.save(tmp_path / "scene.mrb")
    with HeadlessScene() as other:
        assert other.load(tmp_path / "scene.mrb")
        found = other.scene.GetFirstNodeByName(image.GetName())
        table = Scene(other.scene).findOwned(found, "track motion").GetTable()
        assert [table.GetColumn(0).GetTuple1(row) for row in range(table.GetNumberOfRows())] == [1.0, 2.0, 3.0]
        shift = table.GetColumnByName("Shift along u (mm)")
        assert shift.GetTuple1(1) == pytest.approx(0.0, abs=1e-9)
        assert abs(shift.GetTuple1(2)) > 5
        assert other.scene.GetNumberOfNodesByClass("vtkMRMLPlotChartNode") == 2
        chart = other.scene.GetFirstNodeByName(f"{image.GetName()} shifts")
        series = [chart.GetNthPlotSeriesNode(number).GetYColumnName() for number in range(3)]
        assert series == ["Shift along u (mm)", "Shift along v (mm)", "Depth (mm)"]


def test_deleting_the_image_takes_its_track_along(scene, headless, ct, sequence):
    from ProSTRegistrationLib.Nodes.OwnedNodes import OwnedNodesRemover

    image = track(scene, ct, sequence)
    browser, remover = trackBrowserOf(scene, image), OwnedNodesRemover(headless.scene)
    headless.scene.RemoveNode(image)
    remover.stop()
    assert headless.scene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 0
    assert headless.scene.GetNumberOfNodesByClass("vtkMRMLSequenceNode") == 1
    browser.SetSelectedItemNumber(4)
    assert slicer.util.arrayFromVolume(sequence)[0, 0, 0] == FRAMES[4, 0, 0]
