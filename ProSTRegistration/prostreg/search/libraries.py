"""Libraries of the search that take a second or two to import: loaded while the first case is read."""

from __future__ import annotations

import contextlib
import threading


def begin_to_load() -> None:
    """Begins to load them in a thread of its own; whoever needs one sooner waits for it as for any import."""
    threading.Thread(target=_load_silently, name="prostreg-libraries").start()


def load() -> None:
    """Loads them here and now; whatever one of them raises comes through."""
    import cma  # noqa: F401  draws figures, and so brings all that draws


def _load_silently() -> None:
    with contextlib.suppress(Exception):  # whoever needs it meets the same fault, and tells it
        load()
