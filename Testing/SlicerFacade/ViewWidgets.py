"""The widgets of the slice and 3D views: a coloured bar with the view's name above the picture VTK drew."""

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

BAR_HEIGHT_PX = 18
SMALLEST_PX = 8


class ViewPicture(QtWidgets.QWidget):
    """Shows the last picture of a view; forceRender() has a new one drawn."""

    ownState = ("_node", "_picture", "_views")

    def __init__(self, node, views):
        super().__init__()
        self._node, self._views, self._picture = node, views, None
        self.setMinimumSize(40, 40)
        self.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Expanding)

    def forceRender(self):
        if self._views is not None:
            size = self.size
            pixels = self._views.grab(self._node, max(SMALLEST_PX, size.width()), max(SMALLEST_PX, size.height()))
            height, width = pixels.shape[:2]
            self._picture = QtGui.QImage(pixels.tobytes(), width, height, 3 * width, QtGui.QImage.Format_RGB888).copy()
        self.update()

    def scheduleRender(self):
        self.update()

    def interactor(self):
        """vtkRenderWindowInteractor; None where nothing can be drawn."""
        return None if self._views is None else self._views.interactor(self._node)

    def renderWindow(self):
        """vtkRenderWindow; None where nothing can be drawn."""
        return None if self._views is None else self._views.window(self._node)

    def paintEvent(self, event):
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect, QtCore.Qt.black)
        if self._picture is not None:
            painter.drawImage(self.rect, self._picture)


class SliceView(ViewPicture):
    """sliceWidget(...).sliceView()."""

    def mrmlSliceNode(self):
        return self._node


class ThreeDView(ViewPicture):
    """threeDWidget(...).threeDView()."""

    def mrmlViewNode(self):
        return self._node

    def cameraNode(self):
        """The view's camera node; None where nothing can be drawn."""
        return None if self._views is None else self._views.cameraNode(self._node)

    def resetFocalPoint(self):
        cameraNode = self.cameraNode()
        bounds = [0.0] * 6
        if cameraNode is not None:
            slicer.mrmlScene.GetRASBounds(bounds)
            if bounds[0] <= bounds[1]:
                center = [(bounds[axis] + bounds[axis + 1]) / 2 for axis in (0, 2, 4)]
                cameraNode.SetFocalPoint(center)


class ViewWidget(QtWidgets.QWidget):
    """A bar and a picture."""

    ownState = ("_logic", "_logics", "_node", "_picture", "_views")

    def __init__(self, node, views, picture, logics):
        super().__init__()
        self._node, self._views, self._picture, self._logics = node, views, picture, logics
        self.setObjectName(f"{type(self).__name__}{node.GetLayoutName()}")
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        bar = QtWidgets.QLabel(f" {node.GetLayoutLabel()}   {node.GetLayoutName()}")
        bar.setFixedHeight(BAR_HEIGHT_PX)
        color = QtGui.QColor.fromRgbF(*node.GetLayoutColor())
        bar.setStyleSheet(f"background-color: {color.name()}; color: white;")
        layout.addWidget(bar)
        layout.addWidget(picture, 1)

    def viewNode(self):
        return self._node

    def view(self):
        return self._picture

    def letGo(self):
        """Ends what draws the view."""
        self._logics.RemoveItem(self._logic)
        if self._views is not None:
            self._views.remove(self._node)
        self._logic.SetMRMLScene(None)


class SliceWidget(ViewWidget):
    """layoutManager().sliceWidget(name)."""

    def __init__(self, node, applicationLogic, views):
        super().__init__(node, views, SliceView(node, views), applicationLogic.GetSliceLogics())
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(applicationLogic)
        self._logic.SetMRMLScene(node.GetScene())
        self._logic.SetSliceNode(node)
        self._logics.AddItem(self._logic)
        if views is not None:
            views.addSlice(self._logic)

    def sliceLogic(self):
        return self._logic

    def sliceView(self):
        return self._picture

    def mrmlSliceNode(self):
        return self._node

    def fitSliceToBackground(self):
        self._logic.FitSliceToBackground()


class ThreeDWidget(ViewWidget):
    """layoutManager().threeDWidget(index)."""

    def __init__(self, node, applicationLogic, views):
        super().__init__(node, views, ThreeDView(node, views), applicationLogic.GetViewLogics())
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(applicationLogic)
        self._logic.SetName(node.GetLayoutName())
        self._logic.SetMRMLScene(node.GetScene())
        self._logics.AddItem(self._logic)
        if views is not None:
            views.addThreeD(node)

    def threeDView(self):
        return self._picture

    def mrmlViewNode(self):
        return self._node
