"""The device of a registration: the GPU where it was asked for and can be trusted, else the CPU with a sentence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from prostreg.choices import AUTO
from prostreg.errors import DeviceError, is_out_of_memory
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.device.gpu import checked_gpu, first_line
from prostreg.registration.monitor import LEAST_SECONDS
from prostreg.registration.result import Result


def run_on_device(config: RegistrationConfig, run: Callable[[RegistrationConfig], Result]) -> Result:
    """A run where its settings say, as far as that is possible.

    What a GPU has begun and cannot end, or ends wrongly, begins again on the CPU with what is left of the time.

    Args:
        config: as the user gave it.
        run: takes settings whose ``device`` is ``cuda`` only where the GPU was found good.

    Returns:
        The result; a sentence among its warnings says why the GPU was not used.
    """
    if config.device != "cuda":
        return run(config)
    began, note = time.perf_counter(), _objection(config)
    if note is None:
        try:
            return run(config)
        except (DeviceError, RuntimeError) as error:  # torch says with a RuntimeError what the GPU refused
            note = f"The GPU was given up during the registration, which began again on the CPU: {_reason(error)}"
    left = max(config.time_limit_s - (time.perf_counter() - began), LEAST_SECONDS)
    result = run(replace(config, device="cpu", time_limit_s=left))
    return replace(result, config=config.to_dict(), warnings=(*result.warnings, note))


def _objection(config: RegistrationConfig) -> str | None:
    """Why the GPU is not used for a registration; None where it is."""
    if config.projector != AUTO:
        return f"The GPU is not used: the projector '{config.projector}' computes on the CPU. Choose 'auto'."
    fault = checked_gpu().fault
    return None if fault is None else f"The GPU is not used: {fault}"


def _reason(error: Exception) -> str:
    if is_out_of_memory(error):
        return "its memory is full. Close other programs that use it."
    return first_line(error)
