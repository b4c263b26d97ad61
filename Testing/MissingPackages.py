"""A Python in which a package is missing, whatever is installed."""

from __future__ import annotations

WITHOUT = """
import sys


class Without:
    def __init__(self, finder):
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name == {package!r} else self._finder.find_spec(name, path, target)


sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""


def without(package: str) -> str:
    """The source of a sitecustomize.py after which nothing finds the package."""
    return WITHOUT.format(package=package)
