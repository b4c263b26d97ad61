"""The benchmark: its scene has a closed form, its machinery measures, and nobody's absence or error goes unsaid."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from prostreg.cli.main import main
from prostreg_bench import drr, measuring
from prostreg_bench.agreement import Agreement, Judge
from prostreg_bench.own_renderers import fused_gradient, fused_image, reference_image
from prostreg_bench.renderers import OURS, RENDERERS, Renderer
from prostreg_bench.report import GRADIENT, IMAGE, Measurement, Measurements, as_markdown
from prostreg_bench.scene import EDGE_MM, ELLIPSOIDS, make_scene, make_values

TINY = drr.Plan(voxels=32, sizes=(16,), headline=16, rounds=2, seconds_each=1.0)
ABSENT = Renderer("a peer", "no-such-package-anywhere", "nowhere:nothing")
BROKEN = Renderer("a broken peer", "prostreg", "own_renderers:nothing_there")


@pytest.fixture(scope="module")
def values():
    return make_values(128)


@pytest.fixture(scope="module")
def scene(values):
    return make_scene(values, 96)


def test_volume_holds_what_the_ellipsoids_hold(values):
    exact = sum(s.attenuation * 4 / 3 * np.pi * np.prod(s.radii_mm) for s in ELLIPSOIDS)
    assert values.sum(dtype=np.float64) * (EDGE_MM / 128) ** 3 == pytest.approx(exact, rel=2e-3)


@pytest.mark.parametrize("prepare", [fused_image, reference_image])
def test_our_images_agree_with_the_closed_form(scene, prepare):
    agreement = Judge(scene.carm, None).agreement(prepare(scene)())
    assert agreement.ncc > 0.9998
    assert agreement.error < 6e-3


def test_our_gradient_agrees_with_the_closed_form(scene):
    output = fused_gradient(scene)()
    assert Judge(scene.carm, None).agreement(output).gradient_error < 1e-2


@pytest.mark.parametrize("spoil", [np.fliplr, np.flipud, np.transpose, np.zeros_like, lambda image: image * np.nan])
def test_an_image_of_another_geometry_is_wrong(scene, spoil):
    judge = Judge(scene.carm, None)
    output = fused_image(scene)()
    assert judge.agreement(output).is_right
    assert not judge.agreement(type(output)(spoil(output.image))).is_right


def test_command_prints_one_json_object_and_writes_the_same(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(drr, "Plan", lambda: TINY)
    monkeypatch.setattr(drr, "RENDERERS", (OURS, ABSENT, BROKEN))
    file = tmp_path / "new" / "bench.json"
    assert main(["bench", "drr", "--json", "--out", str(file)]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report.pop("exit_code") == 0
    assert report == json.loads(file.read_text(encoding="utf-8"))
    assert "a peer: not installed" in captured.err
    assert {r["name"]: r["version"] is None for r in report["renderers"]} == {
        OURS.name: False,
        ABSENT.name: True,
        BROKEN.name: False,
    }
    measured = {(m["renderer"], m["task"]): m for m in report["measurements"]}
    assert set(measured) == {(OURS.name, IMAGE), (OURS.name, GRADIENT), (BROKEN.name, IMAGE)}
    ours = measured[OURS.name, IMAGE]
    assert ours["runs"] == len(ours["all_seconds"]) >= TINY.rounds
    assert ours["seconds"] > 0
    assert ours["times_ours"] == 1
    assert ours["ncc"] > 0.99
    assert "nothing_there" in measured[BROKEN.name, IMAGE]["failure"]
    assert report["machine"]["devices"][0]["cores"] >= 1


def test_table_names_ratios_absent_peers_failures_and_wrong_images():
    right, wrong = Agreement(0.99999, 1e-3, 0.0, 2e-3), Agreement(0.9, 0.3, 0.3)
    peer = Renderer("a slow peer", "prostreg", "x:y")
    items = [
        Measurement(OURS, IMAGE, 128, (0.010, 0.011, 0.5), 100.0, right),
        Measurement(peer, IMAGE, 128, (0.044,), None, wrong),
        Measurement(BROKEN, IMAGE, 128, (), None, Agreement(), "RuntimeError: it broke"),
        Measurement(OURS, GRADIENT, 128, (0.022,), 120.0, right),
    ]
    text = as_markdown(Measurements(items), [ABSENT], headline=128)
    assert re.search(r"\| prostreg fused-cpu \| 0\.0110 \| 1\.00 \| 100 \| 0\.99999", text)
    assert re.search(r"\| a slow peer \| 0\.0440 \| 4\.00 \| - \|", text)
    assert re.search(r"\| prostreg fused-cpu \| 0\.0220 \| 1\.00 \| 2\.00 \| 120 \| 2\.0e-03 \|", text)
    assert "a slow peer, image, 128 x 128: WRONG IMAGE" in text
    assert "a broken peer, image, 128 x 128: failed, RuntimeError: it broke" in text
    assert 'a peer: not installed; pip install ".[bench]"' in text


def test_slow_renderers_sit_rounds_out_but_have_three_turns(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "TURN_SECONDS", 0.0)
    file = tmp_path / "volume.npy"
    np.save(file, make_values(32))
    entries = [measuring.Entry("image", OURS.image), measuring.Entry("gradient", OURS.gradient)]
    timings = measuring.compare(entries, file, 16, rounds=8, seconds_each=0.0, on_step=lambda words: None)
    assert [len(timing.seconds) for timing in timings] == [3, 3]


@pytest.mark.parametrize("renderer", [e for e in RENDERERS if e.package != "prostreg"], ids=lambda e: e.name)
def test_installed_peers_see_the_same_scene(renderer):
    if renderer.version() is None:
        pytest.skip(f"{renderer.package} is not installed: {renderer.how_to_install()}")
    plan = drr.Plan(voxels=128, sizes=(48,), headline=48, rounds=1)
    report, _ = drr.measure(plan, [OURS, renderer])
    measured = [m for m in report["measurements"] if m["renderer"] == renderer.name]
    assert len(measured) == (1 if renderer.gradient is None else 2)
    for m in measured:
        assert m["failure"] is None
        assert m["ncc"] > 0.999
        assert m["error_to_ours"] < 4e-3
        assert m["gradient_error"] is None or m["gradient_error"] < 3e-2


def test_report_that_cannot_be_written_is_refused_before_measuring(tmp_path, capsys):
    assert main(["bench", "drr", "--out", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_extra_keeps_the_torch_that_development_uses():
    root = Path(__file__).resolve().parents[2]
    pinned = re.search(r"^TORCH := (\S+)", (root / "Makefile").read_text(encoding="utf-8"), flags=re.M)[1]
    extra = re.search(r"^bench = \[(.*)\]", (root / "pyproject.toml").read_text(encoding="utf-8"), flags=re.M)[1]
    assert f'"{pinned}"' in extra
