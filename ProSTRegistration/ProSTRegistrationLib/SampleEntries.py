"""The samples' entries in Slicer's SampleData module. Imports nothing heavy: it is read when Slicer starts."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CATEGORY = "ProST Registration"
SAMPLES = {
    "spine": ("Spine CT and fluoroscopy", "SampleSpine.png"),
    "phantom": ("Phantom CT and fluoroscopy", "SamplePhantom.png"),
}
"""Kind, as the worker's command "sample" knows it -> what SampleData shows, and its thumbnail."""
ICON_FOLDER = Path(__file__).resolve().parent.parent / "Resources" / "Icons"


@dataclass(frozen=True)
class SampleLoader:
    """The reader that SampleData calls when somebody chooses a sample; two of the same kind read alike."""

    kind: str
    load: Callable[[str], object] = field(repr=False, compare=False)

    def __call__(self, source: object) -> None:
        self.load(self.kind)


def registerSampleData(load: Callable[[str], object]) -> None:
    """Adds the samples to the SampleData module, where there is one. Loads nothing.

    Args:
        load: called with a kind, a key of SAMPLES, when somebody chooses that sample.
    """
    if importlib.util.find_spec("SampleData") is None:
        return
    import SampleData

    for kind, (name, thumbnail) in SAMPLES.items():
        # Without addresses: SampleData has nothing to fetch, the worker makes or fetches all.
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            thumbnailFileName=str(ICON_FOLDER / thumbnail),
            uris=[],
            fileNames=[],
            nodeNames=[],
            customDownloader=SampleLoader(kind, load),
        )
