"""A registration, wherever it starts: from the case's start, or from everywhere where the case has none."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.device.device_choice import run_on_device
from prostreg.registration.everywhere import merit, register_everywhere
from prostreg.registration.memory_need import refuse_without_memory
from prostreg.registration.monitor import LEAST_SECONDS
from prostreg.registration.neighbours.told_apart import register_told_apart
from prostreg.registration.pipeline import check_method
from prostreg.registration.readings import without_metal
from prostreg.registration.relation.each_view import register_each_view
from prostreg.registration.result import Progress, Result
from prostreg.registration.start import MOVED, start_in_sight
from prostreg.search.rehearsal import rehearse

WIDER = 2.0
NEARBY_SHARE = 0.4
NEARBY_RESTARTS = 8
"""A start outside of the image: how much wider its shift is searched, and for how long before everywhere."""

SEVERAL_BONES = (
    "The case has several bones that move against each other: `prostreg register`, or register_bones in Python,"
    ' finds the pose of each. To take them as one body, give all "values" in place of "bones".'
)


def register(
    case: Case,
    config: RegistrationConfig | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Result:
    """Finds the pose of a case's CT in its X-rays.

    Args:
        case: images in memory; without a start, the standard views are tried in turn. Views whose relation is only
            roughly known are registered one by one and put together.
        config: settings; defaults if it is not given.
        on_progress: called between evaluations with the state of the run.
        is_cancelled: asked between evaluations; when it says yes the run ends within one
            CMA-ES generation.

    Returns:
        The result; if the run was cancelled or out of time, the best pose so far with ``stopped`` set.

    Raises:
        InputError: the case cannot be registered, for example for its start pose, or for want of memory.
        WeightsError: the method needs network weights that are not there.
        DeviceError: a projector that has a name cannot be used here.
    """
    if case.bones:
        raise InputError(SEVERAL_BONES)
    config = config or RegistrationConfig()
    refuse_without_memory(case, config)
    if config.similarity == RegistrationConfig.similarity:
        rehearse(config.projector)  # an installation compiles its kernels once, not within the search's time
    case = without_metal(case)
    return run_on_device(config, lambda settings: _registered(case, settings, on_progress, is_cancelled))


def _registered(
    case: Case,
    settings: RegistrationConfig,
    on_progress: Callable[[Progress], None] | None,
    is_cancelled: Callable[[], bool] | None,
) -> Result:
    if case.relation is not None and len(case.views) > 1:
        return register_each_view(case, settings, _registered, on_progress, is_cancelled)
    if case.initial_world_from_volume is None:
        return register_everywhere(case, settings, on_progress, is_cancelled)
    start = start_in_sight(case)
    if start is case.initial_world_from_volume:
        return register_told_apart(case, settings, on_progress, is_cancelled)
    return _from_doubtful_start(case, start, settings, on_progress, is_cancelled)


def _from_doubtful_start(
    case: Case,
    start: Matrix | None,
    config: RegistrationConfig,
    on_progress: Callable[[Progress], None] | None,
    is_cancelled: Callable[[], bool] | None,
) -> Result:
    """Searches from a start that an image does not show: from inside of it and wider, then from everywhere."""
    check_method(config)
    began, nearby = time.perf_counter(), None
    if start is not None:
        wider = replace(
            config,
            spread_shift_mm=WIDER * config.spread_shift_mm,
            time_limit_s=(NEARBY_SHARE if config.until_accepted else 1.0) * config.time_limit_s,
            most_restarts=min(NEARBY_RESTARTS, config.most_restarts) if config.until_accepted else config.most_restarts,
        )
        moved = replace(case, initial_world_from_volume=start)
        nearby = register_told_apart(moved, wider, on_progress, is_cancelled)
        nearby = replace(nearby, config=config.to_dict(), reasons=(*nearby.reasons, MOVED))
        if nearby.status == "accepted" or nearby.stopped == "cancelled" or not config.until_accepted:
            return nearby
    left = max(config.time_limit_s - (time.perf_counter() - began), LEAST_SECONDS)
    anywhere = register_everywhere(case, replace(config, time_limit_s=left), on_progress, is_cancelled)
    best = anywhere if nearby is None else max(anywhere, nearby, key=merit)
    return replace(best, config=config.to_dict(), stopped=anywhere.stopped, seconds=time.perf_counter() - began)
