"""``python -m prostreg.worker``."""

import sys

from prostreg.worker.server import run

sys.exit(run(sys.argv[1:]))
