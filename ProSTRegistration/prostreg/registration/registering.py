"""A registration, wherever it starts: from the case's start, or from everywhere where the case has none."""

from __future__ import annotations

from collections.abc import Callable

from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.everywhere import register_everywhere
from prostreg.registration.pipeline import register_from_start
from prostreg.registration.result import Progress, Result


def register(
    case: Case,
    config: RegistrationConfig | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Result:
    """Finds the pose of a case's CT in its X-rays.

    Args:
        case: images in memory; without a start, the standard views are tried in turn.
        config: settings; defaults if it is not given.
        on_progress: called between evaluations with the state of the run.
        is_cancelled: asked between evaluations; when it says yes the run ends within one
            CMA-ES generation.

    Returns:
        The result; if the run was cancelled or out of time, the best pose so far with ``stopped`` set.

    Raises:
        InputError: the case cannot be registered, for example for its start pose.
        WeightsError: the method needs network weights that are not there.
        DeviceError: the device cannot be used here.
    """
    has_start = case.initial_world_from_volume is not None
    return (register_from_start if has_start else register_everywhere)(case, config, on_progress, is_cancelled)
