"""Texts that are kept with nodes: a person, another program or a damaged scene may have changed them."""

from __future__ import annotations

import re
from typing import Any

from prostreg.json_fields import parsed_json

_WHOLE = re.compile(r"-?[0-9]{1,10}")


def keptJson(text: str | None) -> Any:
    """The value that a text of JSON holds; None where there is none, or it is damaged."""
    try:
        return parsed_json(text or "null")
    except (ValueError, RecursionError):
        return None


def keptWhole(text: str | None, low: int = 0) -> int | None:
    """The whole number that a text holds; None for one below ``low``, and for anything else."""
    found = _WHOLE.fullmatch((text or "").strip())
    return int(found[0]) if found and int(found[0]) >= low else None
