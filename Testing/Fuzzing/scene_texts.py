"""Texts that are kept with the nodes of a scene, as a person or another program may have edited them."""

from __future__ import annotations

import contextlib
import functools
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from targets import TEXTS, Target, as_json, changed, damaged, values

try:
    with warnings.catch_warnings():
        # slicer-core's own modules warn while they are imported; that is not ours to mend.
        warnings.simplefilter("ignore")
        import slicer
        import vtk
except ImportError:
    slicer = None
else:
    from prostreg.errors import InputError
    from ProSTRegistrationLib.Nodes.Attempts import COLUMNS, addAttempt, attempt, attempts
    from ProSTRegistrationLib.Nodes.CArmNode import CARM_ATTRIBUTE, carmOf
    from ProSTRegistrationLib.Nodes.CArmSettings import SETTINGS_ATTRIBUTE, CArmSettings, applySettings, settingsOf
    from ProSTRegistrationLib.Nodes.DicomCArm import tagsOf
    from ProSTRegistrationLib.Nodes.FluoroscopyImage import SHUTTER_ATTRIBUTE, comparedPartOf, flipLeftRight
    from ProSTRegistrationLib.Nodes.HeadlessScene import HeadlessScene
    from ProSTRegistrationLib.Nodes.ImageMarks import FRAME_ATTRIBUTE
    from ProSTRegistrationLib.Nodes.JudgedInputs import JudgedInputs
    from ProSTRegistrationLib.Nodes.KeptTexts import keptJson, setCells
    from ProSTRegistrationLib.Nodes.RunFrames import frameOf, runOf
    from ProSTRegistrationLib.Nodes.Scene import Scene
    from ProSTRegistrationLib.Selection import anatomyChoice
    from ProSTRegistrationLib.StartPose import keptReference, referenceText
    from ProSTRegistrationLib.Views.CheckLayout import LAYOUT_ID, PREVIOUS_ATTRIBUTE, leaveCheckLayout

SHUTTER = {
    "ShutterShape": ["RECTANGULAR", "POLYGONAL"], "ShutterLeftVerticalEdge": "3", "ShutterRightVerticalEdge": "30",
    "ShutterUpperHorizontalEdge": "2", "ShutterLowerHorizontalEdge": "20",
    "VerticesOfThePolygonalShutter": ["1", "1", "1", "30", "20", "30"], "CollimatorShape": "CIRCULAR",
    "CenterOfCircularCollimator": ["12", "16"], "RadiusOfCircularCollimator": "11",
}  # fmt: skip
RESULT = {
    "status": "accepted", "confidence": 0.9, "seconds": 4.0, "reasons": ["a"], "world_from_volume": np.eye(4).tolist(),
    "expected_error": {"across_mm": 1.0, "along_mm": 2.0, "rotation_deg": [1, 2, 3]},
}  # fmt: skip


