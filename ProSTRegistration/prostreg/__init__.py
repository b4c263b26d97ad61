"""2D/3D registration of a CT to fluoroscopy: ProST and CMA-ES.

The names in ``__all__`` are what programs use. Each is loaded when it is first asked for, so that ``import prostreg``
needs neither torch nor numba.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prostreg.geometry.carm import CArm
    from prostreg.images.volume import Volume
    from prostreg.images.xray import XRay
    from prostreg.outputs.bones_outputs import write_bones_outputs
    from prostreg.outputs.case_outputs import write_case_outputs
    from prostreg.registration.bones.found import BonesResult
    from prostreg.registration.bones.registering_bones import register_bones
    from prostreg.registration.case import Bone, Case, View
    from prostreg.registration.case_file import read_case
    from prostreg.registration.config import RegistrationConfig
    from prostreg.registration.everywhere import register_everywhere
    from prostreg.registration.registering import register
    from prostreg.registration.result import Result
    from prostreg.tracking.frame_images import DicomRuns
    from prostreg.tracking.track import Track
    from prostreg.tracking.tracker import track_run

__all__ = [
    "Bone",
    "BonesResult",
    "CArm",
    "Case",
    "DicomRuns",
    "RegistrationConfig",
    "Result",
    "Track",
    "View",
    "Volume",
    "XRay",
    "read_case",
    "register",
    "register_bones",
    "register_everywhere",
    "track_run",
    "write_bones_outputs",
    "write_case_outputs",
]
__version__ = "0.2.0"

_HOMES = {
    "Bone": "registration.case",
    "BonesResult": "registration.bones.found",
    "CArm": "geometry.carm",
    "Case": "registration.case",
    "DicomRuns": "tracking.frame_images",
    "RegistrationConfig": "registration.config",
    "Result": "registration.result",
    "Track": "tracking.track",
    "View": "registration.case",
    "Volume": "images.volume",
    "XRay": "images.xray",
    "read_case": "registration.case_file",
    "register": "registration.registering",
    "register_bones": "registration.bones.registering_bones",
    "register_everywhere": "registration.everywhere",
    "track_run": "tracking.tracker",
    "write_bones_outputs": "outputs.bones_outputs",
    "write_case_outputs": "outputs.case_outputs",
}


def __getattr__(name: str) -> object:
    """A name of ``__all__``, from the module that it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module 'prostreg' has no attribute '{name}'")
    return getattr(importlib.import_module(f"prostreg.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
