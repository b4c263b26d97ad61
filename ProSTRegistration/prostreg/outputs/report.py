"""report.html: one registration on one page that needs nothing else: verdict, picture, numbers, settings, versions."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_accuracy import CARM_ACCURACIES, least_known
from prostreg.outputs.verdict_words import accuracy_word, verdict_colour, verdict_sentences, verdict_word
from prostreg.registration.case import Case, View
from prostreg.registration.result import Result
from prostreg.spoken_numbers import percent, tenths

_STYLE = """
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; color: #1c2024; background: #fff; max-width: 80rem;
  margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.5rem; margin: 0 0 .8rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; border-bottom: 1px solid #d5d9de; padding-bottom: .2rem; }
.verdict { color: #fff; border-radius: 6px; padding: .7rem 1rem; }
.verdict b { font-size: 1.2rem; margin-right: .6rem; }
img { width: 100%; height: auto; margin-top: 1rem; border-radius: 6px; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .15rem 1.4rem .15rem 0; font-weight: 400;
  overflow-wrap: anywhere; }
thead th { color: #5c6670; }
tbody th { color: #5c6670; min-width: 9rem; }
.numbers td, .numbers th { font-variant-numeric: tabular-nums; text-align: right; }
.named td:first-child, .named th:first-child { text-align: left; }
details { margin-top: .6rem; }
summary { cursor: pointer; color: #5c6670; }
footer { margin-top: 2.5rem; color: #5c6670; font-size: .9rem; }
@media print { details > * { display: block; } body { margin: 0; } }
"""


def write_report(path: Path, case: Case, result: Result, picture: Path) -> None:
    """Writes the page.

    Args:
        case: as the result has read it.
        picture: PNG that is put into the page.
    """
    path.write_text(_page(case, result, picture.read_bytes()), encoding="utf-8")


def _page(case: Case, result: Result, picture: bytes) -> str:
    title = escape(case.name)
    image = base64.b64encode(picture).decode("ascii")
    word, said = verdict_word(result.status), " ".join(_verdict(case, result))
    reasons = "".join(f"<p>{escape(reason[:1].upper() + reason[1:])}.</p>" for reason in result.reasons)
    body = [
        f"<h1>{title}</h1>",
        f'<div class="verdict" style="background: {verdict_colour(result.status)}"><b>{word}</b> {escape(said)}</div>',
        reasons,
        f'<img alt="X-ray and CT at the pose, drawn over each other" src="data:image/png;base64,{image}">',
        _section("Result", _facts(_numbers(result))),
        *(_view_section(view, number, len(case.views)) for number, view in enumerate(case.views, start=1)),
        _section("Notes", _items(result.warnings)) if result.warnings else "",
        _section("Pose", _matrix(result), "world_from_volume: from the CT (RAS, mm) to the C-arm's world."),
        _section("Search", _stages(result)),
        _section("Settings and versions", _made_with(result)),
        "<footer>Look at the picture before you rely on the pose. This page holds no name or number of a patient beyond"
        " what the case was called.</footer>",
    ]
    head = f'<meta charset="utf-8"><title>{title}: {word}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(body) + "\n</body></html>\n"


def _verdict(case: Case, result: Result) -> list[str]:
    accuracy, expected = least_known(view.carm.accuracy for view in case.views), result.expected_error
    across_mm, along_mm = (None, None) if expected is None else (expected.across_mm, expected.along_mm)
    return verdict_sentences(result.status, result.confidence, across_mm, along_mm, accuracy)


def _numbers(result: Result) -> list[tuple[str, str]]:
    facts = [("Status", result.status), ("Confidence", percent(result.confidence))]
    expected = result.expected_error
    if expected is not None and result.status != "failed":
        u, v, depth = (tenths(length) for length in expected.translation_mm)
        tilt_u, tilt_v, turn = (tenths(angle) for angle in expected.rotation_deg)
        facts += [
            (
                "Expected error",
                f"{tenths(expected.across_mm)} mm across the beam, {tenths(expected.along_mm)} mm along",
            ),
            ("of the place", f"{u} mm to the side, {v} mm up or down, {depth} mm in depth, if the C-arm is as given"),
            ("of the tilt", f"{tilt_u}° about the image's rows, {tilt_v}° about its columns, {turn}° in its plane"),
        ]
    if result.mtre_mm is not None:
        facts.append(("True error (mTRE)", f"{result.mtre_mm:.2f} mm"))
    fit = result.carm_fit
    if fit is not None:
        deviation = tenths(fit.sdd_deviation_mm)
        facts.append(("Distance by the image", f"{fit.sdd_mm:.0f} ± {deviation} mm; given {fit.given_sdd_mm:.0f} mm"))
    facts.append(("Time", f"{result.seconds:.1f} s" + (f", stopped: {result.stopped}" if result.stopped else "")))
    facts.append(("Device", result.device))
    return facts


def _view_section(view: View, number: int, count: int) -> str:
    carm, accuracy = view.carm, CARM_ACCURACIES[view.carm.accuracy]
    title = "C-arm" if count == 1 else f"C-arm of view {number}"
    if view.told:
        rows = [(each.name, each.value or "-", each.known, each.origin) for each in view.told]
        return _section(title, _table(("", "value", "known", "from"), rows), "By the image's DICOM tags.")
    off_px = accuracy.principal_point_share * max(carm.size)
    cx, cy = carm.principal_point
    facts = [
        ("source to detector", _distance(carm, accuracy.sdd_share)),
        ("focal length", f"{carm.intrinsics[0, 0]:.1f} x {carm.intrinsics[1, 1]:.1f} pixels"),
        ("principal point", f"{cx:.1f}, {cy:.1f} pixels, ± {off_px:.0f}"),
        ("image", f"{carm.width} x {carm.height} pixels"),
        ("values are", accuracy_word(carm.accuracy)),
        *([] if view.undistortion is None else [("X-ray", view.undistortion.words)]),
        *([("left and right", "exchanged; so is the principal point above")] if view.is_flipped else []),
    ]
    return _section(title, _facts(facts))


def _distance(carm: CArm, share: float) -> str:
    if carm.spacing_mm is None:
        return f"not told, ± {100 * share:g} %"
    width, height = carm.spacing_mm
    return f"{carm.sdd_mm:.1f} mm, ± {share * carm.sdd_mm:.0f} mm, with pixels of {width:.4g} x {height:.4g} mm"


def _stages(result: Result) -> str:
    rows = [
        (stage.name, f"{stage.starts}", f"{stage.evaluations}", f"{stage.score:.3f}", f"{stage.seconds:.1f} s")
        for stage in result.stages
    ]
    return _table(("stage", "starts", "poses", "score", "time"), rows, "numbers named")


def _made_with(result: Result) -> str:
    versions = [(name, str(version)) for name, version in result.versions.items()]
    weights = [] if result.weights is None else [("weights", " ".join(map(str, result.weights.values())))]
    polarities = [
        (f"polarity of view {number}", f"{polarity.used}{' (given)' if polarity.is_given else ''}")
        for number, polarity in enumerate(result.polarities, start=1)
        if polarity.used is not None
    ]
    settings = [(name, json.dumps(value)) for name, value in sorted(result.config.items())]
    made = _facts([("projector", result.projector), *weights, *polarities, *versions])
    return f"{made}<details><summary>All settings</summary>{_facts(settings)}</details>"


def _matrix(result: Result) -> str:
    rows = [[f"{number:.6f}" for number in row] for row in result.world_from_volume]
    return _table((), rows, "numbers")


def _section(title: str, content: str, lead: str = "") -> str:
    said = f"<p>{escape(lead)}</p>" if lead else ""
    return f"<section><h2>{escape(title)}</h2>{said}{content}</section>"


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    return f"<table><tbody>{rows}</tbody></table>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], style: str = "") -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="{style}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _items(sentences: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"
