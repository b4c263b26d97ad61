"""A short round of the fuzzer, the same inputs each time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from Patience import PATIENCE_S


def test_nothing_but_results_and_refusals() -> None:
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("fuzz_files.py")), "--examples", "60", "--derandomize"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-2000:]
