"""Makes the README's screenshot from the overlay that the demo wrote: python docs/figures/screenshot.py FROM TO."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

WIDTH = 1400
COLOURS = 256


def main(source: Path, target: Path) -> None:
    with Image.open(source) as overlay:
        height = round(overlay.height * WIDTH / overlay.width)
        small = overlay.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    small.quantize(COLOURS).save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
