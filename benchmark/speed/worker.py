"""The process in which one contender of the speed comparison computes."""

from __future__ import annotations

import os
import sys
import time
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path

from ..run.cost import PeakMemory
from .cases import Case, Contender, features

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
    peak = PeakMemory("cpu")
    held = peak.read()
    pipe.send("ok")
    while pipe.recv():
        start, start_cpu = time.perf_counter(), time.process_time()
        value = contender.call(x, y)
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        pipe.send((seconds, cpu, (peak.read() - held) / 1e6, value))
