"""An X-ray loaded by Slicer's own readers has the same pixels, the same way up, as the engine's reading of the file."""

import numpy as np
import pytest
import SimpleITK as sitk

from prostreg.images.xray_reading import read_xray_image
from ProSTRegistrationLib.Nodes.CArmNode import pixelsOf

# The build of slicer-core has no readers for PNG and TIFF.
ENDINGS = [".nrrd", ".mha", ".nii.gz"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_slicer_and_engine_read_the_same_rows_and_columns(headless, scene, obliqueCarm, tmp_path, ending):
    pixels = np.random.default_rng(6).integers(0, 60000, (120, 160)).astype(np.uint16)
    path = tmp_path / f"xray{ending}"
    sitk.WriteImage(sitk.GetImageFromArray(pixels), str(path))
    node = headless.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Fluoro")
    storage = headless.scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    assert np.array_equal(pixelsOf(node), pixels)
    assert np.array_equal(read_xray_image(path).pixels, pixels)
    scene.placeFluoroscopy(node, obliqueCarm)
    assert np.array_equal(scene.fluoroscopy(node)[0], pixels)
