"""The study of the confidence: its groups and their order; the fit and the report, on made-up rows of known truth."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from prostreg.errors import InputError
from prostreg.evaluation.confidence.fit import (
    error_inflation,
    error_ratios,
    examples_of,
    main,
    out_of_fold,
    rows_to_fit,
    threshold,
)
from prostreg.evaluation.confidence.report import judged_again, line, tables
from prostreg.evaluation.confidence.report import main as report
from prostreg.evaluation.confidence.run import run_study
from prostreg.evaluation.confidence.study import Study, StudyRow, read_study, rows_file
from prostreg.evaluation.rows import Row
from prostreg.evaluation.sources.misspecified import Misspecification
from prostreg.folder_lock import held
from prostreg.registration.confidence import confidence_model

SIGMA = [0.1, 0.1, 0.1, 0.2, 0.2, 2.0]


def evidence(confirmed: float) -> dict[str, float]:
    return {
        "confirmed": confirmed, "patches": 100.0, "seen": 0.8, "runner_up": 0.1, "agreement": 0.0, "restarts": 2.0,
        "surprise": 1.0, "expected_mtre_mm": 1.0,
    }  # fmt: skip


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study()


@pytest.fixture(scope="module")
def rows(study: Study) -> list[StudyRow]:
    """Of one group: right poses score 0.5, wrong ones 0.1; true errors are twice the expected ones."""
    group = study.groups[0]
    protocol = group.protocols["paper"]
    rng = np.random.default_rng(0)
    made = []
    for number in range(200):
        is_right = number % 4 > 0
        confirmed = float(rng.normal(0.5 if is_right else 0.1, 0.05))
        errors = 2 * np.array(SIGMA) * rng.standard_normal(6)
        row = Row(
            protocol.name, protocol.version, "e", number, f"case-{number}", "auto", number,
            mtre_mm=1.0 if is_right else 80.0,
            confidence=0.9,
            status="accepted",
            evidence=evidence(confirmed),
            turn_errors_deg=errors[:3].tolist(),
            shift_errors_mm=errors[3:].tolist(),
            expected_error={"rotation_deg": SIGMA[:3], "translation_mm": SIGMA[3:], "mtre_mm": 0.5},
            attempts=[
                {"mtre_mm": 80.0, "confidence": 0.1, "evidence": evidence(0.08)},
                {"mtre_mm": 1.0 if is_right else 80.0, "confidence": 0.5, "evidence": evidence(confirmed)},
            ],
        )  # fmt: skip
        made.append(StudyRow(group, "paper", Misspecification(), row))
    return made


def told(entry: StudyRow, **wrong: object) -> StudyRow:
    return replace(entry, wrong=Misspecification("wrong", **wrong))


def test_no_patient_serves_both_the_fit_and_the_report(study):
    used = {"fit": set(), "report": set()}
    for group in study.groups:
        for protocol in group.protocols.values():
            source = json.dumps([protocol.content["source"], protocol.content["misspecified"]])
            files = [part for part in source.split('"') if part.endswith((".gz", ".json", ".nii"))]
            used[group.use] |= {*files, source.split('"phantom_seed": ')[-1][:2] if "phantom_seed" in source else ""}
    assert used["fit"] & used["report"] <= {""}
    assert len(used["fit"]) > 5 < len(used["report"])


@pytest.mark.parametrize("cases", [40, 100, 240])
def test_groups_presets_and_what_is_told_wrongly_are_balanced_wherever_it_ends(study, cases):
    visits = list(islice(study.visits(), cases))
    assert len({(protocol.name, number) for protocol, number in visits}) == cases
    wrong = Counter(protocol.misspecification(number).name for protocol, number in visits)
    assert wrong["none"] == pytest.approx(cases / 2, abs=2)
    assert len(wrong) >= 9
    presets = Counter(protocol.name.rsplit("-", 1)[1] for protocol, _ in visits)
    assert min(presets[name] for name in ("paper", "hard", "clean")) >= 0.25 * cases
    uses = Counter(next(g.use for g in study.groups if protocol in g.protocols.values()) for protocol, _ in visits)
    assert min(uses.values()) >= 0.35 * cases


def test_visits_of_one_use_are_the_others_left_out(study):
    fit, report = (list(islice(study.visits(use), 40)) for use in ("fit", "report"))
    both = list(islice(study.visits(), 30))
    assert [visit for visit in both if visit in fit or visit in report] == both
    for use, visits in (("fit", fit), ("report", report)):
        groups = [group for group in study.groups if group.use == use]
        assert all(any(protocol in group.protocols.values() for group in groups) for protocol, _ in visits)


def test_a_run_leaves_a_case_to_the_run_that_has_begun_it(study, tmp_path):
    one = replace(study, groups=study.groups[:1])
    folders = [rows_file(tmp_path, protocol).parent for protocol in one.groups[0].protocols.values()]
    with ExitStack() as others:
        for folder in folders:
            folder.mkdir()
            others.enter_context(held(folder))
        run_study(one, tmp_path / "nowhere", tmp_path, minutes=1e6)
    with pytest.raises(InputError, match="nowhere"):
        run_study(one, tmp_path / "nowhere", tmp_path, minutes=1e6)
    run_study(one, tmp_path / "nowhere", tmp_path, minutes=0)


def test_what_the_place_cannot_tell_is_not_fitted_on(rows):
    right = rows[1]
    kept = [told(right, shifted_mm=5.0), told(right, other=object()), right]
    left_out = [
        told(right, sdd_factor=1.04),
        told(right, is_mirrored=True),
        replace(right, row=replace(right.row, evidence={}, error="refused")),
    ]
    assert rows_to_fit([*kept, *left_out]) == kept


def test_examples_are_the_leaders_after_each_attempt_and_the_result(rows):
    examples = examples_of(rows[:4])
    assert examples.is_right.tolist() == [False, False, False] + [False, True, True] * 3
    np.testing.assert_allclose([examples.weights[examples.groups == group].sum() for group in range(4)], 1)
    assert examples.is_final.sum() == 4


def test_held_out_probabilities_tell_right_from_wrong(rows):
    examples = examples_of(rows)
    probabilities = out_of_fold(examples)
    assert probabilities[examples.is_right].min() > 0.5
    assert probabilities[~examples.is_right].max() < 0.5


def test_the_threshold_leaves_hardly_any_wrong_one():
    probabilities = np.concatenate([np.full(190, 0.999), np.full(10, 0.92)])
    is_right = np.concatenate([np.full(190, True), np.full(10, False)])
    chosen = threshold(probabilities, is_right)
    assert 0.92 < chosen < 0.999


def test_errors_twice_as_large_as_expected_inflate_variances_fourfold(rows):
    assert error_ratios(rows).std() == pytest.approx(2.0, rel=0.1)
    assert error_inflation(rows, 1.0) == pytest.approx(4.0, rel=0.2)


def written(folder: Path, rows: list[StudyRow]) -> Path:
    path = rows_file(folder, rows[0].group.protocols["paper"])
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(entry.row.to_dict()) + "\n" for entry in rows), encoding="utf-8")
    return folder


def test_the_command_writes_a_model_with_its_card(tmp_path, capsys, rows):
    assert main([str(written(tmp_path, rows)), "--out", str(tmp_path / "confidence.json")]) == 0
    model = json.loads((tmp_path / "confidence.json").read_text(encoding="utf-8"))
    assert model["weights"]["confirmed"] > 0
    assert not {"chance", "surprise"} & set(model["weights"])  # they are the same in all rows
    (origin,) = model["card"]["fitted_on"]
    assert origin["group"] == rows[0].group.name
    assert model["card"]["held_out"]["precision"] == 1
    assert json.loads(capsys.readouterr().out) == model["card"]


def test_results_of_another_protocol_are_refused(tmp_path, capsys, rows):
    other = [replace(entry, row=replace(entry.row, version="another")) for entry in rows]
    assert main([str(written(tmp_path, other)), "--out", str(tmp_path / "confidence.json")]) == 2
    assert "another version of the protocol" in capsys.readouterr().err
    assert not (tmp_path / "confidence.json").exists()


def test_a_folder_without_rows_is_refused(tmp_path, capsys):
    assert main([str(tmp_path), "--out", str(tmp_path / "confidence.json")]) == 2
    assert "no right and wrong results" in capsys.readouterr().err


def test_a_line_counts_what_was_accepted_and_how_far_off_it_was(rows):
    right, wrong = rows[1], rows[0]
    beyond = replace(right, row=replace(right.row, mtre_mm=1.6))
    never = told(replace(right, row=replace(right.row, mtre_mm=None)), is_mirrored=True)
    refused = replace(right, row=replace(right.row, status=None, mtre_mm=None, evidence={}))
    doubted = replace(right, row=replace(right.row, status="uncertain"))
    counted = line("all", [right, beyond, wrong, never, refused, doubted])
    assert (counted.right.hits, counted.right.count) == (3, 6)
    assert (counted.precise.hits, counted.precise.count) == (2, 4)
    assert (counted.expected.hits, counted.expected.count) == (1, 4)
    assert (counted.recall.hits, counted.recall.count) == (2, 3)
    assert counted.others == (1, 0, 1)


def test_tables_name_what_was_accepted_and_wrong(rows):
    text = tables([rows[1], told(rows[0], sdd_factor=1.04)])
    assert "case-0: wrong, 80.0 mm off" in text
    assert "case-1" not in text


def test_another_model_judges_by_its_confidence_and_keeps_what_was_refused_for_other_reasons(rows):
    today = confidence_model()
    stricter = replace(today, intercept=today.intercept - 100)
    good = replace(rows[1], row=replace(rows[1].row, evidence=evidence(0.9)))
    doubted = replace(good, row=replace(good.row, status="uncertain", confidence=0.4))
    assert judged_again(good, today, today).is_accepted
    assert judged_again(good, stricter, today).row.status == "failed"
    assert judged_again(doubted, today, today).row.status == "uncertain"
    assert judged_again(doubted, today, today).row.confidence == 0.4


def test_the_report_writes_tables_and_figures(tmp_path, capsys, study, rows):
    group = next(group for group in study.groups if group.use == "report" and "paper" in group.protocols)
    protocol = group.protocols["paper"]
    own = [
        replace(entry, group=group, row=replace(entry.row, protocol=protocol.name, version=protocol.version))
        for entry in rows[:12]
    ]
    assert report([str(written(tmp_path / "rows", own)), "--out", str(tmp_path / "told")]) == 0
    assert capsys.readouterr().out.startswith("## Anatomy")
    assert {path.name for path in (tmp_path / "told").iterdir()} == {"table.md", "reliability.png", "errors.png"}
    assert report([str(tmp_path / "nothing"), "--out", str(tmp_path / "none")]) == 2
    assert "has no rows" in capsys.readouterr().err
