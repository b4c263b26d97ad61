"""No view mirrors another: beads of a phantom fall on their computed pixels in every picture, and not opposite of them.

The DRR comes from the engine's projector; where a bead belongs in a picture is computed from K, the pose and the
camera alone. The C-arm is oblique, its principal point off centre, its pixels are not square.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest
import slicer

from prostreg.geometry.frames import invert_rigid, transform_points
from prostreg.images.attenuation import attenuation_from_hu
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector
from ProSTRegistrationLib.Views.DrrView import showDrrAlone
from ProSTRegistrationLib.Views.Overlay import Overlay, OverlayKind
from ProSTRegistrationLib.Views.SliceView import faceDetector, showLayers
from ProSTRegistrationLib.Views.SourceView import cameraOf, lookFromSource, showDetectorPicture, showVolumeRendering

BEADS_MM = np.array([(-12.2, 1.2, 2.1), (8.3, -6.9, -0.2), (3.6, 8.7, -2.3)])
RADII_MM = (2.4, 1.8, 1.4)
VOXEL_MM = 0.5
DEPTH_MM = 640.0
TOLERANCE_PX = 1.2
SIZE = (420, 330)


@dataclass(frozen=True, eq=False)
class BeadCase:
    """The phantom's nodes and where its beads are.

    Attributes:
        drr: (height, width) of all beads.
        beadsWorld: (3, 3) centres in mm.
        pixels: (3, 2) their computed pixels.
    """

    carm: object
    ctNode: object
    fluoroscopyNode: object
    drr: np.ndarray
    beadsWorld: np.ndarray
    pixels: np.ndarray = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "pixels", self.carm.project_world(self.beadsWorld))


def _beadVolume(beads):
    """HU of air with metal balls, and its volume_from_index."""
    axis = np.arange(60)
    volumeFromIndex = np.diag([-VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
    volumeFromIndex[:3, 3] = 14.75, -14.75, -14.75
    k, j, i = np.meshgrid(axis, axis, axis, indexing="ij")
    places = transform_points(volumeFromIndex, np.stack([i, j, k], axis=-1).reshape(-1, 3)).reshape(*i.shape, 3)
    hu = np.full(i.shape, -1000, dtype=np.int16)
    for bead in beads:
        hu[np.linalg.norm(places - BEADS_MM[bead], axis=-1) < RADII_MM[bead]] = 2500
    return hu, volumeFromIndex


def _drr(carm, worldFromVolume, beads):
    hu, volumeFromIndex = _beadVolume(beads)
    volume = Volume(attenuation_from_hu(hu.astype(np.float32)), volumeFromIndex)
    return make_projector(volume).render((carm.camera_from_world @ worldFromVolume)[None], carm)[0]


def _softTissue(carm):
    """A patient without bones: dense in the middle of the image, with some texture and noise."""
    v, u = np.mgrid[: carm.height, : carm.width]
    shading = np.exp(-((u / carm.width - 0.5) ** 2 + (v / carm.height - 0.5) ** 2) / 0.15)
    noise = np.random.default_rng(5).standard_normal(shading.shape)
    return 0.1 * shading + 0.02 * np.sin(u) * np.sin(0.8 * v) + 0.002 * noise


@pytest.fixture
def beadCase(scene, addVolume, obliqueCarm, rotation):
    """Makes the case with the given beads in its fluoroscopy image; the CT and the DRR always have all."""

    def make(fluoroscopyBeads, isBoneBright=True):
        # Around the image's middle, which is not the principal point.
        (fx, fy), (cx, cy) = obliqueCarm.intrinsics[[0, 1], [0, 1]], obliqueCarm.principal_point
        middle = (79.5 - cx) / fx * DEPTH_MM, (59.5 - cy) / fy * DEPTH_MM, DEPTH_MM
        worldFromVolume = invert_rigid(obliqueCarm.camera_from_world) @ rotation((2, 1, 3), 50, middle)
        hu, volumeFromIndex = _beadVolume(range(3))
        ctNode = addVolume(hu, volumeFromIndex)
        scene.setPose(ctNode, worldFromVolume)
        absorbed = _softTissue(obliqueCarm) + 0.7 * _drr(obliqueCarm, worldFromVolume, fluoroscopyBeads)
        grey = 1000 * absorbed if isBoneBright else 4000 * np.exp(-absorbed)
        fluoroscopyNode = addVolume((grey + 100).astype(np.uint16)[None], name="Fluoro")
        scene.placeFluoroscopy(fluoroscopyNode, obliqueCarm)
        drr = _drr(obliqueCarm, worldFromVolume, range(3))
        scene.showDrr(fluoroscopyNode, drr)
        beads = transform_points(worldFromVolume, BEADS_MM)
        return BeadCase(obliqueCarm, ctNode, fluoroscopyNode, drr, beads)

    return make


@pytest.fixture
def sliceView(headless, offscreenViews):
    """A slice view of its own; returns its logic."""
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLScene(headless.scene)
    logic.AddSliceNode("Fluoroscopy")
    offscreenViews.addSlice(logic)
    offscreenViews.grab(logic.GetSliceNode(), *SIZE)
    return logic


@pytest.fixture
def sourceView(headless, offscreenViews):
    """A 3D view of its own; returns its node."""
    node = slicer.vtkMRMLViewNode()
    node.SetLayoutName("CArm")
    node.SetBoxVisible(False)
    node.SetAxisLabelsVisible(False)
    node = headless.scene.AddNode(node)
    offscreenViews.addThreeD(node)
    return node


def _onDetector(carm, pixels):
    """Pixels (n, 2) as places on the detector in the world, mm."""
    (cx, cy), sdd = carm.principal_point, carm.sdd_mm
    focal = np.array([carm.intrinsics[0, 0], carm.intrinsics[1, 1]])
    inCamera = np.column_stack([(pixels - (cx, cy)) * sdd / focal, np.full(len(pixels), sdd)])
    return transform_points(invert_rigid(carm.camera_from_world), inCamera)


def _inSlice(sliceNode, places):
    """World places (n, 3) as (column, row from the top) of a slice view."""
    xyFromRas = np.linalg.inv(slicer.util.arrayFromVTKMatrix(sliceNode.GetXYToRAS()))
    xy = transform_points(xyFromRas, places)[:, :2]
    return np.column_stack([xy[:, 0], sliceNode.GetDimensions()[1] - 1 - xy[:, 1]])


def _inCamera(cameraNode, places):
    """World places (n, 3) as (column, row from the top) of a 3D view of SIZE."""
    position = np.array(cameraNode.GetPosition())
    forward = np.array(cameraNode.GetFocalPoint()) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, cameraNode.GetViewUp())
    right /= np.linalg.norm(right)
    seen = (places - position) @ np.column_stack([right, np.cross(right, forward), forward])
    half = SIZE[1] / 2 / np.tan(np.radians(cameraNode.GetViewAngle() / 2))
    columns = SIZE[0] / 2 - 0.5 + half * seen[:, 0] / seen[:, 2]
    return np.column_stack([columns, SIZE[1] / 2 - 0.5 - half * seen[:, 1] / seen[:, 2]])


def _assertOnPixels(signal, expected, mirrored, radiiPx):
    """A blob of the signal (height, width) lies at each expected place and none at any mirrored one."""
    rows, columns = np.mgrid[: signal.shape[0], : signal.shape[1]]

    def contrast(place, radius):
        """The signal inside a circle over that of its surroundings, and the circle."""
        distances = np.hypot(columns - place[0], rows - place[1])
        surroundings = signal[(distances > 1.4 * radius) & (distances < 2 * radius)]
        return np.clip(signal - np.median(surroundings), 0, None), distances < 1.3 * radius

    weakest = np.inf
    for place, radius in zip(expected, radiiPx, strict=True):
        over, inside = contrast(place, radius)
        weights = np.where(inside, over, 0)
        assert weights.sum() > 0
        found = np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()
        np.testing.assert_allclose(found, place, atol=TOLERANCE_PX)
        weakest = min(weakest, over[inside].mean())
    for place in mirrored:
        nearest = np.linalg.norm(expected - place, axis=1).min()
        assert nearest > 2.2 * max(radiiPx), "the phantom must not be its own mirror image"
        over, inside = contrast(place, min(radiiPx))
        assert over[inside].mean() < 0.35 * weakest


def _assertBeadsInSlice(case, sliceNode, signal, beads=(0, 1, 2)):
    beads = list(beads)
    pitch = sliceNode.GetFieldOfView()[0] / sliceNode.GetDimensions()[0]
    radii = np.array(RADII_MM)[beads] * case.carm.sdd_mm / DEPTH_MM / pitch
    opposite = case.pixels * (-1, 1) + (case.carm.width - 1, 0)
    expected, mirrored = (
        _inSlice(sliceNode, _onDetector(case.carm, pixels[beads])) for pixels in (case.pixels, opposite)
    )
    _assertOnPixels(signal, expected, mirrored, radii)


def _brightness(picture):
    return picture.astype(float).mean(axis=-1)


def _warmth(picture):
    return picture[..., 0].astype(float) - picture[..., 2]


@pytest.mark.parametrize("isBoneBright", [True, False])
def test_fluoroscopy_in_slice_view(beadCase, sliceView, offscreenViews, isBoneBright):
    case = beadCase(range(3), isBoneBright)
    showLayers(sliceView, case.fluoroscopyNode)
    faceDetector(sliceView, case.fluoroscopyNode)

    picture = _brightness(offscreenViews.grab(sliceView.GetSliceNode(), *SIZE))

    _assertBeadsInSlice(case, sliceView.GetSliceNode(), picture if isBoneBright else 255 - picture)


def test_drr_in_slice_view(beadCase, sliceView, offscreenViews, scene):
    case = beadCase([])
    showDrrAlone(sliceView, case.fluoroscopyNode, scene.findOwned(case.fluoroscopyNode, "drr"))

    picture = offscreenViews.grab(sliceView.GetSliceNode(), *SIZE)

    _assertBeadsInSlice(case, sliceView.GetSliceNode(), _brightness(picture))


# The fluoroscopy has no beads here: what is found is the DRR's.
@pytest.mark.parametrize("isBoneBright", [True, False])
def test_blend(beadCase, sliceView, offscreenViews, scene, isBoneBright):
    case = beadCase([], isBoneBright)
    Overlay(scene).show(OverlayKind.BLEND, case.fluoroscopyNode, sliceView, opacity=0.6)

    picture = offscreenViews.grab(sliceView.GetSliceNode(), *SIZE)

    _assertBeadsInSlice(case, sliceView.GetSliceNode(), _warmth(picture))


def test_contours(beadCase, sliceView, offscreenViews, scene):
    case = beadCase([])
    Overlay(scene).show(OverlayKind.CONTOURS, case.fluoroscopyNode, sliceView)

    picture = offscreenViews.grab(sliceView.GetSliceNode(), *SIZE).astype(float)

    _assertBeadsInSlice(case, sliceView.GetSliceNode(), picture[..., 1] - picture[..., 0])


@pytest.mark.parametrize("kind", [OverlayKind.CHECKERBOARD, OverlayKind.FLICKER])
def test_drr_like_fluoroscopy(beadCase, sliceView, offscreenViews, scene, kind):
    case = beadCase([])
    # One tile covers the whole image.
    details = {"corner": (-0.5, case.carm.height - 0.5), "tilePixels": 1000}
    overlay, pictures = Overlay(scene), []
    for drr in (case.drr, np.zeros_like(case.drr)):
        scene.showDrr(case.fluoroscopyNode, drr)
        overlay.show(kind, case.fluoroscopyNode, sliceView, **details)
        pictures.append(_brightness(offscreenViews.grab(sliceView.GetSliceNode(), *SIZE)))

    _assertBeadsInSlice(case, sliceView.GetSliceNode(), pictures[0] - pictures[1])


def test_difference(beadCase, sliceView, offscreenViews, scene):
    case = beadCase([1, 2])
    Overlay(scene).show(OverlayKind.DIFFERENCE, case.fluoroscopyNode, sliceView)

    picture = offscreenViews.grab(sliceView.GetSliceNode(), *SIZE)

    # Only the bead that the fluoroscopy lacks shows, and as bone of the DRR: orange.
    _assertBeadsInSlice(case, sliceView.GetSliceNode(), np.clip(_warmth(picture), 0, None), beads=[0])


def _assertBeadsFromSource(case, viewNode, signal):
    camera = cameraOf(viewNode)
    opposite = case.pixels * (-1, 1) + (case.carm.width - 1, 0)
    expected, mirrored = (_inCamera(camera, _onDetector(case.carm, pixels)) for pixels in (case.pixels, opposite))
    perMm = SIZE[1] / 2 / np.tan(np.radians(camera.GetViewAngle() / 2)) / DEPTH_MM
    _assertOnPixels(signal, expected, mirrored, np.array(RADII_MM) * perMm)


def test_volume_rendering_from_source(beadCase, sourceView, offscreenViews):
    case = beadCase([])
    case.fluoroscopyNode.GetScene().RemoveNode(case.fluoroscopyNode)
    lookFromSource(cameraOf(sourceView), case.carm)
    before = offscreenViews.grab(sourceView, *SIZE).astype(float)
    showVolumeRendering(case.ctNode, sourceView, True)

    picture = offscreenViews.grab(sourceView, *SIZE).astype(float)

    _assertBeadsFromSource(case, sourceView, np.abs(picture - before).sum(axis=-1))


@pytest.mark.parametrize("isBoneBright", [True, False])
def test_fluoroscopy_on_detector_from_source(beadCase, sourceView, offscreenViews, isBoneBright):
    case = beadCase(range(3), isBoneBright)
    lookFromSource(cameraOf(sourceView), case.carm)
    showDetectorPicture(case.fluoroscopyNode, sourceView, True)

    picture = _brightness(offscreenViews.grab(sourceView, *SIZE))

    onDetector = _inCamera(cameraOf(sourceView), _onDetector(case.carm, np.array([[4, 4], [154, 114]])))
    (left, top), (right, bottom) = np.rint(onDetector).astype(int)
    inside = np.zeros_like(picture)
    shown = picture if isBoneBright else 255 - picture
    inside[top:bottom, left:right] = shown[top:bottom, left:right]
    _assertBeadsFromSource(case, sourceView, inside)
