"""The panel's values in the scene: saved with it and loaded with it."""

import enum
from typing import TYPE_CHECKING, Annotated, Any

from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
)
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Default, WithinRange, parameterNodeWrapper

from prostreg.geometry.standard_views import VIEW_LABELS
from ProSTRegistrationLib.Views.Overlay import OverlayKind


class Method(enum.Enum):
    """Methods of the search, by the engine's names."""

    AUTO = "auto"
    CMAES = "cmaes"
    PROST = "prost"
    PROST_CMAES = "prost+cmaes"

    def label(self) -> str:
        """The panel's word for it."""
        return {
            Method.AUTO: _("Automatic: until it convinces"),
            Method.CMAES: _("One CMA-ES run"),
            Method.PROST: _("Learned similarity (ProST)"),
            Method.PROST_CMAES: _("ProST, then CMA-ES"),
        }[self]


class Quality(enum.Enum):
    """Qualities: how long to search."""

    QUICK = "quick"
    NORMAL = "normal"
    THOROUGH = "thorough"

    def label(self) -> str:
        """The panel's word for it."""
        return {
            Quality.QUICK: _("Quick: up to 20 s"),
            Quality.NORMAL: _("Normal: up to 1 min"),
            Quality.THOROUGH: _("Thorough: up to 4 min"),
        }[self]

    def settings(self) -> dict[str, float]:
        """The engine's settings for it."""
        return {
            Quality.QUICK: {"time_limit_s": 20.0, "most_restarts": 8},
            Quality.NORMAL: {},
            Quality.THOROUGH: {"time_limit_s": 240.0, "most_restarts": 256},
        }[self]


class Device(enum.Enum):
    """Devices to compute on, by the engine's names."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"

    def label(self) -> str:
        """The panel's word for it."""
        return {
            Device.AUTO: _("Automatic"),
            Device.CPU: _("Processor"),
            Device.CUDA: _("NVIDIA GPU"),
        }[self]


class StandardView(enum.Enum):
    """Usual radiographs; names as the engine knows them."""

    AP = "AP"
    PA = "PA"
    LEFT_LATERAL = "left lateral"
    RIGHT_LATERAL = "right lateral"
    INLET = "inlet"
    OUTLET = "outlet"
    RIGHT_OBTURATOR = "right obturator oblique"
    LEFT_OBTURATOR = "left obturator oblique"
    RIGHT_ILIAC = "right iliac oblique"
    LEFT_ILIAC = "left iliac oblique"
    RIGHT_POSTERIOR = "right posterior oblique"
    LEFT_POSTERIOR = "left posterior oblique"
    FERGUSON = "Ferguson"
    RIGHT_HIP = "right cross-table hip"
    LEFT_HIP = "left cross-table hip"
    RIGHT_GRASHEY = "right Grashey"
    LEFT_GRASHEY = "left Grashey"
    RIGHT_SCAPULAR_Y = "right scapular Y"
    LEFT_SCAPULAR_Y = "left scapular Y"
    AXILLARY = "axillary"
    RIGHT_PA_OBLIQUE = "right PA oblique"
    LEFT_PA_OBLIQUE = "left PA oblique"

    def label(self) -> str:
        """The engine's word for it."""
        return VIEW_LABELS[self.value]


