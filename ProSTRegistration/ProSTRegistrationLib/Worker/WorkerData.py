"""Brings what nodes hold into the worker, once: unchanged nodes are not sent again.

Voxels go out straight from the nodes' memory, a few milliseconds at a time: nothing is copied or computed here, however
large the CT is. What changed on the way has another key by then and is sent again with the next request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from prostreg.geometry.carm_values import carm_to_values
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice, anatomyLabels, contentKey
from ProSTRegistrationLib.Nodes.CArmNode import CARM_ATTRIBUTE
from ProSTRegistrationLib.Nodes.FluoroscopyImage import (
    SHUTTER_ATTRIBUTE,
    comparedPartOf,
    outlineCorners,
    polarityOf,
)
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas, worldFromNode

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScalarVolumeNode

    from prostreg.geometry.carm import CArm
    from prostreg.geometry.frames import Matrix
    from prostreg.worker.protocol import Arrays
    from ProSTRegistrationLib.Nodes.Scene import Scene
    from ProSTRegistrationLib.Worker.WorkerClient import OnFailure, WorkerClient, WorkerError

BONE_BY_THRESHOLD = AnatomyChoice()

Key = tuple[object, ...]
_Keys = tuple[Key, Key, list[Key]]
"""Of CT, anatomy and views."""


@dataclass(frozen=True)
class LoadedIds:
    """The worker's ids of the data; views in the order of the fluoroscopy nodes."""

    ct: str
    anatomy: str
    views: tuple[str, ...]


@dataclass
class _Step:
    """One request still to be made; ``fields`` is asked when the ids of earlier steps are known."""

    command: str
    arrays: Arrays
    fields: Callable[[], dict[str, Any]]
    keys: Sequence[Key]
    answer: str


@dataclass(frozen=True, eq=False)
class _Load:
    """One call of load()."""

    ctNode: vtkMRMLScalarVolumeNode
    fluoroscopyNodes: list[vtkMRMLScalarVolumeNode]
    anatomy: AnatomyChoice
    onLoaded: Callable[[LoadedIds], object]
    onError: OnFailure


