"""DRRs that follow the CT while a person or a search moves it: small ones at once, large ones when it rests.

At most one request is under way. What is asked for meanwhile is remembered as one wish, the latest; so the picture is
never more than one rendering behind, however fast the hand.
"""

import time
from dataclasses import dataclass

import numpy as np

from prostreg.errors import InputError
from ProSTRegistrationLib.Nodes.DrrOrigin import keepOrigin, originOf

PREVIEW_PIXELS = 192
FULL_PIXELS = 768
REST_S = 0.3


@dataclass(frozen=True, eq=False)
class _Wish:
    """Where the CT shall be shown, and in which images, the most wanted first."""

    ctNode: object
    fluoroscopyNodes: tuple
    anatomy: object
    worldFromVolume: np.ndarray


class LiveDrr:
    """Live DRRs of one scene by one worker.

    Args:
        scene: Scene.
        client: WorkerClient.
        data: WorkerData.

    Attributes:
        shown: number of DRRs shown so far.
    """

    def __init__(self, scene, client, data):
        self.shown = 0
        self._scene, self._client, self._data = scene, client, data
        self._wish = None
        self._previewsLeft, self._fullLeft = [], []
        self._isBusy = False
        self._lastChange_s = 0.0
        self._onError = _ignore

    def follow(self, ctNode, fluoroscopyNodes, anatomy, worldFromVolume, onError=None):
        """Asks for DRRs of a CT at a pose; an earlier wish is forgotten.

        Args:
            worldFromVolume: rigid (4, 4).
            onError: called with an InputError or WorkerError.
        """
        self._wish = _Wish(ctNode, tuple(fluoroscopyNodes), anatomy, np.array(worldFromVolume))
        self._onError = onError or _ignore
        self._previewsLeft, self._fullLeft = list(fluoroscopyNodes), list(fluoroscopyNodes)
        self._lastChange_s = time.monotonic()
        self._next()

    def poll(self):
        """Begins the large DRRs when nothing has moved for a while; called with the client's poll."""
        self._next()

    def forget(self):
        """Drops the wish; an answer that is still under way is not shown."""
        self._wish = None
        self._previewsLeft, self._fullLeft = [], []

    def _next(self):
        if self._isBusy or self._wish is None:
            return
        if self._previewsLeft:
            self._ask(self._previewsLeft.pop(0), PREVIEW_PIXELS)
        elif self._fullLeft and time.monotonic() - self._lastChange_s >= REST_S:
            self._ask(self._fullLeft.pop(0), FULL_PIXELS)

    def _ask(self, fluoroscopyNode, mostPixels):
        wish = self._wish
        if not (self._scene.holds(wish.ctNode) and self._scene.holds(fluoroscopyNode)):
            return
        factor = downsamplingOf(fluoroscopyNode, mostPixels)
        self._isBusy = True

        def render(ids):
            # Loading takes a while the first time; the hand has moved on meanwhile.
            latest = self._wish if self._wish and self._wish.ctNode is wish.ctNode else wish
            origin = originOf(wish.ctNode, fluoroscopyNode, wish.anatomy, latest.worldFromVolume)
            self._client.request(
                "render", onReply=lambda _, arrays: self._show(fluoroscopyNode, arrays["drr"], factor, origin),
                onError=self._failed, ct=ids.ct, anatomy=ids.anatomy, view=ids.views[0],
                world_from_volume=latest.worldFromVolume.tolist(), downsampling=factor,
            )  # fmt: skip

        try:
            self._data.load(wish.ctNode, [fluoroscopyNode], wish.anatomy, render, self._failed)
        except InputError as error:
            self._failed(error)

    def _show(self, fluoroscopyNode, drr, factor, origin):
        self._isBusy = False
        if self._wish is not None and self._scene.holds(fluoroscopyNode):
            try:
                keepOrigin(self._scene.showDrr(fluoroscopyNode, drr, factor), origin)
                self.shown += 1
            except InputError as error:
                self._failed(error)
        self._next()

    def _failed(self, error):
        self._isBusy = False
        kind = getattr(error, "kind", "input")
        if kind == "not-loaded":
            self._data.forget()
        if kind != "superseded":
            self.forget()
            self._onError(error)


def downsamplingOf(fluoroscopyNode, mostPixels=FULL_PIXELS):
    """The whole factor that makes an image's longer side about as long as that, or leaves it as it is."""
    return max(1, round(max(fluoroscopyNode.GetImageData().GetDimensions()) / mostPixels))


def _ignore(*_):
    return None
