"""The panel's situation at one moment: made once for each refresh and handed to every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from prostreg.errors import InputError
from ProSTRegistrationLib.Bones.BonesOfAnatomy import PlacedBone, ownPoses
from ProSTRegistrationLib.Bones.BonesRuns import shownBones
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice, contentKey
from ProSTRegistrationLib.Nodes.CArmSettings import isPlaced
from ProSTRegistrationLib.Nodes.DrrOrigin import originOf
from ProSTRegistrationLib.Nodes.ImageMarks import LANDMARKS_ROLE
from ProSTRegistrationLib.Nodes.InputChecks import anatomyFaults, imageFaults
from ProSTRegistrationLib.Nodes.JudgedInputs import InputDigester, JudgedInputs
from ProSTRegistrationLib.Nodes.NodeGeometry import ctFromNode, roundedRows, worldFromNode
from ProSTRegistrationLib.Selection import NO_PART, anatomyChoice, fluoroscopyNodes, judgedSettings

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLScalarVolumeNode

    from prostreg.geometry.frames import Matrix
    from ProSTRegistrationLib.Logic import Logic
    from ProSTRegistrationLib.Nodes.Scene import Scene
    from ProSTRegistrationLib.ParameterNode import ProSTRegistrationParameterNode


@dataclass(frozen=True, eq=False)
class Situation:
    """The choices, what of them can be used, and what runs.

    Attributes:
        ct: the chosen CT, None without one.
        images: the chosen X-ray images, the first one first.
        anatomy: AnatomyChoice.
        shownImage: the X-ray that steps 2 and 5 show, None without one.
        faults: all that is wrong with CT, anatomy and X-rays, but for a C-arm that is missing.
        unplaced: the X-ray images without C-arm.
        pose: world_from_volume (4, 4) of the CT; None unless ``isReady``.
        judged: what a result of now would belong to; None unless ``isReady``.
        origins: what the DRR of each X-ray has to be made of; empty unless ``isReady``.
        ctLandmarks: the list of landmarks in the CT, None without one.
        marked: each X-ray that has marks of them, with their list: the chosen one for the first, else its own.
        bones: parts that the DRR shows each at its own pose; empty where all lie in the CT as one body.
        isBusy: a long task runs.
        isRegistering: it is a search, which will move the CT.
        isTracking: it follows a run.
    """

    ct: vtkMRMLScalarVolumeNode | None = None
    images: tuple[vtkMRMLScalarVolumeNode, ...] = ()
    anatomy: AnatomyChoice = field(default_factory=AnatomyChoice)
    shownImage: vtkMRMLScalarVolumeNode | None = None
    faults: tuple[str, ...] = ()
    unplaced: tuple[vtkMRMLScalarVolumeNode, ...] = ()
    pose: Matrix | None = None
    judged: JudgedInputs | None = None
    origins: Mapping[vtkMRMLScalarVolumeNode, str] = field(default_factory=dict)
    ctLandmarks: vtkMRMLMarkupsFiducialNode | None = None
    marked: tuple[tuple[vtkMRMLScalarVolumeNode, vtkMRMLMarkupsFiducialNode], ...] = ()
    bones: tuple[PlacedBone, ...] = ()
    isBusy: bool = False
    isRegistering: bool = False
    isTracking: bool = False

    @property
    def hasImages(self) -> bool:
        """True when CT and X-ray images have nothing wrong with them but their geometry."""
        return self.ct is not None and bool(self.images) and not self.faults

    @property
    def isReady(self) -> bool:
        """True when the CT can be moved in front of the images, and registered to them."""
        return self.hasImages and not self.unplaced

    @property
    def isFree(self) -> bool:
        """True when the CT can be moved and no search will move it."""
        return self.isReady and not self.isRegistering


class SituationReader:
    """Makes situations; whether an anatomy fits its CT is looked at again only when one of them has changed."""

    def __init__(self) -> None:
        self._judged: tuple[object, list[str]] = (None, [])
        self._digester = InputDigester()

    def read(self, parameters: ProSTRegistrationParameterNode | None, logic: Logic, shownIndex: int) -> Situation:
        """The situation of now.

        Args:
            parameters: what is chosen; None while there is no parameter node.
            shownIndex: of the X-ray that is shown, in the list of them.
        """
        if parameters is None:
            return Situation()
        ct, images, anatomy = parameters.ct, tuple(fluoroscopyNodes(parameters)), anatomyChoice(parameters)
        faults = tuple(self._faults(parameters, ct, images, anatomy))
        unplaced = tuple(node for node in images if not isPlaced(node))
        isReady = not (faults or unplaced)
        pose = worldFromNode(ct) if isReady else None
        judged = self._digester.inputs(ct, images, anatomy, judgedSettings(parameters)) if isReady else None
        bones = () if pose is None or judged is None else shownBones(logic.scene, ct, anatomy, judged, pose)
        own = ownPoses(bones)
        return Situation(
            ct=ct,
            images=images,
            anatomy=anatomy,
            shownImage=images[shownIndex if 0 <= shownIndex < len(images) else 0] if images else None,
            faults=faults,
            unplaced=unplaced,
            pose=pose,
            judged=judged,
            origins={} if pose is None else {node: originOf(ct, node, anatomy, pose, own) for node in images},
            bones=bones,
            ctLandmarks=parameters.ctLandmarks,
            marked=_marked(parameters, images, logic.scene),
            isBusy=logic.isBusy,
            isRegistering=logic.isRegistering,
            isTracking=logic.isTracking,
        )

    def _faults(
        self,
        parameters: ProSTRegistrationParameterNode,
        ct: vtkMRMLScalarVolumeNode,
        images: tuple[vtkMRMLScalarVolumeNode, ...],
        anatomy: AnatomyChoice,
    ) -> list[str]:
        faults = imageFaults(ct, images, needsCArm=False)
        if list(parameters.anatomyParts) == [NO_PART]:
            return [*faults, _("Choose at least one part of the anatomy.")]
        return faults or self._anatomyFaults(ct, anatomy)

    def _anatomyFaults(self, ct: vtkMRMLScalarVolumeNode, anatomy: AnatomyChoice) -> list[str]:
        try:
            state = (contentKey(ct), contentKey(anatomy.node), anatomy, _placeInCt(ct, anatomy))
        except InputError as error:
            return error.faults
        if state != self._judged[0]:
            self._judged = state, anatomyFaults(ct, anatomy)
        return self._judged[1]


def _marked(
    parameters: ProSTRegistrationParameterNode, images: tuple[vtkMRMLScalarVolumeNode, ...], scene: Scene
) -> tuple[tuple[vtkMRMLScalarVolumeNode, vtkMRMLMarkupsFiducialNode], ...]:
    lists = [parameters.xrayLandmarks, *(scene.findOwned(node, LANDMARKS_ROLE) for node in images[1:])]
    listed = [pair for pair in zip(images, lists, strict=False) if pair[1] is not None]
    # One without marks is used where there is no other: solving says then what is missing.
    return tuple([pair for pair in listed if pair[1].GetNumberOfControlPoints()] or listed[:1])


def _placeInCt(ct: vtkMRMLScalarVolumeNode, anatomy: AnatomyChoice) -> list[list[float]] | None:
    if anatomy.node is None:
        return None
    return roundedRows(ctFromNode(ct, anatomy.node))
