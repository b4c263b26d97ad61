"""Slice and 3D views without the application: MRML's own logics and displayable managers draw into EGL windows.

What a view shows here is what it shows in Slicer; only the Qt widgets around it are missing.
"""

import functools
import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from Patience import PATIENCE_S

SLICE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager2D",
    "vtkMRMLLinearTransformsDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
)
THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLVolumeRenderingDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager3D",
    "vtkMRMLLinearTransformsDisplayableManager",
    "vtkMRMLThreeDReformatDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager3D",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
)
START_SIZE = (256, 256)
PROBE = "import vtk; w = vtk.vtkEGLRenderWindow(); w.SetOffScreenRendering(1); w.Render(); assert w.SupportsOpenGL()"


class NoOpenGL(RuntimeError):
    """This machine cannot draw: EGL or a driver for it is missing."""


class OffscreenViews:
    """Views of one scene.

    Args:
        applicationLogic: vtkMRMLApplicationLogic of the scene.
        mrmlScene: vtkMRMLScene.

    Raises:
        NoOpenGL: nothing can be drawn here.
    """

    def __init__(self, applicationLogic, mrmlScene):
        _needOpenGL()
        self._applicationLogic = applicationLogic
        self._scene = mrmlScene
        self._views = {}

    def addSlice(self, sliceLogic):
        """Opens a view of a vtkMRMLSliceLogic that has its slice node; in Slicer a qMRMLSliceWidget does this."""
        if not self._scene.IsNodePresent(sliceLogic.GetSliceNode()):
            # AddSliceNode of a name that the scene has already gives a node outside of the scene.
            raise ValueError("The slice node is not in the scene: use SetSliceNode with the one that is.")
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        view = self._open(sliceLogic.GetSliceNode(), factory, SLICE_MANAGERS, slicer.vtkMRMLSliceViewInteractorStyle())
        view.sliceLogic = sliceLogic
        view.style.SetSliceLogic(sliceLogic)
        view.image.SetColorWindow(255)
        view.image.SetColorLevel(127.5)
        view.imageActor.SetMapper(view.image)
        # Black shows where there is no image, as in Slicer; the image lies behind everything else.
        view.imageActor.GetProperty().SetDisplayLocationToBackground()
        view.renderer.AddViewProp(view.imageActor)

    def addThreeD(self, viewNode):
        """Opens a view of a vtkMRMLViewNode; it makes itself a camera node where the scene has none for it."""
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        view = self._open(viewNode, factory, THREE_D_MANAGERS, slicer.vtkMRMLThreeDViewInteractorStyle())
        view.renderer.GradientBackgroundOn()
        view.renderer.SetBackground(viewNode.GetBackgroundColor())
        view.renderer.SetBackground2(viewNode.GetBackgroundColor2())

    def cameraNode(self, viewNode):
        """The vtkMRMLCameraNode of a 3D view."""
        return self._manager(viewNode, "vtkMRMLCameraDisplayableManager").GetCameraNode()

    def grab(self, viewNode, width, height):
        """What the view shows, uint8 (height, width, 3), rows from the top."""
        view = self._views[viewNode.GetID()]
        _resize(view, width, height)
        if view.sliceLogic is not None:
            _connect(view)
        view.window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(view.window)
        grabber.SetInputBufferTypeToRGB()
        grabber.ReadFrontBufferOff()
        grabber.ShouldRerenderOff()
        grabber.Update()
        scalars = grabber.GetOutput().GetPointData().GetScalars()
        return vtk_to_numpy(scalars).reshape(height, width, 3)[::-1].copy()

    def interactor(self, viewNode):
        """The view's vtkRenderWindowInteractor."""
        return self._views[viewNode.GetID()].interactor

    def window(self, viewNode):
        """The view's vtkRenderWindow."""
        return self._views[viewNode.GetID()].window

    def drag(self, viewNode, start, end, steps=5, keys=()):
        """Presses the left button at a pixel (column, row from the top), drags to another one and lets it go.

        Args:
            keys: "Control", "Shift", held meanwhile.
        """
        view = self._views[viewNode.GetID()]
        path = np.rint(np.linspace(start, end, steps + 1)).astype(int)
        self._moveTo(view, path[0])
        view.window.Render()
        self._moveTo(view, path[0], keys)
        view.interactor.LeftButtonPressEvent()
        for pixel in path[1:]:
            self._moveTo(view, pixel, keys)
        view.interactor.LeftButtonReleaseEvent()

    def wheel(self, viewNode, pixel, steps, keys=()):
        """Turns the wheel at a pixel by so many steps, above 0 away from the person."""
        view = self._views[viewNode.GetID()]
        self._moveTo(view, pixel, keys)
        for _ in range(abs(steps)):
            if steps > 0:
                view.interactor.MouseWheelForwardEvent()
            else:
                view.interactor.MouseWheelBackwardEvent()

    def rightClick(self, viewNode, pixel):
        """Clicks with the right button at a pixel (column, row from the top)."""
        view = self._views[viewNode.GetID()]
        self._moveTo(view, pixel)
        view.interactor.RightButtonPressEvent()
        view.interactor.RightButtonReleaseEvent()

    def remove(self, viewNode):
        """Closes the view of a node."""
        view = self._views.pop(viewNode.GetID())
        view.style.SetInteractor(None)
        view.managers.SetMRMLDisplayableNode(None)
        view.image.RemoveAllInputs()
        view.window.Finalize()

    def close(self):
        """Closes all views."""
        for view in list(self._views.values()):
            self.remove(view.node)

    def _open(self, node, factory, managers, style):
        # The factory belongs to the process, the logic to this scene: it is told each time.
        factory.SetMRMLApplicationLogic(self._applicationLogic)
        for name in managers:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        view = _View(node, style)
        view.window.SetOffScreenRendering(1)
        view.window.SetMultiSamples(0)
        view.window.SetSize(START_SIZE)
        view.window.AddRenderer(view.renderer)
        view.interactor.SetRenderWindow(view.window)
        view.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        view.interactor.Enable()
        view.window.Render()
        view.managers = factory.InstantiateDisplayableManagers(view.renderer)
        view.managers.SetMRMLDisplayableNode(node)
        view.style.SetInteractor(view.interactor)
        view.style.SetDisplayableManagers(view.managers)
        self._views[node.GetID()] = view
        return view

    def _manager(self, viewNode, className):
        return self._views[viewNode.GetID()].managers.GetDisplayableManagerByClassName(className)

    def _moveTo(self, view, pixel, keys=()):
        _, height = view.window.GetSize()
        held = (int("Control" in keys), int("Shift" in keys))
        view.interactor.SetEventInformation(int(pixel[0]), height - 1 - int(pixel[1]), *held)
        view.interactor.MouseMoveEvent()


