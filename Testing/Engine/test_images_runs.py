"""Runs of a C-arm: which frame is read, what is decoded, and what its own tags tell of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

import prostreg.images.dicom.pixels as dicom_pixels
from DicomFiles import PICTURE, item, run_lengths, stream, write_xray
from prostreg.errors import InputError
from prostreg.images.dicom.decoding import CompressedPixels
from prostreg.images.dicom.shutter import open_part
from prostreg.images.frames import Frames
from prostreg.images.xray_reading import read_xray_image

SIZE = (16, 20)
RUN = np.stack([PICTURE + 7 * n for n in range(5)]).astype(np.uint16)
CARM: dict[str, Any] = {"DistanceSourceToDetector": 1000, "ImagerPixelSpacing": [0.3, 0.3]}
PHANTOM = Path(__file__).parents[3] / "shared" / "data" / "xray" / "xa_coronary_phantom"
JPEG_LOSSLESS, JPEG_LS, JPEG_2000 = (UID(f"1.2.840.10008.1.2.4.{end}") for end in (70, 80, 90))


def run(path: Path, frames: NDArray[Any] = RUN, **tags: Any) -> Path:
    return write_xray(path / "x.dcm", "XA", frames, NumberOfFrames=len(frames), **(CARM | tags))


def sequence(*items: Any) -> Sequence:
    return Sequence(list(items))


def group(**tags: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("representative", "count", "number", "words"),
    [
        (4, 5, 4, "the one that the file names as representative"),
        (None, 5, 3, "the middle one"),
        (None, 4, 2, "the middle one"),
        (9, 5, 3, "the middle one"),
        (0, 5, 3, "the middle one"),
    ],
)
def test_without_a_word_it_is_the_representative_frame_or_the_middle_one(
    tmp_path: Path, representative: int | None, count: int, number: int, words: str
) -> None:
    tags = {} if representative is None else {"RepresentativeFrameNumber": representative}
    image = read_xray_image(run(tmp_path, RUN[:count], **tags))
    np.testing.assert_array_equal(image.pixels, RUN[number - 1])
    assert image.notes == (f'Of {count} frames number {number} is used, {words}: "frame" of the view chooses another.',)


def test_a_frame_that_is_asked_for_is_read_without_a_word(tmp_path: Path) -> None:
    image = read_xray_image(run(tmp_path, RepresentativeFrameNumber=4), Frames(5, 5))
    np.testing.assert_array_equal(image.pixels, RUN[4])
    assert image.notes == ()


def test_the_mean_of_still_frames(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_xray_image(run(tmp_path), Frames(2, 4)).pixels, RUN[1:4].mean(axis=0))


def fault_of(path: Path, frames: Frames | None = None) -> str:
    with pytest.raises(InputError) as raised:
        read_xray_image(path, frames)
    (fault,) = raised.value.faults
    return fault


def test_no_mean_of_frames_between_which_the_c_arm_moved(tmp_path: Path) -> None:
    path = run(tmp_path, PositionerPrimaryAngle=10, PositionerPrimaryAngleIncrement=[0, 0, 0, 5, 9])
    assert read_xray_image(path, Frames(1, 3)).pixels.shape == SIZE
    assert "the C-arm moved from frame 2 to 4: take one frame" in fault_of(path, Frames(2, 4))


def test_frames_that_are_not_there(tmp_path: Path) -> None:
    assert "has 5 frames, and frame 6 was asked for: choose one from 1 to 5" in fault_of(run(tmp_path), Frames(6, 6))
    single = write_xray(tmp_path / "single.dcm", "XA")
    assert "has 1 frame, and frame 2 was asked for" in fault_of(single, Frames(2, 2))
    assert read_xray_image(single, Frames(1, 1)).notes == ()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16])
def test_frames_of_every_depth(tmp_path: Path, syntax: UID, kind: type) -> None:
    frames = (RUN % 120).astype(kind)
    path = run(tmp_path, frames, syntax=syntax)
    np.testing.assert_array_equal(read_xray_image(path, Frames(2, 2)).pixels, frames[1])


class Decoded:
    """What the decoder was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.images: list[CompressedPixels] = []
        inside = dicom_pixels.decoded_pixels

        def decode(images: dict[str, CompressedPixels]) -> Any:
            self.images += images.values()
            return inside(images)

        monkeypatch.setattr(dicom_pixels, "decoded_pixels", decode)


