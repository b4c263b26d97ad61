"""Compiles the engine's kernels into their cache, so that all processes of a test run load the same machine code.

What was compiled just now and what was loaded may differ in the last bit, and tests compare runs to the last bit.
"""

from __future__ import annotations

from prostreg.search.rehearsal import rehearse

if __name__ == "__main__":
    rehearse()
