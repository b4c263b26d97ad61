"""A smooth motion of the anatomy in front of the C-arm, for sequences of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.json_fields import JsonFields
from prostreg.simulation.pose_draws import COORDINATES, DEGREES


@dataclass(frozen=True)
class Motion:
    """Each coordinate of the pose swings as a sine; a frame starts at the true pose of the frame before.

    Attributes:
        frames_per_sequence: then another sequence begins, elsewhere.
        amplitudes: (6,) in degrees and mm, in the order of COORDINATES.
        period_frames: shortest and longest period; each coordinate of a sequence has its own, and its own phase.
    """

    frames_per_sequence: int
    amplitudes: tuple[float, ...]
    period_frames: tuple[float, ...]

    def sequence_and_frame(self, number: int) -> tuple[int, int]:
        """The frame and sequence of case ``number``."""
        return divmod(number, self.frames_per_sequence)

    def parameters(self, frame: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Offset (6,) of a frame in the pose chart's units; ``rng`` must be fresh and seeded by the sequence."""
        shortest, longest = self.period_frames
        periods, phases = rng.uniform(shortest, longest, 6), rng.uniform(0, 2 * np.pi, 6)
        values = np.array(self.amplitudes) * np.sin(2 * np.pi * frame / periods + phases)
        return np.asarray(np.where(DEGREES, np.deg2rad(values), values))


def read_motion(fields: JsonFields) -> Motion:
    """Reads ``{"frames_per_sequence": 30, "amplitudes": {"tilt_u_deg": 4, ...}, "period_frames": [30, 60]}``."""
    frames = fields.whole("frames_per_sequence", 1, 100000)
    inside = fields.inner("amplitudes")
    amplitudes = tuple(inside.number(name, 0.0, 500.0) for name in COORDINATES)
    inside.end()
    periods = fields.numbers("period_frames", 2)
    if not 1 < periods[0] <= periods[1]:
        fields.faults.add('"period_frames" of the motion must be the shortest and the longest period, both above 1.')
    fields.end()
    return Motion(frames, amplitudes, periods)