class WorkerData:
    """Loads nodes into the worker and remembers their ids.

    Args:
        scene: Scene.
        client: WorkerClient.
    """

    def __init__(self, scene: Scene, client: WorkerClient) -> None:
        self._scene = scene
        self._client = client
        self._ids: dict[Key, str] = {}
        self._forgotten = 0
        self._generation: int | None = None
        self._isSending = False
        self._waiting: deque[_Load] = deque()

    def load(
        self,
        ctNode: vtkMRMLScalarVolumeNode,
        fluoroscopyNodes: Sequence[vtkMRMLScalarVolumeNode],
        anatomy: AnatomyChoice,
        onLoaded: Callable[[LoadedIds], object],
        onError: OnFailure,
    ) -> None:
        """Sends what the worker does not have yet; loads that come meanwhile wait for their turn.

        Args:
            onLoaded: called with LoadedIds, at once if nothing has to be sent.
            onError: called with a WorkerError, or with an InputError if nodes went bad while waiting.

        Raises:
            InputError: every fault of all nodes; nothing is sent then.
        """
        self._client.start()
        if self._generation != self._client.generation:
            self.forget()
            self._generation = self._client.generation
        load = _Load(ctNode, list(fluoroscopyNodes), anatomy, onLoaded, onError)
        plan = self._plan(load)
        if self._isSending:
            self._waiting.append(load)
        else:
            self._carryOut(load, *plan)

    def loadAnatomies(
        self,
        ctNode: vtkMRMLScalarVolumeNode,
        anatomies: Sequence[AnatomyChoice],
        onLoaded: Callable[[tuple[str, ...]], object],
        onError: OnFailure,
    ) -> None:
        """Sends several anatomies of a CT, one after the other; ``onLoaded`` is called with their ids.

        Faults of all but the first are told by ``onError``; see `load`.
        """
        found: list[str] = []

        def loadNext() -> None:
            self.load(ctNode, [], anatomies[len(found)], loaded, onError)

        def loaded(ids: LoadedIds) -> None:
            found.append(ids.anatomy)
            if len(found) == len(anatomies):
                onLoaded(tuple(found))
                return
            try:
                loadNext()
            except InputError as error:
                onError(error)

        loadNext()

    def forget(self) -> None:
        """Makes the next load send everything again."""
        self._ids.clear()
        self._forgotten += 1

    def _carryOut(self, load: _Load, keys: _Keys, steps: list[_Step]) -> None:
        if not steps:
            ctKey, anatomyKey, viewKeys = keys
            views = tuple(self._ids[key] for key in viewKeys)
            load.onLoaded(LoadedIds(self._ids[ctKey], self._ids[anatomyKey], views))
            return
        self._isSending, forgotten = True, self._forgotten

        def sent(content: dict[str, Any], arrays: Arrays) -> None:
            self._isSending = False
            if self._forgotten != forgotten:
                # The steps before this one are forgotten too: all of it once more.
                self._waiting.appendleft(load)
            else:
                answer = content[steps[0].answer]
                self._ids.update(zip(steps[0].keys, answer if isinstance(answer, list) else [answer], strict=True))
                self._carryOut(load, keys, steps[1:])
            self._takeNext()

        def failed(error: WorkerError) -> None:
            self._isSending = False
            if error.kind == "lost":
                # What they were planned with is gone; they are as lost as the one that was under way.
                lost, self._waiting = self._waiting, deque()
                for other in lost:
                    other.onError(error)
            load.onError(error)
            self._takeNext()

        step = steps[0]
        self._client.request(step.command, step.arrays, onReply=sent, onError=failed, **step.fields())

    def _takeNext(self) -> None:
        while self._waiting and not self._isSending:
            load = self._waiting.popleft()
            try:
                self._carryOut(load, *self._plan(load))
            except InputError as error:
                load.onError(error)

    def _plan(self, load: _Load) -> tuple[_Keys, list[_Step]]:
        """The keys of all data and the steps that bring the missing ones, or every fault."""
        ctNode, anatomy, faults = load.ctNode, load.anatomy, FaultList()
        placed = faults.collect(lambda: self._scene.ct(ctNode))
        views = [faults.collect(partial(self._scene.fluoroscopy, node)) for node in load.fluoroscopyNodes]
        steps: list[_Step] = []
        if placed is not None:
            ct, worldFromVolume = placed
            ctKey: Key = ("ct", contentKey(ctNode), ijkToRas(ctNode).tobytes())
            if ctKey not in self._ids:
                fields = {"volume_from_index": ct.volume_from_index.tolist()}
                steps.append(_Step("load_ct", {"ct": ct.values}, lambda: fields, [ctKey], "ct"))
            anatomyKey = faults.collect(lambda: _anatomyKey(ctKey, worldFromVolume, anatomy))
            if anatomyKey is not None and anatomyKey not in self._ids:
                step = faults.collect(partial(self._anatomyStep, worldFromVolume, ctKey, anatomyKey, anatomy))
                steps += [] if step is None else [step]
        faults.raise_if_any()
        assert anatomyKey is not None  # or it was raised
        seen = [view for view in views if view is not None]
        viewKeys = [_viewKey(node, carm) for node, (_, carm) in zip(load.fluoroscopyNodes, seen, strict=True)]
        whole = zip(viewKeys, load.fluoroscopyNodes, seen, strict=True)
        missing = [(key, node, *view) for key, node, view in whole if key not in self._ids]
        if missing:
            steps.append(_viewStep(missing))
        return (ctKey, anatomyKey, viewKeys), steps

    def _anatomyStep(self, worldFromVolume: Matrix, ctKey: Key, anatomyKey: Key, anatomy: AnatomyChoice) -> _Step:
        parts = [] if anatomy.node is None else anatomyLabels(worldFromVolume, anatomy)
        arrays = {f"labels{number}": part.labels.values for number, part in enumerate(parts)}
        labels = [
            {"volume_from_index": part.labels.volume_from_index.tolist(), "values": part.chosen} for part in parts
        ]
        threshold = anatomy.thresholdHu if anatomy.node is None else None
        return _Step(
            "load_anatomy",
            arrays,
            lambda: {"ct": self._ids[ctKey], "threshold_hu": threshold, "labels": labels},
            [anatomyKey],
            "anatomy",
        )


def _anatomyKey(ctKey: Key, worldFromVolume: Matrix, anatomy: AnatomyChoice) -> Key:
    if anatomy.node is None:
        return ("anatomy", ctKey, anatomy.thresholdHu)
    volumeFromAnatomy = np.linalg.inv(worldFromVolume) @ worldFromNode(anatomy.node)
    # Adding 0 turns -0 into 0, which look different as bytes.
    place = (np.round(volumeFromAnatomy, 6) + 0.0).tobytes()
    return ("anatomy", ctKey, contentKey(anatomy.node), place, anatomy.segmentIds, anatomy.labelValues)


def _viewKey(node: vtkMRMLNode, carm: CArm) -> Key:
    place = (np.round(carm.camera_from_world, 9) + 0.0).tobytes()
    told = [node.GetAttribute(name) for name in (CARM_ATTRIBUTE, SHUTTER_ATTRIBUTE)]
    return ("view", contentKey(node), *told, polarityOf(node), outlineCorners(node), place)


def _viewStep(missing: list[tuple[Key, vtkMRMLScalarVolumeNode, NDArray[Any], CArm]]) -> _Step:
    cameras = [carm_to_values(carm) | {"polarity": polarityOf(node)} for _, node, _, carm in missing]
    arrays: dict[str, NDArray[Any]] = {f"pixels{number}": pixels for number, (_, _, pixels, _) in enumerate(missing)}
    masks = [comparedPartOf(node) for _, node, _, _ in missing]
    arrays |= {f"mask{number}": mask.astype(np.uint8) for number, mask in enumerate(masks) if mask is not None}
    return _Step("load_views", arrays, lambda: {"views": cameras}, [key for key, *_ in missing], "views")
