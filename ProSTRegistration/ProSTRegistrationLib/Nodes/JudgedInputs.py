"""The inputs that a verdict was given for, as short digests that outlive a saved scene."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

from prostreg.errors import InputError
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice, contentKey, drawnLabels, segmentImages
from ProSTRegistrationLib.Nodes.CArmNode import carmOf
from ProSTRegistrationLib.Nodes.FluoroscopyImage import POLARITY_ATTRIBUTE, SHUTTER_ATTRIBUTE, outlineCorners
from ProSTRegistrationLib.Nodes.ImageMarks import FRAME_ATTRIBUTE
from ProSTRegistrationLib.Nodes.NodeGeometry import ctFromNode, ijkToRas, roundedRows

if TYPE_CHECKING:
    import vtk
    from slicer import vtkMRMLNode, vtkMRMLScalarVolumeNode

    from prostreg.geometry.carm import CArm

DIGEST_BYTES = 8
PARTS = ("xrays", "pixels", "carms", "ct", "anatomy", "settings")


@dataclass(frozen=True)
class JudgedInputs:
    """Digests of all that a result depends on but the pose.

    Attributes:
        xrays: names of the X-ray images in their order; they only help to say what is different.
        pixels: of the X-ray images, which frame of a run each shows, what a shutter covers, what is
            left out, and the polarity that was told.
        carms: of the X-ray images' C-arms.
        ct: its voxels and their spacing.
        anatomy: its labels and their place in the CT, which parts of them are chosen and whether these move by
            themselves, the threshold.
        settings: of the method.
    """

    xrays: str
    pixels: str
    carms: str
    ct: str
    anatomy: str
    settings: str

    def text(self) -> str:
        """One line for a table's cell."""
        return " ".join(f"{part}:{getattr(self, part)}" for part in PARTS)

    @classmethod
    def fromText(cls, text: str) -> JudgedInputs | None:
        """The inputs that `text` wrote; None for anything else."""
        fields = dict(part.split(":", 1) for part in text.split() if ":" in part)
        return cls(**fields) if tuple(fields) == PARTS else None

    def differences(self, other: JudgedInputs) -> list[str]:
        """Names of the parts that differ, in the order of PARTS; of the X-rays' names only with their pixels."""
        differing = [part for part in PARTS if getattr(self, part) != getattr(other, part)]
        return differing if "pixels" in differing else [part for part in differing if part != "xrays"]


class InputDigester:
    """The maker of JudgedInputs; a node's voxels are read again only when they have changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, str]] = {}

    def inputs(
        self,
        ctNode: vtkMRMLScalarVolumeNode,
        fluoroscopyNodes: Sequence[vtkMRMLScalarVolumeNode],
        anatomy: AnatomyChoice,
        settings: Mapping[str, object],
    ) -> JudgedInputs:
        """The inputs of a registration as they are now.

        Args:
            settings: of the method, values that repr() tells apart.

        Raises:
            InputError: an X-ray was never placed, or a transform is not rigid.
        """
        carms = [carmOf(node) for node in fluoroscopyNodes]
        return JudgedInputs(
            xrays=_digest([node.GetName() for node in fluoroscopyNodes]),
            pixels=_digest([_image(node, self._content(node)) for node in fluoroscopyNodes]),
            carms=_digest(list(map(_cameraParts, carms))),
            ct=_digest([self._content(ctNode), roundedRows(ijkToRas(ctNode))]),
            anatomy=_digest(self._anatomy(ctNode, anatomy)),
            settings=_digest(sorted(settings.items())),
        )

    def framePixels(
        self, fluoroscopyNodes: Sequence[vtkMRMLScalarVolumeNode], runs: Sequence[NDArray[Any]]
    ) -> list[str]:
        """The part ``pixels`` of the inputs for each frame, as if the images showed it.

        Args:
            fluoroscopyNodes: each showing a frame of a run.
            runs: their frames (frames, height, width), as many in each.
        """
        pairs = list(zip(fluoroscopyNodes, runs, strict=True))
        return [
            _digest([_image(node, _valuesDigest(run[index].ravel()), index) for node, run in pairs])
            for index in range(len(runs[0]))
        ]

    def _anatomy(self, ctNode: vtkMRMLScalarVolumeNode, anatomy: AnatomyChoice) -> list[object]:
        if anatomy.node is None:
            return [anatomy.thresholdHu]
        place = ctFromNode(ctNode, anatomy.node)
        if anatomy.node.IsA("vtkMRMLVolumeNode"):
            place = place @ ijkToRas(anatomy.node)
        told: list[object] = [self._content(anatomy.node), anatomy.segmentIds, anatomy.labelValues, roundedRows(place)]
        if anatomy.movesInParts:
            told.append("in parts")
        return [*told, "in joints"] if anatomy.keepsJoints else told

    def _content(self, node: vtkMRMLNode) -> str:
        key = contentKey(node)
        if self._known.get(node.GetID(), (None, ""))[0] != key:
            self._known[node.GetID()] = key, _contentDigest(node)
        return self._known[node.GetID()][1]


def _image(node: vtkMRMLScalarVolumeNode, content: str, frame: int | None = None) -> list[object]:
    """The parts of an image that a result depends on.

    Args:
        content: digest of its pixels.
        frame: that it is thought to show, in place of its own.
    """
    shown = node.GetAttribute(FRAME_ATTRIBUTE) if frame is None else str(frame)
    told = [shown, *(node.GetAttribute(name) for name in (SHUTTER_ATTRIBUTE, POLARITY_ATTRIBUTE))]
    return [content, *filter(None, told), *outlineCorners(node)]


def _cameraParts(carm: CArm) -> tuple[object, ...]:
    return roundedRows(carm.intrinsics), roundedRows(carm.camera_from_world), carm.size, carm.accuracy


def _contentDigest(node: vtkMRMLNode) -> str:
    if node.IsA("vtkMRMLSegmentationNode"):
        segments = segmentImages(node)
        # Segments that do not overlap share an image.
        images = dict.fromkeys(image for _, _, image in segments if image is not None)
        places = {image: number for number, image in enumerate(images)}
        return _digest([[(*segment[:2], places.get(segment[2])) for segment in segments], list(map(_drawn, images))])
    image = node.GetImageData()
    scalars = image.GetPointData().GetScalars() if image is not None else None
    # Where it lies is no content: that of an X-ray changes with its C-arm.
    return "" if scalars is None else _valuesDigest(vtk_to_numpy(scalars))


def _drawn(image: vtk.vtkImageData) -> object:
    try:
        drawn = drawnLabels(image)
    except InputError:
        return None
    # A scene that was saved and loaded again has other margins and another type.
    return roundedRows(drawn.volume_from_index), drawn.values.shape, _valuesDigest(drawn.values.astype(np.int32))


def _valuesDigest(values: NDArray[np.generic]) -> str:
    data = np.ascontiguousarray(values)
    digest = hashlib.blake2b(repr((data.shape, data.dtype.str)).encode(), digest_size=DIGEST_BYTES)
    digest.update(data.view(np.uint8).data)
    return digest.hexdigest()


def _digest(parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=DIGEST_BYTES).hexdigest()
