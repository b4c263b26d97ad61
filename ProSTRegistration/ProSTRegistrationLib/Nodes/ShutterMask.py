"""The part of an X-ray that a shutter leaves open, kept on its node as the DICOM tags that tell it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from numpy.typing import NDArray

from prostreg.images.dicom.shutter import SHUTTER_KEYWORDS, open_part
from prostreg.images.dicom_tags import Tags, value_of
from ProSTRegistrationLib.Nodes.CArmNode import pixelsOf
from ProSTRegistrationLib.Nodes.FluoroscopyImage import isFlipped

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

SHUTTER_ATTRIBUTE = "ProSTRegistration.Shutter"


def keepShutter(volumeNode: vtkMRMLScalarVolumeNode, tags: Tags) -> None:
    """Keeps with an image what its tags tell of a shutter."""
    told = {keyword: _plain(value_of(tags, keyword)) for keyword in SHUTTER_KEYWORDS}
    found = {keyword: value for keyword, value in told.items() if value is not None}
    if found:
        volumeNode.SetAttribute(SHUTTER_ATTRIBUTE, json.dumps(found))
    else:
        volumeNode.RemoveAttribute(SHUTTER_ATTRIBUTE)


def openPartOf(volumeNode: vtkMRMLScalarVolumeNode) -> NDArray[np.bool_] | None:
    """True where no shutter covers an image (height, width), as it is shown; None where none does.

    Raises:
        InputError: the image cannot be used.
    """
    text = volumeNode.GetAttribute(SHUTTER_ATTRIBUTE)
    if not text:
        return None
    height, width = pixelsOf(volumeNode).shape
    mask, _ = open_part(json.loads(text), (height, width))
    return mask if mask is None or not isFlipped(volumeNode) else np.ascontiguousarray(mask[:, ::-1])


def _plain(value: object) -> str | list[str] | None:
    if value is None:
        return None
    return [str(item) for item in value] if isinstance(value, (list, pydicom.multival.MultiValue)) else str(value)
