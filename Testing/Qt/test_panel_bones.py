"""Several bones in the panel: a list with a verdict each, no picture of another pose, and nothing green that is not."""

from dataclasses import replace

import numpy as np
import pytest
import slicer
from SyntheticBones import SPACING_MM, twoBones

from Patience import PATIENCE_S
from prostreg.outputs.bone_colours import colour_of
from ProSTRegistrationLib.Bones.BoneDrrs import boneDrrsOf
from ProSTRegistrationLib.Bones.BonesRuns import bonesOfRun
from ProSTRegistrationLib.Bones.BoneTransforms import boneTransform, setBonePoses
from ProSTRegistrationLib.Nodes.Attempts import BoneOfRun
from ProSTRegistrationLib.Nodes.DrrOrigin import isMadeOf, originOf
from ProSTRegistrationLib.Views.CheckLayout import FLUOROSCOPY_VIEW

MOTION = (0.0, 0.0, 6.0, 3.0, 0.0, -4.0)
GREEN, GREY = "#1b7f4d", "#6b7078"


def told(name, status, against=""):
    """An attempt of a bone, as far as the words need it."""
    bone = BoneOfRun(name, name, 1, against, MOTION if against else None)
    return {"bone": bone, "status": status, "acrossMm": 0.4, "alongMm": 2.0, "decision": "none"}


class TestWords:
    @pytest.fixture
    def words(self, facade):
        from ProSTRegistrationLib.Bones import BoneWords

        return BoneWords

    def test_the_whole_is_as_trusted_as_its_weakest_bone(self, words):
        bones = [told("L2", "accepted"), told("L3", "uncertain", "L2")]
        assert not words.isWholeTrusted(bones, [])
        assert words.wholeWords(bones, []) == "Together only as good as the weakest: L3: Uncertain."
        assert words.wholeWords(bones, ["L4"]).splitlines()[1] == "Not registered, the run was stopped before: L4."

    def test_all_trusted_unless_one_was_not_reached(self, words):
        bones = [told("L2", "accepted"), told("L3", "accepted", "L2")]
        assert words.isWholeTrusted(bones, [])
        assert words.wholeWords(bones, []) == "Each bone is trusted."
        assert not words.isWholeTrusted(bones, ["L4"])

    def test_a_line_tells_verdict_error_and_motion(self, words):
        bones = [told("L2", "accepted"), told("L3", "accepted", "L2")]
        assert words.boneCells(bones[0], bones, False)[3] == "reference"
        assert words.boneCells(bones[1], bones, False) == ["L3", "✓ Trusted", "0.4 / 2.0", "6.0°, 5.0\u00a0mm"]
        assert "(R +0.0, A +0.0, S +6.0)".replace("(", "(about ") in words.boneDetails(bones[1], bones, False)
        assert words.boneCells(bones[0], bones, True) == ["L2", "· Not judged", "", ""]

    def test_a_motion_is_as_trusted_as_the_weaker_bone_of_the_two(self, words):
        bones = [told("L2", "uncertain"), told("L3", "accepted", "L2")]
        assert words.boneCells(bones[1], bones, False)[3] == "6.0°, 5.0\u00a0mm\nnot trusted"

    def test_no_error_and_no_motion_of_a_bone_that_was_not_found(self, words):
        bones = [told("L2", "accepted"), told("L3", "failed")]
        assert words.boneCells(bones[1], bones, False) == ["L3", "✗ Failed", "", ""]


def answer(statuses, poses):
    """What a BonesJob gives at its end."""
    bones = []
    for part, status, pose in zip(("1", "2"), statuses, poses, strict=True):
        result = {
            "status": status, "confidence": 0.9, "seconds": 3.0, "world_from_volume": pose.tolist(), "reasons": [],
            "expected_error": {"across_mm": 0.4, "along_mm": 2.0, "rotation_deg": [0.2, 0.2, 0.1]},
        }  # fmt: skip
        bones.append({"name": part, "part": part, "status": status, "result": result})
    motion = {"bone": "2", "against": "1", "rotation_ras_deg": MOTION[:3], "translation_ras_mm": MOTION[3:]}
    motions = [] if "failed" in statuses else [motion]
    return {"bones": bones, "relative_motion": motions, "warnings": [], "stopped": None, "seconds": 6.0}


