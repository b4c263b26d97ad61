"""Start poses in closed form, and the sliders against the engine's own chart."""

import numpy as np
import pytest
import slicer

from prostreg.errors import InputError
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import transform_points
from prostreg.geometry.standard_views import STANDARD_VIEWS, standard_view
from prostreg.images.anatomy import anatomy_from_labels
from prostreg.images.volume import Volume
from prostreg.registration.case import Case
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice, anatomyLabels
from ProSTRegistrationLib.Nodes.CArmSettings import CArmSettings, carmOfSettings
from ProSTRegistrationLib.StartPose import (
    PoseSliders,
    anatomyPointsMm,
    placedAtIsocentre,
    standardViewPose,
)

CENTRE_MM = np.array([12.0, -40.0, 310.0])


def centreOf(ct, parts=()):
    return anatomy_centre_mm(anatomyPointsMm(ct, parts))


CHART_ORDER = [3, 4, 5, 0, 1, 2]  # the chart has turns first, the sliders shifts


@pytest.mark.parametrize("name", STANDARD_VIEWS)
def test_standard_view_is_seen_wherever_the_carm_stands(obliqueCarm, name):
    pose = standardViewPose(obliqueCarm, name, CENTRE_MM, 640.0)
    assert np.allclose(obliqueCarm.camera_from_world @ pose, standard_view(name, CENTRE_MM, 640.0), atol=1e-9)
    assert np.allclose(obliqueCarm.project_world(transform_points(pose, CENTRE_MM)), obliqueCarm.principal_point)


def test_unknown_view(obliqueCarm):
    with pytest.raises(InputError, match=r"no standard view 'skyline': choose one of AP, PA"):
        standardViewPose(obliqueCarm, "skyline", CENTRE_MM, 640.0)


def test_patient_in_the_isocentre_is_seen_by_the_angles():
    carm = carmOfSettings(CArmSettings(1000.0, 600.0, (0.3, 0.3), None, 90.0, 0.0), (100, 100))
    pose = placedAtIsocentre(carm, CENTRE_MM, 600.0)
    assert np.allclose(pose[:3, :3], np.eye(3))
    assert np.allclose(transform_points(pose, CENTRE_MM), 0, atol=1e-9)
    assert np.allclose(carm.camera_from_world @ pose, standard_view("left lateral", CENTRE_MM, 600.0), atol=1e-9)


class TestSliders:
    @pytest.fixture
    def reference(self, obliqueCarm, rotation):
        # The centre lies well beside the central ray.
        return standardViewPose(obliqueCarm, "AP", CENTRE_MM, 640.0) @ rotation((2, 1, 5), 37, (60, -35, 20))

    @pytest.fixture
    def sliders(self, obliqueCarm, reference):
        return PoseSliders(reference, obliqueCarm, CENTRE_MM)

    def test_same_as_the_engines_chart(self, sliders, obliqueCarm, reference):
        chart = PoseChart(reference, obliqueCarm.camera_from_world, CENTRE_MM)
        rng = np.random.default_rng(8)
        drawn = rng.normal(0, [40, 40, 80, 50, 50, 50], (50, 6))
        drawn = np.concatenate([drawn, np.zeros((1, 6)), 1e-7 * drawn[:3], np.diag([9, 9, 9, 179, 179, 179.999])])
        for values in drawn:
            inChart = np.concatenate([np.deg2rad(values[3:]), values[:3]])
            pose = sliders.poseAt(values)
            assert np.allclose(pose, chart.world_from_volume_at(inChart)[0], rtol=0, atol=1e-9)
            expected = chart.parameters_of(pose)
            expected = np.concatenate([expected[3:], np.rad2deg(expected[:3])])
            assert np.allclose(sliders.valuesOf(pose), expected, rtol=0, atol=1e-9)

    def test_chart_on_the_central_ray(self, obliqueCarm):
        reference = standardViewPose(obliqueCarm, "AP", CENTRE_MM, 640.0)
        chart = PoseChart(reference, obliqueCarm.camera_from_world, CENTRE_MM)
        values = np.array([3.0, -4.0, 12.0, 5.0, -6.0, 30.0])
        inChart = np.concatenate([np.deg2rad(values[3:]), values[:3]])
        pose = PoseSliders(reference, obliqueCarm, CENTRE_MM).poseAt(values)
        assert np.allclose(pose, chart.world_from_volume_at(inChart)[0], rtol=0, atol=1e-9)

    def test_zero_is_the_reference(self, sliders, reference):
        assert np.allclose(sliders.poseAt(np.zeros(6)), reference, atol=1e-12)
        assert np.allclose(sliders.valuesOf(reference), 0, atol=1e-9)

    @pytest.mark.parametrize("values", [(3, -4, 12, 5, -6, 30), (0, 0, 0, 0, 0, 170), (0, 0, 0, -120, 0, 0)])
    def test_values_come_back(self, sliders, values):
        assert np.allclose(sliders.valuesOf(sliders.poseAt(values)), values, atol=1e-8)

    def test_depth_and_turns_leave_the_centre_where_it_is_in_the_picture(self, sliders, obliqueCarm, reference):
        def pixel(values):
            return obliqueCarm.project_world(transform_points(sliders.poseAt(values), CENTRE_MM))

        start = obliqueCarm.project_world(transform_points(reference, CENTRE_MM))
        for values in ([0, 0, 50, 0, 0, 0], [0, 0, 0, 20, 0, 0], [0, 0, 0, 0, 20, 0], [0, 0, 0, 0, 0, 20]):
            assert np.allclose(pixel(values), start, atol=1e-6)
        right, down = pixel([5, 0, 0, 0, 0, 0]) - start, pixel([0, 5, 0, 0, 0, 0]) - start
        assert right[0] > 5 * abs(right[1])
        assert down[1] > 5 * abs(down[0])


