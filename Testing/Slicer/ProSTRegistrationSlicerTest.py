"""Runs inside the Slicer application, by ctest: the module loads light, works from end to end, and can be reloaded."""

import sys
import unittest

import slicer
from walk import Walk, packagesMissing


class ProSTRegistrationSlicerTest(unittest.TestCase):
    def setUp(self):
        slicer.util.selectModule("ProSTRegistration")
        slicer.mrmlScene.Clear()
        self.widget = slicer.util.getModuleWidget("ProSTRegistration")

    def testModuleIsLoadedWithItsMetadata(self):
        module = slicer.util.getModule("ProSTRegistration")
        self.assertEqual(module.title, "ProST Registration (2D/3D)")
        self.assertIn("Registration", module.categories)
        self.assertFalse(module.icon.isNull())

    def testPanelAndLogicWorkWithoutTorchInThisProcess(self):
        self.assertIsNotNone(self.widget.logic)
        self.assertNotIn("torch", sys.modules)

    def testEmptyPanelSaysWhatItNeeds(self):
        Walk(self.widget).empty()

    def testPhantomFromItsButtonToAnAcceptedPoseThatOutlivesAReload(self):
        missing = packagesMissing()
        if missing:
            self.skipTest(missing)
        walk = Walk(self.widget)
        walk.loadSample()
        self.widget.ui.qualityComboBox.currentIndex = 0
        # The result of a run that a slow machine stops is asked about before it is kept.
        self.widget.ui.timeLimitSpinBox.value = 300.0
        for step in (walk.register, walk.overlays, walk.accept, walk.reject):
            step()
        self.assertNotIn("torch", sys.modules)
        ctNode, verdict = self.widget.panel.ctNode, self.widget.ui.verdictLabel.text
        slicer.util.reloadScriptedModule("ProSTRegistration")
        reloaded = slicer.util.getModuleWidget("ProSTRegistration")
        self.assertIsNot(reloaded, self.widget)
        self.assertIs(reloaded.panel.ctNode, ctNode)
        self.assertEqual(reloaded.ui.verdictLabel.text, verdict)
        self.assertTrue(reloaded.ui.registerButton.enabled)
