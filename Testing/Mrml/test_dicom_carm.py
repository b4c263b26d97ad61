"""C-arm settings from real DICOM files that Slicer's own reader has loaded, and from what their tags may hold."""

from itertools import product
from pathlib import Path

import numpy as np
import pydicom
import pytest
from DicomSides import SIDES
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    XRayAngiographicImageStorage,
    XRayRadiofluoroscopicImageStorage,
    generate_uid,
)

from DicomFiles import write_xray
from prostreg.images.xray_reading import read_xray_image
from ProSTRegistrationLib.Nodes.CArmNode import pixelsOf
from ProSTRegistrationLib.Nodes.CArmSettings import applySettings, carmOfSettings, settingsOf
from ProSTRegistrationLib.Nodes.DicomCArm import DatabaseTags, settingsFromTags, tagsOf
from ProSTRegistrationLib.Nodes.NodeGeometry import voxelsOf
from ProSTRegistrationLib.Nodes.RunFrames import frameImage

HIP = Path(__file__).parents[3] / "shared" / "data" / "xray" / "hip_cr" / "hip_cr.dcm"
KINDS = {
    "XA": XRayAngiographicImageStorage,
    "RF": XRayRadiofluoroscopicImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
}
FULL = {
    "DistanceSourceToDetector": "1195.5",
    "DistanceSourceToPatient": "785",
    "ImagerPixelSpacing": [0.4, 0.3],
    "PositionerPrimaryAngle": "-31.5",
    "PositionerSecondaryAngle": "12",
}
NOTHING_READ = ("SDD", "SOD", "pixel size", "primary angle", "secondary angle")


