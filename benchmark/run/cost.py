"""What a model costs: parameters, peak memory, function evaluations, and where it ran."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn


class PeakMemory:
    """Peak of the memory in use, in bytes, since the object was made.

    On CUDA: allocated by tensors on the device. Elsewhere: the resident set of the process,
    libraries included; the mark is set back on Linux only, so that elsewhere a process that runs
    several cells reports the highest of them.

    Args:
        device: "cpu" or "cuda".
    """

    def __init__(self, device: str) -> None:
        self.cuda = device.startswith("cuda")
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        elif sys.platform == "linux":
            with suppress(OSError):  # some containers forbid it: then the mark is the process's
                Path("/proc/self/clear_refs").write_text("5")
        self.start = 0 if self.cuda else _status("VmRSS")

    def read(self) -> int:
        """Returns the peak in bytes."""
        if self.cuda:
            return torch.cuda.max_memory_allocated()
        scale = 1 if sys.platform == "darwin" else 1024
        return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale

    def growth(self) -> int | None:
        """Returns by how many bytes the peak exceeds what was in use when the object was made.

        None where only the peak of the whole process is known.
        """
        return self.read() - self.start if self.cuda or self.start else None


def _status(name: str) -> int:
    """A size of this process in bytes, as Linux tells it; 0 elsewhere."""
    if not STATUS.exists():
        return 0
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(fields[name].split()[0]) * 1024


def synchronise(device: str) -> None:
    """Waits for what a GPU is still doing, so that a clock read afterwards counts it."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


STATUS = Path("/proc/self/status")


@contextmanager
def counted_rows(model: Any) -> Iterator[list[int]]:
    """Counts the rows that `model.network` evaluates inside the block, with a forward hook.

    Yields:
        A list of one count; empty where the model names no network.
    """
    network = getattr(model, getattr(model, "network", ""), None)
    if not isinstance(network, nn.Module):
        yield []
        return
    count = [0]

    def hook(_module: nn.Module, inputs: tuple[Any, ...], _output: Any) -> None:
        count[0] += len(inputs[0])

    handle = network.register_forward_hook(hook)
    try:
        yield count
    finally:
        handle.remove()
