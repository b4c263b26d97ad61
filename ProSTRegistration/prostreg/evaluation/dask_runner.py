"""Runs an evaluation on Dask workers: processes of this machine, or of a cluster that runs already."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prostreg.errors import InputError
from prostreg.evaluation.dask_worker import make_row
from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.rows import Key, Row

LOCAL = "local"
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_CONNECT = 20
LOST_WORKERS_PER_ROW = 3


@contextmanager
def dask_client(address: str, workers: int) -> Iterator[Any]:
    """A client of a running cluster, or of one that is started and ended here.

    Args:
        address: ``local``, or a scheduler's as ``tcp://host:8786``.
        workers: processes of a local cluster, one thread each.

    Raises:
        InputError: nobody answers at that address.
    """
    import dask
    import distributed

    dask.config.set({"distributed.scheduler.allowed-failures": LOST_WORKERS_PER_ROW})
    for name in ("distributed", "tornado", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if address == LOCAL:
        with (
            _deaf_to_interrupts() as hear_again,
            distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None,
                silence_logs=logging.CRITICAL,
            ) as cluster,
            distributed.Client(cluster) as client,
        ):  # fmt: skip
            hear_again()
            yield client
        return
    try:
        client = distributed.Client(address, timeout=SECONDS_TO_CONNECT)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"No Dask scheduler answers at {address} ({_in_words(error)}): check the address.") from None
    with client:
        yield client


@contextmanager
def _deaf_to_interrupts() -> Iterator[Callable[[], None]]:
    """Lets processes that start now ignore Ctrl-C, which a terminal sends to all: this process decides for them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)

    def hear_again() -> None:
        signal.signal(signal.SIGINT, before)

    try:
        yield hear_again
    finally:
        hear_again()


def run_on_dask(
    client: Any,
    protocol: Protocol,
    data_folder: Path | None,
    keys: Sequence[Key],
    on_row: Callable[[Row], None],
    is_cancelled: Callable[[], bool],
) -> list[str]:
    """Makes the rows on workers; a row whose worker dies is made by another.

    Args:
        client: of a cluster whose workers see ``data_folder`` at the same path.
        keys: case number and method of the rows to make.
        on_row: given each row as soon as it is there, in this process.
        is_cancelled: asked twice a second; rows under way are given up.

    Returns:
        What went wrong, in words, where rows could not be made at all.
    """
    from distributed import wait

    folder = None if data_folder is None else str(data_folder.resolve())
    text = json.dumps(protocol.content)
    waiting = {
        client.submit(make_row, text, folder, number, method, pure=False): (number, method) for number, method in keys
    }
    failures = []
    while waiting and not is_cancelled():
        try:
            done, _ = wait(list(waiting), timeout=SECONDS_BETWEEN_LOOKS, return_when="FIRST_COMPLETED")
        except TimeoutError:
            continue
        for future in done:
            number, method = waiting.pop(future)
            if future.status == "finished":
                on_row(Row.from_dict(future.result()))
            else:
                failures.append(f"case {number}, {method}: {_in_words(future.exception())}")
            future.release()
    client.cancel(list(waiting), force=True)
    return failures


def _in_words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
