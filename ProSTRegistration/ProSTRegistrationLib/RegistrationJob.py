"""A registration as the Slicer side sees it: after its end, DRRs are asked for and all is written in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from prostreg.errors import InputError
from ProSTRegistrationLib.Bones.BoneDrrs import showRendered
from ProSTRegistrationLib.Jobs import Job, JobState
from ProSTRegistrationLib.LiveDrr import downsamplingOf
from ProSTRegistrationLib.Nodes.DrrOrigin import originOf

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from prostreg.geometry.frames import Matrix
    from prostreg.worker.protocol import Arrays
    from ProSTRegistrationLib.Nodes.Scene import Scene
    from ProSTRegistrationLib.Worker.WorkerClient import WorkerError
    from ProSTRegistrationLib.Worker.WorkerData import LoadedIds


class RegistrationJob(Job):
    """Registers a CT to its fluoroscopy images.

    Args:
        scene: Scene.
        config: dict of the engine's settings that differ from its defaults.
        worldFromVolume: the start pose (4, 4); None to search everywhere.
        relation: of several views, where it is only roughly known; else None.
    """

    def __init__(
        self,
        *args: Any,
        scene: Scene,
        config: dict[str, Any],
        worldFromVolume: Matrix | None,
        relation: dict[str, float] | None = None,
    ) -> None:
        super().__init__(*args)
        self._relation: dict[str, Any] = {} if relation is None else {"relation": relation}
        self._scene, self._config, self._worldFromVolume = scene, config, worldFromVolume
        self._result: dict[str, Any] = {}
        self._drrs: dict[int, tuple[Arrays, int]] = {}
        self._inputs: list[str] = []

    def start(self) -> None:
        self._inputs = self._inputsNow()
        super().start()

    def _request(self, ids: LoadedIds) -> None:
        self._ask(ids, "register", anatomy=ids.anatomy, **self._relation, **self._search(ids))

    def _search(self, ids: LoadedIds) -> dict[str, Any]:
        """The fields of a request but for what is moved."""
        initial = None if self._worldFromVolume is None else self._worldFromVolume.tolist()
        views, name = list(ids.views), self.ctNode.GetName()
        return {"name": name, "ct": ids.ct, "views": views, "initial": initial, "config": self._config}

    def _finish(self, ids: LoadedIds, content: dict[str, Any], arrays: Arrays) -> None:
        self._result = content
        if self._inputsNow() != self._inputs:
            text = (
                "CT, anatomy, X-ray or C-arm were changed while the registration ran: its result does not belong to"
                " them. Register again."
            )
            self.fail(InputError(text))
            return
        isKept = content["stopped"] == "cancelled" and self._isKept
        isShown = self._isShown(content, isKept)
        if isKept:
            content["stopped"] = "kept"
        if not isShown:
            self._succeed(content)
            return
        self.state = JobState.SHOWING
        self._requestDrr(ids, 0)

    def _isShown(self, content: dict[str, Any], isKept: bool) -> bool:
        """True if the scene gets what was found."""
        return isKept or not (content["stopped"] == "cancelled" or content["status"] == "failed")

    def _requestDrr(self, ids: LoadedIds, index: int) -> None:
        # One after the other: of renders that wait together only the last would be answered.
        if self._isOver:
            return
        if index == len(ids.views):
            self._write()
            return

        # As large as the views show it: overlays of larger ones would keep the application waiting.
        factor = downsamplingOf(self.fluoroscopyNodes[index])

        def rendered(content: dict[str, Any], arrays: Arrays) -> None:
            self._drrs[index] = arrays, factor
            self._requestDrr(ids, index + 1)

        def failed(error: WorkerError) -> None:
            if error.kind == "superseded":
                self._requestDrr(ids, index)
                return
            self._result["warnings"].append(f"No DRR for image {index + 1}: {error}")
            self._requestDrr(ids, index + 1)

        self._client.request(
            "render", onReply=rendered, onError=failed, ct=ids.ct, view=ids.views[index], downsampling=factor,
            **self._drrFields(ids),
        )  # fmt: skip

    def _drrFields(self, ids: LoadedIds) -> dict[str, Any]:
        """The fields of a request for a DRR that say what is drawn where."""
        return {"anatomy": ids.anatomy, "world_from_volume": self._result["world_from_volume"]}

    def _drrOrigin(self, node: vtkMRMLScalarVolumeNode, pose: Matrix) -> str:
        return originOf(self.ctNode, node, self.anatomy, pose)

    def _pose(self) -> Matrix:
        """The pose world_from_volume (4, 4) that the CT gets."""
        return np.array(self._result["world_from_volume"])

    def _tableResults(self) -> list[dict[str, Any]]:
        """The results that the CT's table shows, each a dict as in result.json."""
        return [self._result]

    def _inputsNow(self) -> list[str]:
        """The inputs of the result: a digest for each X-ray that is there; faults where one cannot be used."""
        images = filter(self._scene.holds, self.fluoroscopyNodes)
        try:
            return [originOf(self.ctNode, node, self.anatomy, np.eye(4)) for node in images]
        except InputError as error:
            return error.faults

    def _write(self) -> None:
        """Writes everything into the scene, or leaves the pose as it was and says why."""
        if not self._scene.holds(self.ctNode):
            return
        before = self._scene.ct(self.ctNode)[1]
        try:
            self._fillScene()
        except Exception as error:
            self._scene.setPose(self.ctNode, before)
            faults = error.faults if isinstance(error, InputError) else [f"{type(error).__name__}: {error}"]
            self.fail(InputError(["The result could not be written into the scene; the start pose is back.", *faults]))
            return
        self._succeed(self._result)

    def _fillScene(self) -> None:
        scene, pose = self._scene, self._pose()
        nodes = [node for node in self.fluoroscopyNodes if scene.holds(node)]
        companions = [self.anatomy.node] if scene.holds(self.anatomy.node) else []
        scene.setPose(self.ctNode, pose, companions)
        for index, (arrays, factor) in self._drrs.items():
            node = self.fluoroscopyNodes[index]
            if scene.holds(node):
                showRendered(scene, node, arrays, factor, self._drrOrigin(node, pose))
        scene.showResult(self.ctNode, *self._tableResults())
        scene.gather(self.ctNode, nodes)