@pytest.fixture
def chosen(driver, patient, addVolume):
    """The panel with both bones of the CT chosen, each to move by itself."""
    panel, ct, xray = patient
    labels = addVolume(twoBones(), "Labels", SPACING_MM, "vtkMRMLLabelMapVolumeNode")
    labels.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    driver.choose(panel.ui.anatomySelector, labels)
    driver.pump()
    driver.click(panel.ui.eachPartCheckBox)
    driver.pump()
    return panel, ct, xray


@pytest.fixture
def found(driver, chosen):
    """Ends a run in the panel with these verdicts; gives the poses of its start and of both bones."""
    panel, ct, _ = chosen

    def end(*statuses):
        start = panel.scene.ct(ct)[1]
        poses = [start.copy(), start.copy()]
        poses[0][0, 3] += 3.0
        poses[1][1, 3] += 4.0
        panel.check.beginAttempt()
        placed = [(n, pose) for n, pose in enumerate(poses) if statuses[n] != "failed"]
        setBonePoses(panel.scene, ct, [(str(n + 1), str(n + 1), pose) for n, pose in placed])
        panel.scene.setPose(ct, min(placed, key=lambda place: statuses[place[0]] == "accepted")[1])
        panel.check.endAttempt(answer(statuses, poses))
        driver.pump(0.1)
        return start, *poses

    return end


def texts(table):
    return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount)]


def swatches(table):
    """The colours (red, green, blue) beside the names."""
    import qt  # only while the facade stands for the application

    found = [table.item(row, 0).data(qt.Qt.DecorationRole) for row in range(table.rowCount)]
    return [None if color is None else (color.red(), color.green(), color.blue()) for color in found]


def test_the_choice_is_offered_where_several_parts_are_chosen(driver, chosen):
    panel, ui = chosen[0], chosen[0].ui
    assert driver.isReachable(ui.eachPartCheckBox)
    assert panel.anatomy.movesInParts
    panel.parameters.anatomyParts = ["2"]
    driver.pump()
    assert not driver.isReachable(ui.eachPartCheckBox)
    assert not panel.anatomy.movesInParts
    panel.parameters.anatomyParts = []
    panel.parameters.eachPartMoves = False
    assert not panel.anatomy.movesInParts


def test_joints_stay_together_where_that_is_ticked_and_parts_move(driver, chosen):
    panel, ui = chosen[0], chosen[0].ui
    assert driver.isReachable(ui.jointsCheckBox)
    assert not panel.anatomy.keepsJoints
    driver.click(ui.jointsCheckBox)
    driver.pump()
    assert panel.anatomy.keepsJoints
    driver.click(ui.eachPartCheckBox)
    driver.pump()
    assert not driver.isReachable(ui.jointsCheckBox)
    assert not panel.anatomy.keepsJoints


def test_the_list_shows_each_verdict_and_the_weakest_bone_first(driver, chosen, found):
    panel, ct, _ = chosen
    ui, (_, first, second) = panel.ui, found("accepted", "uncertain")
    assert texts(ui.bonesTable) == [
        ["1", "✓ Trusted", "0.4 / 2.0", "reference"],
        ["▸ 2", "? Uncertain", "0.4 / 2.0", "6.0°, 5.0\u00a0mm\nnot trusted"],
    ]
    colors = [ui.bonesTable.item(row, 1).background().color().name() for row in (0, 1)]
    assert colors[0] == GREEN
    assert colors[1] != GREEN
    assert ui.bonesLabel.text == "Together only as good as the weakest: 2: Uncertain."
    assert "2: Uncertain" in ui.verdictLabel.text
    assert ui.detailsLabel.text.endswith("(R +3.0, A +0.0, S -4.0), not trusted.")
    assert (ui.acceptButton.text, ui.rejectButton.text) == ("Accept 2", "Reject 2")
    np.testing.assert_allclose(panel.scene.ct(ct)[1], second)
    ui.bonesTable.cellClicked.emit(0, 0)
    driver.pump()
    assert "1: Trusted" in ui.verdictLabel.text
    np.testing.assert_allclose(panel.scene.ct(ct)[1], first)


