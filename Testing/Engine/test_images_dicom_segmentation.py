"""DICOM segmentations as label maps: every segment at its place, or refused with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.sequence import Sequence

from DicomFiles import SEGMENT_AXES as AXES
from DicomFiles import SEGMENT_ORIGIN_LPS as ORIGIN_LPS
from DicomFiles import segments, write_ct, write_segmentation
from prostreg.errors import InputError
from prostreg.images.reading import read_labels
from prostreg.images.volume import Volume


def volume_of(labels: NDArray[np.uint8], read: Volume) -> NDArray[np.float64]:
    """Centres of the voxels of both segments (2, 3) in RAS."""
    found = []
    for number in (1, 3):
        k, j, i = np.nonzero(labels == number)
        found.append((read.volume_from_index @ [i.mean(), j.mean(), k.mean(), 1.0])[:3])
    return np.array(found)


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_every_segment_lies_where_its_frames_say(tmp_path: Path, kind: str) -> None:
    read = read_labels(write_segmentation(tmp_path / "seg.dcm", segments(), kind=kind))
    assert read.values.dtype == np.int32
    np.testing.assert_array_equal(read.values, segments()[1:8])  # what lies beyond the frames is empty
    np.testing.assert_allclose(read.spacing_mm, [1.2, 0.8, 2.5], rtol=1e-5)
    k, j, i = np.nonzero(segments() == 3)
    lps = ORIGIN_LPS + AXES @ np.array([i.mean() * 1.2, j.mean() * 0.8, k.mean() * 2.5])
    np.testing.assert_allclose(volume_of(read.values.astype(np.uint8), read)[1], lps * [-1, -1, 1], atol=1e-3)


def test_every_other_slice_is_empty_where_the_distance_is_told(tmp_path: Path) -> None:
    labels = segments()
    labels[1::2] = 0
    read = read_labels(write_segmentation(tmp_path / "seg.dcm", labels))
    np.testing.assert_array_equal(read.values, labels[2:7])


def fault_of(path: Path) -> str:
    with pytest.raises(InputError) as raised:
        read_labels(path)
    (fault,) = raised.value.faults
    return fault


def changed(**tags: Any) -> Callable[[dict[str, Any]], None]:
    return lambda given: given.update(tags)


def lose_a_position(given: dict[str, Any]) -> None:
    del given["PerFrameFunctionalGroupsSequence"][2].PlanePositionSequence


def move_a_frame(given: dict[str, Any]) -> None:
    place = given["PerFrameFunctionalGroupsSequence"][2].PlanePositionSequence[0]
    place.ImagePositionPatient = [
        float(x) + 0.7 * d for x, d in zip(place.ImagePositionPatient, AXES[:, 2], strict=True)
    ]


def in_metres(given: dict[str, Any]) -> None:
    given["SharedFunctionalGroupsSequence"][0].PixelMeasuresSequence[0].PixelSpacing = [0.0008, 0.0012]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(SegmentationType="FRACTIONAL"), "is a fractional segmentation"),
        (changed(SegmentationType="SOMETHING"), 'is a "SOMETHING" segmentation'),
        (changed(PixelData=b"\0" * 8), "ends before its last pixel"),
        (changed(NumberOfFrames=4), "does not tell the place of each of its frames"),
        (changed(PerFrameFunctionalGroupsSequence=Sequence()), "no frames with a place"),
        (changed(Modality="RTSTRUCT"), "contours (RTSTRUCT)"),
        (lose_a_position, "a frame without segment, position"),
        (move_a_frame, "uneven distances"),
        (in_metres, "the spacing 0.0012 x 0.0008 x 2.5 mm, which no CT has"),
    ],
)
def test_others_are_refused_with_what_to_do(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    fault = fault_of(write_segmentation(tmp_path / "seg.dcm", segments(), change))
    assert said in fault
    assert "export" in fault


def test_segments_that_overlap_are_refused(tmp_path: Path) -> None:
    def repeat(given: dict[str, Any]) -> None:
        for group in given["PerFrameFunctionalGroupsSequence"][:3]:
            group.PlanePositionSequence = given["PerFrameFunctionalGroupsSequence"][3].PlanePositionSequence
        given["PixelData"] = b"\xff" * len(given["PixelData"])

    assert "segments that overlap" in fault_of(write_segmentation(tmp_path / "seg.dcm", segments(), repeat))


def test_a_ct_slice_is_no_segmentation(tmp_path: Path) -> None:
    path = write_ct(tmp_path / "1.dcm", np.zeros((8, 8), np.uint16), [0, 0, 0])
    assert "a CT slice" in fault_of(path)
