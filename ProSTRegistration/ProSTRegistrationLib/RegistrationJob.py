"""A registration as the Slicer side sees it: after its end, DRRs are asked for and all is written in one go."""

import numpy as np

from ProSTRegistrationLib.Jobs import Job, JobState


class RegistrationJob(Job):
    """Registers a CT to its fluoroscopy images.

    Args:
        scene: Scene.
        config: dict of the engine's settings that differ from its defaults.
        worldFromVolume: the start pose (4, 4); None to search everywhere.
    """

    def __init__(self, *args, scene, config, worldFromVolume):
        super().__init__(*args)
        self._scene, self._config, self._worldFromVolume = scene, config, worldFromVolume
        self._result, self._drrs = None, {}

    def _request(self, ids):
        initial = None if self._worldFromVolume is None else self._worldFromVolume.tolist()
        self._ask(
            ids, "register", name=self.ctNode.GetName(), ct=ids.ct, anatomy=ids.anatomy, views=list(ids.views),
            initial=initial, config=self._config,
        )  # fmt: skip

    def _finish(self, ids, content):
        self._result = content
        if content["stopped"] == "cancelled" or content["status"] == "failed":
            self._succeed(content)
            return
        self.state = JobState.SHOWING
        self._requestDrr(ids, 0)

    def _requestDrr(self, ids, index):
        # One after the other: of renders that wait together only the last would be answered.
        if self._isOver:
            return
        if index == len(ids.views):
            self._write()
            return

        def rendered(content, arrays):
            self._drrs[index] = arrays["drr"]
            self._requestDrr(ids, index + 1)

        def failed(error):
            if error.kind == "superseded":
                self._requestDrr(ids, index)
                return
            self._result["warnings"].append(f"No DRR for image {index + 1}: {error}")
            self._requestDrr(ids, index + 1)

        self._client.request(
            "render", onReply=rendered, onError=failed, ct=ids.ct, anatomy=ids.anatomy, view=ids.views[index],
            world_from_volume=self._result["world_from_volume"], downsampling=1,
        )  # fmt: skip

    def _write(self):
        scene, result = self._scene, self._result
        if not scene.holds(self.ctNode):
            return
        nodes = [node for node in self.fluoroscopyNodes if scene.holds(node)]
        companions = [self.anatomy.node] if scene.holds(self.anatomy.node) else []
        scene.setPose(self.ctNode, np.array(result["world_from_volume"]), companions)
        for index, drr in self._drrs.items():
            if scene.holds(self.fluoroscopyNodes[index]):
                scene.showDrr(self.fluoroscopyNodes[index], drr)
        scene.showResult(self.ctNode, result)
        scene.gather(self.ctNode, nodes)
        self._succeed(result)
