"""Pieces of work on this machine, each in a process of its own.

A server that has imported torch forks the processes (Linux), so that a fresh one costs
milliseconds. Each has a guardian between it and the harness (`guardian`).
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import BaseContext, ForkServerContext
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import uuid4

from pebble import ProcessExpired, concurrent

from .guardian import Ended, guarded

Work = TypeVar("Work")
Done = TypeVar("Done")
Next = Callable[[], "Work | None"]

# What the server imports before it forks; importing must start no thread and touch no GPU.
PRELOAD = [
    "torch",
    "scipy.stats",
    f"{__name__.partition('.')[0]}.benchmark.run.stages",
    "torch._dynamo",  # every optimiser imports it, which takes seconds
]
_PAUSE = 0.5  # seconds between two questions for more work
# Threads that spin while they wait take the cores of those that work.
QUIET = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}


class Lost(Generic[Work]):
    """A piece of work whose process did not come back with a result.

    Attributes:
        work: The work.
        status: "timed out" or "killed".
        reason: One sentence.
    """

    def __init__(self, work: Work, status: str, reason: str) -> None:
        self.work, self.status, self.reason = work, status, reason


def run_local(
    run: Callable[[Work], Done],
    work: Iterator[Work | None],
    *,
    workers: int,
    timeout: float,
    threads: int,
    log: Callable[[Work], Path] | None = None,
    gpus: Sequence[str] = (),
) -> Iterator[tuple[Work, Done | Lost[Work]]]:
    """Yields each piece of work with its result as it is done, in the order of completion.

    Args:
        run: A picklable function of one piece of work.
        work: What to do, asked for one more whenever a process is free; None says that there is
            nothing now but may be later.
        workers: Number of processes at a time.
        timeout: Seconds that one piece may take.
        threads: Threads of torch in each; the user's OMP_NUM_THREADS goes before.
        log: Gives the file for what a piece prints; None lets it print.
        gpus: Names of the GPUs among which pieces are shared out; see `visible_gpus`.

    Raises:
        KeyboardInterrupt: The user stopped it; the processes have been stopped.
    """
    threads = _user_threads() or threads
    # pebble reads `context`, though its signature calls it `mp_context`.
    options: dict[str, Any] = {
        "name": f"dgmbench {uuid4()}", "daemon": False, "timeout": timeout, "context": _context(),
    }  # fmt: skip
    start = concurrent.process(**options)(guarded)
    running: dict[Future[Any], Work] = {}
    places: dict[Future[Any], str] = {}
    more = True
    try:
        while more or running:
            idle = False
            while more and not idle and len(running) < workers:
                try:
                    item = next(work)
                except StopIteration:
                    more = False
                    break
                idle = item is None
                if item is not None:
                    printed = log(item) if log else None
                    gpu = min(gpus, key=[places[f] for f in running].count) if gpus else None
                    try:
                        with _environment(threads):
                            packed = pickle.dumps((run, item))
                            future = _started(start, packed, printed, threads, os.getpid(), gpu)
                        running[future] = item
                        places[future] = gpu or ""
                    except (OSError, EOFError) as error:  # the server or the system has none
                        why = getattr(error, "strerror", None) or "the server of processes ended"
                        yield item, Lost(item, "killed", f"no process for it: {why}")
            if more and not running:  # `wait` returns at once where there is nothing to wait for
                time.sleep(_PAUSE)
            # The time limit lets Ctrl-C through on every platform.
            done, _ = wait(running, timeout=_PAUSE, return_when=FIRST_COMPLETED)
            for future in done:
                item = running.pop(future)
                yield item, _result(future, item, timeout)
    finally:
        if running:
            _stop(options["name"], running)


def _started(start: Callable[..., Future[Any]], *given: Any) -> Future[Any]:
    """Starts a process; once more where the server that forks them ended as it was asked."""
    try:
        return start(*given)
    except (EOFError, ConnectionError):
        time.sleep(_PAUSE)  # until its end is known, so that another is started
        return start(*given)


def _stop(name: str, running: Iterable[Future[Any]]) -> None:
    """Stops the processes of a name, and all that they started, and waits for their end.

    A future that is cancelled just as its result comes makes pebble's thread fail, so it is the
    process that is stopped; its future then says that it ended.
    """
    for child in multiprocessing.active_children():
        if child.name == name:
            child.terminate()
    wait(running, timeout=10)


def start_server(workers: int | None) -> None:
    """Starts the server that forks the processes, which imports torch meanwhile.

    Args:
        workers: Number of processes at a time; None is one per core.
    """
    if isinstance(_context(), ForkServerContext):
        threads = _user_threads() or max(1, cores() // max(1, workers or cores()))
        with _environment(threads):
            forkserver.ensure_running()


def _context() -> BaseContext:
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


def cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them."""
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = given.split(",") if given else map(str, range(torch.cuda.device_count()))
    return [name.strip() for name in names][: torch.cuda.device_count()]


def _user_threads() -> int:
    """The number of threads that the user's environment asks for; 0 where it says none."""
    text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(text) if text.isdecimal() else 0


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """Sets what OpenMP reads when it is loaded, where the user has not; processes inherit it."""
    given = {"OMP_NUM_THREADS": str(threads), **QUIET}
    added = {name: value for name, value in given.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _result(future: Future[Any], item: Work, timeout: float) -> Any:
    try:
        result = future.result()
    except TimeoutError:
        reason = f"it took more than {timeout:g} seconds (--timeout)"
        return Lost(item, "timed out", reason)
    except ProcessExpired as error:
        result = Ended(getattr(error, "exitcode", 1) or 0)
    return Lost(item, "killed", _how(result.code)) if isinstance(result, Ended) else result


def _how(code: int) -> str:
    if code < 0:
        hint = "; often the system ran out of memory" if code == -9 else ""
        return f"its process was ended by signal {-code}{hint}"
    return f"its process ended with exit code {code} before it was done"
