"""The Slicer module: its metadata and its panel. The work is done in ProSTRegistrationLib and, behind it, prostreg."""

import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget

from ProSTRegistrationLib.Logic import Logic

POLL_INTERVAL_MS = 20


class ProSTRegistration(ScriptedLoadableModule):
    """What Slicer shows about the module, without loading anything heavy."""

    def __init__(self, parent):
        super().__init__(parent)
        self.parent.title = _("ProST Registration (2D/3D)")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        self.parent.dependencies = []
        self.parent.contributors = ["ProSTRegistration maintainers (ProSTRegistration project)"]
        self.parent.helpText = _("""
Finds where a CT lies with respect to a C-arm from one or more fluoroscopy images of the same patient, writes the
pose as a linear transform above the CT, and lays the digitally reconstructed radiograph (DRR) over the fluoroscopy
so that a person can judge it. Not a medical device: for research only.
See the <a href="https://github.com/ProSTRegistration/SlicerProSTRegistration">documentation</a>.
""")
        self.parent.acknowledgementText = _("""
The method is described in two papers; please cite them.<br>
C. Gao, X. Liu, W. Gu, B. Killeen, M. Armand, R. Taylor, M. Unberath:
Generalizing Spatial Transformers to Projective Geometry with Applications to 2D/3D Registration.
MICCAI 2020, LNCS 12263, 329-339, doi 10.1007/978-3-030-59716-0_32.<br>
C. Gao, A. Feng, X. Liu, R. H. Taylor, M. Armand, M. Unberath:
A Fully Differentiable Framework for 2D/3D Registration and the Projective Spatial Transformers.
IEEE Transactions on Medical Imaging 43(1), 275-285, 2024, doi 10.1109/TMI.2023.3299588.
""")


class ProSTRegistrationWidget(ScriptedLoadableModuleWidget):
    """The panel, and the timer that lets the logic hear its worker."""

    def setup(self):
        super().setup()
        self.logic = Logic(slicer.mrmlScene)
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_INTERVAL_MS)
        self._timer.connect("timeout()", self.logic.poll)
        self._timer.start()
        label = qt.QLabel(
            _(
                "The panel is under construction; a registration can be run from Python with"
                " slicer.util.getModuleLogic('ProSTRegistration')."
            )
        )
        label.wordWrap = True
        self.layout.addWidget(label)
        self.layout.addStretch(1)

    def cleanup(self):
        self._timer.stop()
        self.logic.stop()
