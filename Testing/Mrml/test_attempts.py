"""The table of attempts: every registration of a CT, with its pose, through saving and people's edits."""

import csv
import re

import numpy as np
import pytest

from prostreg.errors import InputError
from ProSTRegistrationLib.AttemptsFile import writeAttempts
from ProSTRegistrationLib.Nodes.Attempts import COLUMNS, addAttempt, attempt, attempts, decide
from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from ProSTRegistrationLib.Nodes.Scene import Scene

RESULT = {
    "status": "accepted", "confidence": 0.976, "seconds": 12.345, "world_from_volume": None,
    "reasons": ['the "starts" agree', "the score has one peak"],
    "stages": [{"name": "cmaes", "score": 0.5}, {"name": "polish", "score": 0.625}],
    "expected_error": {"across_mm": 0.31, "along_mm": 1.9, "rotation_deg": [0.2, 0.25, 0.1]},
}  # fmt: skip

START = np.array([[0.0, -1, 0, 5], [1, 0, 0, 6.25], [0, 0, 1, 1 / 3], [0, 0, 0, 1]])


@pytest.fixture
def ctNode(addVolume):
    return addVolume(np.zeros((2, 2, 2), dtype=np.int16))


@pytest.fixture
def poses(rotation):
    return [rotation((1, 2, 3), angle, (1 / 3, -2e-7, 345.678901234)) for angle in (0, 10, 20)]


@pytest.fixture
def filled(scene, ctNode, poses):
    result = {**RESULT, "world_from_volume": poses[0]}
    addAttempt(scene, ctNode, result, "view", "cmaes", "quick", START, carm="dicom")
    failed = {
        **RESULT,
        "world_from_volume": poses[1].tolist(),
        "status": "failed",
        "expected_error": None,
        "reasons": [],
    }
    addAttempt(scene, ctNode, failed, 'by "hand"', "prost", "normal", START, 3.21, 4.5)
    addAttempt(scene, ctNode, {**RESULT, "world_from_volume": poses[2]}, "everywhere", "cmaes", "thorough", START)
    decide(scene, ctNode, 2, "rejected")
    decide(scene, ctNode, 3, "accepted")


def check(scene, ctNode, poses):
    assert [row["Decision"] for row in attempts(scene, ctNode)] == ["none", "rejected", "accepted"]
    for number, pose in enumerate(poses, start=1):
        assert np.array_equal(attempt(scene, ctNode, number)["worldFromVolume"], pose)
        assert np.array_equal(attempt(scene, ctNode, number)["startWorldFromVolume"], START)
    first, second = attempt(scene, ctNode, 1), attempt(scene, ctNode, 2)
    assert (first["start"], first["method"], first["quality"], first["status"]) == (
        "view",
        "cmaes",
        "quick",
        "accepted",
    )
    assert np.isclose(first["confidence"], 0.976)
    assert (first["acrossMm"], first["alongMm"], first["carm"]) == (0.31, 1.9, "dicom")
    assert first["landmarkErrorMm"] is first["mtreMm"] is None
    assert re.fullmatch(r"\d\d:\d\d:\d\d", first["time"])
    assert first["reasons"] == ["the 'starts' agree", "the score has one peak"]
    assert second["reasons"] == []
    assert second["start"] == "by 'hand'"
    assert (second["landmarkErrorMm"], second["mtreMm"]) == (3.21, 4.5)
    assert second["acrossMm"] is second["alongMm"] is None


def test_rows_are_read_back(scene, ctNode, filled, poses):
    check(scene, ctNode, poses)
    assert attempts(scene, ctNode)[0].keys() == set(COLUMNS)
    (node,) = scene.ownedNodes(ctNode)
    assert node.GetName() == "CT attempts"
    assert node.GetNumberOfRows() == 3


def test_reloaded_table_goes_on(headless, scene, ctNode, filled, poses, tmp_path):
    scene.gather(ctNode, [])
    assert headless.save(tmp_path / "scene.mrb")
    with HeadlessScene() as other:
        assert other.load(tmp_path / "scene.mrb")
        loadedScene, loaded = Scene(other.scene), other.scene.GetFirstNodeByName("CT")
        check(loadedScene, loaded, poses)
        assert (
            addAttempt(loadedScene, loaded, {**RESULT, "world_from_volume": poses[0]}, "view", "cmaes", "quick", START)
            == 4
        )
        decide(loadedScene, loaded, 3, "none")
        assert [row["Decision"] for row in attempts(loadedScene, loaded)] == ["none", "rejected", "none", "none"]


def test_every_ct_has_its_own(scene, ctNode, filled, addVolume, poses):
    other = addVolume(np.zeros((2, 2, 2), dtype=np.int16), name="Other")
    assert attempts(scene, other) == []
    assert addAttempt(scene, other, {**RESULT, "world_from_volume": poses[1]}, "view", "cmaes", "quick", START) == 1
    check(scene, ctNode, poses)