def writeXray(path, modality, tags, frames=1):
    """A DICOM X-ray of 64 x 48 pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = KINDS[modality], generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.Modality, dataset.PhotometricInterpretation, dataset.SamplesPerPixel = modality, "MONOCHROME2", 1
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 48, 64, frames
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    if frames > 1:
        dataset.FrameTime, dataset.FrameIncrementPointer = "66.6", 0x00181063
    dataset.PixelData = np.arange(frames * 48 * 64, dtype=np.uint16).tobytes()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def load(headless):
    def loaded(path, withPixels=True):
        node = headless.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Fluoro")
        storage = headless.scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
        storage.SetFileName(str(path))
        assert not withPixels or storage.ReadData(node)
        node.SetAndObserveStorageNodeID(storage.GetID())
        return node

    return loaded


class FileDatabase:
    """Answers as ctkDICOMDatabase does: texts, several values separated by backslashes, empty where there is none."""

    def __init__(self, *paths):
        self._datasets = {str(d.SOPInstanceUID): d for d in map(pydicom.dcmread, paths)}
        self.uids = list(self._datasets)

    def fileForInstance(self, uid):
        return ""

    def instanceValue(self, uid, tag):
        group, element = tag.split(",")
        value = self._datasets[uid].get((int(group, 16), int(element, 16)))
        return "" if value is None else "\\".join(map(str, value.value if value.VM > 1 else [value.value]))


class TextDatabase:
    def __init__(self, texts):
        self._texts = texts

    def fileForInstance(self, uid):
        return ""

    def instanceValue(self, uid, tag):
        return self._texts.get(tag, "")


def tagsOfTexts(texts):
    return DatabaseTags(TextDatabase(texts), "1.2.3")


@pytest.mark.parametrize("modality", KINDS)
@pytest.mark.parametrize("way", ["file", "database"])
def test_everything_is_read(scene, load, tmp_path, modality, way):
    path = writeXray(tmp_path / "xray.dcm", modality, FULL)
    node, database = load(path), None
    if way == "database":
        database = FileDatabase(path)
        node.SetAttribute("DICOM.instanceUIDs", " ".join([*database.uids, "1.2.3"]))
        path.unlink()
    read = settingsFromTags(tagsOf(node, database), (64, 48))
    assert read.missing == ()
    assert read.summary == "Read from DICOM: SDD, SOD, pixel size, primary angle, secondary angle."
    settings = read.settings
    assert (settings.sddMm, settings.sodMm) == (1195.5, 785)
    assert settings.pixelSizeMm == (0.3, 0.4)  # DICOM has the distance between rows first
    assert (settings.primaryAngleDeg, settings.secondaryAngleDeg) == (-31.5, 12)
    applySettings(scene, node, settings)
    assert settingsOf(node) == settings


@pytest.mark.parametrize("way", ["file", "database"])
@pytest.mark.parametrize("sdd", [None, "1195.5", "0", "200", "5000", ["1000", "1100"]])
def test_the_panel_sees_every_file_as_the_command_line_does(load, tmp_path, way, sdd):
    pitches = (None, [0.4, 0.3], [0.0, 0.0], [9.0, 9.0], [0.4], [0.3, 0.3, 0.3])
    for number, (imager, element) in enumerate(product(pitches, pitches[:3])):
        tags = {"DistanceSourceToDetector": sdd, "ImagerPixelSpacing": imager, "DetectorElementSpacing": element}
        given = {keyword: value for keyword, value in tags.items() if value is not None}
        path = writeXray(tmp_path / f"{number}.dcm", "XA", given)
        node, database = load(path, withPixels=False), None  # which ITK refuses for some of these tags
        if way == "database":
            database = FileDatabase(path)
            node.SetAttribute("DICOM.instanceUIDs", database.uids[0])
        read = settingsFromTags(tagsOf(node, database), (64, 48))
        expected = read_xray_image(path).carm
        assert ({"SDD", "pixel size"} <= set(read.found)) == (expected is not None), given
        if expected is not None:
            assert np.allclose(carmOfSettings(read.settings, (64, 48)).intrinsics, expected.intrinsics), given


@pytest.mark.parametrize("way", ["file", "database"])
def test_the_panel_takes_every_file_from_the_side_that_the_command_line_takes(load, tmp_path, way):
    for number, (modality, tags, _, words) in enumerate(SIDES):
        path = write_xray(tmp_path / f"{number}.dcm", modality, **tags)
        node, database = load(path, withPixels=False), None
        if way == "database":
            database = FileDatabase(path)
            node.SetAttribute("DICOM.instanceUIDs", database.uids[0])
        side = settingsFromTags(tagsOf(node, database), (64, 48)).side
        assert side == read_xray_image(path).side
        assert words in side.sentence


def test_frame_of_a_cine_has_the_geometry_of_its_file(load, tmp_path):
    cine = load(writeXray(tmp_path / "cine.dcm", "XA", FULL, frames=5))
    assert voxelsOf(cine).shape == (5, 48, 64)
    frame = frameImage(cine, 2)
    assert pixelsOf(frame)[0, 0] == 2 * 48 * 64
    assert settingsFromTags(tagsOf(frame), (64, 48)).settings.sddMm == 1195.5


def test_part_is_read_and_the_rest_is_named(load, tmp_path):
    tags = {"DistanceSourceToDetector": "1000", "DetectorElementSpacing": [0.2, 0.1]}
    node = load(writeXray(tmp_path / "xray.dcm", "RF", tags))
    read = settingsFromTags(tagsOf(node), (64, 48))
    assert read.summary == "Read from DICOM: SDD, pixel size; missing: SOD, primary angle, secondary angle."
    assert read.settings.pixelSizeMm == (0.1, 0.2)
    assert 0 < read.settings.sodMm < 1000


def test_real_radiograph_tells_nothing_of_its_geometry(load):
    if not HIP.exists():
        pytest.skip("the hip radiograph is not here")
    node = load(HIP)
    # Its PixelSpacing may be scaled to the patient and is not taken for the detector's.
    read = settingsFromTags(tagsOf(node), pixelsOf(node).shape[::-1])
    assert read.found == ()
    assert read.missing == NOTHING_READ
    assert read.summary.startswith("DICOM tells nothing about the C-arm; missing: SDD, SOD")


def test_volume_from_elsewhere_has_no_tags(addVolume):
    node = addVolume(np.zeros((1, 4, 4), dtype=np.uint8))
    assert tagsOf(node) is None
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    assert tagsOf(node, None) is None


@pytest.mark.parametrize(
    "texts",
    [
        {},
        dict.fromkeys(["0018,1110", "0018,1111", "0018,1164", "0018,7022", "0018,1510", "0018,1511"], ""),
        {"0018,1110": "0", "0018,1111": "0", "0018,1164": "0\\0", "0018,1510": "nan", "0018,1511": "inf"},
        {"0018,1110": "1.2 m", "0018,1164": "0.3", "0018,1510": "LAO 30", "0018,1511": "400"},
        {"0018,1110": "99999", "0018,1111": "600", "0018,1164": "0.3\\x", "0018,7022": "0.3\\0.3\\0.3"},
    ],
)
def test_damaged_texts_count_as_absent(texts):
    read = settingsFromTags(tagsOfTexts(texts), (1024, 1024))
    assert read.found == ()
    assert read.missing == NOTHING_READ


def test_distance_to_patient_beyond_the_detector_is_absent():
    texts = {"0018,1110": "1000", "0018,1111": "1000"}
    assert settingsFromTags(tagsOfTexts(texts), (64, 64)).found == ("SDD",)


def test_magnification_stands_in_for_the_distance_to_the_patient():
    texts = {"0018,1110": "1200", "0018,1114": "1.5"}
    read = settingsFromTags(tagsOfTexts(texts), (64, 64))
    assert read.found == ("SDD", "SOD")
    assert np.isclose(read.settings.sodMm, 800)


def test_the_panel_says_what_the_command_line_says():
    """Centimetres, an estimated pixel size and what is missing, in the same words; the isocentre in the same unit."""
    texts = {"0018,1110": "115", "0018,1111": "70", "0018,1162": "230.4"}
    read = settingsFromTags(tagsOfTexts(texts | {"0028,0010": "768", "0028,0011": "1024"}), (1024, 768))
    assert (read.settings.sddMm, read.settings.sodMm) == (1150, 700)
    assert np.allclose(read.settings.pixelSizeMm, 0.3)
    assert "DistanceSourceToDetector is 115, which was read as cm." in read.summary
    assert "0.300 mm is estimated from IntensifierSize." in read.summary
    assert "ImagerPixelSpacing (0018,1164) has no usable value" in settingsFromTags(tagsOfTexts({}), (64, 64)).summary
