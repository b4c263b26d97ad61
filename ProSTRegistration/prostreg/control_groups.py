"""Memory that Linux's control groups, as those of containers and of clusters' jobs, leave to this process."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

GROUPS = Path("/proc/self/cgroup")
HIERARCHY = Path("/sys/fs/cgroup")

_NO_LIMIT_BYTES = 1 << 60
"""A group without a limit has a number near 2**63 in the older version."""

_OLDER = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_NEWER = ("memory.max", "memory.current", "inactive_file")


def bytes_left() -> int | None:
    """Bytes until a limit is reached and the system ends the process; None where there is no limit."""
    left: list[int] = []
    with suppress(OSError, ValueError):
        for line in GROUPS.read_text(encoding="ascii").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                left += _left_in(HIERARCHY, path, _NEWER)
            elif "memory" in controllers.split(","):
                left += _left_in(HIERARCHY / "memory", path, _OLDER)
    return min(left, default=None)


def _left_in(top: Path, path: str, names: tuple[str, str, str]) -> list[int]:
    """Bytes left in a group and in those around it; a container sees its own as the topmost."""
    left = []
    folder = top / path.strip("/")
    for group in (folder, *folder.parents):
        with suppress(OSError, ValueError, StopIteration):
            limit = int((group / names[0]).read_text(encoding="ascii"))
            if limit < _NO_LIMIT_BYTES:
                used = int((group / names[1]).read_text(encoding="ascii"))
                left.append(max(limit - used + _cached_bytes(group, names[2]), 0))
        if group == top:
            break
    return left


def _cached_bytes(group: Path, name: str) -> int:
    """Files that were read count as used, and give way to what is needed."""
    lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
    return next(int(number) for key, number in map(str.split, lines) if key == name)
