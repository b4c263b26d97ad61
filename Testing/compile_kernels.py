"""Compiles the engine's kernels into their cache, so that all processes of a test run load the same machine code.

What was compiled just now and what was loaded may differ in the last bit, and tests compare runs to the last bit.
"""

from __future__ import annotations

import numpy as np
import torch

from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector
from prostreg.similarity.correlation import PatchGradNcc
from prostreg.similarity.likelihood import PatchLikelihood

if __name__ == "__main__":
    carm = CArm.from_sdd(1000.0, (4.0, 4.0), (32, 32))
    pose = standard_view("AP", (15.0, 15.0, 15.0), 600.0)[None]
    projector = make_projector(Volume(np.ones((16, 16, 16), np.float32), np.diag([2.0, 2.0, 2.0, 1.0])))
    images, mask = projector.project(pose, carm), torch.ones(32, 32, dtype=torch.bool)
    with_derivatives = projector.project_with_derivative(pose, carm)
    for similarity in (PatchGradNcc, PatchLikelihood):
        scorer = similarity(images[0], mask, 3, 2).scorer()
        scorer(images)
        scorer.with_derivatives(with_derivatives)