class TestAnatomyCentre:
    def test_dense_box_without_specks(self, rotation):
        values = np.full((200, 180, 120), -1000, dtype=np.int16)
        values[40:140, 60:150, 20:90] = 40
        values[50:130, 70:140, 30:80] = 700
        values[0, 0, 0] = values[-1, -1, -1] = 3000
        ct = Volume(values, rotation((1, 2, 3), 30, (5, 6, 7)) @ np.diag([0.8, 0.9, 2.0, 1]))
        expected = transform_points(ct.volume_from_index, (54.5, 104.5, 89.5))
        assert np.linalg.norm(centreOf(ct) - expected) < 3.0

    def test_ct_without_bone(self):
        ct = Volume(np.zeros((4, 5, 6), dtype=np.int16), np.diag([1.0, 2.0, 3.0, 1.0]))
        assert np.allclose(centreOf(ct), (2.5, 4.0, 4.5))

    def test_labels_in_a_grid_of_their_own(self, addVolume, addTransform, rotation):
        ct = Volume(np.zeros((20, 20, 20), dtype=np.int16), np.eye(4))
        labels = np.zeros((150, 10, 10), dtype=np.uint8)
        labels[31, 4, 6] = 3  # between two samples
        labels[41, 4, 6] = 3
        labels[100:, 8:, 8:] = 7
        node = addVolume(labels, np.diag([2.0, 2.0, 2.0, 1]), "Labels", "vtkMRMLLabelMapVolumeNode")
        worldFromCt = rotation((0, 0, 1), 90, (10, 0, 0))
        node.SetAndObserveTransformNodeID(addTransform(worldFromCt).GetID())
        parts = anatomyLabels(worldFromCt, AnatomyChoice(node, labelValues=(3,)))
        assert np.allclose(centreOf(ct, parts), (12, 8, 72))
        assert np.allclose(centreOf(ct, anatomyLabels(worldFromCt, AnatomyChoice(node, labelValues=(9,)))), 9.5)

    def test_labels_that_are_turned_have_the_centre_of_a_registration(self, addVolume, rotation):
        labels = np.zeros((40, 40, 40), dtype=np.uint8)
        labels[2:38, 10:14, 4:8] = labels[2:6, 10:14, 4:38] = 1  # an L, whose box is half empty
        node = addVolume(labels, rotation((1, 2, 3), 40, (30, 40, 20)), "Labels", "vtkMRMLLabelMapVolumeNode")
        ct = Volume(np.zeros((100, 100, 100), dtype=np.int16), np.eye(4))
        parts = anatomyLabels(np.eye(4), AnatomyChoice(node))
        anatomy = anatomy_from_labels(ct, parts[0].labels, [1])
        expected = anatomy_centre_mm(anatomy_points_mm(Case("L", ct, anatomy)))
        assert np.linalg.norm(centreOf(ct, parts) - expected) < 1.5

    def test_two_segments_share_a_box(self, headless, addVolume):
        labels = np.zeros((40, 40, 40), dtype=np.uint8)
        labels[20:25, 10:15, 4:9], labels[20:25, 10:15, 30:35] = 1, 2
        labelNode = addVolume(labels, None, "Labels", "vtkMRMLLabelMapVolumeNode")
        node = headless.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Bones")
        assert slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelNode, node)
        parts = anatomyLabels(np.eye(4), AnatomyChoice(node))
        ct = Volume(np.zeros((40, 40, 40), dtype=np.int16), np.eye(4))
        assert np.allclose(centreOf(ct, parts), (19, 12, 22))
        left = AnatomyChoice(node, segmentIds=(node.GetSegmentation().GetNthSegmentID(0),))
        assert np.allclose(centreOf(ct, anatomyLabels(np.eye(4), left)), (6, 12, 22))
