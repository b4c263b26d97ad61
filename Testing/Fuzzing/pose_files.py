"""Poses in damaged files: ITK's text and HDF5, JSON, rows of numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from hypothesis import strategies as st
from targets import Target, changed_words, damaged, json_files

from prostreg.outputs.transform_file import read_pose, write_transform

POSE = np.array([[0.0, -1.0, 0.0, 5.0], [1.0, 0.0, 0.0, -7.0], [0.0, 0.0, 1.0, 11.0], [0.0, 0.0, 0.0, 1.0]])
ROWS = "\n".join(" ".join(map(repr, row)) for row in POSE.tolist())
ITK_WORDS = [
    "AffineTransform_double_3_3", "Euler3DTransform_double_3_3", "VersorRigid3DTransform_float_3_3",
    "BSplineTransform_double_3_3", "DisplacementFieldTransform_double_3_3", "CompositeTransform_double_3_3",
    "TranslationTransform_double_3_3", "AffineTransform_double_2_2", "ScaleTransform_double_3_3", "#Transform",
    "Transform:", "Parameters:", "FixedParameters:", "0", "1", "-1", "nan", "inf", "1e308", "9" * 400, "4000000000",
]  # fmt: skip


def _written(suffix: str, transform: sitk.Transform | None = None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        if transform is None:
            write_transform(path, POSE)
        else:
            sitk.WriteTransform(transform, str(path))
        return path.read_bytes()


AFFINE = sitk.AffineTransform(3)
AFFINE.SetTranslation((3.0, -4.0, 5.0))
RIGID = sitk.VersorRigid3DTransform((0.0, 0.0, 1.0), 0.5)
TEXTS = [_written(".tfm"), _written(".tfm", RIGID), _written(".tfm", sitk.CompositeTransform([AFFINE, RIGID]))]
HDF5 = [_written(".h5", AFFINE), _written(".h5", RIGID)]
JSON = {"world_from_volume": POSE.tolist(), "status": "accepted"}
itk_texts = st.one_of(changed_words([text.decode() for text in TEXTS], ITK_WORDS), damaged(TEXTS))

TARGETS = {
    "pose of ITK": Target("pose.tfm", read_pose, itk_texts),
    "pose of ITK in .txt": Target("itk.txt", read_pose, itk_texts),
    "pose of ITK in HDF5": Target("pose.h5", read_pose, damaged(HDF5, within=10**6), one_in=50),
    "pose in JSON": Target("pose.json", read_pose, json_files(JSON)),
    "pose in rows": Target(
        "pose.txt", read_pose, st.one_of(changed_words([ROWS], ITK_WORDS[-9:]), damaged([ROWS.encode()]))
    ),
}  # fmt: skip
