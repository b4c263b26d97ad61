"""Padding of DICOM X-rays in Slicer: left out of the comparison as on the command line, whatever Slicer made of it."""

import numpy as np
import pytest

from DicomFiles import PICTURE, write_xray
from prostreg.images.xray_reading import read_xray_image
from ProSTRegistrationLib.Nodes.DicomCArm import PADDING_SAID, DatabaseTags, readGeometry
from ProSTRegistrationLib.Nodes.FluoroscopyImage import comparedPartOf, flipLeftRight, isFlipped, keepShutter
from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
from ProSTRegistrationLib.Nodes.RunFrames import frameImage, showFrame

CARM = {"DistanceSourceToDetector": 1000, "ImagerPixelSpacing": [0.3, 0.3]}
LARGE = PICTURE.repeat(4, axis=0).repeat(4, axis=1)  # as small as a usual detector may be
TWELVE_BITS = {"BitsStored": 12, "HighBit": 11}


def picture(value, kind=np.uint16):
    """A picture with padding at its top and left; inside, the same value is the patient's."""
    pixels = np.pad(LARGE.astype(kind), ((5, 0), (3, 0)), constant_values=value)
    pixels[12, 12] = value
    return pixels


@pytest.mark.parametrize(
    ("pixels", "tags"),
    [
        (picture(4095), {"PixelPaddingValue": 4095, **TWELVE_BITS}),
        (picture(4000), {"PixelPaddingValue": 3990, "PixelPaddingRangeLimit": 4010, **TWELVE_BITS}),
        (picture(-2000, np.int16), {"PixelPaddingValue": -2000}),
        (picture(4095), {"PixelPaddingValue": 4095, "RescaleSlope": 2.5, "RescaleIntercept": -1024, **TWELVE_BITS}),
        (picture(4095), {"PixelPaddingValue": 4095, "PhotometricInterpretation": "MONOCHROME1", **TWELVE_BITS}),
        (picture(-2000, np.int16), {"PixelPaddingValue": -2000, "PhotometricInterpretation": "MONOCHROME1"}),
    ],
    ids=["value", "range", "signed", "rescaled", "inverted", "inverted signed"],
)
def test_padding_is_left_out_as_on_the_command_line(load, tmp_path, pixels, tags):
    path = write_xray(tmp_path / "x.dcm", "XA", pixels, **(CARM | tags))
    expected = read_xray_image(path).open_part
    assert not expected[:5].any()
    assert expected[12, 12]
    node = load(path)
    assert comparedPartOf(node) is None
    assert PADDING_SAID in readGeometry(node)[1]
    assert isFlipped(node)  # turned as seen from the source
    assert np.array_equal(comparedPartOf(node), expected[:, ::-1])
    flipLeftRight(node)
    assert np.array_equal(comparedPartOf(node), expected)


def test_an_image_without_padding_in_its_pixels_is_compared_in_whole(load, tmp_path):
    node = load(write_xray(tmp_path / "x.dcm", "XA", LARGE, PixelPaddingValue=4095, **CARM))
    assert PADDING_SAID not in readGeometry(node)[1]
    assert comparedPartOf(node) is None


class Texts:
    """A database that knows tags as text, when the file itself has gone."""

    def instanceValue(self, uid, tag):
        return {"0028,0120": "4095", "0028,0101": "12", "0028,0100": "16"}.get(tag, "")


def test_the_databases_texts_tell_it_too_and_the_scene_keeps_it(headless, load, tmp_path):
    path = write_xray(tmp_path / "x.dcm", "XA", picture(4095), PixelPaddingValue=4095, **TWELVE_BITS)
    node, expected = load(path), read_xray_image(path).open_part
    keepShutter(node, DatabaseTags(Texts(), "1.2.3"))
    assert np.array_equal(comparedPartOf(node), expected)
    assert headless.save(tmp_path / "scene.mrb")
    with HeadlessScene() as other:
        assert other.load(tmp_path / "scene.mrb")
        assert np.array_equal(comparedPartOf(other.scene.GetFirstNodeByName("Fluoro")), expected)


def test_each_frame_of_a_run_has_its_own_padding(load, tmp_path):
    frames = np.stack([picture(4095), np.pad(LARGE, ((5, 0), (3, 0)), constant_values=700), picture(4095)])
    path = write_xray(tmp_path / "x.dcm", "XA", frames, NumberOfFrames=3, PixelPaddingValue=4095, **CARM)
    image = frameImage(load(path), 0)
    readGeometry(image)
    assert not comparedPartOf(image)[:5].any()
    assert comparedPartOf(showFrame(image, 1)) is None