def compressed_run(path: Path, syntax: UID, with_table: bool, in_pieces: bool = False) -> Path:
    """Three frames: the middle one is the picture, the others are damaged."""
    good = run_lengths(PICTURE) if syntax == RLELossless else stream(syntax)
    bad = good[:2] + b"\xff" * (len(good) - 2)
    data = encapsulate([bad, good, bad], fragments_per_frame=2 if in_pieces else 1, has_bot=with_table)
    bits = {} if syntax == RLELossless else {"BitsStored": 12, "HighBit": 11}
    return run(path, np.stack([PICTURE] * 3), syntax=syntax, compressed=b"\0\0", PixelData=data, **bits)


@pytest.mark.parametrize(
    ("syntax", "with_table"), [(RLELossless, True), (JPEG_LOSSLESS, False), (JPEG_LS, True), (JPEG_2000, False)]
)
def test_only_the_chosen_frame_is_decoded(
    tmp_path: Path, syntax: UID, with_table: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = Decoded(monkeypatch)
    path = compressed_run(tmp_path, syntax, with_table)
    np.testing.assert_array_equal(read_xray_image(path).pixels, PICTURE)
    assert [image.shape for image in decoded.images] == [(1, *SIZE)]


@pytest.mark.parametrize("with_table", [True, False])
def test_frames_in_pieces_are_put_together(tmp_path: Path, with_table: bool) -> None:
    path = compressed_run(tmp_path, JPEG_LOSSLESS, with_table, in_pieces=True)
    np.testing.assert_array_equal(read_xray_image(path).pixels, PICTURE)
    assert "cannot be decoded" in fault_of(path, Frames(1, 1))


@pytest.mark.parametrize(
    ("start", "increments", "angles"),
    [
        (10, [2.0], [10, 12, 14, 16, 18]),
        (10, [2.0, 2.0, 2.0, 2.0, 2.0], [10, 12, 14, 16, 18]),
        (10, [0.0, 2.0, 2.0, 2.0, 2.0], [10, 12, 14, 16, 18]),
        (10, [0.0, 2.0, 4.5, 7.0, 9.0], [10, 12, 14.5, 17, 19]),
        (-30, [-30.0, -20.0, -5.0, 10.0, 22.0], [-30, -20, -5, 10, 22]),
    ],
)
def test_each_frame_has_its_own_angle(tmp_path: Path, start: float, increments: list[float], angles: list[int]) -> None:
    path = run(tmp_path, PositionerPrimaryAngle=start, PositionerPrimaryAngleIncrement=increments)
    for number, angle in enumerate(angles, start=1):
        image = read_xray_image(path, Frames(number, number))
        told = {each.name: each.value for each in image.numbers}
        assert told["primary angle"] == f"{angle:.1f} degrees"
        assert "check the angles" in " ".join(image.notes)


def test_the_functional_groups_of_an_enhanced_run(tmp_path: Path) -> None:
    own = [
        group(
            PositionerPositionSequence=item(PositionerPrimaryAngle=n * 10.0, PositionerSecondaryAngle=-n * 1.0),
            XRayGeometrySequence=item(DistanceSourceToDetector=1000.0 + n),
            FramePixelDataPropertiesSequence=item(ImagerPixelSpacing=[0.2 + n / 10, 0.2 + n / 10]),
        )
        for n in range(5)
    ]
    shared = group(XRayGeometrySequence=item(DistanceSourceToDetector=900.0, DistanceSourceToIsocenter=700.0))
    path = run(
        tmp_path,
        DistanceSourceToDetector=800.0,
        ImagerPixelSpacing=[0.9, 0.9],
        PerFrameFunctionalGroupsSequence=sequence(*own),
        SharedFunctionalGroupsSequence=sequence(shared),
    )
    image = read_xray_image(path, Frames(4, 4))
    assert image.carm is not None
    assert image.carm.sdd_mm == 1003.0
    np.testing.assert_allclose(image.carm.spacing_mm, 0.5)
    told = {each.name: each for each in image.numbers}
    assert told["primary angle"].value == "30.0 degrees"
    assert told["source to patient"].value == "700.0 mm"
    assert told["source to detector"].known == "± 10 mm"
    assert told["principal point"].origin == "the image's middle"
    for damaged in (own[:4], [*own, own[0]]):  # groups that are not as many as frames belong to nobody knows which
        path = run(tmp_path, PerFrameFunctionalGroupsSequence=sequence(*damaged))
        image = read_xray_image(path, Frames(4, 4))
        assert image.carm is not None
        assert image.carm.sdd_mm == 1000.0


def mask_of(path: Path) -> NDArray[np.bool_] | None:
    return read_xray_image(path).open_part


RECTANGLE = {
    "ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 3, "ShutterRightVerticalEdge": 18,
    "ShutterUpperHorizontalEdge": 2, "ShutterLowerHorizontalEdge": 15,
}  # fmt: skip


def test_what_a_shutter_covers_is_left_out(tmp_path: Path) -> None:
    expected = np.zeros(SIZE, dtype=bool)
    expected[1:15, 2:18] = True
    image = read_xray_image(write_xray(tmp_path / "x.dcm", **RECTANGLE))
    assert image.open_part is not None
    np.testing.assert_array_equal(image.open_part, expected)
    assert "ShutterShape 30% of the image are covered and left out" in image.notes[0]
    blades = {keyword.replace("Shutter", "Collimator"): value for keyword, value in RECTANGLE.items()}
    np.testing.assert_array_equal(mask_of(write_xray(tmp_path / "y.dcm", **blades)), expected)


def test_round_and_polygonal_shutters(tmp_path: Path) -> None:
    rows, columns = np.mgrid[1:17, 1:21]
    circle = {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [8, 10], "RadiusOfCircularShutter": 7}
    mask = mask_of(write_xray(tmp_path / "x.dcm", **circle))
    np.testing.assert_array_equal(mask, np.hypot(rows - 8, columns - 10) <= 7)
    both = {**RECTANGLE, **circle, "ShutterShape": ["CIRCULAR", "RECTANGULAR"]}
    smaller = mask_of(write_xray(tmp_path / "x.dcm", **both))
    assert smaller is not None
    assert mask is not None
    np.testing.assert_array_equal(smaller, mask & (columns >= 3) & (columns <= 18) & (rows >= 2) & (rows <= 15))
    triangle = {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [0, 0, 0, 21, 17, 0]}
    mask = mask_of(write_xray(tmp_path / "x.dcm", **triangle))
    np.testing.assert_array_equal(mask, columns / 21 + rows / 17 < 1)


@pytest.mark.parametrize(
    "tags",
    [
        {"ShutterShape": "RECTANGULAR"},
        {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [8, 10]},
        {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [0, 0, 5]},
        {"ShutterShape": "STAR"},
        RECTANGLE | {"ShutterLeftVerticalEdge": 1, "ShutterRightVerticalEdge": 999, "ShutterUpperHorizontalEdge": 0,
                     "ShutterLowerHorizontalEdge": 999},
    ],
)  # fmt: skip
def test_shutters_without_a_usable_place_cover_nothing(tmp_path: Path, tags: dict[str, Any]) -> None:
    image = read_xray_image(write_xray(tmp_path / "x.dcm", **tags))
    assert image.open_part is None
    assert image.notes == ()


def test_a_shutter_that_covers_nearly_all_is_not_believed(tmp_path: Path) -> None:
    image = read_xray_image(write_xray(tmp_path / "x.dcm", **(RECTANGLE | {"ShutterRightVerticalEdge": 4})))
    assert image.open_part is None
    assert "91% of the image are covered, which cannot be" in image.notes[0]


def test_a_subtracted_run_is_said_and_read_as_it_was_taken(tmp_path: Path) -> None:
    masks = item(MaskOperation="AVG_SUB", MaskFrameNumbers=[1])
    image = read_xray_image(run(tmp_path, MaskSubtractionSequence=masks), Frames(3, 3))
    np.testing.assert_array_equal(image.pixels, RUN[2])
    assert "shown subtracted (DSA): its frames are used as they were taken" in image.notes[0]
    none = item(MaskOperation="NONE")
    assert read_xray_image(run(tmp_path, MaskSubtractionSequence=none), Frames(3, 3)).notes == ()


@pytest.mark.parametrize(
    "tags",
    [
        {"ImageType": ["DERIVED", "PRIMARY", "SINGLE PLANE", "SUBTRACTED"]},
        {"DerivationCodeSequence": item(CodeMeaning="Pixel by pixel subtraction")},
    ],
)
def test_pictures_without_bones_are_said_to_be_so(tmp_path: Path, tags: dict[str, Any]) -> None:
    image = read_xray_image(write_xray(tmp_path / "x.dcm", **tags))
    assert "made by subtraction (DSA), which takes the bones out of it" in image.notes[0]


@pytest.mark.parametrize("is_compressed", [False, True])
def test_drawings_in_unused_bits_are_dropped(tmp_path: Path, is_compressed: bool) -> None:
    drawn = PICTURE | np.uint16(1 << 12) * (np.arange(20) % 3 == 0).astype(np.uint16)
    path = tmp_path / "x.dcm"
    syntax, data = (RLELossless, run_lengths(drawn)) if is_compressed else (ExplicitVRLittleEndian, None)
    write_xray(path, "XA", drawn, syntax, data, BitsStored=12, HighBit=11)
    dataset = pydicom.dcmread(path)
    dataset.add_new(0x60000010, "US", 16)
    dataset.add_new(0x60000011, "US", 20)
    dataset.add_new(0x60000100, "US", 16)
    dataset.add_new(0x60000102, "US", 12)
    dataset.save_as(path)
    np.testing.assert_array_equal(read_xray_image(path).pixels, PICTURE)


@pytest.mark.parametrize("planar", [0, 1])
def test_greys_that_a_frame_grabber_stored_in_colours(tmp_path: Path, planar: int) -> None:
    grey = (PICTURE // 16).astype(np.uint8)
    colours = np.stack([grey] * 3, axis=0 if planar else -1)
    tags = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": planar}
    tags |= {"PixelData": colours.tobytes(), "Rows": 16, "Columns": 20}
    path = write_xray(tmp_path / "x.dcm", "XA", grey, Modality="OT", **tags)
    np.testing.assert_array_equal(read_xray_image(path).pixels, grey)
    colours[(0, ...) if planar else (..., 0)] += 9
    path = write_xray(tmp_path / "x.dcm", "XA", grey, Modality="OT", **(tags | {"PixelData": colours.tobytes()}))
    assert "colour (RGB) image" in fault_of(path)


@pytest.mark.skipif(not PHANTOM.exists(), reason="../shared/data is not there")
@pytest.mark.parametrize(("name", "number", "angles"), [("IM1", 8, (31.3, 0.1)), ("IM8", 5, (30.7, -0.1))])
def test_real_angiograms(name: str, number: int, angles: tuple[float, float]) -> None:
    image = read_xray_image(PHANTOM / f"{name}.dcm")
    assert image.pixels.shape == (512, 512)
    assert f"number {number} is used, the one that the file names as representative" in image.notes[0]
    told = {each.name: each.value for each in image.numbers}
    assert told["source to patient"] == "720.0 mm"
    assert told["pixel"] == "0.3906 x 0.3906 mm"
    assert float(told["primary angle"].split()[0]) == pytest.approx(angles[0])
    assert image.open_part is not None
    assert image.open_part.mean() == pytest.approx(0.955, abs=0.01)


@pytest.mark.parametrize("far", [1e154, 1e306, -1e306])
def test_numbers_that_nothing_means_are_no_shutter(far: float) -> None:
    polygon = {"ShutterShape": ["POLYGONAL"], "VerticesOfThePolygonalShutter": [far, far, 1, 30, 20, 30]}
    circle = {"ShutterShape": ["CIRCULAR"], "CenterOfCircularShutter": [far, 3], "RadiusOfCircularShutter": 7}
    for tags in (polygon, circle):
        assert open_part(tags, (17, 21)) == (None, None)
