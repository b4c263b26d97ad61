"""Beads in X-rays of every kind of DICOM file: how far the C-arm that is read puts them from where they are seen.

    python Testing/Measurements/dicom_beads.py

Prints a table: the kind of file, how its pixels are stored, what was read of the C-arm, and the largest distance of a
bead in pixels. The files are those of ``Testing/DicomBeads.py``, whose test asks for half a pixel.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from DicomBeads import SYNTAXES, VARIANTS, read_error_px
from pydicom.uid import UID

from prostreg.errors import InputError


def main() -> None:
    print("| file | pixels | SDD | pixel | axis meets image at | read of the polarity | bead error |")
    print("|---|---|---|---|---|---|---|")
    for name in VARIANTS:
        for syntax in SYNTAXES:
            with tempfile.TemporaryDirectory() as folder:
                print(f"| {name} | {syntax.name.partition(',')[0]} | {_row(name, syntax, Path(folder))} |", flush=True)


def _row(name: str, syntax: UID, folder: Path) -> str:
    try:
        error, image = read_error_px(name, syntax, folder)
    except InputError as trouble:
        return f"{trouble.faults[0]} | | | | "
    carm = image.carm
    assert carm is not None
    u_mm, v_mm = carm.detector_spacing_mm
    u, v = carm.principal_point
    size = f"{u_mm:g} x {v_mm:g} mm"
    return f"{carm.sdd_mm:g} mm | {size} | {u:.1f}, {v:.1f} px | {image.polarity or 'not told'} | {error:.2f} px"


if __name__ == "__main__":
    main()
