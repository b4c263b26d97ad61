"""table.md: the numbers of an evaluation, each with its uncertainty, beside what publications report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from prostreg.choices import ADAPTED, METHODS
from prostreg.evaluation.methods import METHOD_SETTINGS
from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.report.cases_to_look_at import notable_rows
from prostreg.evaluation.report.statistics import Percentile, Share
from prostreg.evaluation.report.summary import ERRORS, MethodSummary
from prostreg.evaluation.rows import Row

NOTHING = "-"


def table_text(protocol: Protocol, summaries: Sequence[MethodSummary], rows: Sequence[Row], planned: int) -> str:
    """The whole file.

    Args:
        summaries: one for each method.
        rows: all rows.
        planned: how many there are when the evaluation is complete.
    """
    parts = [
        _head(protocol, rows, planned),
        _success_table(protocol, summaries),
        _verdict_table(protocol, summaries),
        _effort_table(summaries),
        _error_table(summaries),
        _notable_table(protocol, rows),
        _notes(protocol, summaries),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(protocol: Protocol, rows: Sequence[Row], planned: int) -> str:
    cases, engines = len({row.number for row in rows}), ", ".join(sorted({row.engine for row in rows}))
    facts = f"{cases} cases, seed {protocol.seed}, protocol version {protocol.version}, engine {engines or NOTHING}."
    if len(rows) < planned:
        facts += f" **Not complete: {len(rows)} of {planned} registrations.**"
    text = f" {protocol.description}" if protocol.description else ""
    return f"# {protocol.name}\n\n{protocol.title}.{text}\n\n{facts}"


def _success_table(protocol: Protocol, summaries: Sequence[MethodSummary]) -> str:
    limit = f"{protocol.success_mm:g} mm"
    header = [
        "method", "cases", f"success, mTRE < {limit} (95 % interval)", "median mTRE, mm (95 % interval)",
        "95th percentile, mm (95 % interval)", "median and 95th of successes, mm",
    ]  # fmt: skip
    rows = [
        [
            summary.method,
            str(summary.cases),
            _share(summary.success),
            _percentile(summary.median_mm),
            _percentile(summary.p95_mm),
            f"{_number(summary.median_of_successes_mm.value)}; {_number(summary.p95_of_successes_mm.value)}",
        ]
        for summary in summaries
    ]
    rows += [
        [f"{figure.method}, {figure.reference}", NOTHING, f"{figure.success:.1%}", _number(figure.median_mtre_mm)]
        + [NOTHING] * 2
        for figure in protocol.papers
    ]
    return "## Success\n\n" + _markdown(header, rows)


def _verdict_table(protocol: Protocol, summaries: Sequence[MethodSummary]) -> str:
    header = [
        "method", "accepted", "precision (95 % interval)", "recall of successes (95 % interval)",
        "worst accepted mTRE, mm", "could not be run",
    ]  # fmt: skip
    rows = [
        [
            summary.method,
            f"{summary.accepted} of {summary.cases}",
            _share(summary.precision),
            _share(summary.recall),
            _number(summary.worst_accepted_mm),
            str(summary.failures),
        ]
        for summary in summaries
    ]
    return "## Does it know when it failed?\n\n" + _markdown(header, rows)


def _effort_table(summaries: Sequence[MethodSummary]) -> str:
    header = ["method", "seconds, median; 95th", "DRR evaluations, median; 95th", "CMA-ES runs, median; 95th"]
    rows = [
        [
            summary.method,
            _pair(summary.seconds, 1),
            _pair(summary.evaluations, 0),
            _pair(summary.restarts, 0),
        ]
        for summary in summaries
    ]
    return "## Effort\n\n" + _markdown(header, rows)


def _error_table(summaries: Sequence[MethodSummary]) -> str:
    if not any(summary.has_truth for summary in summaries):
        return ""
    header = ["method", *(f"{name}: median; 95th" for name in ERRORS)]
    rows = [[summary.method, *(_pair(summary.errors[name], 2) for name in ERRORS)] for summary in summaries]
    return "## Errors of the successes\n\n" + _markdown(header, rows)


def _notable_table(protocol: Protocol, rows: Sequence[Row]) -> str:
    chosen = notable_rows(rows, protocol.success_mm)
    if not chosen:
        return ""
    header = ["case", "method", "why", "mTRE, mm", "mTRE of the start, mm", "status", "confidence"]
    lines = [
        [
            row.case, row.method, reason, _number(row.mtre_mm), _number(row.start_mtre_mm, 0), row.status or NOTHING,
            NOTHING if row.confidence is None else f"{row.confidence:.1%}",
        ]
        for row, reason in chosen
    ]  # fmt: skip
    return "## The results to look at\n\n" + _markdown(header, lines)


def _notes(protocol: Protocol, summaries: Sequence[MethodSummary]) -> str:
    lines = [f"- `{s.method}`: {_meaning(s.method)}." for s in summaries if s.method in METHOD_SETTINGS]
    lines += [f"- Weights of `{s.method}`: SHA256 {', '.join(s.weights)}." for s in summaries if s.weights]
    lines.append(
        "- mTRE: mean distance in 3D of the landmarks from their true places. Intervals: Wilson for shares, order"
        " statistics for percentiles. A case that could not be run counts as no success."
    )
    if protocol.papers:
        lines.append("- Figures of publications were measured on other data; they show the order of magnitude.")
    if not any(summary.has_truth for summary in summaries):
        lines.append("- These cases have no known truth: there is no mTRE.")
    return "\n".join(lines)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _share(share: Share) -> str:
    if share.count == 0:
        return NOTHING
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%} to {high:.1%}; {share.hits}/{share.count})"


def _percentile(value: Percentile) -> str:
    if math.isnan(value.value):
        return NOTHING
    low = "0" if value.low == -math.inf else _number(value.low)
    return f"{_number(value.value)} ({low} to {_number(value.high)})"


def _pair(values: tuple[float, float], decimals: int) -> str:
    return f"{_number(values[0], decimals)}; {_number(values[1], decimals)}"


def _number(value: float | None, decimals: int = 2) -> str:
    if value is None or math.isnan(value):
        return NOTHING
    return "∞" if math.isinf(value) else f"{value:.{decimals}f}"


def _meaning(method: str) -> str:
    if method.endswith(ADAPTED):
        return "the same with weights that were adapted to this CT"
    return METHODS[method].meaning
