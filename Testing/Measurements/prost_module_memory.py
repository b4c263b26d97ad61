"""Peak memory and seconds of one training step through the ProST module, double backward included.

python Testing/Measurements/prost_module_memory.py [--network prost-cnn] [--voxels 128] [--pixels 128] [--batch 2]
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np
import torch

from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.prost.feature_projection import TorchFeatures
from prostreg.prost.losses import gradient_direction_loss
from prostreg.prost.network import gradient_of
from prostreg.prost.networks import make_network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="prost-cnn", choices=["prost-cnn", "prost-crossvit"])
    for name, default in (("voxels", 128), ("pixels", 128), ("batch", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = make_network(chosen.network, {"image_size": chosen.pixels})
    spacing_mm = 298.0 / chosen.voxels
    volume_from_index = np.diag([spacing_mm] * 3 + [1.0])
    centre_mm = np.full(3, spacing_mm * (chosen.voxels - 1) / 2)
    carm = CArm.from_sdd(1020.0, (298.0 / chosen.pixels,) * 2, (chosen.pixels, chosen.pixels))
    volumes = 0.02 * torch.rand(chosen.batch, 1, *[chosen.voxels] * 3)
    xrays = torch.rand(chosen.batch, 1, chosen.pixels, chosen.pixels)
    poses = standard_view("AP", centre_mm, 620.0)[None]
    began = time.perf_counter()
    whitened = torch.zeros(chosen.batch, 6, requires_grad=True)
    features = network.volume_features(volumes)
    moving = [
        TorchFeatures(feature, volume_from_index).moving(poses, whitened[n : n + 1], carm)
        for n, feature in enumerate(features)
    ]
    comparison = network.compare(torch.cat(moving), network.fixed_features(xrays))
    gradient = gradient_of(comparison, whitened, create_graph=True)
    gradient_direction_loss(gradient, torch.ones(chosen.batch, 6)).mean().backward()
    seconds = time.perf_counter() - began
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    print(
        f"{chosen.network}, {chosen.voxels}^3, {chosen.pixels}^2, batch {chosen.batch}: {peak:.1f} GB, {seconds:.1f} s"
    )


if __name__ == "__main__":
    main()
