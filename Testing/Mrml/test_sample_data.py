"""Samples: a generated case becomes nodes, and SampleData is told about both, without the network."""

import ast
import inspect
import json
import os
import shutil
import sys
import types
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import slicer
from PhantomImages import phantom_case_in
from PIL import Image

from prostreg.errors import InputError
from prostreg.geometry.frames import mean_distance_mm, transform_points
from prostreg.registration.case_file import read_case
from ProSTRegistrationLib import SampleEntries
from ProSTRegistrationLib.Nodes.CArmSettings import settingsOf
from ProSTRegistrationLib.Nodes.Landmarks import landmarkPointsMm, prepareLandmarkLists, referencePose
from ProSTRegistrationLib.Nodes.PartsOfAnatomy import partsOf
from ProSTRegistrationLib.Nodes.Scene import Scene
from ProSTRegistrationLib.SampleDataSets import loadSampleCase
from ProSTRegistrationLib.SampleEntries import registerSampleData


@pytest.fixture(scope="module")
def casePath(tmp_path_factory):
    return phantom_case_in(tmp_path_factory.mktemp("phantom with ü"), seed=0)


@pytest.fixture
def copiedCase(casePath, tmp_path):
    """A copy of the case and a function that changes its case.json."""
    folder = Path(shutil.copytree(casePath.parent, tmp_path / "case"))

    def change(**entries):
        content = {**json.loads((folder / "case.json").read_text()), **entries}
        (folder / "case.json").write_text(json.dumps(content))
        return folder / "case.json"

    return change


def nodeIds(mrmlScene):
    return [mrmlScene.GetNthNode(index).GetID() for index in range(mrmlScene.GetNumberOfNodes())]


def test_a_persons_landmarks_never_mix_with_the_known_points_of_a_sample(scene, casePath):
    nodes = loadSampleCase(scene, casePath)
    ctList, _ = prepareLandmarkLists(scene, nodes.ct, nodes.fluoroscopy)
    assert ctList is not nodes.landmarks
    assert ctList.GetNumberOfControlPoints() == 0


def test_parts_have_the_names_of_bones(scene, casePath):
    nodes = loadSampleCase(scene, casePath)
    assert [name for _key, name in partsOf(nodes.anatomy)] == ["L3", "L2", "L1"]


def test_every_part_of_the_case_arrives(scene, casePath):
    case, nodes = read_case(casePath), loadSampleCase(scene, casePath)
    volume, worldFromVolume = scene.ct(nodes.ct)
    assert np.array_equal(volume.values, case.ct.values)
    assert np.allclose(volume.volume_from_index, case.ct.volume_from_index)
    pixels, carm = scene.fluoroscopy(nodes.fluoroscopy)
    assert pixels.shape[::-1] == carm.size == case.views[0].carm.size
    # Seen by the C-arm, all is where the case says, wherever the world's origin is.
    caseCarm = case.views[0].carm.camera_from_world
    assert np.allclose(carm.camera_from_world @ worldFromVolume, caseCarm @ case.initial_world_from_volume, atol=1e-6)
    truth = referencePose(scene, nodes.ct)
    assert np.allclose(carm.camera_from_world @ truth, caseCarm @ case.truth_world_from_volume, atol=1e-6)
    assert np.allclose(landmarkPointsMm(nodes.ct, nodes.landmarks), case.landmarks_mm, atol=1e-6)
    expected = mean_distance_mm(case.initial_world_from_volume, case.truth_world_from_volume, case.landmarks_mm)
    assert mean_distance_mm(worldFromVolume, truth, case.landmarks_mm) == pytest.approx(expected)


def test_labels_lie_under_the_ct_and_name_what_is_registered(scene, casePath):
    case, nodes = read_case(casePath), loadSampleCase(scene, casePath)
    assert nodes.anatomy.IsA("vtkMRMLLabelMapVolumeNode")
    assert nodes.anatomy.GetParentTransformNode() is scene.poseTransform(nodes.ct)
    labels = slicer.util.arrayFromVolume(nodes.anatomy)
    assert np.array_equal(np.isin(labels, [int(part) for part in nodes.parts]), case.anatomy)


def test_the_patient_lies_on_the_back_around_the_isocentre(scene, casePath):
    nodes = loadSampleCase(scene, casePath)
    truth = referencePose(scene, nodes.ct)
    settings = settingsOf(nodes.fluoroscopy)
    assert not settings.isFixedPose
    assert settings.sddMm == pytest.approx(1020)
    assert settings.sodMm == pytest.approx(620)
    assert np.linalg.norm(transform_points(truth, landmarkPointsMm(nodes.ct, nodes.landmarks)).mean(axis=0)) < 10
    # Of a case that is tilted by up to 6 degrees about each axis.
    assert np.rad2deg(np.arccos(truth[[1, 2], [1, 2]])).max() < 10


def test_only_folders_of_the_project_hold_the_nodes(scene, casePath):
    nodes = loadSampleCase(scene, casePath)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene.mrmlScene)
    folders = {
        hierarchy.GetItemName(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)))
        for node in (nodes.ct, nodes.anatomy, nodes.fluoroscopy, nodes.landmarks)
    }
    assert folders == {f"Registration of {nodes.ct.GetName()}"}


