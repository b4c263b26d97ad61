"""All files that one registered case leaves: result.json, the transform, DRRs, the overlay and the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prostreg.choices import AUTO
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix
from prostreg.images.attenuation import moving_volume
from prostreg.images.image_file import write_with_spacing
from prostreg.outputs.dicom_object import write_object
from prostreg.outputs.overlay import OverlayView, draw_overlay, panel_size
from prostreg.outputs.panel_images import resized_carm, resized_image
from prostreg.outputs.report import write_report
from prostreg.outputs.result_file import (
    OVERLAY_FILE,
    REGISTRATION_FILE,
    REPORT_FILE,
    RESULT_FILE,
    TRANSFORM_FILE,
    drr_file_names,
    write_result_json,
    write_together,
)
from prostreg.outputs.spatial_registration import spatial_registration
from prostreg.outputs.transform_file import write_transform
from prostreg.projector.selection import Projector, make_projector
from prostreg.registration.case import Case, View
from prostreg.registration.readings import case_read_as, reading_of
from prostreg.registration.relation.each_view import seen_as_found
from prostreg.registration.result import Result


def write_case_outputs(folder: Path, case: Case, result: Result) -> list[str]:
    """Writes everything about one result into ``folder``, all or nothing; gives the files' names.

    The DRRs show the registered anatomy at the found pose, in the size of each X-ray image.

    Raises:
        NotWritten: where the folder cannot be written.
    """
    case = seen_as_found(case_read_as(case, reading_of(case, result.polarities)), result)
    anatomy = make_projector(moving_volume(case.ct, case.anatomy), result.config.get("projector", AUTO))
    drr_names = drr_file_names(len(case.views))
    registration = spatial_registration(case, result)

    def write_files(scratch: Path) -> None:
        for name, view in zip(drr_names, case.views, strict=True):
            drr = render_view(anatomy, view.carm, result.world_from_volume)
            write_with_spacing(scratch / name, drr, view.carm.detector_spacing_mm, is_compressed=True)
        views = (_overlay_view(view, case, result, anatomy) for view in case.views)
        draw_overlay(result, views).save(scratch / OVERLAY_FILE, optimize=False)
        write_report(scratch / REPORT_FILE, case, result, scratch / OVERLAY_FILE)
        if registration is not None:
            write_object(scratch / REGISTRATION_FILE, registration)
        write_transform(scratch / TRANSFORM_FILE, result.world_from_volume)
        write_result_json(scratch / RESULT_FILE, result)

    write_together(folder, write_files)
    names = [RESULT_FILE, TRANSFORM_FILE, *drr_names, OVERLAY_FILE, REPORT_FILE]
    return names if registration is None else [*names, REGISTRATION_FILE]


def render_view(projector: Projector, carm: CArm, world_from_volume: Matrix) -> NDArray[np.float32]:
    """One DRR (height, width) of line integrals for one view."""
    image: NDArray[np.float32] = projector.render((carm.camera_from_world @ world_from_volume)[None], carm)[0]
    return image


def _overlay_view(view: View, case: Case, result: Result, anatomy: Projector) -> OverlayView:
    width, height = panel_size(view.carm.width, view.carm.height)
    carm = resized_carm(view.carm, (width, height))
    start = case.initial_world_from_volume
    return OverlayView(
        fluoroscopy=resized_image(view.xray.line_integrals, (width, height)),
        mask=resized_image(view.xray.mask.astype(np.float32), (width, height)) > 0.5,
        start_drr=None if start is None else render_view(anatomy, carm, start),
        found_drr=render_view(anatomy, carm, result.world_from_volume),
    )