class _Nodes:
    """A CT, a placed image, a label map and a table of attempts in a scene."""

    def __init__(self) -> None:
        vtk.vtkObject.GlobalWarningDisplayOff()
        self._headless = HeadlessScene().__enter__()
        self.scene = Scene(self._headless.scene)
        self.ct = self._volume("vtkMRMLScalarVolumeNode", np.zeros((8, 9, 10), np.int16))
        self.labels = self._volume("vtkMRMLLabelMapVolumeNode", np.ones((8, 9, 10), np.uint8))
        self.image = self._volume("vtkMRMLScalarVolumeNode", np.arange(768, dtype=np.int16).reshape(1, 24, 32))
        self.layout = self._headless.scene.AddNewNodeByClass("vtkMRMLLayoutNode")
        applySettings(self.scene, self.image, CArmSettings(1000.0, 600.0, (1.0, 1.0)))
        addAttempt(self.scene, self.ct, RESULT, "AP", "auto", "normal", np.eye(4))
        self.row = attempts(self.scene, self.ct)[0]
        self.table = self.scene.findOwned(self.ct, "attempts")
        kept = {name: self.image.GetAttribute(name) for name in (CARM_ATTRIBUTE, SETTINGS_ATTRIBUTE)}
        self.sound = {
            **kept, SHUTTER_ATTRIBUTE: json.dumps(SHUTTER), FRAME_ATTRIBUTE: "1", PREVIOUS_ATTRIBUTE: "3",
            "slider reference": referenceText(self.ct, np.eye(4)), "part": "1", **self.row,
        }  # fmt: skip

    def _volume(self, className: str, voxels: np.ndarray) -> Any:
        node = self._headless.scene.AddNewNodeByClass(className)
        slicer.util.updateVolumeFromArray(node, voxels)
        return node

    def keep(self, texts: dict[str, str]) -> None:
        """Writes texts where the sound ones were."""
        for name in (CARM_ATTRIBUTE, SETTINGS_ATTRIBUTE, SHUTTER_ATTRIBUTE, FRAME_ATTRIBUTE):
            self.image.SetAttribute(name, texts[name])
        self.layout.SetAttribute(PREVIOUS_ATTRIBUTE, texts[PREVIOUS_ATTRIBUTE])
        self.layout.SetViewArrangement(LAYOUT_ID)
        setCells(self.table, COLUMNS, [[texts[name] for name in COLUMNS]])


class _Parameters:
    """What the panel asks of its parameter node for the anatomy."""

    def __init__(self, anatomy: Any, part: str) -> None:
        self.anatomy, self.anatomyParts, self.boneThresholdHu = anatomy, [part], 200.0
        self.eachPartMoves = self.jointsStay = True


@functools.cache
def _nodes() -> _Nodes:
    return _Nodes()


def _read_texts(path: Path) -> None:
    """Everything that is read from a scene; what cannot be read is not known, or refused in words."""
    nodes = _nodes()
    texts = {**nodes.sound, **json.loads(path.read_bytes())}
    nodes.keep(texts)
    image, readers = nodes.image, _readers(nodes, texts)
    for read in readers:
        with contextlib.suppress(InputError):
            read()
    assert image.GetImageData().GetDimensions() == (32, 24, 1)


def _readers(nodes: _Nodes, texts: dict[str, str]) -> list[Callable[[], object]]:
    scene, ct, image = nodes.scene, nodes.ct, nodes.image
    return [
        lambda: carmOf(image),
        lambda: settingsOf(image),
        lambda: comparedPartOf(image),
        lambda: frameOf(image),
        lambda: runOf(image),
        lambda: tagsOf(image),
        lambda: flipLeftRight(image),
        lambda: leaveCheckLayout(nodes.layout),
        lambda: keptReference(ct, texts["slider reference"]),
        lambda: anatomyChoice(_Parameters(nodes.labels, texts["part"])),
        lambda: [attempt(scene, ct, int(row["Attempt"])) for row in attempts(scene, ct)],
        lambda: JudgedInputs.fromText(texts["Inputs"]),
    ]


@st.composite
def _edited(draw: st.DrawFn) -> bytes:
    """Some of the texts, changed as JSON, damaged, or other ones."""
    sound = _nodes().sound
    texts = {}
    for name in draw(st.lists(st.sampled_from(sorted(sound)), min_size=1, max_size=3, unique=True)):
        others = [st.sampled_from([*TEXTS, "²", "9" * 5000, "[" * 100_000, "-0"]), values.map(json.dumps)]
        text = sound[name]
        # Cells hold single quotes for double ones: some of their JSON is read with them put back, and is none here.
        content = keptJson(text) if text[:1] in "{[" else None
        if content is not None:
            others.append(changed([content]).map(json.dumps))
        else:
            others.append(damaged([text.encode()]).map(lambda content: content.decode("latin-1")))
        # Scenes are XML in UTF-8: it holds neither halves of characters nor zeros.
        texts[name] = draw(st.one_of(others)).encode("utf-8", "replace").decode().replace("\0", "")
    return as_json(texts)


TARGETS = {} if slicer is None else {"scene": Target("scene.json", _read_texts, _edited())}