def test_second_load_has_nodes_of_its_own(scene, casePath):
    first, second = loadSampleCase(scene, casePath), loadSampleCase(scene, casePath)
    assert first.ct is not second.ct
    assert referencePose(scene, first.ct) is not None
    assert scene.poseTransform(first.ct) is not scene.poseTransform(second.ct)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"initial": None}, "lacks a start pose"),
        ({"truth": None}, "lacks a start pose"),
        ({"ct": "gone.nii.gz"}, "gone.nii.gz"),
        ({"anatomy": {"labels": "gone.nii.gz", "values": [1]}}, "gone.nii.gz"),
    ],
)
def test_damaged_cases_leave_the_scene_alone(scene, copiedCase, entries, words):
    before = nodeIds(scene.mrmlScene)
    with pytest.raises(InputError, match=words):
        loadSampleCase(scene, copiedCase(**entries))
    assert nodeIds(scene.mrmlScene) == before


def test_a_failure_at_the_very_end_takes_all_nodes_back(headless, casePath):
    class FullScene(Scene):
        def gather(self, ctNode, fluoroscopyNodes):
            raise MemoryError

    before = nodeIds(headless.scene)
    with pytest.raises(MemoryError):
        loadSampleCase(FullScene(headless.scene), casePath)
    singletons = {"vtkMRMLSubjectHierarchyNode1"}
    assert set(nodeIds(headless.scene)) - set(before) <= singletons


def test_case_without_labels_and_landmarks_is_bone_by_threshold(scene, copiedCase, casePath):
    truth = json.loads(casePath.read_text())["truth"]
    nodes = loadSampleCase(scene, copiedCase(anatomy=None, truth={**truth, "landmarks": None}))
    assert (nodes.anatomy, nodes.parts, nodes.landmarks) == (None, [], None)


class SampleDataLogic:
    """Keeps what is registered, as SampleData does."""

    registered: ClassVar = []

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom", sampleName=None, uris=None, fileNames=None, nodeNames=None, customDownloader=None,
        thumbnailFileName=None, loadFileTypes=None, loadFiles=None, loadFileProperties={}, checksums=None,  # noqa: B006
        loadFileType=None,
    ):  # fmt: skip
        SampleDataLogic.registered.append((category, sampleName, uris, thumbnailFileName, customDownloader))


@pytest.fixture
def sampleData(monkeypatch):
    module = types.ModuleType("SampleData")
    module.__spec__ = types.SimpleNamespace(name="SampleData")
    module.SampleDataLogic = SampleDataLogic
    monkeypatch.setattr(SampleDataLogic, "registered", [])
    monkeypatch.setitem(sys.modules, "SampleData", module)
    return SampleDataLogic


def test_samples_are_registered_with_thumbnails_and_load_when_chosen(sampleData):
    loaded = []
    registerSampleData(loaded.append)
    assert [entry[:3] for entry in sampleData.registered] == [
        ("ProST Registration", "Spine CT and fluoroscopy", []),
        ("ProST Registration", "Phantom CT and fluoroscopy", []),
    ]
    for *_, thumbnail, _ in sampleData.registered:
        assert Path(thumbnail).stat().st_size < 40_000
        with Image.open(thumbnail) as picture:
            assert picture.size == (288, 260)
    assert loaded == []
    for *_, downloader in sampleData.registered:
        downloader(object())
    assert loaded == ["spine", "phantom"]


def test_registering_twice_tells_the_same(sampleData):
    """SampleData takes sources that read alike for one."""
    registerSampleData(lambda kind: None)
    registerSampleData(lambda kind: None)
    texts = [str(entry) for entry in sampleData.registered]
    assert texts[:2] == texts[2:]


def test_a_slicer_without_sample_data_is_left_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "SampleData", None)
    registerSampleData(pytest.fail)


@pytest.fixture
def realSampleData():
    """The parts of Slicer's own SampleData.py that need no Qt: one class and the signature of the registration."""
    if "SLICER_BASE_PYTHON" not in os.environ:
        pytest.skip("needs SLICER_BASE_PYTHON, the folder Base/Python of Slicer's sources")
    path = Path(os.environ["SLICER_BASE_PYTHON"]).parents[1] / "Modules/Scripted/SampleData/SampleData.py"
    if not path.exists():
        pytest.skip("beside SLICER_BASE_PYTHON there is no Modules/Scripted/SampleData")
    classes = {n.name: n for n in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(n, ast.ClassDef)}
    space = {}
    exec(compile(ast.Module([classes["SampleDataSource"]], []), str(path), "exec"), space)
    methods = {n.name: n for n in classes["SampleDataLogic"].body if isinstance(n, ast.FunctionDef)}
    return space["SampleDataSource"], [a.arg for a in methods["registerCustomSampleDataSource"].args.args]


def test_the_real_sample_data_takes_our_sources(realSampleData):
    source, names = realSampleData
    assert list(inspect.signature(SampleDataLogic.registerCustomSampleDataSource).parameters) == names
    loader = SampleEntries.SampleLoader("phantom", print)
    first, second = (
        source(sampleName="a", uris=[], fileNames=[], nodeNames=[], customDownloader=entry, thumbnailFileName="t")
        for entry in (loader, SampleEntries.SampleLoader("phantom", len))
    )
    assert first == second
    assert first.sampleDescription == "a"
