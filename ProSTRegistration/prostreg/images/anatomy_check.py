"""Can these labels have been made on this CT?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.images.anatomy import chosen_voxels, misfit, overlap_with_ct, voxel_mm3
from prostreg.images.label_fit import label_fit
from prostreg.images.volume import Volume


def anatomy_made_on(ct: Volume, labels: Volume, values: Sequence[int]) -> NDArray[np.bool_]:
    """As `anatomy_from_labels`, but refuses labels that cannot have been made on this CT.

    Raises:
        InputError: as `anatomy_from_labels` and `refuse_anatomy_of_another_ct`.
    """
    chosen = chosen_voxels(labels, values)
    mask = overlap_with_ct(ct, labels, chosen)
    refuse_anatomy_of_another_ct(ct, mask, float(chosen.sum()) * voxel_mm3(labels))
    return mask


def refuse_anatomy_of_another_ct(ct: Volume, mask: NDArray[np.bool_], labelled_mm3: float) -> None:
    """Refuses labels that cannot have been made on this CT.

    Args:
        mask: voxels of the CT that the labels cover.
        labelled_mm3: volume of all that is labelled, inside the CT or not.

    Raises:
        InputError: less than half of it lies in the CT, or most of it in air, or it fits the CT elsewhere.
    """
    hint = "Choose the labels that were made on this CT."
    share = min(1.0, float(mask.sum()) * voxel_mm3(ct) / labelled_mm3)
    found = misfit(share, ct.values[mask])
    if found == "outside":
        raise InputError(
            f"Only {share:.0%} of the anatomy lies in the CT: it seems to belong to another scan or patient, or lies"
            f" under another transform. {hint}"
        )
    if found == "in air":
        raise InputError(
            f"Most of the anatomy lies in air in this CT: it seems to belong to another scan or patient. {hint}"
        )
    fit = label_fit(ct, mask)
    if fit.is_elsewhere:
        raise InputError(f"The anatomy does not lie on its bone: {fit.advice()} {hint}")
