"""Node combo boxes follow the scene as Slicer's do."""

import numpy as np
import pytest
import slicer


@pytest.fixture
def add(facade):
    def add(name, className="vtkMRMLScalarVolumeNode"):
        return facade.scene.AddNewNodeByClass(className, name)

    return add


@pytest.fixture
def box(facade):
    made = slicer.qMRMLNodeComboBox()
    made.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    made.noneEnabled = True
    made.setMRMLScene(facade.scene)
    made.show()
    return made


def offered(box):
    return [box.nodeFromIndex(index).GetName() for index in range(box.nodeCount())]


def testItFollowsNodesThatComeGoAndAreRenamed(facade, box, add):
    first, second = add("A"), add("B")
    add("Model", "vtkMRMLModelNode")
    assert offered(box) == ["A", "B"]
    assert box.currentNode() is None
    first.SetName("Z")
    facade.scene.RemoveNode(second)
    assert offered(box) == ["Z"]
    facade.scene.Clear(0)
    assert offered(box) == []


def testItTellsOfTheChosenNode(box, add):
    nodes, valid, ids = [], [], []
    box.connect("currentNodeChanged(vtkMRMLNode*)", nodes.append)
    box.connect("currentNodeChanged(bool)", valid.append)
    box.connect("currentNodeIDChanged(QString)", ids.append)
    node = add("A")
    box.setCurrentNode(node)
    box.setCurrentNode(node)
    box.setCurrentNodeID("")
    assert nodes == [node, None]
    assert (valid, ids) == ([True, False], [node.GetID(), ""])
    assert box.disconnect("currentNodeChanged(vtkMRMLNode*)", nodes.append) is True


def testAUserChoosesByNodeOrName(driver, box, add):
    first, second, activated = add("A"), add("B"), []
    box.connect("nodeActivated(vtkMRMLNode*)", activated.append)
    driver.choose(box, second)
    driver.choose(box, "A")
    driver.choose(box, None)
    assert activated == [second, first, None]
    assert box.currentNode() is None


def testRemovingTheChosenNodeGoesToTheOneBesideIt(facade, box, add):
    first, second, third = add("A"), add("B"), add("C")
    box.setCurrentNode(second)
    seen = []
    box.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: seen.append((node, second.GetScene() is not None)))
    facade.scene.RemoveNode(second)
    assert box.currentNode() in (first, third)
    # The box hears of it before the node has left the scene.
    assert seen[-1] == (box.currentNode(), True)
    facade.scene.RemoveNode(first)
    facade.scene.RemoveNode(third)
    assert box.currentNode() is None


def testTheSceneClosesTheChoice(facade, box, add):
    node, seen = add("A"), []
    box.setCurrentNode(node)
    box.connect("currentNodeChanged(vtkMRMLNode*)", seen.append)
    facade.scene.Clear(0)
    assert box.currentNode() is None
    assert seen == [None]


def testRenamingTheChosenNodeCountsAsChange(box, add):
    node, seen = add("A"), []
    box.setCurrentNode(node)
    box.connect("currentNodeChanged(vtkMRMLNode*)", seen.append)
    node.SetName("B")
    assert seen == [node]
    assert box.comboBox().currentText == "B"


def testAttributesAndHiddenNodes(box, add):
    plain, marked, hidden = add("Plain"), add("Marked"), add("Hidden")
    marked.SetAttribute("fluoroscopy", "1")
    hidden.SetAttribute("fluoroscopy", "1")
    hidden.SetHideFromEditors(True)
    box.addAttribute("vtkMRMLScalarVolumeNode", "fluoroscopy", "1")
    assert offered(box) == ["Marked"]
    box.showHidden = True
    assert offered(box) == ["Marked", "Hidden"]
    plain.SetAttribute("fluoroscopy", "1")
    assert sorted(offered(box)) == ["Hidden", "Marked", "Plain"]


def testDerivedClassesCanBeLeftOut(box, add):
    add("CT")
    add("Labels", "vtkMRMLLabelMapVolumeNode")
    assert offered(box) == ["CT", "Labels"]
    box.hideChildNodeTypes = ["vtkMRMLLabelMapVolumeNode"]
    assert offered(box) == ["CT"]


def testAUserMakesAndRemovesNodes(facade, driver, box):
    box.nodeTypes, box.baseName = ["vtkMRMLMarkupsFiducialNode"], "Landmarks"
    box.renameEnabled = True
    made = []
    box.connect("nodeAddedByUser(vtkMRMLNode*)", made.append)
    label = facade.scene.GetTypeDisplayNameByClassName("vtkMRMLMarkupsFiducialNode")
    driver.choose(box, f"Create new {label}")
    assert [node.GetName() for node in made] == ["Landmarks"]
    assert box.currentNode() is made[0]
    facade.dialogs.answerNext("Pelvis")
    driver.choose(box, "Rename current node")
    assert made[0].GetName() == "Pelvis"
    driver.choose(box, "Delete current node")
    assert facade.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0


def testWithoutNoneANodeThatIsNotOfferedChoosesNothing(box, add):
    box.noneEnabled = False
    model = add("Model", "vtkMRMLModelNode")
    node = add("A")
    assert box.currentNode() is None
    box.setCurrentNode(node)
    box.setCurrentNode(model)
    assert box.currentNode() is None


def testWithoutSceneItChoosesNothingUntilItGetsOne(facade, add):
    node, box = add("A"), slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.setCurrentNode(node)
    assert (box.currentNode(), box.enabled) == (None, False)
    box.setMRMLScene(facade.scene)
    assert box.currentNode() is node


def testDeletedBoxesHearNothing(facade, driver, box, add):
    box.deleteLater()
    driver.pump()
    add("A")
    facade.scene.Clear(0)
    driver.pump()


def testSeveralNodesAreChecked(facade, driver, add):
    first, second = add("A"), add("B")
    box, heard = slicer.qMRMLCheckableNodeComboBox(), []
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.setMRMLScene(facade.scene)
    box.connect("checkedNodesChanged()", lambda: heard.append(len(box.checkedNodes())))
    import qt

    box.show()
    box.setCheckState(first, qt.Qt.Checked)
    box.comboBox().activated.emit(1)
    assert box.checkedNodes() == (first, second)
    assert box.allChecked()
    facade.scene.RemoveNode(first)
    assert box.checkedNodes() == (second,)
    assert heard == [1, 2, 1]


def testTablesShowTheirNode(facade, add):
    table = add("Results", "vtkMRMLTableNode")
    slicer.util.updateTableFromArray(table, np.array([[1, 2], [3, 4]]), ["attempt", "mm"])
    view = slicer.qMRMLTableView()
    view.setMRMLScene(facade.scene)
    view.setMRMLTableNode(table)
    model = view.model()
    assert (model.rowCount(), model.columnCount()) == (2, 2)
    table.AddEmptyRow()
    assert model.rowCount() == 3
    facade.scene.Clear(0)
    view.setMRMLScene(None)
    assert model.rowCount() == 0


def testAnImportedSceneTakesTheChoiceAway(facade, box, add, tmp_path):
    """qMRMLSceneModel::onMRMLSceneImported: rows go at EndImport, the combos say None, and only then all are back."""
    node, seen = add("A"), []
    facade.scene.Commit(str(tmp_path / "other.mrml"))
    box.setCurrentNode(node)
    box.connect("currentNodeChanged(vtkMRMLNode*)", lambda chosen: seen.append((chosen, box.nodeCount())))
    slicer.util.loadScene(str(tmp_path / "other.mrml"))
    assert seen == [(None, 2)]
    assert box.currentNode() is None
    assert offered(box) == ["A", "A"]
