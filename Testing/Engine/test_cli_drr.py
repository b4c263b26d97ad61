"""``prostreg drr`` on a real case: what it writes is the view's image of the CT."""

import json

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from PIL import Image

from prostreg.cli.main import main
from prostreg.outputs.transform_file import write_transform
from prostreg.registration.case_file import read_case
from prostreg.simulation.demo_case import write_phantom_case


@pytest.fixture(scope="module")
def case_file(tmp_path_factory):
    return write_phantom_case(tmp_path_factory.mktemp("case"), seed=1)


@pytest.fixture
def true_pose(case_file, tmp_path):
    write_transform(tmp_path / "pose.tfm", read_case(case_file).truth_world_from_volume)
    return tmp_path / "pose.tfm"


def test_the_drr_at_the_true_pose_is_the_negative_of_the_fluoroscopy(case_file, true_pose, tmp_path, capsys):
    image = tmp_path / "new" / "drr.nrrd"
    assert main(["drr", str(case_file), "--pose", str(true_pose), "--out", str(image), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["size"] == [512, 512]
    drr = sitk.ReadImage(str(image))
    assert drr.GetSpacing() == pytest.approx((298 / 512, 298 / 512))
    fluoroscopy = sitk.GetArrayFromImage(sitk.ReadImage(str(case_file.parent / "xray.tif"))).astype(float)
    values = sitk.GetArrayFromImage(drr)
    assert np.corrcoef(values.ravel(), np.log(fluoroscopy + 1).ravel())[0, 1] < -0.95
    mirrored = values[:, ::-1]
    assert np.corrcoef(mirrored.ravel(), np.log(fluoroscopy + 1).ravel())[0, 1] > -0.9


def test_a_picture_of_the_anatomy_alone(case_file, true_pose, tmp_path):
    out = tmp_path / "drr.png"
    assert main(["drr", str(case_file), "--pose", str(true_pose), "--out", str(out), "--anatomy"]) == 0
    picture = np.asarray(Image.open(out))
    assert picture.dtype == np.uint8
    assert picture.max() == 255
    assert 0.1 < (picture > 0).mean() < 0.5


def test_a_view_that_is_not_there_is_refused(case_file, true_pose, tmp_path, capsys):
    out = tmp_path / "drr.png"
    assert main(["drr", str(case_file), "--pose", str(true_pose), "--out", str(out), "--view", "2"]) == 2
    assert "There is no view 2" in capsys.readouterr().err
    assert not out.exists()