@dataclass
class _View:
    node: object
    style: object
    window: object = field(default_factory=vtk.vtkEGLRenderWindow)
    renderer: object = field(default_factory=vtk.vtkRenderer)
    interactor: object = field(default_factory=vtk.vtkGenericRenderWindowInteractor)
    image: object = field(default_factory=vtk.vtkImageMapper)
    imageActor: object = field(default_factory=vtk.vtkActor2D)
    managers: object = None
    sliceLogic: object = None


def _resize(view, width, height):
    view.window.SetSize(width, height)
    view.interactor.SetSize(width, height)
    if view.sliceLogic is not None:
        view.sliceLogic.ResizeSliceNode(width, height)


def _connect(view):
    # The slice logic has another output, or none, when the volumes of its view change.
    connection = view.sliceLogic.GetImageDataConnection()
    view.imageActor.SetVisibility(connection is not None)
    view.image.SetInputConnection(connection)


@functools.lru_cache(maxsize=1)
def _needOpenGL():
    # VTK ends the whole process where EGL is missing: another one tries it first.
    command = [sys.executable, "-c", PROBE]
    outcome = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
    if outcome.returncode != 0:
        raise NoOpenGL("Nothing can be drawn here: EGL is missing (on Debian: libegl1 and libgl1-mesa-dri).")
