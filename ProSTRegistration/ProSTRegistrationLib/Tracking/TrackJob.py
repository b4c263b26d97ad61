"""The task that follows a run: frames go out, poses come back, and all is written in one go at the end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import FaultList, InputError
from ProSTRegistrationLib.Jobs import Job, JobState
from ProSTRegistrationLib.Nodes.DicomCArm import slicerDatabase
from ProSTRegistrationLib.Nodes.JudgedInputs import InputDigester, JudgedInputs
from ProSTRegistrationLib.Nodes.RunFrames import frameOf, frameTimesS, refuseMovingCArm, runOf, runPixels
from ProSTRegistrationLib.Tracking.KeptTrack import trackOfTable, writeTrack
from ProSTRegistrationLib.Tracking.TrackBrowsing import showInBrowser
from ProSTRegistrationLib.Tracking.TrackPlots import plotTrack
from ProSTRegistrationLib.Worker.WorkerClient import WorkerError

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from prostreg.worker.protocol import Arrays
    from ProSTRegistrationLib.Nodes.Scene import Scene
    from ProSTRegistrationLib.Worker.WorkerData import LoadedIds


class TrackJob(Job):
    """Follows a CT through the run of which its X-rays show one registered frame.

    Args:
        scene: Scene.
        config: dict of the engine's settings that differ from its defaults.
        attempt: the registration of that frame, as `Attempts.attempt` gives it.
        inputs: JudgedInputs of now.
    """

    running = JobState.TRACKING
    taskName = "tracking"

    def __init__(
        self, *args: Any, scene: Scene, config: dict[str, Any], attempt: dict[str, Any], inputs: JudgedInputs
    ) -> None:
        super().__init__(*args)
        self._scene, self._config, self._inputs = scene, config, inputs
        self._attempt = attempt
        self._runs: list[NDArray[Any]] = []
        self._pixels: list[str] = []

    def start(self) -> None:
        if not self._attempt["judgedBy"]:
            raise InputError("This result is of an earlier version, which kept too little of it: register once more.")
        self._runs = _runsOf(self.fluoroscopyNodes)
        self._pixels = InputDigester().framePixels(self.fluoroscopyNodes, self._runs)
        super().start()

    def _request(self, ids: LoadedIds) -> None:
        attempt, image = self._attempt, self.fluoroscopyNodes[0]
        first = {
            **attempt["judgedBy"],
            **{name: attempt[name] for name in ("status", "reasons")},
            "confidence": attempt["confidence"] or 0.0,
            "world_from_volume": attempt["worldFromVolume"].tolist(),
        }
        arrays = {f"run{number}": run for number, run in enumerate(self._runs)}
        self._ask(
            ids, "track", arrays, name=self.ctNode.GetName(), ct=ids.ct, anatomy=ids.anatomy, views=list(ids.views),
            frame=(frameOf(image) or 0) + 1, first=first, config=self._config,
            times_s=frameTimesS(runOf(image), slicerDatabase()),
        )  # fmt: skip

    def _finish(self, ids: LoadedIds, content: dict[str, Any], arrays: Arrays) -> None:
        if content["stopped"] == "cancelled" and not self._isKept:
            self.fail(WorkerError("stopped", ["The tracking was cancelled; nothing was changed."]))
            return
        image = self.fluoroscopyNodes[0]
        if not self._scene.holds(image):
            self.loseNodes()
            return
        try:
            table = writeTrack(self._scene, image, content, arrays["poses"], self._inputs, self._pixels)
            kept = trackOfTable(table)
            assert kept is not None  # it was written just now
            showInBrowser(self._scene, self.ctNode, image, kept.track)
            plotTrack(self._scene, image, kept.track)
            self._scene.gather(self.ctNode, [node for node in self.fluoroscopyNodes if self._scene.holds(node)])
        except InputError as error:
            self.fail(InputError(["The track could not be written into the scene.", *error.faults]))
            return
        self._succeed(content)


def _runsOf(imageNodes: Sequence[vtkMRMLScalarVolumeNode]) -> list[NDArray[Any]]:
    """The frames of each image's run.

    Raises:
        InputError: every image that shows no frame of a run; runs whose C-arm moved, or that do not belong together.
    """
    faults = FaultList()
    runs = [faults.collect(partial(runPixels, node)) for node in imageNodes]
    for node in imageNodes:
        faults.collect(partial(refuseMovingCArm, node, slicerDatabase()))
    found = [run for run in runs if run is not None]
    counts = [len(run) for run in found]
    if len(set(counts)) > 1:
        listed = " and ".join(map(str, counts))
        faults.add(f"The X-rays' runs have {listed} frames: a track needs runs that were taken together.")
    elif len({frameOf(node) for node in imageNodes}) > 1:
        faults.add("The X-rays show different frames of their runs: show the same frame in all of them.")
    faults.raise_if_any()
    return [np.ascontiguousarray(run) for run in found]
