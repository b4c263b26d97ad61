"""Long tasks of the worker as the Slicer side sees them: load the data, run, finish or fail; one at a time.

Nothing in the scene changes before a task has succeeded.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from prostreg.errors import InputError
from ProSTRegistrationLib.Worker.WorkerClient import OnFailure, OnProgress, WorkerClient, WorkerError, ignore

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from prostreg.geometry.frames import Matrix
    from prostreg.worker.protocol import Arrays
    from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
    from ProSTRegistrationLib.Worker.WorkerData import LoadedIds, WorkerData


class JobState(enum.Enum):
    """States of a long task."""

    IDLE = "idle"
    LOADING = "loading"
    REGISTERING = "registering"
    SHOWING = "showing"
    ADAPTING = "adapting"
    TRACKING = "tracking"


class Callbacks:
    """Callbacks of a task: its progress, its end, its errors.

    Attributes:
        onProgress: called with a dict: stage, fraction, message, seconds_left, and what else the task tells.
        onDone: called with the result, a dict.
        onError: called with an InputError or WorkerError; str() of it is written for people.
    """

    def __init__(
        self, onProgress: OnProgress | None = None, onDone: OnProgress | None = None, onError: OnFailure | None = None
    ) -> None:
        self.onProgress = onProgress or ignore
        self.onDone = onDone or ignore
        self.onError = onError or ignore


class Job(abc.ABC):
    """One long task; tells its end exactly once.

    Args:
        data: WorkerData.
        client: WorkerClient.
        nodes: CT first, then the fluoroscopy images.
        anatomy: AnatomyChoice.
        callbacks: Callbacks.
        onEnd: called without arguments before the callback that tells the end.
    """

    running = JobState.REGISTERING
    taskName = "registration"

    def __init__(
        self,
        data: WorkerData,
        client: WorkerClient,
        nodes: Sequence[vtkMRMLScalarVolumeNode],
        anatomy: AnatomyChoice,
        callbacks: Callbacks,
        onEnd: Callable[[], object],
    ) -> None:
        self.ctNode, *self.fluoroscopyNodes = nodes
        self.anatomy = anatomy
        self.state = JobState.LOADING
        self._data, self._client = data, client
        self._callbacks, self._onEnd = callbacks, onEnd
        self._isOver, self._isKept = False, False

    def start(self) -> None:
        """Brings the data into the worker, then runs.

        Raises:
            InputError: every fault of the nodes.
        """
        self._load(mayRetry=True)

    def cancel(self, isKept: bool = False) -> None:
        """Asks for an early end; before the task has begun it ends at once.

        Args:
            isKept: what was found so far is kept, where the task has found something.
        """
        self._isKept = isKept
        if self.state is JobState.LOADING:
            self.fail(WorkerError("stopped", [f"The {self.taskName} was cancelled before it began."]))
        elif self.state is self.running:
            self._client.cancel()

    def fail(self, error: InputError | WorkerError) -> None:
        """Ends the task with an error."""
        if not self._isOver:
            self._end()
            self._callbacks.onError(error)

    def abandon(self) -> None:
        """Ends the task without telling anybody; for the end of scene or application."""
        if not self._isOver:
            self._end()
            self._client.cancel()

    def loseNodes(self) -> None:
        """Ends the task because what it works on has left the scene."""
        self._client.cancel()
        self.fail(InputError(f"The CT or its images were removed from the scene: the {self.taskName} was ended."))

    @abc.abstractmethod
    def _request(self, ids: LoadedIds) -> None:
        """Sends the task's request by self._ask."""

    @abc.abstractmethod
    def _finish(self, ids: LoadedIds, content: dict[str, Any], arrays: Arrays) -> None:
        """Makes something of the worker's answer and ends the task."""

    def _ask(self, ids: LoadedIds, command: str, arrays: Arrays | None = None, **fields: Any) -> None:
        self._client.request(
            command,
            arrays,
            onReply=lambda content, answered: None if self._isOver else self._finish(ids, content, answered),
            onProgress=lambda content: None if self._isOver else self._callbacks.onProgress(content),
            onError=lambda error: self._failedRequest(error),
            **fields,
        )

    def _succeed(self, result: dict[str, Any]) -> None:
        if not self._isOver:
            self._end()
            self._callbacks.onDone(result)

    def _load(self, mayRetry: bool) -> None:
        self._mayRetry = mayRetry
        self._data.load(self.ctNode, self.fluoroscopyNodes, self.anatomy, self._loaded, self.fail)

    def _loaded(self, ids: LoadedIds) -> None:
        if not self._isOver:
            self.state = self.running
            self._request(ids)

    def _failedRequest(self, error: WorkerError) -> None:
        if error.kind == "not-loaded" and self._mayRetry and not self._isOver:
            # The worker keeps only the last few CTs and images.
            self._data.forget()
            self.state = JobState.LOADING
            self._load(mayRetry=False)
        else:
            self.fail(error)

    def _end(self) -> None:
        self._isOver = True
        self._onEnd()


class AdaptationJob(Job):
    """Adapts the network to a CT.

    Args:
        minutes: of training.
        seed: of all random numbers.
        worldFromVolume: the start pose (4, 4), whose standard view is trained for; None for AP.
    """

    running = JobState.ADAPTING
    taskName = "adaptation"

    def __init__(self, *args: Any, minutes: float, seed: int, worldFromVolume: Matrix) -> None:
        super().__init__(*args)
        self._minutes, self._seed, self._worldFromVolume = minutes, seed, worldFromVolume

    def _request(self, ids: LoadedIds) -> None:
        self._ask(
            ids, "adapt", ct=ids.ct, anatomy=ids.anatomy, view=ids.views[0] if ids.views else None,
            initial=None if self._worldFromVolume is None else np.asarray(self._worldFromVolume).tolist(),
            minutes=self._minutes, seed=self._seed, name=self.ctNode.GetName(),
        )  # fmt: skip

    def _finish(self, ids: LoadedIds, content: dict[str, Any], arrays: Arrays) -> None:
        self._succeed(content)
