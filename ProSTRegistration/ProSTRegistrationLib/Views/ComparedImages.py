"""Reads what an overlay compares: a fluoroscopy image as its view shows it, and its DRR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.polarity import decided_polarity
from prostreg.images.radiation_field import find_radiation_field
from prostreg.outputs.overlay_drawing import GENTLEST_SPREAD, averaged
from ProSTRegistrationLib.Bones.BoneDrrs import boneDrrsOf
from ProSTRegistrationLib.Nodes.CArmNode import nodeCarmOf
from ProSTRegistrationLib.Nodes.FluoroscopyImage import polarityOf
from ProSTRegistrationLib.Nodes.Scene import DRR_ROLE, Scene

if TYPE_CHECKING:
    from slicer import vtkMRMLDisplayNode, vtkMRMLScalarVolumeNode

    from prostreg.geometry.carm import CArm

POLARITY_PIXELS = 320
"""Of a larger image, polarity is decided by every second or third pixel and so on, which is quicker."""
LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True, eq=False)
class ComparedImages:
    """A fluoroscopy image and its DRR on the DRR's pixels.

    Attributes:
        drr: (height, width) line integrals.
        isBoneBright: whether it shows bone bright.
        carm: the C-arm of these pixels, in the frame of the nodes.
        factor: pixels of the fluoroscopy per pixel of the DRR.
        boneDrrs: (bones, height, width) that add up to the DRR; None for one body.
    """

    drr: NDArray[np.float32]
    isBoneBright: bool
    carm: CArm
    factor: int
    boneDrrs: NDArray[np.float32] | None
    _readBrightness: Callable[[], NDArray[np.float64]]

    @property
    def brightness(self) -> NDArray[np.float64]:
        """(height, width), what the screen shows of the fluoroscopy, 0 to 1; made when it is asked for."""
        return self._readBrightness()


class ComparedImagesReader:
    """Reads them again and again while DRRs come; what the fluoroscopy alone tells is kept.

    Args:
        scene: Scene.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._polarity: tuple[object, bool] = (None, True)
        self._brightness: tuple[object, NDArray[np.float64]] = (None, np.empty((0, 0)))

    def read(self, fluoroscopyNode: vtkMRMLScalarVolumeNode) -> ComparedImages:
        """The ComparedImages of a placed fluoroscopy image.

        Raises:
            InputError: the image is not fit or not placed, there is no DRR, or it belongs to another geometry.
        """
        pixels, _ = self._scene.fluoroscopy(fluoroscopyNode)
        drr, factor = self._drrOf(fluoroscopyNode)
        table = _tableBrightness(fluoroscopyNode.GetDisplayNode())
        return ComparedImages(
            drr=drr,
            isBoneBright=self._isStoredBright(fluoroscopyNode, pixels) == bool(table[-1] >= table[0]),
            carm=nodeCarmOf(fluoroscopyNode, factor),
            factor=factor,
            boneDrrs=boneDrrsOf(self._scene, fluoroscopyNode, self.drrNode(fluoroscopyNode)),
            _readBrightness=partial(self._brightnessOf, fluoroscopyNode, pixels, table, factor),
        )

    def drrNode(self, fluoroscopyNode: vtkMRMLScalarVolumeNode) -> vtkMRMLScalarVolumeNode:
        """The node of the image's DRR.

        Raises:
            InputError: there is none yet.
        """
        node = self._scene.findOwned(fluoroscopyNode, DRR_ROLE)
        if node is not None and node.GetImageData():
            return node
        raise InputError(
            f"There is no DRR for '{fluoroscopyNode.GetName()}' yet: set a start pose or register, then look again."
        )

    def _drrOf(self, fluoroscopyNode: vtkMRMLScalarVolumeNode) -> tuple[NDArray[np.float32], int]:
        node = self.drrNode(fluoroscopyNode)
        drr = slicer.util.arrayFromVolume(node)[0]
        carm = nodeCarmOf(fluoroscopyNode)
        factor = max(1, round(carm.intrinsics[0, 0] / nodeCarmOf(node).intrinsics[0, 0]))
        if nodeCarmOf(fluoroscopyNode, factor).size != drr.shape[::-1]:
            raise InputError(
                f"The DRR of '{fluoroscopyNode.GetName()}' was made for another geometry of the C-arm: set a start pose"
                " or register again."
            )
        return drr, factor

    def _isStoredBright(self, fluoroscopyNode: vtkMRMLScalarVolumeNode, pixels: NDArray[Any]) -> bool:
        told, key = polarityOf(fluoroscopyNode), _version(fluoroscopyNode)
        if told != "auto":
            return told == "bone-bright"
        if self._polarity[0] != key:
            step = max(1, max(pixels.shape) // POLARITY_PIXELS)
            grey = pixels[::step, ::step].astype(np.float32)
            everywhere = np.ones(grey.shape, dtype=bool)
            field = find_radiation_field(grey, everywhere)
            self._polarity = key, decided_polarity(grey, field, everywhere) == "bone-bright"
        return self._polarity[1]

    def _brightnessOf(
        self, fluoroscopyNode: vtkMRMLScalarVolumeNode, pixels: NDArray[Any], table: NDArray[np.float64], factor: int
    ) -> NDArray[np.float64]:
        display = fluoroscopyNode.GetDisplayNode()
        key = (*_version(fluoroscopyNode), display.GetWindow(), display.GetLevel(), tuple(table), factor)
        if self._brightness[0] != key:
            reduced = averaged(pixels, factor)
            self._brightness = key, displayed(reduced, display.GetWindow(), display.GetLevel(), table)
        return self._brightness[1]


def displayed(
    pixels: NDArray[Any], window: float, level: float, tableBrightness: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The brightness, 0 to 1, with which a slice view shows grey values.

    Args:
        tableBrightness: (n,) of the colours that the view's table gives from the darkest value to the brightest.
    """
    share = np.clip((pixels - (level - window / 2)) / max(window, GENTLEST_SPREAD), 0, 1)
    return np.interp(share, np.linspace(0, 1, len(tableBrightness)), tableBrightness)


def displayState(fluoroscopyNode: vtkMRMLScalarVolumeNode) -> tuple[object, ...]:
    """A key of a fluoroscopy image's look: equal as long as it looks the same."""
    display = fluoroscopyNode.GetDisplayNode()
    return display.GetWindow(), display.GetLevel(), display.GetColorNodeID(), display.GetInvertDisplayScalarRange()


def _version(volumeNode: vtkMRMLScalarVolumeNode) -> tuple[str, int]:
    return volumeNode.GetID(), volumeNode.GetImageData().GetMTime()


def _tableBrightness(display: vtkMRMLDisplayNode) -> NDArray[np.float64]:
    """Brightness of the view's colours from the darkest grey value to the brightest, (n,)."""
    colorNode = display.GetColorNode()
    table = colorNode.GetLookupTable() if colorNode else None
    brightness = np.linspace(0, 1, 2)
    if table is not None and table.GetNumberOfTableValues() > 1:
        colors = [table.GetTableValue(index)[:3] for index in range(table.GetNumberOfTableValues())]
        brightness = np.array(colors) @ LUMINANCE
    return brightness[::-1] if display.GetInvertDisplayScalarRange() else brightness
