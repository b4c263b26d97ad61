"""Step 2: where source and detector of each X-ray image stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from prostreg.errors import InputError
from prostreg.geometry.carm_accuracy import CALIBRATED, FROM_DICOM, GUESSED
from prostreg.geometry.carm_devices import PRESETS
from ProSTRegistrationLib.CArmFile import settingsInFile
from ProSTRegistrationLib.Nodes.CArmNode import CARM_ATTRIBUTE, pixelsOf
from ProSTRegistrationLib.Nodes.CArmPresets import presetSettings, presetsFor
from ProSTRegistrationLib.Nodes.CArmSettings import (
    CArmSettings,
    applySettings,
    fieldMm,
    inMillimetres,
    isPlaced,
    settingsOf,
)
from ProSTRegistrationLib.Nodes.DicomCArm import readGeometry, slicerDatabase
from ProSTRegistrationLib.Nodes.FluoroscopyImage import flipLeftRight, isFlipped
from ProSTRegistrationLib.Panel.Messages import (
    FAULT_STYLE,
    MISSING_STYLE,
    PLAIN_STYLE,
    TOLD_MS,
    Style,
    setVisible,
    showStatus,
)
from ProSTRegistrationLib.Panel.SectionHeadings import UP_TO_CARM

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.Panel.Panel import Panel
    from ProSTRegistrationLib.Situation import Situation


MOST_USUAL_DEG = 120.0
"""C-arms turn about so far with the source below the patient."""
ACCURACIES = (CALIBRATED, FROM_DICOM, GUESSED)


class CArmStep:
    """Shows the geometry of an image and places it.

    The fields are a draft until the image is placed by the button: what stands there came from DICOM or from a preset,
    and nobody else knows whether it is right.

    Args:
        panel: Panel.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        self._note, self._fault = "", ""
        self._shown: object = None
        self._fixedPose: Any = None
        self._isFilling = False
        self._inUse: object = None
        ui = self._ui
        for name in (_("Own values"), *PRESETS, _("From a file...")):
            ui.presetComboBox.addItem(name)
        own, tagged, usual = _("Told or measured"), _("From DICOM"), _("Guessed")
        for words in (own, tagged, usual):
            ui.accuracyComboBox.addItem(words)
        self._boxes = (
            ui.sddSpinBox, ui.sodSpinBox, ui.pixelSizeUSpinBox, ui.pixelSizeVSpinBox, ui.principalPointUSpinBox,
            ui.principalPointVSpinBox, ui.primaryAngleSpinBox, ui.secondaryAngleSpinBox,
        )  # fmt: skip
        for box in self._boxes:
            box.connect("valueChanged(double)", lambda value, box=box: self._typed(box))
        ui.fieldLineEdit.connect("editingFinished()", self._fieldTyped)
        ui.accuracyComboBox.connect("activated(int)", lambda index: panel.refreshSoon())
        ui.presetComboBox.connect("activated(int)", self._presetChosen)
        ui.carmImageComboBox.connect("currentIndexChanged(int)", lambda index: self._panel.refreshSoon())
        ui.placeButton.connect("clicked(bool)", lambda checked: self.place())
        ui.flipCheckBox.connect("clicked(bool)", lambda checked: self._flip())

    @property
    def shownIndex(self) -> int:
        """The X-ray image that is shown."""
        return self._ui.carmImageComboBox.currentIndex

    def refresh(self, situation: Situation) -> None:
        """Brings widgets up to date; a draft is kept while its image stays the same."""
        node = situation.shownImage
        isUsable = situation.hasImages
        for widget in self._editable():
            widget.enabled = isUsable and not situation.isBusy
        for widget in (self._ui.primaryAngleSpinBox, self._ui.secondaryAngleSpinBox):
            widget.enabled = widget.enabled and self._fixedPose is None
        if node is not None and isUsable:
            state = (node.GetID(), node.GetAttribute(CARM_ATTRIBUTE), isFlipped(node))
            if state != self._shown:
                self._shown = state
                self._fill(node)
        showStatus(self._ui.carmStatusLabel, *self._status(situation))

    @property
    def isDraft(self) -> bool:
        """True while the fields show other values than the image was placed by."""
        return self._inUse is not None and self._inUse != self._shownValues()

    def place(self) -> None:
        """Places the image by the values in the fields; asks before strange ones are used."""
        if self._isMeant():
            self._placeBy(self._settings)

    def _placeBy(self, settings: Callable[[], CArmSettings]) -> bool:
        node = self._node()
        isPlacedNow = self._panel.attempt(lambda: applySettings(self._panel.scene, node, settings()), self._setFault)
        if isPlacedNow:
            self._shown = None
            self._panel.start.startWhereThePatientLies()
            self._panel.check.showViews()
            if self._panel.situation().isReady:
                self._panel.headings.fold(UP_TO_CARM)
        self._panel.refreshSoon()
        return isPlacedNow

    def closeScene(self) -> None:
        """Forgets what the scene held: the images of another one can have the same names and ids."""
        self._shown, self._note, self._fault = None, "", ""
        self._inUse = None

    def _status(self, situation: Situation) -> tuple[str, Style]:
        if not situation.hasImages:
            return "", PLAIN_STYLE  # step 1 says what is missing
        if self._fault:
            return self._fault, FAULT_STYLE
        unplaced = [node.GetName() for node in situation.unplaced]
        if unplaced:
            missing = _("Check the values, then press 'Use this C-arm': {names}").format(names=", ".join(unplaced))
            return f"{self._note}\n{missing}".strip(), MISSING_STYLE
        if self.isDraft:
            return _("Changed, not used yet: press 'Use this C-arm'."), MISSING_STYLE
        return "\n".join(filter(None, (self._note, self._angleNote()))), PLAIN_STYLE

    def _angleNote(self) -> str:
        """Says what an angle means that no usual C-arm is set to."""
        angle = self._ui.primaryAngleSpinBox.value
        if self._fixedPose is not None or abs(angle) <= MOST_USUAL_DEG:
            return ""
        text = _("{angle:.0f}° counts from a patient on the back: the source is above, or the patient lies prone.")
        return text.format(angle=angle)

    def listImages(self, images: Sequence[vtkMRMLScalarVolumeNode]) -> None:
        """Offers the X-ray images from which the shown one is chosen."""
        comboBox = self._ui.carmImageComboBox
        names = [node.GetName() for node in images]
        if [comboBox.itemText(row) for row in range(comboBox.count)] != names:
            comboBox.blockSignals(True)
            comboBox.clear()
            for name in names:
                comboBox.addItem(name)
            comboBox.blockSignals(False)
        for widget in (self._ui.carmImageLabel, comboBox):
            setVisible(widget, len(names) > 1)

    def _fill(self, node: vtkMRMLScalarVolumeNode) -> None:
        self._fault, self._inUse = "", None
        self._ui.flipCheckBox.checked = isFlipped(node)
        if not self._panel.attempt(lambda: self._fillFrom(node), self._setFault):
            self._show(presetSettings(next(iter(PRESETS)), self._size(node)))

    def _fillFrom(self, node: vtkMRMLScalarVolumeNode) -> None:
        if isPlaced(node):
            settings = settingsOf(node)
            self._show(settings)
            self._inUse = self._shownValues()
            self._note = _("No angles describe this camera; it stays as it is.") if settings.isFixedPose else ""
            return
        read = readGeometry(node, slicerDatabase())
        if read is None:
            self._show(presetSettings(next(iter(PRESETS)), self._size(node)))
            self._note = _("The image does not tell its geometry; these are values of a usual C-arm.")
            return
        settings, self._note = read
        self._ui.flipCheckBox.checked = isFlipped(node)
        self._show(settings)

    def _show(self, settings: CArmSettings) -> None:
        ui = self._ui
        width, height = self._size(self._node())
        principalPoint = settings.principalPointPx or ((width - 1) / 2, (height - 1) / 2)
        self._fixedPose, self._isFilling = settings.fixedCameraFromWorld, True
        values = (
            settings.sddMm, settings.sodMm, *settings.pixelSizeMm, *principalPoint, settings.primaryAngleDeg,
            settings.secondaryAngleDeg,
        )  # fmt: skip
        for box, value in zip(self._boxes, values, strict=True):
            box.value = value
        self._isFilling = False
        ui.accuracyComboBox.currentIndex = ACCURACIES.index(settings.accuracy)
        self._namePreset()

    def _settings(self) -> CArmSettings:
        sdd, sod, u, v, centreU, centreV, primary, secondary = (box.value for box in self._boxes)
        accuracy = ACCURACIES[self._ui.accuracyComboBox.currentIndex]
        return CArmSettings(sdd, sod, (u, v), (centreU, centreV), primary, secondary, self._fixedPose, accuracy)

    def _shownValues(self) -> tuple[float, ...]:
        return (*(box.value for box in self._boxes), self._ui.accuracyComboBox.currentIndex)

    def _typed(self, box: Any) -> None:
        """Distance or pixels that a person enters are told by this person; detectors have square pixels."""
        ui = self._ui
        if self._isFilling:
            return
        if box is ui.pixelSizeUSpinBox:
            self._isFilling, ui.pixelSizeVSpinBox.value = True, box.value
            self._isFilling = False
        if box in self._boxes[:1] + self._boxes[2:6]:
            ui.accuracyComboBox.currentIndex = ACCURACIES.index(CALIBRATED)
        self._namePreset()
        self._panel.refreshSoon()

    def _fieldTyped(self) -> None:
        """Takes the pixel size from a field that a person told."""
        ui = self._ui
        if not ui.fieldLineEdit.modified:
            return

        def take() -> None:
            ui.pixelSizeUSpinBox.value = fieldMm(ui.fieldLineEdit.text) / max(self._size(self._node()))

        self._panel.attempt(take, self._setFault)
        self._namePreset()
        self._panel.refreshSoon()

    def _namePreset(self) -> None:
        """Has the preset box name the device whose values stand there, if there is one; and tells the field."""
        fieldText = _("{length:.0f} mm").format(length=self._ui.pixelSizeUSpinBox.value * max(self._size(self._node())))
        self._ui.fieldLineEdit.text = fieldText
        shown, usual = self._shownValues(), presetsFor(self._size(self._node()))
        names = [name for name, settings in usual.items() if _isShown(settings, shown)]
        self._ui.presetComboBox.currentIndex = 1 + list(PRESETS).index(names[0]) if names else 0

    def _isMeant(self) -> bool:
        """False where strange values are not meant; centimetres are turned into millimetres first, after asking."""
        ui = self._ui
        sddMm, sodMm = inMillimetres(ui.sddSpinBox.value, ui.sodSpinBox.value)
        question = _("Distances of {sdd} and {sod} look like centimetres. Use {sddMm:.0f} mm and {sodMm:.0f} mm?")
        text = question.format(sdd=ui.sddSpinBox.value, sod=ui.sodSpinBox.value, sddMm=sddMm, sodMm=sodMm)
        if (sddMm, sodMm) != (ui.sddSpinBox.value, ui.sodSpinBox.value) and slicer.util.confirmYesNoDisplay(text):
            ui.sddSpinBox.value, ui.sodSpinBox.value = sddMm, sodMm
        try:
            doubts = self._settings().doubts()
        except InputError:  # said when they are used
            return True
        question = _("No usual C-arm has these values. Use them all the same?")
        return not doubts or slicer.util.confirmYesNoDisplay("\n".join([*doubts, question]))

    def _presetChosen(self, index: int) -> None:
        node = self._node()
        if node is not None and index > len(PRESETS):
            self._namePreset()
            self._chooseFile(node)
        elif node is not None and index > 0:
            self._show(presetSettings(list(PRESETS)[index - 1], self._size(node)))
            self._panel.refreshSoon()

    def _chooseFile(self, node: vtkMRMLScalarVolumeNode) -> None:
        """Takes a calibration as it is: the fields would round it."""
        kinds = _("Calibrations ({endings})").format(endings="*.json *.txt *.csv *.yml *.yaml")
        title = _("The C-arm of '{name}'").format(name=node.GetName())
        path = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", kinds)
        if path and self._placeBy(lambda: settingsInFile(Path(path), node, self._settings())):
            told = _("'{name}' uses the C-arm in {file}")
            slicer.util.showStatusMessage(told.format(name=node.GetName(), file=path), TOLD_MS)

    def _flip(self) -> None:
        node = self._node()
        if node is not None:
            self._panel.attempt(lambda: flipLeftRight(node), self._setFault)
            self._panel.refreshSoon()

    def _setFault(self, text: str) -> None:
        self._fault = text

    def _editable(self) -> tuple[Any, ...]:
        ui = self._ui
        return (*self._boxes, ui.fieldLineEdit, ui.presetComboBox, ui.accuracyComboBox, ui.flipCheckBox, ui.placeButton)

    def _node(self) -> vtkMRMLScalarVolumeNode:
        return self._panel.situation().shownImage

    @staticmethod
    def _size(node: vtkMRMLScalarVolumeNode) -> tuple[int, int]:
        return pixelsOf(node).shape[::-1]


def _isShown(settings: CArmSettings, shown: tuple[float, ...]) -> bool:
    """True where fields show these distances and pixels, as far as they have digits."""
    return np.allclose(shown[:4], (settings.sddMm, settings.sodMm, *settings.pixelSizeMm), rtol=1e-3)