class OverlayChoice(enum.Enum):
    """Overlays of the DRR on the fluoroscopy, in the order of the keys Alt+1 to Alt+5."""

    BLEND = OverlayKind.BLEND.value
    CONTOURS = OverlayKind.CONTOURS.value
    CHECKERBOARD = OverlayKind.CHECKERBOARD.value
    DIFFERENCE = OverlayKind.DIFFERENCE.value
    FLICKER = OverlayKind.FLICKER.value

    def label(self) -> str:
        """The panel's word for it."""
        return {
            OverlayChoice.BLEND: _("Blend: CT's bone in orange"),
            OverlayChoice.CONTOURS: _("Contours of the bone"),
            OverlayChoice.CHECKERBOARD: _("Checkerboard: drag its corner"),
            OverlayChoice.DIFFERENCE: _("Difference"),
            OverlayChoice.FLICKER: _("Flicker"),
        }[self]

    def legend(self, areSeveral: bool = False) -> str:
        """A line that says what its colours mean; for several bones that are drawn each at its own place, too."""
        if areSeveral and self is OverlayChoice.CONTOURS:
            return _("Edges of the CT's bones, in the colours of their list")
        return {
            OverlayChoice.BLEND: _("Orange: bone of the CT"),
            OverlayChoice.CONTOURS: _("Green: edges of the CT's bone"),
            OverlayChoice.CHECKERBOARD: _("Tinted tiles: the CT; grey tiles: the X-ray"),
            OverlayChoice.DIFFERENCE: _("Orange: bone of the CT only; blue: of the X-ray only"),
            OverlayChoice.FLICKER: _("In turn: the CT and the X-ray"),
        }[self]

    def kind(self) -> OverlayKind:
        """OverlayKind for the views."""
        return OverlayKind(self.value)


@parameterNodeWrapper
class ProSTRegistrationParameterNode:
    """Everything that is chosen in the panel.

    Attributes:
        ct: the CT.
        anatomy: segmentation or label map of what is registered; None for bone by threshold.
        anatomyParts: ids of the segments, or label values as text; empty for all.
        eachPartMoves: each of them is registered for itself; else all move together.
        jointsStay: those that are neighbours stay together in their joints.
        fluoroscopy, secondView, thirdView: X-ray images of the same moment.
        isRelationRough: how further C-arms stand against the first is only known to roughTurnDeg and roughShiftMm.
        sliderReference: the pose that the sliders of the start pose count from, and of which CT, as JSON.
        startedBy: how the start pose was made, for the table of attempts.
        ctLandmarks, xrayLandmarks: paired by name or order; the latter lie on ``fluoroscopy``.
        timeLimitS: 0 for what the quality says.
    """

    if TYPE_CHECKING:  # what the decorator gives it
        parameterNode: Any

        def __init__(self, parameterNode: Any) -> None: ...

        def connectGui(self, gui: object) -> int: ...

        def disconnectGui(self, tag: int) -> None: ...

    ct: vtkMRMLScalarVolumeNode
    anatomy: vtkMRMLSegmentationNode | vtkMRMLLabelMapVolumeNode | None
    anatomyParts: list[str]
    eachPartMoves: bool = False
    jointsStay: bool = False
    boneThresholdHu: Annotated[float, WithinRange(-500.0, 3000.0), Default(200.0)]
    fluoroscopy: vtkMRMLScalarVolumeNode
    secondView: vtkMRMLScalarVolumeNode
    thirdView: vtkMRMLScalarVolumeNode
    isRelationRough: bool = False
    roughTurnDeg: Annotated[float, WithinRange(0.1, 30.0), Default(3.0)]
    roughShiftMm: Annotated[float, WithinRange(0.1, 200.0), Default(10.0)]

    standardView: StandardView = StandardView.AP
    sliderReference: str = ""
    startedBy: str = ""
    searchEverywhere: bool = False
    liveDrr: bool = True
    ctLandmarks: vtkMRMLMarkupsFiducialNode
    xrayLandmarks: vtkMRMLMarkupsFiducialNode

    method: Method = Method.AUTO
    quality: Quality = Quality.NORMAL
    device: Device = Device.AUTO
    seed: Annotated[int, WithinRange(0, 999999), Default(0)]
    timeLimitS: Annotated[float, WithinRange(0.0, 3600.0), Default(0.0)]
    spreadRotationDeg: Annotated[float, WithinRange(0.1, 180.0), Default(20.0)]
    spreadShiftMm: Annotated[float, WithinRange(0.1, 1000.0), Default(30.0)]
    spreadDepthMm: Annotated[float, WithinRange(0.1, 2000.0), Default(60.0)]
    adaptMinutes: Annotated[float, WithinRange(5.0, 240.0), Default(10.0)]

    overlayKind: OverlayChoice = OverlayChoice.BLEND
    overlayOpacity: Annotated[float, WithinRange(0.0, 100.0), Default(50.0)]
