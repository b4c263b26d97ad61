"""A rehearsal of what a search computes, so that its kernels are compiled before somebody waits for them."""

from __future__ import annotations

import numpy as np

from prostreg.choices import AUTO
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.projector.selection import make_projector
from prostreg.search.objective import Objective
from prostreg.similarity.correlation import PatchGradNcc
from prostreg.similarity.likelihood import PatchLikelihood

PIXELS = 32


def rehearse(projector: str = AUTO) -> None:
    """Scores, derivatives and block shares of a small cube by each similarity: half a minute once, then a moment.

    Args:
        projector: as for `make_projector`, with the errors that it raises.
    """
    carm = CArm.from_sdd(1000.0, (4.0, 4.0), (PIXELS, PIXELS))
    volume = Volume(np.full((16, 16, 16), 0.01, np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
    chart = PoseChart(standard_view("AP", volume.centre_mm, 600.0), np.eye(4), volume.centre_mm)
    image = np.zeros((PIXELS, PIXELS), np.float32)
    views = [(XRay(image, np.ones(image.shape, dtype=bool)), carm)]
    for similarity in (PatchGradNcc, PatchLikelihood):
        objective = Objective(make_projector(volume, projector), views, volume.centre_mm, 3, 2, similarity)
        objective.scores(chart.world_from_volume[None])
        drrs = objective.compared(chart, np.zeros((1, 6))).images
        objective.block_shares(drrs, drrs)
