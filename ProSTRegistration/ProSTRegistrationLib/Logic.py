"""The use cases: register, cancel, show a live DRR, undo. Runs with and without a user interface.

Call poll() from a timer; all callbacks come from there. Nothing in the scene changes until a registration has
succeeded: one that fails or is cancelled, or whose worker dies, leaves the pose as it was.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from prostreg.errors import InputError
from ProSTRegistrationLib.Nodes.Scene import Scene
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient, WorkerError
from ProSTRegistrationLib.Worker.WorkerData import BONE_BY_THRESHOLD, AnatomyChoice, WorkerData


class JobState(enum.Enum):
    """Where a registration is."""

    IDLE = "idle"
    LOADING = "loading"
    REGISTERING = "registering"
    SHOWING = "showing"


@dataclass(eq=False)
class _Job:
    ctNode: object
    fluoroscopyNodes: list
    worldFromVolume: np.ndarray
    anatomy: AnatomyChoice
    config: dict
    onProgress: Callable
    onDone: Callable
    onError: Callable
    state: JobState = JobState.LOADING
    result: dict | None = None
    drrs: dict = field(default_factory=dict)


def _ignore(*_):
    return None


class Logic:
    """Registrations in one scene, by one worker.

    Args:
        mrmlScene: vtkMRMLScene, slicer.mrmlScene inside the application.
        client: WorkerClient; one with a local worker if it is None.
    """

    def __init__(self, mrmlScene, client=None):
        self.scene = Scene(mrmlScene)
        self.client = client or WorkerClient()
        self._data = WorkerData(self.scene, self.client)
        self._job = None

    @property
    def state(self):
        """JobState of the current registration."""
        return self._job.state if self._job else JobState.IDLE

    def poll(self):
        """Lets the worker's answers in; call it every 20 ms or so."""
        self.client.poll()
        job = self._job
        if job is not None and not self._isWanted(job):
            self.client.cancel()
            self._fail(job, InputError("The CT or its images were removed from the scene: the registration was ended."))

    def register(
        self, ctNode, fluoroscopyNodes, anatomy=BONE_BY_THRESHOLD, config=None,
        onProgress=_ignore, onDone=_ignore, onError=_ignore,
    ):  # fmt: skip
        """Starts to register a CT to one or more placed fluoroscopy images, from where the CT lies now.

        Args:
            config: dict of the engine's settings that differ from its defaults.
            onProgress: called with a dict: stage, fraction, score, world_from_volume, message, seconds_left.
            onDone: called with the result as in result.json; ``stopped`` says whether it was cancelled.
            onError: called with an InputError or WorkerError; str() of it is written for people.

        Raises:
            InputError: every fault of the nodes, or a registration is running already.
        """
        if self._job is not None:
            raise InputError("A registration is running: cancel it or wait for its end.")
        _, worldFromVolume = self.scene.ct(ctNode)
        job = _Job(ctNode, list(fluoroscopyNodes), worldFromVolume, anatomy, config or {}, onProgress, onDone, onError)
        self._job = job
        try:
            self._load(job, mayRetry=True)
        except InputError:
            self._job = None
            raise

    def cancel(self):
        """Ends the running registration; the scene stays as it is."""
        job = self._job
        if job is None:
            return
        if job.state is JobState.LOADING:
            self._fail(job, WorkerError("stopped", ["The registration was cancelled before it began."]))
        elif job.state is JobState.REGISTERING:
            self.client.cancel()

    def showLiveDrr(self, ctNode, fluoroscopyNode, anatomy=BONE_BY_THRESHOLD, downsampling=1, onError=_ignore):
        """Shows the DRR for where the CT lies now; of many calls in a row only the last is rendered.

        Raises:
            InputError: every fault of the nodes.
        """
        _, worldFromVolume = self.scene.ct(ctNode)

        def show(content, arrays):
            if self.scene.holds(fluoroscopyNode):
                self.scene.showDrr(fluoroscopyNode, arrays["drr"], downsampling)

        def report(error):
            if error.kind == "not-loaded":
                self._data.forget()
            if error.kind != "superseded":
                onError(error)

        def render(ids):
            self._render(ids, 0, worldFromVolume, downsampling, show, report)

        self._data.load(ctNode, [fluoroscopyNode], anatomy, render, report)

    def stop(self):
        """Ends the worker; for the end of the application."""
        self._job = None
        self.client.stop()

    def _isWanted(self, job):
        return self.scene.holds(job.ctNode) and any(self.scene.holds(node) for node in job.fluoroscopyNodes)

    def _load(self, job, mayRetry):
        def loaded(ids):
            if self._job is job:
                self._start(job, ids, mayRetry)

        def failed(error):
            if self._job is job:
                self._fail(job, error)

        self._data.load(job.ctNode, job.fluoroscopyNodes, job.anatomy, loaded, failed)

    def _start(self, job, ids, mayRetry):
        job.state = JobState.REGISTERING

        def progress(content):
            if self._job is job:
                job.onProgress(content)

        def finished(content, arrays):
            if self._job is job:
                self._finish(job, ids, content)

        def failed(error):
            if self._job is not job:
                return
            if error.kind == "not-loaded" and mayRetry:
                # The worker keeps only the last few CTs and images.
                self._data.forget()
                job.state = JobState.LOADING
                self._load(job, mayRetry=False)
            else:
                self._fail(job, error)

        self.client.request(
            "register", onReply=finished, onProgress=progress, onError=failed, name=job.ctNode.GetName(),
            ct=ids.ct, anatomy=ids.anatomy, views=list(ids.views), initial=job.worldFromVolume.tolist(),
            config=job.config,
        )  # fmt: skip

    def _finish(self, job, ids, result):
        job.result = result
        if result["stopped"] == "cancelled" or result["status"] == "failed":
            self._close(job)
            return
        job.state = JobState.SHOWING
        self._requestDrr(job, ids, 0)

    def _requestDrr(self, job, ids, index):
        # One after the other: of renders that wait together only the last would be answered.
        if index == len(ids.views):
            self._write(job)
            return

        def rendered(content, arrays):
            job.drrs[index] = arrays["drr"]
            self._requestDrr(job, ids, index + 1)

        def failed(error):
            if error.kind == "superseded":
                self._requestDrr(job, ids, index)
                return
            job.result["warnings"].append(f"No DRR for image {index + 1}: {error}")
            self._requestDrr(job, ids, index + 1)

        self._render(ids, index, np.array(job.result["world_from_volume"]), 1, rendered, failed)

    def _write(self, job):
        if self._job is not job or not self._isWanted(job):
            return
        nodes = [node for node in job.fluoroscopyNodes if self.scene.holds(node)]
        companions = [job.anatomy.node] if self.scene.holds(job.anatomy.node) else []
        self.scene.setPose(job.ctNode, np.array(job.result["world_from_volume"]), companions)
        for index, drr in job.drrs.items():
            if self.scene.holds(job.fluoroscopyNodes[index]):
                self.scene.showDrr(job.fluoroscopyNodes[index], drr)
        self.scene.showResult(job.ctNode, job.result)
        self.scene.gather(job.ctNode, nodes)
        self._close(job)

    def _render(self, ids, index, worldFromVolume, downsampling, onReply, onError):
        self.client.request(
            "render", onReply=onReply, onError=onError, ct=ids.ct, anatomy=ids.anatomy, view=ids.views[index],
            world_from_volume=worldFromVolume.tolist(), downsampling=downsampling,
        )  # fmt: skip

    def _close(self, job):
        self._job = None
        job.onDone(job.result)

    def _fail(self, job, error):
        if self._job is job:
            self._job = None
            job.onError(error)