def test_all_bones_are_to_be_accepted_at_once_where_each_is_trusted(chosen, found):
    ui = chosen[0].ui
    found("accepted", "uncertain")
    assert not ui.acceptAllButton.styleSheet
    found("accepted", "accepted")
    assert ui.acceptAllButton.styleSheet
    assert not ui.acceptButton.styleSheet, "one thing is next"


def test_the_drr_shows_each_bone_at_its_own_pose_and_one_body_where_the_ct_was_moved(driver, chosen, found):
    panel, ct, xray = chosen
    _, first, second = found("accepted", "accepted")
    panel.check.showViews()
    situation = panel.situation()
    assert [bone.name for bone in situation.bones] == ["1", "2"]
    for bone, pose in zip(situation.bones, (first, second), strict=True):
        np.testing.assert_allclose(bone.worldFromVolume, pose)
    origin = situation.origins[xray]
    assert origin != originOf(ct, xray, situation.anatomy, panel.scene.ct(ct)[1])

    def isShown(wanted):
        drr = panel.scene.findOwned(xray, "drr")
        return drr is not None and isMadeOf(drr, wanted)

    driver.pump(lambda: isShown(origin), PATIENCE_S)
    panel.ui.bonesTable.cellClicked.emit(1, 0)
    driver.pump()
    assert isShown(panel.situation().origins[xray]), "the picture is the same for each of the bones"
    legends = panel.check.views._legends

    def isSaid(*lines):
        said = legends[FLUOROSCOPY_VIEW]._actor.GetInput() if legends else ""  # where something can be drawn
        return not legends or set(lines) <= set(said.splitlines())

    driver.pump(lambda: isSaid("Each at its own place: 1, 2", "CT at result 2 (2): Trusted"), PATIENCE_S)
    panel.parameters.overlayKind = type(panel.parameters.overlayKind).CONTOURS
    driver.pump(lambda: swatches(panel.ui.bonesTable) == [colour_of(0), colour_of(1)], PATIENCE_S)
    assert len(boneDrrsOf(panel.scene, xray, panel.scene.findOwned(xray, "drr"))) == 2
    driver.pump(lambda: isSaid("Edges of the CT's bones, in the colours of their list"), PATIENCE_S)
    moved = panel.scene.ct(ct)[1]
    moved[2, 3] += 1.0
    panel.scene.setPose(ct, moved)
    assert panel.situation().bones == ()
    driver.pump(lambda: isShown(originOf(ct, xray, panel.anatomy, moved)), PATIENCE_S)
    driver.pump(lambda: swatches(panel.ui.bonesTable) == [None, None], PATIENCE_S)
    assert boneDrrsOf(panel.scene, xray, panel.scene.findOwned(xray, "drr")) is None
    driver.pump(lambda: isSaid("Green: edges of the CT's bone"), PATIENCE_S)


