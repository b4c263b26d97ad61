"""Wires, screws, clamps, cables and tubes in the beam, each image with others."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.simulation.chords import Rod, Vector
from prostreg.simulation.random_streams import stream
from prostreg.simulation.settings import SimulatorSettings

KINDS = ("wire", "screw", "clamp", "cable", "tube")
KIND_SHARES = (0.35, 0.35, 0.1, 0.1, 0.1)
IN_FIELD = (0.08, 0.92)
"""Part of the image, along both sides, in which something of each instrument lies."""
LEAST_ANGLE_COSINE = 0.85
"""Nothing points so straight along the beam that it would be a dot."""


def instruments(
    settings: SimulatorSettings, seed: int, carm: CArm, bone_camera_mm: NDArray[np.float64], depth_mm: float
) -> list[Rod]:
    """The rods of all instruments of an image.

    Args:
        bone_camera_mm: points (n, 3) of the bone in the camera frame; wires and screws go through some of them.
        depth_mm: of the patient's middle from the source.
    """
    rng = stream(seed, "instruments")
    low, high = (round(end) for end in settings.instruments)
    rods: list[Rod] = []
    for _ in range(int(rng.integers(low, high + 1))):
        kind = KINDS[rng.choice(len(KINDS), p=KIND_SHARES)]
        if kind in ("wire", "screw"):
            place = _place_in_bone(rng, carm, bone_camera_mm, depth_mm)
            rods += _wire(rng, place) if kind == "wire" else _screw(rng, place)
        else:
            place = _place_in_field(rng, carm, depth_mm + rng.choice([-1, 1]) * rng.uniform(90, 150))
            rods += {"clamp": _clamp, "cable": _cable, "tube": _tube}[kind](rng, place)
    return rods


def _place_in_field(rng: np.random.Generator, carm: CArm, depth_mm: float) -> Vector:
    pixel = np.array([*(rng.uniform(*IN_FIELD, 2) * carm.size), 1.0])
    return np.asarray(np.linalg.inv(carm.intrinsics) @ pixel * depth_mm)


def _place_in_bone(rng: np.random.Generator, carm: CArm, bone_camera_mm: Vector, depth_mm: float) -> Vector:
    if len(bone_camera_mm):
        share = carm.project(bone_camera_mm) / carm.size
        visible = np.flatnonzero(((share > IN_FIELD[0]) & (share < IN_FIELD[1])).all(axis=1))
        if len(visible):
            return np.asarray(bone_camera_mm[rng.choice(visible)])
    return _place_in_field(rng, carm, depth_mm)


def _direction(rng: np.random.Generator, place: Vector) -> Vector:
    """A random unit vector that does not point along the ray through ``place``."""
    ray = place / np.linalg.norm(place)
    while True:
        vector = rng.normal(size=3)
        vector /= np.linalg.norm(vector)
        if abs(vector @ ray) < LEAST_ANGLE_COSINE:
            return np.asarray(vector)


def _wire(rng: np.random.Generator, place: Vector) -> list[Rod]:
    """A K-wire through a point of bone; its far end stands out of the patient."""
    direction, radius_mm = _direction(rng, place), rng.choice([0.5, 0.8, 1.0, 1.25])
    tip = place + rng.uniform(0, 30) * direction
    return [Rod(tip, tip - rng.uniform(120, 280) * direction, float(radius_mm), "steel")]


def _screw(rng: np.random.Generator, place: Vector) -> list[Rod]:
    """A bone screw with its tip near a point of bone: cancellous or pedicle, cannulated or not."""
    direction, material = _direction(rng, place), str(rng.choice(["titanium", "titanium", "steel"]))
    core_mm, length_mm = rng.uniform(1.2, 2.6), rng.uniform(25, 80)
    tip, head = place, place - length_mm * direction
    threaded_share, bore_mm = rng.choice([0.4, 1.0]), float(rng.choice([0.0, 0.7]))
    middle = tip + threaded_share * (head - tip)
    thread_mm, pitch_mm = rng.uniform(0.4, 0.9), rng.uniform(1.2, 2.75)
    rods = [Rod(tip, middle, core_mm, material, bore_mm, thread_mm, pitch_mm)]
    if threaded_share < 1:
        rods.append(Rod(middle, head, core_mm, material, bore_mm))
    head_mm = core_mm + rng.uniform(1.5, 2.5)
    if rng.random() < 0.4:
        return [*rods, *_tulip(rng, head, direction, head_mm + 1.5, material)]
    return [*rods, Rod(head, head - rng.uniform(3, 5) * direction, head_mm, material, bore_mm)]


def _tulip(rng: np.random.Generator, head: Vector, direction: Vector, radius_mm: float, material: str) -> list[Rod]:
    """The forked head of a pedicle screw: a solid ground and a sleeve."""
    ground = head - 4 * direction
    top = ground - rng.uniform(8, 12) * direction
    return [Rod(head, ground, radius_mm, material), Rod(ground, top, radius_mm, material, 0.6 * radius_mm)]


def _clamp(rng: np.random.Generator, place: Vector) -> list[Rod]:
    """A towel clamp at the skin: two curved arms that cross."""
    direction = _direction(rng, place)
    across = np.cross(direction, _direction(rng, direction))
    across /= np.linalg.norm(across)
    radius_mm = rng.uniform(1.2, 2.0)
    along = np.linspace(0, 120, 25)
    jaws = 11 * np.sin(np.pi * np.clip(along / 45, 0, 1)) ** 0.8  # they bulge, meet, cross, and open into handles
    offsets = jaws - 16 * np.clip((along - 40) / 80, 0, 1) ** 1.2
    arms = [place + np.outer(along, direction) + np.outer(sign * offsets, across) for sign in (-1, 1)]
    return [rod for arm in arms for rod in _chain(arm, radius_mm, "steel")]


def _cable(rng: np.random.Generator, place: Vector) -> list[Rod]:
    """A lead of the monitoring, across the field in a slack curve."""
    return _chain(_curve(rng, place, 600.0), rng.uniform(0.3, 0.6), "steel")


def _tube(rng: np.random.Generator, place: Vector) -> list[Rod]:
    """A plastic tube."""
    radius_mm = rng.uniform(2.5, 6.0)
    return _chain(_curve(rng, place, 600.0), radius_mm, "water", 0.65 * radius_mm)


def _curve(rng: np.random.Generator, place: Vector, length_mm: float) -> Vector:
    direction = _direction(rng, place)
    across = np.cross(direction, place / np.linalg.norm(place))
    share = np.linspace(-0.5, 0.5, 41)
    bend = rng.normal(0, 0.25) * share**2 + rng.normal(0, 0.06) * np.sin(2 * np.pi * share + rng.uniform(0, 6))
    return np.asarray(place + length_mm * (np.outer(share, direction) + np.outer(bend, across)))


def _chain(points: Vector, radius_mm: float, material: str, bore_mm: float = 0.0) -> list[Rod]:
    return [Rod(start, end, float(radius_mm), material, bore_mm) for start, end in pairwise(points)]
