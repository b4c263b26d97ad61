"""The use cases: register, adapt, cancel, live DRRs, samples, self-check. Runs without a user interface.

Call poll() from a timer; all callbacks come from there. Nothing in the scene changes until a registration has
succeeded: one that fails or is cancelled, or whose worker dies, leaves the pose as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prostreg.errors import InputError
from ProSTRegistrationLib.BonesJob import BonesJob
from ProSTRegistrationLib.Install.EnginePython import chosenInterpreter
from ProSTRegistrationLib.Jobs import AdaptationJob, Callbacks, Job, JobState
from ProSTRegistrationLib.LiveDrr import LiveDrr
from ProSTRegistrationLib.Nodes.Scene import Scene
from ProSTRegistrationLib.RegistrationJob import RegistrationJob
from ProSTRegistrationLib.Worker.WorkerClient import OnError, OnFailure, OnProgress, WorkerClient
from ProSTRegistrationLib.Worker.WorkerData import BONE_BY_THRESHOLD, LoadedIds, WorkerData
from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene

    from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice


class Logic:
    """Registrations in one scene, by one worker.

    Args:
        mrmlScene: vtkMRMLScene, slicer.mrmlScene inside the application.
        client: WorkerClient; one with a local worker if it is None.

    Attributes:
        live: LiveDrr.
    """

    def __init__(self, mrmlScene: vtkMRMLScene, client: WorkerClient | None = None) -> None:
        self.scene = Scene(mrmlScene)
        self.client = client or WorkerClient(LocalWorker(chosenInterpreter))
        self._data = WorkerData(self.scene, self.client)
        self.live = LiveDrr(self.scene, self.client, self._data)
        self._job: Job | None = None

    @property
    def state(self) -> JobState:
        """JobState of the current long task."""
        return self._job.state if self._job else JobState.IDLE

    @property
    def isBusy(self) -> bool:
        """True while a long task runs."""
        return self.state is not JobState.IDLE

    @property
    def isRegistering(self) -> bool:
        """True while a search runs that will move the CT."""
        return isinstance(self._job, RegistrationJob)

    @property
    def isTracking(self) -> bool:
        """True while a run is tracked, or its data are on the way for that."""
        return self._job is not None and self._job.running is JobState.TRACKING

    def poll(self) -> None:
        """Lets the worker's answers in; call it every 20 ms or so."""
        self.client.poll()
        self.live.poll()
        if self._job is not None and not self._isWanted(self._job):
            self._job.loseNodes()

    def register(
        self,
        ctNode: vtkMRMLScalarVolumeNode,
        fluoroscopyNodes: Sequence[vtkMRMLScalarVolumeNode],
        anatomy: AnatomyChoice = BONE_BY_THRESHOLD,
        config: dict[str, Any] | None = None,
        everywhere: bool = False,
        relation: dict[str, float] | None = None,
        onProgress: OnProgress | None = None,
        onDone: OnProgress | None = None,
        onError: OnFailure | None = None,
    ) -> None:
        """Starts to register a CT to one or more placed fluoroscopy images, from where the CT lies now.

        Args:
            config: dict of the engine's settings that differ from its defaults.
            everywhere: looks from the standard views instead of from where the CT lies.
            relation: of several views, as a case has it; None where it is known.
            onProgress: called with a dict: stage, fraction, score, world_from_volume, message, seconds_left.
            onDone: called with the result as in result.json; ``stopped`` says whether it was cancelled, or "kept" then.
                Where the parts of the anatomy move by themselves: with that of a BonesJob.
            onError: called with an InputError or WorkerError; str() of it is written for people.

        Raises:
            InputError: every fault of the nodes, or a long task is running already.
        """
        _, worldFromVolume = self.scene.ct(ctNode)
        self.begin(
            BonesJob if anatomy.movesInParts else RegistrationJob,
            [ctNode, *fluoroscopyNodes],
            anatomy,
            Callbacks(onProgress, onDone, onError),
            scene=self.scene,
            config=config or {},
            relation=relation,
            worldFromVolume=None if everywhere else worldFromVolume,
        )

    def adapt(
        self,
        ctNode: vtkMRMLScalarVolumeNode,
        fluoroscopyNodes: Sequence[vtkMRMLScalarVolumeNode],
        anatomy: AnatomyChoice = BONE_BY_THRESHOLD,
        minutes: float = 10.0,
        seed: int = 0,
        onProgress: OnProgress | None = None,
        onDone: OnProgress | None = None,
        onError: OnFailure | None = None,
    ) -> None:
        """Starts to adapt the network to a CT; the fluoroscopy images tell the C-arm and may be missing.

        Args:
            minutes: of training.
            onProgress: called with a dict: stage, fraction, message, seconds_left.
            onDone: called with a dict: steps, seconds, before, after.
            onError: as for register; a cancelled adaptation ends with an error of the kind "stopped".

        Raises:
            InputError: as for register.
        """
        _, worldFromVolume = self.scene.ct(ctNode)
        self.begin(
            AdaptationJob,
            [ctNode, *fluoroscopyNodes],
            anatomy,
            Callbacks(onProgress, onDone, onError),
            minutes=float(minutes),
            seed=int(seed),
            worldFromVolume=worldFromVolume if fluoroscopyNodes else None,
        )

    def askAdapted(
        self,
        ctNode: vtkMRMLScalarVolumeNode,
        anatomy: AnatomyChoice,
        onAnswer: OnProgress,
        onError: OnFailure | None = None,
    ) -> None:
        """Asks whether the network was adapted to a CT and anatomy; the answer is a dict with ``exists``.

        Raises:
            InputError: every fault of the nodes.
        """

        def ask(ids: LoadedIds) -> None:
            self.client.request(
                "adapted", onReply=lambda content, _: onAnswer(content), onError=failed, ct=ids.ct, anatomy=ids.anatomy
            )

        failed = onError or (lambda error: None)
        self._data.load(ctNode, [], anatomy, ask, failed)

    def checkEngine(self, device: str, onAnswer: OnProgress, onError: OnError) -> None:
        """Has the worker compute something small on a device; the answer is a dict with ``verdict``."""
        self.client.request("check", onReply=lambda content, _: onAnswer(content), onError=onError, device=device)

    def makeSample(self, kind: str, folder: Path, onAnswer: OnProgress, onError: OnError) -> None:
        """Has the worker write a sample case ("spine" or "phantom"); the answer is a dict with ``case``, a path."""
        self.client.request(
            "sample", onReply=lambda content, _: onAnswer(content), onError=onError, kind=kind, folder=str(folder)
        )

    def begin(
        self,
        jobClass: type[Job],
        nodes: Sequence[vtkMRMLScalarVolumeNode],
        anatomy: AnatomyChoice,
        callbacks: Callbacks,
        **details: Any,
    ) -> None:
        """Begins a long task.

        Args:
            jobClass: of the task.
            nodes: CT first, then the fluoroscopy images.
            details: what the class takes beside them.

        Raises:
            InputError: every fault of the nodes, or a long task is running already.
        """
        if self._job is not None:
            raise InputError(f"A {self._job.taskName} is running: cancel it or wait for its end.")
        job = jobClass(self._data, self.client, nodes, anatomy, callbacks, self._forgetJob, **details)
        self._job = job
        try:
            job.start()
        except InputError:
            self._job = None
            raise

    def cancel(self, isKept: bool = False) -> None:
        """Ends the running task; the scene stays as it is, unless what was found so far is kept."""
        if self._job is not None:
            self._job.cancel(isKept)

    def abandon(self) -> None:
        """Ends all that is under way without a word; for the end of a scene."""
        self.live.forget()
        if self._job is not None:
            self._job.abandon()

    def stop(self) -> None:
        """Ends the worker; for the end of the application."""
        self._job = None
        self.live.forget()
        self.client.stop()

    def _forgetJob(self) -> None:
        self._job = None

    def _isWanted(self, job: Job) -> bool:
        images = job.fluoroscopyNodes
        return self.scene.holds(job.ctNode) and (not images or any(self.scene.holds(node) for node in images))
