"""The X-rays that a network is adapted with: those this C-arm will take of this patient, as far as the case tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from prostreg.geometry.frames import transform_points
from prostreg.geometry.standard_views import nearest_standard_view
from prostreg.json_fields import json_object
from prostreg.prost.model import LearnedModel
from prostreg.registration.case import Case
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.simulation.pose_draws import DEGREES, Distribution, PoseDraw
from prostreg.training.config import ImagingSetup, TrainingConfig, training_config
from prostreg.training.config_files import CONFIGS_FOLDER

DEPTH_TOLERANCE = 0.05
"""Share of the source-detector distance by which the patient may lie nearer or farther than in the case."""


def adaptation_config(case: Case, model: LearnedModel, seed: int) -> TrainingConfig:
    """The settings of an adaptation to a case's CT.

    The C-arm is the case's first view; poses are drawn around the standard view that lies nearest to the start pose,
    or around AP where the case has none.

    Args:
        case: its X-rays are not looked at: days before the operation there are none.
        model: decides how the parameters are whitened.
        seed: of everything that is drawn.
    """
    content = json_object(CONFIGS_FOLDER / "adaptation.json", "configuration")
    config = training_config({**content, "seed": seed}, "The configuration of adaptations")
    scene = replace(config.scene, starts=_starts(model))
    return replace(config, scene=_as_in(case, scene) if case.views else scene)


def _starts(model: LearnedModel) -> PoseDraw:
    values = np.where(DEGREES, np.rad2deg(model.spread), model.spread)
    return PoseDraw(tuple(Distribution("normal", 0.0, float(value)) for value in values))


def _as_in(case: Case, scene: ImagingSetup) -> ImagingSetup:
    """The scene with the C-arm of the case's first view, and the view and depth of its start."""
    carm = case.views[0].carm
    field_mm = max(np.array(carm.size) * carm.detector_spacing_mm)
    scene = replace(scene, sdd_mm=(carm.sdd_mm, carm.sdd_mm), field_mm=(field_mm, field_mm))
    if case.initial_world_from_volume is None:
        return scene
    camera_from_volume = carm.camera_from_world @ case.initial_world_from_volume
    centre_mm = transform_points(camera_from_volume, anatomy_centre_mm(anatomy_points_mm(case)))
    depth = float(centre_mm[2]) / carm.sdd_mm
    share = (max(depth - DEPTH_TOLERANCE, 0.05), min(depth + DEPTH_TOLERANCE, 0.95))
    return replace(scene, view=nearest_standard_view(camera_from_volume), isocentre_share=share)