class TestEditsByPeople:
    def test_removed_row_does_not_give_its_number_away(self, scene, ctNode, filled, poses):
        (node,) = scene.ownedNodes(ctNode)
        node.RemoveRow(1)
        assert (
            addAttempt(scene, ctNode, {**RESULT, "world_from_volume": poses[0]}, "view", "cmaes", "quick", START) == 4
        )
        assert np.array_equal(attempt(scene, ctNode, 3)["worldFromVolume"], poses[2])
        with pytest.raises(InputError, match="no attempt 2 of 'CT': its table has 3"):
            attempt(scene, ctNode, 2)

    @pytest.mark.parametrize("column", ["Pose", "Start pose"])
    @pytest.mark.parametrize("text", ["", "[[1]]", "[1, 2", "nonsense", "[[2,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]"])
    def test_damaged_pose(self, scene, ctNode, filled, text, column):
        (node,) = scene.ownedNodes(ctNode)
        node.SetCellText(0, COLUMNS.index(column), text)
        with pytest.raises(InputError, match="pose of attempt 1 is damaged"):
            attempt(scene, ctNode, 1)
        assert attempt(scene, ctNode, 3)["decision"] == "accepted"

    def test_emptied_table_starts_anew(self, scene, ctNode, filled, poses):
        (node,) = scene.ownedNodes(ctNode)
        node.RemoveAllColumns()
        assert attempts(scene, ctNode) == []
        assert (
            addAttempt(scene, ctNode, {**RESULT, "world_from_volume": poses[0]}, "view", "cmaes", "quick", START) == 1
        )
        assert np.array_equal(attempt(scene, ctNode, 1)["worldFromVolume"], poses[0])

    def test_edited_numbers_are_not_known(self, scene, ctNode, filled):
        (node,) = scene.ownedNodes(ctNode)
        node.SetCellText(0, COLUMNS.index("Confidence %"), "high")
        node.SetCellText(0, COLUMNS.index("Error across mm"), "1 2")
        found = attempt(scene, ctNode, 1)
        assert found["confidence"] is found["acrossMm"] is None


class TestRefusals:
    @pytest.mark.parametrize("number", [0, 4, -1])
    def test_no_such_attempt(self, scene, ctNode, filled, number):
        for use in (lambda: attempt(scene, ctNode, number), lambda: decide(scene, ctNode, number, "accepted")):
            with pytest.raises(InputError, match=f"no attempt {number} of 'CT'"):
                use()

    def test_no_such_decision(self, scene, ctNode, filled, poses):
        with pytest.raises(InputError, match="'maybe' is no decision"):
            decide(scene, ctNode, 1, "maybe")
        check(scene, ctNode, poses)


class TestFile:
    @pytest.fixture
    def read(self, scene, ctNode, tmp_path):
        """Writes the attempts, and reads the file as a spreadsheet does: rows as dicts of texts."""

        def written():
            writeAttempts(tmp_path / "attempts.csv", attempts(scene, ctNode))
            with (tmp_path / "attempts.csv").open(encoding="utf-8-sig", newline="") as file:
                return list(csv.DictReader(file))

        return written

    def test_it_holds_every_pose_with_all_digits(self, filled, poses, read):
        rows = read()
        assert [row["Attempt"] for row in rows] == ["1", "2", "3"]
        for row, pose in zip(rows, poses, strict=True):
            for name, expected in (("world_from_volume", pose), ("start world_from_volume", START)):
                for place in np.ndindex(3, 4):
                    unit = " (mm)" if place[1] == 3 else ""
                    told = row[f"{name} {place[0] + 1},{place[1] + 1}{unit}"]
                    assert float(told) == expected[place]

    def test_scores_words_and_errors_stand_under_headings_with_their_units(self, filled, read):
        first, second, _third = read()
        assert (first["Status"], first["Decision"], first["Method"]) == ("accepted", "none", "cmaes")
        assert (first["Confidence (%)"], first["Similarity"], first["Duration (s)"]) == ("97.6", "0.625", "12.35")
        assert first["Expected error across the beam (mm)"] == "0.31"
        assert first["Expected error of turn about v (deg)"] == "0.25"
        assert first["Reasons"] == "the 'starts' agree; the score has one peak"
        assert first["Landmark error (mm)"] == first["mTRE (mm)"] == ""
        assert (second["Landmark error (mm)"], second["mTRE (mm)"]) == ("3.21", "4.5")
        assert second["Expected error along the beam (mm)"] == second["Expected error of turn about u (deg)"] == ""

    def test_cells_that_people_have_changed_stay_in_their_columns(self, scene, ctNode, filled, read):
        table = scene.ownedNodes(ctNode)[0].GetTable()
        for column, text in (("Pose", "[[1, 2], [3]]"), ("Turn error deg", "1 2"), ("Start", "by hand, ü\nin two")):
            table.GetColumnByName(column).SetValue(0, text)
        row = read()[0]
        assert row["Start"] == "by hand, ü\nin two"
        assert row["world_from_volume 1,1"] == row["Expected error of turn about u (deg)"] == ""
        assert float(row["start world_from_volume 1,4 (mm)"]) == START[0, 3]

    def test_what_cannot_be_written_is_said_and_leaves_the_older_file(self, scene, ctNode, filled, tmp_path):
        (tmp_path / "attempts.csv").mkdir()
        with pytest.raises(InputError, match=r"The attempts could not be saved\. The system refused"):
            writeAttempts(tmp_path / "attempts.csv", attempts(scene, ctNode))
        assert [path.name for path in tmp_path.iterdir()] == ["attempts.csv"]


def test_further_c_arms_are_kept_where_a_result_found_them(scene, ctNode, poses):
    known = {**RESULT, "world_from_volume": poses[0], "camera_from_volume": poses[:2]}
    rough = {**known, "relation": [{"view": 2}]}
    assert attempt(scene, ctNode, addAttempt(scene, ctNode, known, "", "", "", START))["foundCameras"] == []
    number = addAttempt(scene, ctNode, rough, "", "", "", START)
    (found,) = attempt(scene, ctNode, number)["foundCameras"]
    np.testing.assert_allclose(found @ poses[0], poses[1], atol=1e-9)
    table, column = scene.findOwned(ctNode, "attempts"), COLUMNS.index("Found C-arms")
    for damaged in ("", "[1]", "{}", "[[[1,0,0,0],[0,2,0,0],[0,0,1,0],[0,0,0,1]]]"):
        table.SetCellText(number - 1, column, damaged)
        assert attempt(scene, ctNode, number)["foundCameras"] == []
