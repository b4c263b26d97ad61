"""Start poses: standard views, the CT as it lay in the isocentre, six sliders about the anatomy's centre."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prostreg.errors import InputError
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, invert_rigid, rigid_faults, transform_points
from prostreg.geometry.standard_views import STANDARD_VIEWS, standard_view
from prostreg.images.anatomy import BONE_THRESHOLD_HU
from prostreg.registration.start import anatomy_centre_mm
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice, anatomyLabels, contentKey
from ProSTRegistrationLib.Nodes.KeptTexts import keptJson
from ProSTRegistrationLib.Nodes.LabelSamples import chosenPointsMm, sampled

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from prostreg.geometry.carm import CArm
    from prostreg.images.volume import Volume
    from ProSTRegistrationLib.Nodes.Anatomy import LabelPart
    from ProSTRegistrationLib.Nodes.Scene import Scene

SPECKS = 0.005
"""This share of dense voxels is left out at each end of each axis: the table, metal, noise."""
SEEN_POINTS = 1000
"""So many tell how much of the anatomy an image shows."""


def standardViewPose(carm: CArm, name: str, centreMm: NDArray[np.float64], sodMm: float) -> Matrix:
    """world_from_volume (4, 4) of a CT that a C-arm shows in a standard view, wherever it stands.

    Args:
        carm: CArm in the world.
        name: one of prostreg.geometry.standard_views.STANDARD_VIEWS.
        centreMm: the point of the CT (3,), in its own frame, that lies on the central ray.
        sodMm: its distance from the source.

    Raises:
        InputError: there is no such view.
    """
    if name not in STANDARD_VIEWS:
        raise InputError(f"There is no standard view '{name}': choose one of {', '.join(STANDARD_VIEWS)}.")
    return invert_rigid(carm.camera_from_world) @ standard_view(name, centreMm, sodMm)


def placedAtIsocentre(carm: CArm, centreMm: NDArray[np.float64], sodMm: float) -> Matrix:
    """world_from_volume (4, 4) of a CT that lies as the patient does, with a point of it (3,) in the isocentre.

    The C-arm's angles then say how it is seen: at 0/0 it is the standard view "PA".
    """
    worldFromVolume = np.eye(4)
    isocentreMm = transform_points(invert_rigid(carm.camera_from_world), (0.0, 0.0, sodMm))
    worldFromVolume[:3, 3] = isocentreMm - np.asarray(centreMm, dtype=np.float64)
    return worldFromVolume


class PatientPlace:
    """The place of what is registered, computed once for each CT and choice of anatomy."""

    def __init__(self) -> None:
        self._key: object = None
        self._pointsMm = np.zeros((0, 3))
        self._centreMm = np.zeros(3)

    def centreMm(self, scene: Scene, ctNode: vtkMRMLScalarVolumeNode, anatomy: AnatomyChoice) -> NDArray[np.float64]:
        """Its centre (3,) in the CT's own frame.

        Raises:
            InputError: CT or anatomy cannot be used.
        """
        self._look(scene, ctNode, anatomy)
        return self._centreMm

    def pointsMm(self, scene: Scene, ctNode: vtkMRMLScalarVolumeNode, anatomy: AnatomyChoice) -> NDArray[np.float64]:
        """Some of its points (n, 3) in the CT's own frame.

        Raises:
            InputError: CT or anatomy cannot be used.
        """
        self._look(scene, ctNode, anatomy)
        return self._pointsMm

    def _look(self, scene: Scene, ctNode: vtkMRMLScalarVolumeNode, anatomy: AnatomyChoice) -> None:
        key = (contentKey(ctNode), contentKey(anatomy.node), anatomy.segmentIds, anatomy.labelValues)
        if key != self._key:
            ct, worldFromVolume = scene.ct(ctNode)
            points = anatomyPointsMm(ct, [] if anatomy.node is None else anatomyLabels(worldFromVolume, anatomy))
            self._centreMm, self._key = anatomy_centre_mm(points), key
            self._pointsMm = points[:: max(1, len(points) // SEEN_POINTS)]


def anatomyPointsMm(ct: Volume, parts: Sequence[LabelPart] = ()) -> NDArray[np.float64]:
    """Points (n, 3) of what is registered, in the CT's own frame, from a sample of voxels: a registration's centre too.

    Args:
        ct: Volume in HU.
        parts: LabelParts of the anatomy as `Nodes.Anatomy.anatomyLabels` gives them; none for bone by threshold.

    Returns:
        points of the labels, or of what is as dense as bone, or the middle of the CT.
    """
    chosen = [points for part in parts if len(points := chosenPointsMm(part))] or [_densePointsMm(ct)]
    points = np.concatenate(chosen)
    return points if len(points) else ct.centre_mm[np.newaxis]


def shareInSight(carm: CArm, worldFromVolume: Matrix, pointsMm: NDArray[np.float64]) -> float:
    """Share of points (n, 3) of a CT at a pose that an image shows; below 0 where a part lies behind the source.

    Args:
        carm: CArm in the world.
        pointsMm: in the CT's own frame.
    """
    places = transform_points(worldFromVolume, pointsMm)
    if transform_points(carm.camera_from_world, places)[:, 2].min() <= 0:
        return -1.0
    return float(carm.shows(carm.project_world(places)).mean())


def depthInSightMm(
    carm: CArm, worldFromVolume: Matrix, centreMm: NDArray[np.float64], pointsMm: NDArray[np.float64]
) -> float | None:
    """The distance of a point (3,) of a CT at a pose from the source, along the detector's normal, mm.

    Args:
        carm: CArm in the world.
        pointsMm: of the anatomy (n, 3), in the CT's own frame like the point.

    Returns:
        None where the anatomy is not between source and detector, or wholly beside the picture: no pose was found then.
    """
    depth = float(transform_points(carm.camera_from_world @ worldFromVolume, centreMm)[2])
    isSeen = 0 < depth < carm.sdd_mm and shareInSight(carm, worldFromVolume, pointsMm) > 0
    return depth if isSeen else None


def _densePointsMm(ct: Volume) -> NDArray[np.float64]:
    """Places (n, 3) of a sample of dense voxels.

    Stands for the bone that the worker finds by threshold: that takes seconds, and its connected pieces would fall
    apart in a sample.
    """
    samples, steps = sampled(ct.values)
    indices = np.argwhere(samples >= BONE_THRESHOLD_HU)
    if len(indices):
        low, high = np.quantile(indices, [SPECKS, 1 - SPECKS], axis=0)
        indices = indices[((indices >= low) & (indices <= high)).all(axis=1)]
    return transform_points(ct.volume_from_index, (indices * steps)[:, ::-1])


class PoseSliders:
    """Six numbers for a pose around a reference pose, in a C-arm's own axes.

    Tilts and the in-plane turn are about the anatomy's centre; depth runs along the ray through it, so that it leaves
    the anatomy's place in the picture alone. The numbers are those of prostreg.geometry.chart.PoseChart, in another
    order and in degrees: shift u, shift v, depth, tilt about u, tilt about v, in-plane. All six are 0 at the reference
    pose.

    Args:
        worldFromVolume: the reference pose, rigid (4, 4).
        carm: CArm in the world.
        centreMm: the anatomy's centre (3,) in the CT's own frame.
    """

    def __init__(self, worldFromVolume: Matrix, carm: CArm, centreMm: NDArray[np.float64]) -> None:
        self._chart = PoseChart(np.asarray(worldFromVolume, dtype=np.float64), carm.camera_from_world, centreMm)

    def poseAt(self, values: ArrayLike) -> Matrix:
        """world_from_volume (4, 4) at six numbers."""
        shiftsMm, turnsDeg = np.split(np.asarray(values, dtype=np.float64), 2)
        return self._chart.world_from_volume_at(np.concatenate([np.deg2rad(turnsDeg), shiftsMm]))[0]

    def valuesOf(self, worldFromVolume: Matrix) -> NDArray[np.float64]:
        """The six numbers of a pose (4, 4); angles up to 180 degrees."""
        turns, shiftsMm = np.split(self._chart.parameters_of(worldFromVolume), 2)
        return np.concatenate([shiftsMm, np.rad2deg(turns)])


def keptReference(ctNode: vtkMRMLScalarVolumeNode, text: str) -> Matrix | None:
    """The pose that the sliders count from, by the text that keeps it; None for another CT's, and a damaged one."""
    kept = keptJson(text)
    if not isinstance(kept, dict) or kept.get("ct") != ctNode.GetID():
        return None
    pose: Any = kept.get("world_from_volume")
    return None if rigid_faults(pose, "The reference") else np.array(pose, dtype=np.float64)


def referenceText(ctNode: vtkMRMLScalarVolumeNode, worldFromVolume: Matrix) -> str:
    """The text that keeps a pose (4, 4) for the sliders of a CT to count from."""
    return json.dumps({"ct": ctNode.GetID(), "world_from_volume": np.asarray(worldFromVolume).tolist()})
