"""The program ``prostreg``: a command, and an ear for whoever stops it from its first moment to its last."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from prostreg.cli.interruption import Listener, be_deaf
from prostreg.cli.process_rank import process_rank


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: as on the command line, without the program's name; those of the process if None. Only then do
            signals, which are the whole process's, mean this command.

    Returns:
        The exit code of the contract (see ExitCode).
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    listener = Listener("--json" in given)
    if arguments is None:
        if given[:1] == ["train"] and process_rank() != 0:
            be_deaf()
        else:
            listener.hear()
    # What takes a while to import comes after that.
    from prostreg.cli.command import run_command

    try:
        code = run_command(given, listener)
    except KeyboardInterrupt:  # told between the end of the work and the answer to it
        listener.leave()
    listener.end_with(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
