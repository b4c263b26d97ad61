"""The gradient of L_N in whitened pose parameters: the quantity that training shapes and a descent follows.

Parameters are those of the pose chart at the pose itself (turns about the anatomy's centre, shifts along the viewing
ray), divided by the spread of the starts. In them a descent step of 1 against the gradient of half the squared
distance ends at the truth, and depth, which an image shows least, does not outweigh the rest.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix
from prostreg.prost.network import Comparison


def twist_from_whitened(
    world_from_volume: Matrix,
    camera_from_world: Matrix,
    other_camera_from_world: Matrix,
    centre_mm: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(6, 6): whitened parameters of the chart at a pose to twists in another camera's frame.

    Args:
        world_from_volume: the pose.
        camera_from_world: whose axes the chart has.
        other_camera_from_world: in whose frame the twist moves points.
        centre_mm: the anatomy's centre in the volume frame.
        spread: (6,) of the parameters, rad and mm.
    """
    chart = PoseChart(world_from_volume, camera_from_world, centre_mm)
    return np.asarray(chart.twist_from_parameters(np.zeros(6), other_camera_from_world)[0] * spread)


def gradient_of(comparison: Comparison, whitened: Tensor, create_graph: bool) -> Tensor:
    """Gradient (n, 6) of L_N (n,) with respect to the whitened parameters (n, 6) that it was computed from."""
    (gradient,) = torch.autograd.grad(comparison.similarity.sum(), whitened, create_graph=create_graph)
    return gradient
