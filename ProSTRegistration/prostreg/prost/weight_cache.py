"""Weights that were adapted to one patient, found again by what the CT and its anatomy mask contain."""

from __future__ import annotations

import hashlib
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import WeightsError
from prostreg.files import cache_folder
from prostreg.images.volume import Volume
from prostreg.prost.card import Card, MadeFor, card_path
from prostreg.prost.weights import SUFFIX

AFFINE_GRID_MM = 0.0003
"""File formats store the same affine with different last digits; no usual spacing lies halfway between two points of
this grid, as many do between decimals."""
DIGITS_IN_NAMES = 16


_digests: WeakKeyDictionary[Volume, str] = WeakKeyDictionary()


def ct_digest(ct: Volume) -> str:
    """SHA256 of a CT's size, place and values, whatever file it came from; 64 hexadecimal digits."""
    if ct in _digests:
        return _digests[ct]
    affine = np.rint(ct.volume_from_index / AFFINE_GRID_MM)
    digest = hashlib.sha256(np.array(ct.size, dtype="<i8").tobytes() + affine.astype("<i8").tobytes())
    digest.update(np.ascontiguousarray(ct.values, dtype="<f4").data)
    _digests[ct] = digest.hexdigest()
    return _digests[ct]


def anatomy_digest(anatomy: NDArray[np.bool_]) -> str:
    """SHA256 of a mask's shape and voxels; 64 hexadecimal digits."""
    digest = hashlib.sha256(np.array(anatomy.shape, dtype="<i8").tobytes())
    digest.update(np.packbits(anatomy).data)
    return digest.hexdigest()


def patient_of(ct: Volume, anatomy: NDArray[np.bool_]) -> MadeFor:
    """The card's words for weights adapted to this CT and anatomy."""
    return MadeFor(ct_digest(ct), anatomy_digest(anatomy))


def adapted_folder() -> Path:
    """The folder of all adapted weights of this user."""
    return cache_folder() / "adapted"


def adapted_path(ct: Volume, anatomy: NDArray[np.bool_]) -> Path:
    """The path of weights adapted to this CT and anatomy, whether there are any or not."""
    patient = patient_of(ct, anatomy)
    return adapted_folder() / f"{patient.ct[:DIGITS_IN_NAMES]}-{patient.anatomy[:DIGITS_IN_NAMES]}{SUFFIX}"


def find_adapted(ct: Volume, anatomy: NDArray[np.bool_]) -> Path | None:
    """Weights that were adapted to this CT and anatomy, with their card; None where there are none."""
    path = adapted_path(ct, anatomy)
    return path if path.is_file() and card_path(path).is_file() else None


def adapted_count() -> int:
    """For how many patients and anatomies there are adapted weights."""
    return sum(card_path(path).is_file() for path in adapted_folder().glob(f"*{SUFFIX}"))


def check_made_for(card: Card, ct: Volume, anatomy: NDArray[np.bool_]) -> None:
    """True if weights are for all patients or for this one; not to be asked where a user wants them all the same.

    Raises:
        WeightsError: they were adapted to another CT, or to another anatomy of this one.
    """
    if card.made_for is None:
        return
    patient = patient_of(ct, anatomy)
    if card.made_for.ct != patient.ct:
        made, given = card.made_for.ct, patient.ct
        what = "another CT"
    elif card.made_for.anatomy != patient.anatomy:
        made, given = card.made_for.anatomy, patient.anatomy
        what = "another anatomy of this CT"
    else:
        return
    raise WeightsError(
        f"The weights '{card.title}' were adapted to {what} (SHA256 {made[:12]}..., here it is {given[:12]}...), and"
        " on others they mislead the search: adapt to this one, leave the choice of weights to prostreg, or say that"
        " they shall be used all the same."
    )
