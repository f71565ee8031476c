"""Cells on this machine, in worker processes that live on from cell to cell.

A cell that outlives its timeout is killed with its worker; a worker that dies is replaced. Either
way the cell is told as lost and the others go on.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

from pebble import ProcessExpired, ProcessPool

Work = TypeVar("Work")
Done = TypeVar("Done")


class Lost(Generic[Work]):
    """A piece of work whose worker did not come back.

    Attributes:
        work: The work.
        status: "timed out" or "killed".
        reason: One sentence.
    """

    def __init__(self, work: Work, status: str, reason: str) -> None:
        self.work, self.status, self.reason = work, status, reason


def run_local(
    run: Callable[[Work], Done],
    work: list[Work],
    *,
    workers: int,
    timeout: float,
    threads: int,
) -> Iterator[tuple[Work, Done | Lost[Work]]]:
    """Yields each piece of work with its result as it is done, in the order of completion.

    Args:
        run: A picklable function of one piece of work; it must not raise.
        work: What to do, in order of start.
        workers: Number of processes.
        timeout: Seconds that one piece may take.
        initializer: Called once in each worker.
        arguments: Its arguments.

    Raises:
        KeyboardInterrupt: The user stopped it; the workers have been stopped.
    """
    # Spawned, not forked: a forked process cannot use CUDA, nor torch's threads safely.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPool(
        max_workers=workers, initializer=prepare_worker, initargs=[threads], context=context
    )
    with pool:
        try:
            with _interrupts_held():
                futures: dict[Any, Work] = {
                    pool.schedule(run, args=[item], timeout=timeout): item for item in work
                }
            pending: set[Any] = set(futures)
            while pending:
                # The time limit lets Ctrl-C through on every platform.
                done, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    yield futures[future], _result(future, futures[future], timeout)
        except BaseException:
            pool.stop()
            pool.join()
            raise


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Holds Ctrl-C back: threads and processes that start inside never get it, the caller later.

    The terminal sends it to every process, and a worker that is still importing would die of it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _result(future: Any, item: Work, timeout: float) -> Done | Lost[Work]:
    try:
        return future.result()
    except TimeoutError:
        return Lost(item, "timed out", f"it took more than {timeout:g} seconds")
    except ProcessExpired as error:
        code = error.exitcode
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        hint = "; often the system ran out of memory" if code == -9 else ""
        return Lost(item, "killed", f"its process ended {how}{hint}")


def keep_freed_memory() -> None:
    """Lets the process keep up to 512 MiB of freed memory for its next tensors.

    To hand it back to the system and fetch it again at every step takes a fifth of the time of a
    model of many pixels. Tensors above 32 MiB, such as all rows of a task, are handed back at
    once. Works with the C library of most Linuxes (glibc).
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(_MMAP_THRESHOLD, 2**25)
            libc.mallopt(_TRIM_THRESHOLD, 2**29)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h


def prepare_worker(threads: int) -> None:
    """Sets up a worker."""
    import torch

    torch.set_num_threads(threads)
    keep_freed_memory()