def test_while_a_bone_is_searched_it_is_shown_alone_and_named(driver, chosen, monkeypatch):
    from ProSTRegistrationLib.VerdictWords import searchWords

    panel, ct, _ = chosen
    panel.check.showViews()
    asked, pose = [], panel.scene.ct(ct)[1]
    monkeypatch.setattr(panel.logic.live, "follow", lambda *arguments: asked.append(arguments[-1]))
    told = {"world_from_volume": pose.tolist(), "fraction": 0.5, "stage": "cmaes", "message": "2: searching"}
    read = panel._reader.read
    monkeypatch.setattr(panel._reader, "read", lambda *given: replace(read(*given), isBusy=True, isRegistering=True))
    panel.check.showBestSoFar({**told, "bone": "2"})
    driver.pump(lambda: asked, PATIENCE_S)
    panel.check.showBestSoFar({**told, "bone": ""})
    driver.pump()
    ((bone,),) = asked
    monkeypatch.setattr(panel._reader, "read", read)
    assert (bone.name, bone.anatomy.labelValues) == ("2", (2,))
    assert searchWords("2") == "best place so far of 2, shown alone"
    assert searchWords("") == "best place so far of the search"
    panel.register._progressed({**told, "bone": "2", "seconds_left": 3.0})
    driver.pump()
    assert panel.ui.progressLabel.text.startswith("2 · ")


def test_a_decision_is_about_one_bone_or_about_all(driver, facade, chosen, found):
    panel, ct, _ = chosen
    ui, (start, first, second) = panel.ui, found("accepted", "uncertain")

    def decisions():
        return [bone["decision"] for bone in bonesOfRun(panel.scene, ct, 1)]

    def matrix(part):
        return slicer.util.arrayFromTransformMatrix(boneTransform(panel.scene, ct, part))

    driver.click(ui.rejectButton)
    driver.pump()
    assert decisions() == ["none", "rejected"]
    np.testing.assert_allclose(matrix("2"), start)
    np.testing.assert_allclose(matrix("1"), first)
    ui.bonesTable.cellClicked.emit(0, 0)
    driver.pump()
    assert [bone.name for bone in panel.situation().bones] == ["1"], "a rejected bone is not drawn"
    driver.click(ui.acceptButton)
    driver.pump()
    assert decisions() == ["accepted", "rejected"]
    assert "1 to C-arm" in ui.keptLabel.text
    ui.bonesTable.cellClicked.emit(1, 0)
    driver.pump()
    import qt  # only while the facade stands for the application

    facade.dialogs.answerNext(qt.QMessageBox.No, qt.QMessageBox.Yes)
    driver.click(ui.acceptAllButton)
    assert decisions() == ["accepted", "rejected"], "one that is not trusted is asked about"
    driver.click(ui.acceptAllButton)
    assert decisions() == ["accepted", "accepted"]
    np.testing.assert_allclose(matrix("2"), second)
    driver.click(ui.rejectAllButton)
    driver.pump()
    assert decisions() == ["rejected", "rejected"]
    np.testing.assert_allclose(panel.scene.ct(ct)[1], start)


def test_a_changed_choice_greys_every_bone(driver, chosen, found):
    ui = chosen[0].ui
    found("accepted", "accepted")
    assert ui.bonesLabel.text == "Each bone is trusted."
    driver.click(ui.eachPartCheckBox)
    driver.pump()
    assert [row[1] for row in texts(ui.bonesTable)] == ["· Not judged", "· Not judged"]
    assert {ui.bonesTable.item(row, 1).background().color().name() for row in (0, 1)} == {GREY}
    assert "The anatomy was changed" in ui.verdictLabel.text
    assert not ui.acceptAllButton.enabled
    assert not ui.rejectAllButton.enabled
    assert not driver.isReachable(ui.bonesLabel)


def test_a_failed_bone_is_neither_drawn_nor_kept_with_all(driver, facade, chosen, found):
    panel, ct, _ = chosen
    found("accepted", "failed")
    assert [bone.name for bone in panel.situation().bones] == ["1"]
    assert boneTransform(panel.scene, ct, "2") is None
    driver.click(panel.ui.acceptAllButton)
    driver.pump()
    assert [bone["decision"] for bone in bonesOfRun(panel.scene, ct, 1)] == ["accepted", "none"]
    assert panel.ui.bonesLabel.text == "Together only as good as the weakest: 2: Failed."
