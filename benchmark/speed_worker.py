"""The process in which one contender of the speed comparison computes."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path

from .speed_cases import Case, Contender, features

Answer = tuple[float, float, float, float]  # what `work` sends
# Peers that could break the environment lie in a folder of their own: torch-fidelity and
# pytorch-fid want a torchvision that fits torch, and torchmetrics imports torch-fidelity wherever
# it sees it.
PEERS = Path(os.environ.get("DGMBENCH_PEERS", Path(sys.prefix) / "peers"))
WARM = (1100, 16)  # the size of the first, untimed call, which does the imports


def work(pipe: Connection, case: Case, contender: Contender) -> None:
    """Computes the case once for every True that comes through the pipe; runs in the child.

    Each answer is the seconds that it took, the seconds of all its threads together (which tell
    more on a busy machine), the peak of the memory beyond what the process held with its libraries
    and the features loaded, in megabytes, of all calls so far, and the value.
    """
    if PEERS.is_dir():
        sys.path.append(str(PEERS))
    if contender.package and find_spec(contender.package) is None:
        pipe.send("not installed")
        return
    sys.stdout = sys.stderr  # some peers print; the table stays whole
    contender.call(*features(min(WARM[0], case.n), min(WARM[1], case.d)))
    x, y = features(case.n, case.d)
    peak = memory_watch()
    pipe.send("ok")
    while pipe.recv():
        start, start_cpu = time.perf_counter(), time.process_time()
        value = contender.call(x, y)
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        pipe.send((seconds, cpu, peak(), value))


def memory_watch() -> Callable[[], float]:
    """Returns a function that tells the peak of this process's memory since now, in megabytes.

    Linux counts the resident memory from now on. Elsewhere the peak is that of the whole life of
    the process, less its peak so far, so what stays below an earlier peak is not seen.
    """
    clear = Path("/proc/self/clear_refs")
    if clear.exists() and os.access(clear, os.W_OK):
        clear.write_text("5")  # resets the high-water mark
    begin = _high_water()
    return lambda: _high_water() - begin


def _high_water() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) / 1000
    unit = 1e6 if sys.platform == "darwin" else 1e3  # getrusage counts bytes there, kB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
