"""Which processor this is."""

from __future__ import annotations

import platform
from pathlib import Path


def processor_name() -> str:
    """The processor's model, as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
