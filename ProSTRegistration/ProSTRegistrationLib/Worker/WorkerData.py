"""Brings what nodes hold into the worker, once: unchanged nodes are not sent again."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from prostreg.errors import InputError
from ProSTRegistrationLib.Nodes.Anatomy import anatomyMask
from ProSTRegistrationLib.Nodes.CArmNode import CARM_ATTRIBUTE
from ProSTRegistrationLib.Nodes.NodeGeometry import ijkToRas, worldFromNode


@dataclass(frozen=True)
class AnatomyChoice:
    """Which part of the CT is registered: parts of a segmentation or label map, or bone by threshold.

    Attributes:
        node: segmentation or label map; None for bone by threshold.
        segmentIds: of a segmentation; None for all.
        labelValues: of a label map; None for all but 0.
        thresholdHu: for bone; None for the engine's own.
    """

    node: object = None
    segmentIds: tuple | None = None
    labelValues: tuple | None = None
    thresholdHu: float | None = None


BONE_BY_THRESHOLD = AnatomyChoice()


@dataclass(frozen=True)
class LoadedIds:
    """What the worker calls the data; views in the order of the fluoroscopy nodes."""

    ct: str
    anatomy: str
    views: tuple


@dataclass
class _Step:
    """One request still to be made; ``fields`` is asked when the ids of earlier steps are known."""

    command: str
    arrays: dict
    fields: Callable
    keys: list
    answer: str


class WorkerData:
    """Loads nodes into the worker and remembers their ids.

    Args:
        scene: Scene.
        client: WorkerClient.
    """

    def __init__(self, scene, client):
        self._scene = scene
        self._client = client
        self._ids = {}
        self._generation = None

    def load(self, ctNode, fluoroscopyNodes, anatomy, onLoaded, onError):
        """Sends what the worker does not have yet.

        Args:
            onLoaded: called with LoadedIds, at once if nothing has to be sent.
            onError: called with a WorkerError.

        Raises:
            InputError: every fault of all nodes; nothing is sent then.
        """
        self._client.start()
        if self._generation != self._client.generation:
            self.forget()
            self._generation = self._client.generation
        ctKey, anatomyKey, viewKeys, steps = self._plan(ctNode, fluoroscopyNodes, anatomy)

        def proceed():
            if steps:
                self._send(steps.pop(0), proceed, onError)
                return
            views = tuple(self._ids[key] for key in viewKeys)
            onLoaded(LoadedIds(self._ids[ctKey], self._ids[anatomyKey], views))

        proceed()

    def forget(self):
        """Makes the next load send everything again."""
        self._ids.clear()

    def _plan(self, ctNode, fluoroscopyNodes, anatomy):
        faults = []
        ct, worldFromVolume = self._collect(faults, lambda: self._scene.ct(ctNode)) or (None, None)
        views = [self._collect(faults, lambda node=node: self._scene.fluoroscopy(node)) for node in fluoroscopyNodes]
        if not fluoroscopyNodes:
            faults.append("No fluoroscopy image is chosen: choose at least one.")
        steps, ctKey, anatomyKey = [], None, None
        if ct is not None:
            ctKey = ("ct", ctNode.GetID(), ctNode.GetImageData().GetMTime(), ijkToRas(ctNode).tobytes())
            if ctKey not in self._ids:
                fields = {"volume_from_index": ct.volume_from_index.tolist()}
                steps.append(_Step("load_ct", {"ct": np.array(ct.values)}, lambda: fields, [ctKey], "ct"))
            anatomyKey = self._collect(faults, lambda: _anatomyKey(ctKey, worldFromVolume, anatomy))
            if anatomyKey is not None and anatomyKey not in self._ids:
                step = self._collect(faults, lambda: self._anatomyStep(ct, worldFromVolume, ctKey, anatomyKey, anatomy))
                steps.append(step)
        if faults:
            raise InputError(faults)
        viewKeys = [_viewKey(node, carm) for node, (_, carm) in zip(fluoroscopyNodes, views, strict=True)]
        missing = [(key, *view) for key, view in zip(viewKeys, views, strict=True) if key not in self._ids]
        if missing:
            steps.append(_viewStep(missing))
        return ctKey, anatomyKey, viewKeys, steps

    def _anatomyStep(self, ct, worldFromVolume, ctKey, anatomyKey, anatomy):
        arrays, threshold = {}, anatomy.thresholdHu
        if anatomy.node is not None:
            mask = anatomyMask(ct, worldFromVolume, anatomy.node, anatomy.segmentIds, anatomy.labelValues)
            arrays = {"mask": mask.astype(np.uint8)}
        return _Step(
            "load_anatomy",
            arrays,
            lambda: {"ct": self._ids[ctKey], "threshold_hu": threshold},
            [anatomyKey],
            "anatomy",
        )

    def _send(self, step, proceed, onError):
        def keep(content, arrays):
            answer = content[step.answer]
            self._ids.update(zip(step.keys, answer if isinstance(answer, list) else [answer], strict=True))
            proceed()

        self._client.request(step.command, step.arrays, onReply=keep, onError=onError, **step.fields())

    @staticmethod
    def _collect(faults, read):
        try:
            return read()
        except InputError as error:
            faults.extend(error.faults)
            return None


def _anatomyKey(ctKey, worldFromVolume, anatomy):
    if anatomy.node is None:
        return ("anatomy", ctKey, anatomy.thresholdHu)
    node = anatomy.node
    content = node.GetSegmentation() if node.IsA("vtkMRMLSegmentationNode") else node.GetImageData()
    volumeFromAnatomy = np.linalg.inv(worldFromVolume) @ worldFromNode(node)
    return (
        "anatomy", ctKey, node.GetID(), content.GetMTime() if content else 0, np.round(volumeFromAnatomy, 6).tobytes(),
        anatomy.segmentIds, anatomy.labelValues,
    )  # fmt: skip


def _viewKey(node, carm):
    place = np.round(carm.camera_from_world, 9).tobytes()
    return ("view", node.GetID(), node.GetImageData().GetMTime(), node.GetAttribute(CARM_ATTRIBUTE), place)


def _viewStep(missing):
    cameras = [
        {
            "K": carm.intrinsics.tolist(),
            "size": list(carm.size),
            "camera_from_world": carm.camera_from_world.tolist(),
            "spacing_mm": carm.spacing_mm,
        }
        for _, _, carm in missing
    ]
    arrays = {f"pixels{number}": np.array(pixels) for number, (_, pixels, _) in enumerate(missing)}
    return _Step("load_views", arrays, lambda: {"views": cameras}, [key for key, _, _ in missing], "views")
