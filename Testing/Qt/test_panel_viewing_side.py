"""The box *Flip* of a DICOM X-ray: set from its tags as the command line decides, and a person's word stays."""

import numpy as np
import pytest

from DicomFiles import write_xray
from ProSTRegistrationLib.Nodes.CArmNode import carmOf, pixelsOf

PICTURE = (np.arange(48)[:, None] * 40 + np.arange(64)[None, :] * 7).astype(np.uint16)
WIDTH = PICTURE.shape[1]
TAGS = {
    "DistanceSourceToDetector": "1000",
    "ImagerPixelSpacing": [0.5, 0.5],
    "FieldOfViewOrigin": [20, 30],
    "DetectorActiveDimensions": [60.0, 80.0],
}
AXIS_PX = (80 - 30 - 0.5, 60 - 20 - 0.5)
"""The middle of a detector of 120 x 160 elements in the picture as stored."""


@pytest.fixture
def show(facade, driver, patient, tmp_path):
    """Chooses an XA image with the given tags in the panel, to be placed; (panel, node)."""

    def shown(**tags):
        panel = patient[0]
        path = write_xray(tmp_path / "x.dcm", "XA", PICTURE, **TAGS, **tags)
        node = facade.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "XA image")
        storage = facade.scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
        storage.SetFileName(str(path))
        assert storage.ReadData(node)
        node.SetAndObserveStorageNodeID(storage.GetID())
        node.CreateDefaultDisplayNodes()
        driver.choose(panel.ui.fluoroscopySelector, node)
        driver.pump()
        return panel, node

    return shown


def offeredAxisPx(panel):
    return panel.ui.principalPointUSpinBox.value, panel.ui.principalPointVSpinBox.value


def test_what_the_detector_sees_is_turned_and_said(driver, show):
    panel, node = show()
    assert panel.ui.flipCheckBox.checked
    assert "exchanged, the picture is stored as seen from the detector" in panel.ui.carmStatusLabel.text
    assert np.array_equal(pixelsOf(node), PICTURE[:, ::-1])
    assert offeredAxisPx(panel) == pytest.approx((WIDTH - 1 - AXIS_PX[0], AXIS_PX[1]))
    driver.click(panel.ui.placeButton)
    assert carmOf(node).principal_point == pytest.approx((WIDTH - 1 - AXIS_PX[0], AXIS_PX[1]))


def test_what_the_source_sees_stays_and_is_said(show):
    panel, node = show(PatientOrientation=["R", "F"])
    assert not panel.ui.flipCheckBox.checked
    assert "stay, the picture is stored as seen from the source" in panel.ui.carmStatusLabel.text
    assert np.array_equal(pixelsOf(node), PICTURE)
    assert offeredAxisPx(panel) == pytest.approx(AXIS_PX)


def test_a_persons_word_stays(driver, show):
    panel, node = show()
    driver.click(panel.ui.flipCheckBox)
    driver.pump()
    assert not panel.ui.flipCheckBox.checked
    assert "exchanged" not in panel.ui.carmStatusLabel.text
    assert offeredAxisPx(panel) == pytest.approx(AXIS_PX)
    driver.click(panel.ui.placeButton)
    driver.pump()
    assert not panel.ui.flipCheckBox.checked
    assert np.array_equal(pixelsOf(node), PICTURE)
    assert carmOf(node).principal_point == pytest.approx(AXIS_PX)
