"""Runs inside the Slicer application, by ctest: is the module there, complete, and light to load?"""

import sys
import unittest

import slicer


class ProSTRegistrationSlicerTest(unittest.TestCase):
    def testModuleIsLoadedWithItsMetadata(self):
        module = slicer.util.getModule("ProSTRegistration")
        self.assertEqual(module.title, "ProST Registration (2D/3D)")
        self.assertIn("Registration", module.categories)
        self.assertFalse(module.icon.isNull())

    def testPanelAndLogicWorkWithoutTorchInThisProcess(self):
        widget = slicer.util.getModuleWidget("ProSTRegistration")
        self.assertIsNotNone(widget.logic)
        self.assertNotIn("torch", sys.modules)
