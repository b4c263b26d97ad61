"""Points spread over a bone's surface, for the "landmarks_mm" of a protocol.

``python -m prostreg.evaluation.sources.landmarks CT LABELS 25,77,78 [--count 60]`` prints them as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.geometry.frames import transform_points
from prostreg.images.anatomy import anatomy_from_labels
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.volume import Volume

COUNT = 60


def surface_landmarks_mm(ct: Volume, anatomy: NDArray[np.bool_], count: int = COUNT) -> NDArray[np.float64]:
    """Surface voxels (count, 3) in the volume frame, each as far from those before it as can be.

    Farthest-point sampling (T. F. Gonzalez, "Clustering to minimize the maximum intercluster distance",
    Theoretical Computer Science, 1985), begun at the voxel farthest from the mean.

    Args:
        ct: gives the grid.
        anatomy: bool mask in that grid.
        count: of points; fewer where the surface has fewer voxels.
    """
    inside = sitk.BinaryErode(sitk.GetImageFromArray(anatomy.astype(np.uint8)), (1, 1, 1), sitk.sitkCross)
    surface = np.argwhere(anatomy & (sitk.GetArrayFromImage(inside) == 0))
    points = transform_points(ct.volume_from_index, surface[:, ::-1])
    chosen = [int(np.linalg.norm(points - points.mean(axis=0), axis=1).argmax())]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.asarray(points[chosen])


def main(arguments: list[str] | None = None) -> int:
    """Prints landmarks of a CT's labels."""
    parser = argparse.ArgumentParser(prog="python -m prostreg.evaluation.sources.landmarks", description=__doc__)
    parser.add_argument("ct", type=Path, metavar="CT")
    parser.add_argument("labels", type=Path, metavar="LABELS")
    parser.add_argument("values", metavar="VALUES", help="label values of the anatomy, as 25,77,78")
    parser.add_argument("--count", type=int, default=COUNT)
    given = parser.parse_args(arguments)
    try:
        ct, labels = read_ct(given.ct), read_labels(given.labels)
        anatomy = anatomy_from_labels(ct, labels, [int(value) for value in given.values.split(",")])
    except (InputError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    points = np.round(surface_landmarks_mm(ct, anatomy, given.count), 1).tolist()
    print("[\n" + ",\n".join(f" {json.dumps(point)}" for point in points) + "\n]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
