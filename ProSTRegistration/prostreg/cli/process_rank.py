"""The processes that share a training: which of them this one is."""

from __future__ import annotations

import os


def process_rank() -> int:
    """Of this process among those that Fabric or torchrun started; 0 is the one that people talk to."""
    rank = os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))
    return int(rank) if rank.isdecimal() else 0
