"""What all tests share: how many threads torch and numpy take, here and in the processes that tests start."""

from __future__ import annotations

import os

# Their threads wait for each other in busy loops: on cores that others use too, tests of small networks take eight
# times longer with two threads than with one. The engine's own threads, which sleep while they wait, stay as they are.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
