"""``python -m prostreg`` is the same as ``prostreg``."""

import sys

from prostreg.cli.main import main

sys.exit(main())
