"""Who takes part in the benchmark, and what has to be installed for it."""

from __future__ import annotations

import importlib
import importlib.metadata
import shutil
import subprocess
from dataclasses import dataclass

from prostreg_bench.output import Render
from prostreg_bench.scene import Scene

BENCH_EXTRA = 'pip install ".[bench]"'
PLASTIMATCH = "plastimatch"


@dataclass(frozen=True)
class Renderer:
    """One renderer.

    Attributes:
        name: as the table shows it.
        package: the Python package that it needs, or the program "plastimatch".
        image: "module:function" under prostreg_bench that prepares a scene for rendering.
        gradient: the same for image and gradient to the pose; None where it has none.
        max_pixels: largest image that it is worth waiting for.
    """

    name: str
    package: str
    image: str
    gradient: str | None = None
    max_pixels: int = 512

    def version(self) -> str | None:
        """The installed version, or None if it is not installed."""
        if self.package == PLASTIMATCH:
            return _plastimatch_version()
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return None

    def how_to_install(self) -> str:
        return f"install the program {PLASTIMATCH}" if self.package == PLASTIMATCH else BENCH_EXTRA


OURS = Renderer("prostreg fused-cpu", "prostreg", "own_renderers:fused_image", "own_renderers:fused_gradient")

RENDERERS = (
    OURS,
    Renderer("prostreg reference (torch, float64)", "prostreg", "own_renderers:reference_image", max_pixels=128),
    Renderer("ITK-RTK Joseph", "itk-rtk", "itk_renderers:joseph_image"),
    Renderer("plastimatch drr exact", PLASTIMATCH, "plastimatch_renderer:exact_image"),
    Renderer("ITK ray cast", "itk-filtering", "itk_renderers:ray_cast_image"),
    Renderer(
        "nanodrr, 256 samples",
        "nanodrr",
        "torch_renderers:nanodrr_256_image",
        "torch_renderers:nanodrr_256_gradient",
    ),
    Renderer("nanodrr, default", "nanodrr", "torch_renderers:nanodrr_image", "torch_renderers:nanodrr_gradient"),
    Renderer("DiffDRR trilinear", "diffdrr", "torch_renderers:diffdrr_image", "torch_renderers:diffdrr_gradient"),
)


def prepare(place: str, scene: Scene) -> Render:
    """Loads the renderer at ``place``, "module:function", and prepares it for a scene."""
    module, function = place.split(":")
    render: Render = getattr(importlib.import_module(f"prostreg_bench.{module}"), function)(scene)
    return render


def _plastimatch_version() -> str | None:
    if shutil.which(PLASTIMATCH) is None:
        return None
    answer = subprocess.run([PLASTIMATCH, "--version"], capture_output=True, text=True, check=False).stdout
    return answer.rpartition(" ")[2].strip() or "unknown"
