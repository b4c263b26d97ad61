"""A wheel like that of musculoskeletal-models, with round bones: for tests that need no download."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.people.atlas import FEMUR_MESH, MODEL, PELVIS_MESH, SUBJECTS

Points = NDArray[np.float64]

PATCHES_A_SIDE = 4
"""Of each face of a cube: so many that the numbers of the sockets' patches lie in the hips."""
HIPS_MM = 80.0
PELVIS = [((HIPS_MM, 0, 0), (50, 30, 50)), ((-HIPS_MM, 0, 0), (50, 30, 50)), ((0, -20, 60), (40, 25, 40))]
"""Centre and half axes in RAS of right hip, left hip and sacrum."""
FEMUR = [((-HIPS_MM, 0, -60), (22, 22, 80))]


def write_people_wheel(path: Path) -> Path:
    """Writes the wheel; its 26 people differ in size and proportions."""
    rng = np.random.default_rng(0)
    meshes, nodes = {}, []
    for name, bones in ((PELVIS_MESH, PELVIS), (FEMUR_MESH, FEMUR)):
        meshes[name], of_mesh = _mesh([_round_bone(*map(np.array, bone)) for bone in bones])
        nodes.append(of_mesh)
    mean = np.concatenate(nodes) * (-1.0, -1.0, 1.0)
    people = mean * rng.normal(1.0, 0.05, (len(SUBJECTS), 1, 3))
    vectors = people.transpose(0, 2, 1).reshape(len(SUBJECTS), -1).T
    middle = vectors.mean(axis=1)
    modes, sizes, shares = np.linalg.svd(vectors - middle[:, None], full_matrices=False)
    model = {"mean": middle, "modes": modes, "projectedWeights": sizes[:, None] * shares, "SD": None}
    write_wheel(path, meshes, pickle.dumps(model, protocol=2))
    return path


def write_wheel(path: Path, meshes: dict[str, Any], model: bytes) -> None:
    """Writes a wheel with these meshes and this pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, mesh in meshes.items():
            archive.writestr(name, json.dumps(mesh))
        archive.writestr(MODEL, model)


def _round_bone(centre: Points, half_axes: Points) -> Points:
    """Nodes (patches, 16, 3) of an ellipsoid, cut into patches like a cube."""
    steps = np.arange(4) / 3
    patches = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            for row, column in np.ndindex(PATCHES_A_SIDE, PATCHES_A_SIDE):
                v, u = np.meshgrid(row + steps, column + steps, indexing="ij")
                across = sign * (2 * u / PATCHES_A_SIDE - 1)  # all patches are turned outwards
                on_face = np.stack([across, 2 * v / PATCHES_A_SIDE - 1, 0 * u + sign], axis=-1)
                cube = np.roll(on_face.reshape(-1, 3), axis, axis=-1)
                patches.append(centre + half_axes * cube / np.linalg.norm(cube, axis=-1, keepdims=True))
    return np.array(patches)


def _mesh(bones: list[Points]) -> tuple[dict[str, Any], Points]:
    """The description of all patches, and their nodes (n, 3) in the order of their first points."""
    points = np.concatenate(bones)
    places: dict[tuple[float, ...], list[str]] = {}
    nodes = []
    for patch, number in np.ndindex(*points.shape[:2]):
        key = tuple(np.round(points[patch, number], 4) + 0.0)
        if key not in places:
            nodes.append(points[patch, number])
        places.setdefault(key, []).append(f"{patch}_{number}")
    connectivity = {name: " ".join(n for n in names if n != name) for names in places.values() for name in names}
    return {"elements": {str(n): "0 quad44" for n in range(len(points))}, "connectivity": connectivity}, np.array(nodes)
