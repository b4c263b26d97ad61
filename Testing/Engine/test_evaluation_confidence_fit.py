"""Fitting the confidence: on made-up rows whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from prostreg.evaluation.confidence_fit import error_inflation, error_ratios, examples_of, main, out_of_fold, threshold
from prostreg.evaluation.rows import Row

SIGMA = [0.1, 0.1, 0.1, 0.2, 0.2, 2.0]


def evidence(confirmed: float) -> dict[str, float]:
    return {
        "confirmed": confirmed, "patches": 100.0, "seen": 0.8, "runner_up": 0.1, "agreement": 0.0, "restarts": 2.0,
        "surprise": 1.0, "expected_mtre_mm": 1.0,
    }  # fmt: skip


def rows(count: int = 200) -> list[Row]:
    """Right poses score 0.5, wrong ones 0.1; true errors are twice the expected ones."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        is_right = number % 4 > 0
        confirmed = float(rng.normal(0.5 if is_right else 0.1, 0.05))
        errors = 2 * np.array(SIGMA) * rng.standard_normal(6)
        made.append(
            Row(
                "confidence-made-up",
                "v",
                "e",
                number,
                f"case-{number}",
                "auto",
                number,
                mtre_mm=1.0 if is_right else 80.0,
                status="accepted",
                evidence=evidence(confirmed),
                turn_errors_deg=errors[:3].tolist(),
                shift_errors_mm=errors[3:].tolist(),
                expected_error={"rotation_deg": SIGMA[:3], "translation_mm": SIGMA[3:], "mtre_mm": 1.0},
                attempts=[
                    {"mtre_mm": 80.0, "confidence": 0.1, "evidence": evidence(0.08)},
                    {"mtre_mm": 1.0 if is_right else 80.0, "confidence": 0.5, "evidence": evidence(confirmed)},
                ],
            )
        )
    return made


def test_examples_are_the_leaders_after_each_attempt_and_the_result():
    examples = examples_of(rows(4))
    assert examples.is_right.tolist() == [False, False, False] + [False, True, True] * 3
    np.testing.assert_allclose([examples.weights[examples.groups == group].sum() for group in range(4)], 1)
    assert examples.is_final.sum() == 4


def test_held_out_probabilities_tell_right_from_wrong():
    examples = examples_of(rows())
    probabilities = out_of_fold(examples)
    assert probabilities[examples.is_right].min() > 0.5
    assert probabilities[~examples.is_right].max() < 0.5


def test_the_threshold_leaves_hardly_any_wrong_one():
    probabilities = np.concatenate([np.full(190, 0.999), np.full(10, 0.92)])
    is_right = np.concatenate([np.full(190, True), np.full(10, False)])
    chosen = threshold(probabilities, is_right)
    assert 0.92 < chosen < 0.999


def test_errors_twice_as_large_as_expected_inflate_variances_fourfold():
    assert error_ratios(rows()).std() == pytest.approx(2.0, rel=0.1)
    assert error_inflation(rows(), 1.0) == pytest.approx(4.0, rel=0.2)


def test_the_command_writes_a_model_with_its_card(tmp_path, capsys):
    results = tmp_path / "results.jsonl"
    results.write_text("".join(json.dumps(row.to_dict()) + "\n" for row in rows()), encoding="utf-8")
    assert main([str(results), "--out", str(tmp_path / "confidence.json")]) == 0
    model = json.loads((tmp_path / "confidence.json").read_text(encoding="utf-8"))
    assert model["weights"]["confirmed"] > 0
    assert model["card"]["fitted_on"] == [
        {"protocol": "confidence-made-up", "version": "v", "engine": "e", "method": "auto", "registrations": 200}
    ]
    assert model["card"]["held_out"]["precision"] == 1
    assert json.loads(capsys.readouterr().out) == model["card"]


def test_results_that_are_none_are_refused(tmp_path, capsys):
    results = tmp_path / "results.jsonl"
    results.write_text('{"a": 1}\n', encoding="utf-8")
    assert main([str(results), "--out", str(tmp_path / "confidence.json")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "confidence.json").exists()
