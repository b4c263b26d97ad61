"""DRRs that follow the CT while a person or a search moves it: small ones at once, large ones when it rests.

At most one request is under way. What is asked for meanwhile is remembered as one wish, the latest; so the picture is
never more than one rendering behind, however fast the hand. What is under way already is not asked for again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from prostreg.errors import InputError
from ProSTRegistrationLib.Bones.BoneDrrs import showRendered
from ProSTRegistrationLib.Bones.BonesOfAnatomy import PlacedBone, ownPoses
from ProSTRegistrationLib.Nodes.DrrOrigin import originOf
from ProSTRegistrationLib.Worker.WorkerClient import OnFailure, WorkerClient, WorkerError, ignore

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from prostreg.geometry.frames import Matrix
    from prostreg.worker.protocol import Arrays
    from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
    from ProSTRegistrationLib.Nodes.Scene import Scene
    from ProSTRegistrationLib.Worker.WorkerData import LoadedIds, WorkerData

PREVIEW_PIXELS = 192
FULL_PIXELS = 768
REST_S = 0.3


@dataclass(frozen=True, eq=False)
class _Wish:
    """A wish for DRRs: the CT's place, the images, the most wanted first, and the origins that their DRRs will have."""

    ctNode: vtkMRMLScalarVolumeNode
    fluoroscopyNodes: tuple[vtkMRMLScalarVolumeNode, ...]
    anatomy: AnatomyChoice
    worldFromVolume: Matrix
    origins: tuple[str, ...]
    bones: tuple[PlacedBone, ...] = ()


class LiveDrr:
    """Live DRRs of one scene by one worker.

    Args:
        scene: Scene.
        client: WorkerClient.
        data: WorkerData.

    Attributes:
        shown: number of DRRs shown so far.
    """

    def __init__(self, scene: Scene, client: WorkerClient, data: WorkerData) -> None:
        self.shown = 0
        self._scene, self._client, self._data = scene, client, data
        self._wish: _Wish | None = None
        self._previewsLeft: list[vtkMRMLScalarVolumeNode] = []
        self._fullLeft: list[vtkMRMLScalarVolumeNode] = []
        self._isBusy = False
        self._lastChange_s = 0.0
        self._onError: OnFailure = ignore

    def follow(
        self,
        ctNode: vtkMRMLScalarVolumeNode,
        fluoroscopyNodes: Sequence[vtkMRMLScalarVolumeNode],
        anatomy: AnatomyChoice,
        worldFromVolume: Matrix,
        onError: OnFailure = ignore,
        bones: tuple[PlacedBone, ...] = (),
    ) -> None:
        """Asks for DRRs of a CT at a pose; an earlier wish is forgotten, and one for the same goes on.

        Args:
            worldFromVolume: rigid (4, 4).
            bones: parts that are drawn each at its own pose, in place of the whole anatomy at that of the CT.
            onError: called with an InputError or WorkerError.
        """
        self._onError = onError
        try:
            own = ownPoses(bones)
            origins = tuple(originOf(ctNode, node, anatomy, worldFromVolume, own) for node in fluoroscopyNodes)
        except InputError as error:
            self.forget()
            onError(error)
            return
        isUnderWay = self._isBusy or self._previewsLeft or self._fullLeft
        if isUnderWay and self._wish is not None and self._wish.origins == origins:
            return
        self._wish = _Wish(ctNode, tuple(fluoroscopyNodes), anatomy, np.array(worldFromVolume), origins, bones)
        self._previewsLeft, self._fullLeft = list(fluoroscopyNodes), list(fluoroscopyNodes)
        self._lastChange_s = time.monotonic()
        self._next()

    def poll(self) -> None:
        """Begins the large DRRs when nothing has moved for a while; called with the client's poll."""
        self._next()

    def forget(self) -> None:
        """Drops the wish; an answer that is still under way is not shown."""
        self._wish = None
        self._previewsLeft, self._fullLeft = [], []

    def _next(self) -> None:
        if self._isBusy or self._wish is None:
            return
        if self._previewsLeft:
            self._ask(self._wish, self._previewsLeft.pop(0), PREVIEW_PIXELS)
        elif self._fullLeft and time.monotonic() - self._lastChange_s >= REST_S:
            self._ask(self._wish, self._fullLeft.pop(0), FULL_PIXELS)

    def _ask(self, wish: _Wish, fluoroscopyNode: vtkMRMLScalarVolumeNode, mostPixels: int) -> None:
        if not (self._scene.holds(wish.ctNode) and self._scene.holds(fluoroscopyNode)):
            return
        factor = downsamplingOf(fluoroscopyNode, mostPixels)
        self._isBusy = True

        def request(ids: LoadedIds, origin: str, **drawn: Any) -> None:
            self._client.request(
                "render", onReply=lambda _, arrays: self._show(fluoroscopyNode, arrays, factor, origin),
                onError=self._failed, ct=ids.ct, view=ids.views[0], downsampling=factor, **drawn,
            )  # fmt: skip

        def render(ids: LoadedIds) -> None:
            # Loading takes a while the first time; the hand has moved on meanwhile.
            isFollowed = self._wish is not None and self._wish.ctNode is wish.ctNode and not self._wish.bones
            pose = (self._wish if self._wish and isFollowed else wish).worldFromVolume
            origin = originOf(wish.ctNode, fluoroscopyNode, wish.anatomy, pose)
            request(ids, origin, anatomy=ids.anatomy, world_from_volume=pose.tolist())

        def renderBones(ids: LoadedIds) -> None:
            origin = originOf(wish.ctNode, fluoroscopyNode, wish.anatomy, wish.worldFromVolume, ownPoses(wish.bones))
            poses = [bone.worldFromVolume.tolist() for bone in wish.bones]

            def ask(anatomyIds: tuple[str, ...]) -> None:
                placed = zip(anatomyIds, poses, strict=True)
                request(ids, origin, bones=[{"anatomy": name, "world_from_volume": pose} for name, pose in placed])

            self._data.loadAnatomies(wish.ctNode, [bone.anatomy for bone in wish.bones], ask, self._failed)

        try:
            anatomy, draw = (wish.bones[0].anatomy, renderBones) if wish.bones else (wish.anatomy, render)
            self._data.load(wish.ctNode, [fluoroscopyNode], anatomy, draw, self._failed)
        except InputError as error:
            self._failed(error)

    def _show(self, fluoroscopyNode: vtkMRMLScalarVolumeNode, arrays: Arrays, factor: int, origin: str) -> None:
        self._isBusy = False
        if self._wish is not None and self._scene.holds(fluoroscopyNode):
            try:
                showRendered(self._scene, fluoroscopyNode, arrays, factor, origin)
                self.shown += 1
            except InputError as error:
                self._failed(error)
        self._next()

    def _failed(self, error: InputError | WorkerError) -> None:
        self._isBusy = False
        kind = getattr(error, "kind", "input")
        if kind == "not-loaded":
            self._data.forget()
        if kind != "superseded":
            self.forget()
            self._onError(error)


def downsamplingOf(fluoroscopyNode: vtkMRMLScalarVolumeNode, mostPixels: int = FULL_PIXELS) -> int:
    """The whole factor that makes an image's longer side about as long as that, or leaves it as it is."""
    return max(1, round(max(fluoroscopyNode.GetImageData().GetDimensions()) / mostPixels))
