"""The anatomy mask that a request describes: by labels in grids of their own, as a mask, or bone by threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.anatomy import anatomy_by_threshold, anatomy_from_labels, voxel_mm3
from prostreg.images.anatomy_check import refuse_anatomy_of_another_ct
from prostreg.images.volume import Volume
from prostreg.worker.fields import Fields


class AnatomyRequest:
    """The fields of a request that describe an anatomy, checked as far as they can be without the CT.

    Args:
        fields: arrays ``labels0``, ``labels1``, … with the list ``labels`` of objects (``volume_from_index``;
            ``values``, null for all but 0); or the array ``mask`` in the CT's grid; or ``threshold_hu`` (null: the
            engine's own). Faults are noted there.
    """

    def __init__(self, fields: Fields) -> None:
        self._threshold_hu = fields.number("threshold_hu", -1e6, 1e6) if "threshold_hu" in fields else None
        self._mask = fields.optional_array("mask", 3)
        self._labels = [
            (Volume(fields.array(f"labels{number}", 3), volume_from_index), values)
            for number, (volume_from_index, values) in enumerate(fields.label_maps())
        ]

    def mask(self, ct: Volume) -> NDArray[np.bool_]:
        """Voxels of the CT that belong to the anatomy, in its shape.

        Raises:
            InputError: there are none, or they cannot be of this CT.
        """
        if self._labels:
            return self._from_labels(ct)
        if self._mask is None:
            return (
                anatomy_by_threshold(ct) if self._threshold_hu is None else anatomy_by_threshold(ct, self._threshold_hu)
            )
        if self._mask.shape != ct.values.shape:
            raise InputError(
                f"The anatomy mask has shape {self._mask.shape}, the CT {ct.values.shape}: bring it into the CT's grid."
            )
        if not self._mask.any():
            raise InputError(
                "The anatomy is empty: no voxel of the CT belongs to it. Choose other labels or threshold."
            )
        return self._mask.astype(bool)

    def _from_labels(self, ct: Volume) -> NDArray[np.bool_]:
        mask = np.zeros(ct.values.shape, dtype=bool)
        labelled_mm3 = 0.0
        for labels, values in self._labels:
            chosen = labels.values != 0 if values is None else np.isin(labels.values, values)
            if chosen.any():
                labelled_mm3 += float(chosen.sum()) * voxel_mm3(labels)
                mask |= _in_ct(ct, labels, chosen)
        if labelled_mm3 == 0:
            raise InputError("The anatomy is empty: none of the chosen labels occurs. Choose other parts.")
        refuse_anatomy_of_another_ct(ct, mask, labelled_mm3)
        return mask


def _in_ct(ct: Volume, labels: Volume, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    try:
        return anatomy_from_labels(ct, Volume(chosen.astype(np.uint8), labels.volume_from_index), [1])
    except InputError:  # none of it lies in the CT; how much of all does is told at the end
        return np.zeros(ct.values.shape, dtype=bool)
