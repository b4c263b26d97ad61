"""The command line at its real work: demo, register and drr on the generated phantom."""

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from PIL import Image

from prostreg.cli.main import main
from prostreg.outputs.transform_file import read_pose, write_transform
from prostreg.registration.case_file import read_case
from prostreg.samples.demo_case import START_ROTATION_DEG, START_SHIFT_MM

SEED = "3"


def command(*arguments):
    return [sys.executable, "-m", "prostreg", *map(str, arguments)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo as a user runs it; gives its finished process and its output folder."""
    out = tmp_path_factory.mktemp("demo")
    arguments = command("demo", "--phantom", "--seed", SEED, "--out", out, "--json")
    return subprocess.run(arguments, capture_output=True, text=True, check=False), out


@pytest.fixture(scope="module")
def case_file(demo):
    return demo[1] / "case" / "case.json"


@pytest.fixture
def true_pose(case_file, tmp_path):
    np.savetxt(tmp_path / "pose.txt", read_case(case_file).truth_world_from_volume)
    return tmp_path / "pose.txt"


class TestDemo:
    def test_it_finds_the_pose_and_says_so(self, demo):
        outcome, out = demo
        assert outcome.returncode == 0, outcome.stderr
        answer = json.loads(outcome.stdout)
        assert answer["result"]["status"] == "accepted"
        assert answer["result"]["mtre_mm"] < 5
        assert answer["out"] == str(out / "phantom-demo")
        assert "mTRE" in outcome.stderr

    def test_no_warning_reaches_the_user(self, demo):
        assert "Warning" not in demo[0].stderr
        assert "warning" not in demo[0].stderr

    def test_it_starts_as_far_off_as_it_says(self, case_file):
        case = read_case(case_file)
        start, truth = case.initial_world_from_volume, case.truth_world_from_volume
        cosine = (np.trace(start[:3, :3] @ truth[:3, :3].T) - 1) / 2
        assert np.rad2deg(np.arccos(cosine)) == pytest.approx(START_ROTATION_DEG)
        centre = case.landmarks_mm.mean(axis=0)
        shift = np.linalg.norm((start - truth)[:3, :3] @ centre + (start - truth)[:3, 3])
        assert START_SHIFT_MM[0] <= shift <= START_SHIFT_MM[1]

    def test_its_files_agree_with_each_other(self, demo):
        folder = demo[1] / "phantom-demo"
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        np.testing.assert_allclose(read_pose(folder / "world_from_volume.tfm"), result["world_from_volume"], atol=1e-9)
        drr = sitk.ReadImage(str(folder / "drr.nrrd"))
        assert drr.GetSize() == (512, 512)
        assert sitk.GetArrayFromImage(drr).max() > 0.5
        with Image.open(folder / "overlay.png") as overlay:
            assert overlay.width > 1500
        assert not list(demo[1].rglob(".*"))

    def test_the_scene_is_there_where_slicer_core_is(self, demo):
        if importlib.util.find_spec("slicer_core") is None:
            pytest.skip("slicer-core is not installed")
        assert (demo[1] / "phantom-demo" / "scene.mrb").stat().st_size > 100_000


class TestRegister:
    def test_an_image_of_something_else_is_not_accepted_and_options_win_over_settings(
        self, case_file, tmp_path, capsys
    ):
        config = tmp_path / "config.json"
        config.write_text(json.dumps({"method": "cmaes", "population": 8, "generations": 1, "seed": 5}))
        folder = shutil.copytree(case_file.parent, tmp_path / "of-something-else")
        xray = sitk.ReadImage(str(folder / "xray.tif"))
        noise = np.random.default_rng(1).normal(2000, 100, xray.GetSize()[::-1]).astype(np.uint16)
        sitk.WriteImage(sitk.GetImageFromArray(noise), str(folder / "xray.tif"))
        arguments = ["register", str(folder), "--out", str(tmp_path), "--config", str(config), "--seed", "6"]
        assert main([*arguments, "--json"]) == 3
        answer = json.loads(capsys.readouterr().out)
        result = answer["results"][0]
        assert answer["exit_code"] == 3
        assert result["status"] != "accepted"
        assert (result["config"]["population"], result["config"]["seed"]) == (8, 6)
        assert (tmp_path / "phantom-demo" / "result.json").is_file()

    def test_the_time_limit_ends_it_with_the_best_so_far(self, case_file, tmp_path, capsys):
        code = main(["register", str(case_file), "--out", str(tmp_path), "--time-limit", "0.1", "--json"])
        assert code == 4
        result = json.loads(capsys.readouterr().out)["results"][0]
        assert result["stopped"] == "time limit"
        written = json.loads((tmp_path / "phantom-demo" / "result.json").read_text(encoding="utf-8"))
        assert written["world_from_volume"] == result["world_from_volume"]

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals for child processes")
    @pytest.mark.usefixtures("signals_heard")
    @pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
    def test_ctrl_c_and_the_end_of_the_terminal_write_the_best_so_far(self, case_file, tmp_path, name):
        config = tmp_path / "config.json"
        config.write_text(json.dumps({"restarts": 50, "method": "cmaes"}))
        arguments = command("register", case_file, "--out", tmp_path / "out", "--config", config)
        with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                if "%" in line:
                    break
            time.sleep(0.2)
            process.send_signal(getattr(signal, name))
            rest = process.stderr.read()
        assert process.returncode == 4, rest
        assert "Stopping" in rest
        result = json.loads((tmp_path / "out" / "phantom-demo" / "result.json").read_text(encoding="utf-8"))
        assert result["stopped"] == "cancelled"

    def test_every_fault_of_every_case_is_listed_before_anything_starts(self, case_file, tmp_path, capsys):
        other = tmp_path / "other"
        shutil.copytree(case_file.parent, other)
        broken = json.loads((other / "case.json").read_text())
        broken["views"][0]["camera"]["size"] = [100, 100]
        (other / "broken.json").write_text(json.dumps(broken))
        cases = [str(case_file), str(other), str(other / "broken.json"), str(tmp_path / "none.json")]
        assert main(["register", *cases, "--out", str(tmp_path / "out")]) == 2
        printed = capsys.readouterr().err
        for words in ("says 100 x 100", "none.json does not exist", '2 cases have the name "phantom-demo"'):
            assert words in printed
        assert not (tmp_path / "out").exists()

    def test_what_can_be_run_is_run_and_the_rest_is_listed_with_code_2(self, case_file, tmp_path, capsys):
        content = json.loads(case_file.read_text())
        for entry, key in ((content, "ct"), (content["anatomy"], "labels"), (content["views"][0], "image")):
            entry[key] = str(case_file.parent / entry[key])
        (tmp_path / "good.json").write_text(json.dumps(content))
        content["name"], content["views"][0]["camera"]["size"] = "broken", [100, 100]
        (tmp_path / "broken.json").write_text(json.dumps(content))
        out = tmp_path / "out"
        cases = [str(tmp_path / name) for name in ("broken.json", "good.json")]
        assert main(["register", *cases, "--out", str(out), "--time-limit", "1", "--json"]) == 2
        printed = capsys.readouterr()
        answer = json.loads(printed.out)
        (fault,) = answer["error"]["faults"]
        assert "says 100 x 100" in fault
        assert printed.err.count("broken.json: View 1") == 2  # before the others run, and at the end
        assert [result["name"] for result in answer["results"]] == ["phantom-demo"]
        assert sorted(folder.name for folder in out.iterdir()) == ["phantom-demo"]

    def test_a_ct_that_cases_share_is_read_once(self, case_file):
        one, other = read_case(case_file), read_case(case_file)
        assert one.ct is other.ct
        assert one.anatomy is other.anatomy

    def test_a_start_that_shows_nothing_is_bad_input(self, case_file, tmp_path, capsys):
        content = json.loads(case_file.read_text())
        content["initial"]["world_from_volume"][2][3] = -600.0
        for entry, key in ((content, "ct"), (content["anatomy"], "labels"), (content["views"][0], "image")):
            entry[key] = str(case_file.parent / entry[key])
        (tmp_path / "case.json").write_text(json.dumps(content))
        assert main(["register", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
        assert "source" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    def test_invalid_settings_are_named(self, case_file, tmp_path, capsys):
        (tmp_path / "config.json").write_text(json.dumps({"restart": 3}))
        arguments = [
            "register",
            str(case_file),
            "--out",
            str(tmp_path / "out"),
            "--config",
            str(tmp_path / "config.json"),
        ]
        assert main(arguments) == 2
        assert "restart" in capsys.readouterr().err

    @pytest.mark.parametrize("method", ["auto", "prost", "prost+cmaes"])
    def test_weights_that_cannot_be_used_are_bad_input_and_nothing_is_written(
        self, case_file, tmp_path, capsys, method
    ):
        broken = tmp_path / "broken.safetensors"
        broken.write_bytes(b"PK\x03\x04 no weights")
        out = tmp_path / "out"
        arguments = ["register", case_file, "--out", out, "--method", method, "--weights", broken, "--json"]
        assert main([str(argument) for argument in arguments]) == 2
        (fault,) = json.loads(capsys.readouterr().out)["error"]["faults"]
        assert "broken.safetensors" in fault
        assert not out.exists()

    def test_adapted_weights_that_are_not_there_are_bad_input(self, case_file, tmp_path, capsys, monkeypatch):
        monkeypatch.setenv("PROSTREG_CACHE", str(tmp_path / "cache"))
        out = tmp_path / "out"
        assert main(["register", str(case_file), "--out", str(out), "--weights", "adapted", "--method", "prost"]) == 2
        assert "prostreg adapt" in capsys.readouterr().err
        assert not out.exists()


class TestDrr:
    def test_at_the_true_pose_it_is_the_negative_of_the_fluoroscopy(self, case_file, true_pose, tmp_path, capsys):
        image = tmp_path / "new" / "drr.nrrd"
        assert main(["drr", str(case_file), "--pose", str(true_pose), "--out", str(image), "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["size"] == [512, 512]
        drr = sitk.ReadImage(str(image))
        assert drr.GetSpacing() == pytest.approx((298 / 512, 298 / 512))
        fluoroscopy = sitk.GetArrayFromImage(sitk.ReadImage(str(case_file.parent / "xray.tif"))).astype(float)
        grey, values = np.log(fluoroscopy + 1).ravel(), sitk.GetArrayFromImage(drr)
        assert np.corrcoef(values.ravel(), grey)[0, 1] < -0.95
        for turned in (values[:, ::-1], values[::-1]):
            assert np.corrcoef(turned.ravel(), grey)[0, 1] > -0.9

    def test_a_picture_of_the_anatomy_alone(self, case_file, true_pose, tmp_path):
        out = tmp_path / "drr.png"
        assert main(["drr", str(case_file), "--pose", str(true_pose), "--out", str(out), "--anatomy"]) == 0
        picture = np.asarray(Image.open(out))
        assert picture.dtype == np.uint8
        assert picture.max() == 255
        assert 0.1 < (picture > 0).mean() < 0.5

    def test_a_ct_out_of_view_is_said_and_nothing_written(self, case_file, true_pose, tmp_path, capsys):
        turned_round = read_pose(true_pose)
        turned_round[:3, 3] *= -1
        write_transform(tmp_path / "behind.tfm", turned_round)
        out = tmp_path / "drr.png"
        assert main(["drr", str(case_file), "--pose", str(tmp_path / "behind.tfm"), "--out", str(out)]) == 2
        assert "out of view 1" in capsys.readouterr().err
        assert not out.exists()

    def test_a_view_that_is_not_there_is_refused(self, case_file, true_pose, tmp_path, capsys):
        out = tmp_path / "drr.png"
        assert main(["drr", str(case_file), "--pose", str(true_pose), "--out", str(out), "--view", "2"]) == 2
        assert "There is no view 2" in capsys.readouterr().err
        assert not out.exists()
