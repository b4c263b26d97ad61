"""The memory that a registration needs beyond what is loaded, an estimate from below; and no where there is less."""

from __future__ import annotations

from math import prod

from prostreg.choices import METHODS
from prostreg.images.anatomy import anatomy_bounds
from prostreg.machine import refuse_tight_limit, refuse_too_large
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig

LEAST_BYTES = 150 << 20
"""Compiled kernels, threads and the small levels of a pyramid."""

BYTES_PER_VOXEL = 4
"""Of the whole CT: the anatomy's mask as numbers."""

BYTES_PER_VOXEL_OF_NETWORK = 4
"""Of the whole CT, where a network asks for it: its attenuation, with what it is made from."""

BYTES_PER_ANATOMY_VOXEL = 8
"""Of the box around the anatomy: its attenuation, and the finest projector's copy."""

BYTES_PER_SEARCH_PIXEL = 4
"""Of every pose of a generation: all are rendered together."""

BYTES_PER_POLISH_PIXEL = 100
"""The DRR and its derivative by six parameters, and the same of the similarity."""


def refuse_without_memory(case: Case, config: RegistrationConfig) -> None:
    """Refuses with an InputError a registration for which the memory, or what a limit leaves of it, is too little."""
    needed = registration_bytes(case, config)
    refuse_too_large(needed, "The registration")
    refuse_tight_limit(needed, "The registration")


def registration_bytes(case: Case, config: RegistrationConfig) -> int:
    """Estimated bytes.

    Args:
        case: its anatomy must not be empty.
        config: method, population and resolutions.
    """
    _, box = anatomy_bounds(case.anatomy)
    per_voxel = BYTES_PER_VOXEL + BYTES_PER_VOXEL_OF_NETWORK * (METHODS[config.method].network != "none")
    poses = config.population * config.restarts_per_round
    largest_image = max(prod(view.carm.size) for view in case.views)
    search, polish = (min(pixels**2, largest_image) for pixels in (config.search_pixels, config.polish_pixels))
    return (
        LEAST_BYTES
        + per_voxel * case.ct.values.size
        + BYTES_PER_ANATOMY_VOXEL * prod(int(n) for n in box)
        + BYTES_PER_SEARCH_PIXEL * poses * search
        + BYTES_PER_POLISH_PIXEL * polish
    )
