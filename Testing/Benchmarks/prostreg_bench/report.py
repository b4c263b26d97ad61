"""The benchmark's numbers as a plain dictionary for JSON, and as tables in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

from prostreg_bench.agreement import RIGHT_NCC, Agreement
from prostreg_bench.renderers import OURS, Renderer

IMAGE, GRADIENT = "image", "image+gradient"


@dataclass(frozen=True)
class Measurement:
    """One renderer at one image size.

    Attributes:
        task: `IMAGE` or `GRADIENT`.
        pixels: the image has pixels x pixels.
        all_seconds: of every counted run.
        peak_memory_mb: None where the system does not tell.
        failure: why there are no numbers.
    """

    renderer: Renderer
    task: str
    pixels: int
    all_seconds: tuple[float, ...]
    peak_memory_mb: float | None
    agreement: Agreement
    failure: str | None = None

    @property
    def seconds(self) -> float | None:
        return statistics.median(self.all_seconds) if self.all_seconds else None


@dataclass(frozen=True)
class Measurements:
    """All measurements of one run."""

    items: Sequence[Measurement]

    def find(self, renderer: Renderer, task: str, pixels: int) -> Measurement | None:
        return next((m for m in self.items if (m.renderer, m.task, m.pixels) == (renderer, task, pixels)), None)

    def seconds(self, renderer: Renderer, task: str, pixels: int) -> float | None:
        found = self.find(renderer, task, pixels)
        return None if found is None else found.seconds

    def peak_memory_mb(self, renderer: Renderer, task: str, pixels: int) -> float | None:
        found = self.find(renderer, task, pixels)
        return None if found is None else found.peak_memory_mb

    def to_ours(self, renderer: Renderer, task: str, pixels: int) -> float | None:
        """How many times as long as ours it takes."""
        return _ratio(self.seconds(renderer, task, pixels), self.seconds(OURS, task, pixels))

    def of_task(self, task: str) -> list[Renderer]:
        """The renderers with that task, in order."""
        return list(dict.fromkeys(m.renderer for m in self.items if m.task == task))


def as_dict(measurements: Measurements) -> list[dict[str, object]]:
    """One entry per measurement."""
    return [
        {
            "renderer": m.renderer.name,
            "task": m.task,
            "pixels": m.pixels,
            "seconds": m.seconds,
            "runs": len(m.all_seconds),
            "all_seconds": list(m.all_seconds),
            "times_ours": measurements.to_ours(m.renderer, m.task, m.pixels),
            "peak_memory_mb": m.peak_memory_mb,
            **asdict(m.agreement),
            "failure": m.failure,
        }
        for m in measurements.items
    ]


def as_markdown(measurements: Measurements, missing: Sequence[Renderer], headline: int) -> str:
    """Tables and notes.

    Args:
        measurements: of one run.
        missing: renderers that are not installed.
        headline: pixels of the image size that ratios and agreement are shown for.
    """
    parts = [_image_table(measurements, headline), _gradient_table(measurements, headline), *_notes(measurements)]
    if missing:
        parts.append(
            "\n".join(f"- {renderer.name}: not installed; {renderer.how_to_install()}" for renderer in missing)
        )
    return "\n\n".join(parts)


def _image_table(measurements: Measurements, headline: int) -> str:
    sizes = sorted({m.pixels for m in measurements.items if m.task == IMAGE})
    header = ["renderer", *(f"{n} x {n}, s" for n in sizes), *(f"{n}: times ours" for n in sizes)]
    header += [f"peak MB ({'; '.join(map(str, sizes))})", "NCC", "RMS/max", "RMS/max to ours"]
    rows = []
    for renderer in measurements.of_task(IMAGE):
        agreement = _shown_agreement(measurements, renderer, headline)
        row = [renderer.name, *(_number(measurements.seconds(renderer, IMAGE, n), _seconds) for n in sizes)]
        row += [_number(measurements.to_ours(renderer, IMAGE, n), "{:.2f}".format) for n in sizes]
        row.append("; ".join(_number(measurements.peak_memory_mb(renderer, IMAGE, n), "{:.0f}".format) for n in sizes))
        row.append(_number(agreement.ncc, "{:.6f}".format))
        row += [_number(error, "{:.1e}".format) for error in (agreement.error, agreement.error_to_ours)]
        rows.append(row)
    return f"Image, seconds (median); agreement with the closed form\n\n{_table(header, rows)}"


def _shown_agreement(measurements: Measurements, renderer: Renderer, headline: int) -> Agreement:
    """At the headline size, or at the largest below it where the renderer was not asked for that."""
    measured = [m for m in measurements.items if (m.renderer, m.task) == (renderer, IMAGE) and m.pixels <= headline]
    return max(measured, key=lambda m: m.pixels).agreement if measured else Agreement()


def _gradient_table(measurements: Measurements, headline: int) -> str:
    header = ["renderer", f"{headline} x {headline}, s", "times ours", "times its image", "peak MB", "gradient error"]
    rows = []
    for m in measurements.items:
        if (m.task, m.pixels) != (GRADIENT, headline):
            continue
        to_ours = measurements.to_ours(m.renderer, GRADIENT, headline)
        to_its_image = _ratio(m.seconds, measurements.seconds(m.renderer, IMAGE, headline))
        row = [m.renderer.name, _number(m.seconds, _seconds)]
        row += [_number(ratio, "{:.2f}".format) for ratio in (to_ours, to_its_image)]
        row.append(_number(m.peak_memory_mb, "{:.0f}".format))
        row.append(_number(m.agreement.gradient_error, "{:.1e}".format))
        rows.append(row)
    return f"Image and gradient to the pose, seconds (median)\n\n{_table(header, rows)}"


def _notes(measurements: Measurements) -> list[str]:
    notes = []
    for m in measurements.items:
        what = f"{m.renderer.name}, {m.task}, {m.pixels} x {m.pixels}"
        if m.failure is not None:
            notes.append(f"- {what}: failed, {m.failure}")
        elif not m.agreement.is_right:
            notes.append(f"- {what}: WRONG IMAGE (NCC below {RIGHT_NCC}), its time says nothing")
    return ["\n".join(notes)] if notes else []


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _number(value: float | None, text: Callable[[float], str]) -> str:
    return "-" if value is None else text(value)


def _seconds(value: float) -> str:
    return f"{value:#.3g}"


def _ratio(seconds: float | None, other: float | None) -> float | None:
    return None if seconds is None or other is None else seconds / other
