"""The work of a Dask worker: one row, from the protocol's text and a case number."""

from __future__ import annotations

import json
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

from prostreg.evaluation.protocol import protocol_from_dict
from prostreg.evaluation.rows import RowMaker
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.parallel import limit_cores

PROTOCOLS_KEPT = 2


def make_row(protocol_text: str, data_folder: str | None, number: int, method: str) -> dict[str, Any]:
    """A row as plain values.

    Args:
        protocol_text: the protocol as JSON, all parts in place.
        data_folder: where its files are on the worker's machine.
    """
    row = _row_maker(protocol_text, data_folder).row(number, method)
    if row is None:
        raise RuntimeError("a registration that nobody can cancel was cancelled")
    return row.to_dict()


@lru_cache(maxsize=PROTOCOLS_KEPT)
def _row_maker(protocol_text: str, data_folder: str | None) -> RowMaker:
    """Kept between the rows of one evaluation, with its CT and its simulator."""
    limit_cores(1)  # there is one worker process for each core
    warnings.filterwarnings("ignore")
    protocol = protocol_from_dict(json.loads(protocol_text))
    return RowMaker(protocol, make_case_source(protocol, None if data_folder is None else Path(data_folder)))
