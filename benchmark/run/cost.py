"""What a model costs: parameters, peak memory, function evaluations, and where it ran."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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


class Clock:
    """Seconds since the object was made: of a clock on the wall, and of the cores that were used.

    Core seconds do not depend on what else a machine does, so that they set and check budgets.

    Args:
        device: "cpu" or "cuda".
    """

    def __init__(self, device: str) -> None:
        self.device = device
        synchronise(device)
        self.wall, self.cores = time.perf_counter(), time.process_time()

    def seconds(self) -> float:
        """Returns the seconds that went by."""
        synchronise(self.device)
        return time.perf_counter() - self.wall

    def core_seconds(self) -> float:
        """Returns the seconds of all cores together; on a GPU those that went by."""
        if self.device.startswith("cuda"):
            return self.seconds()
        return time.process_time() - self.cores


def synchronise(device: str) -> None:
    """Waits for what a GPU is still doing, so that a clock read afterwards counts it."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


STATUS = Path("/proc/self/status")


@dataclass
class CountedRows:
    """Rows that networks evaluated.

    Attributes:
        total: Rows of the outermost calls.
        reason: Why nothing is counted; empty where something can be.
    """

    total: int = 0
    reason: str = ""


@contextmanager
def counted_rows(model: Any) -> Iterator[CountedRows]:
    """Counts the rows that a model's networks evaluate inside the block, with forward hooks.

    Its network is what `model.network` names; of a user's object that names none, every module
    that it holds. Calls within calls count once.
    """
    found, depth = CountedRows(), [0]
    networks = _networks(model)
    if not networks:
        named = getattr(model, "network", None) == "" and not hasattr(model, "inner")
        found.reason = "no network is evaluated" if named else "not counted: it holds no network"

    def enter(_module: nn.Module, _inputs: Any, _keywords: Any) -> None:
        depth[0] += 1

    def leave(_module: nn.Module, inputs: Any, keywords: Any, _output: Any) -> None:
        depth[0] -= 1
        tensors = (
            x for x in (*inputs, *keywords.values()) if isinstance(x, torch.Tensor) and x.dim()
        )
        if depth[0] == 0 and (first := next(tensors, None)) is not None:
            found.total += len(first)

    handles = [
        handle
        for network in networks
        for handle in (
            network.register_forward_pre_hook(enter, with_kwargs=True),
            network.register_forward_hook(leave, with_kwargs=True, always_call=True),
        )
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
        if networks and not found.total:
            found.reason = "not counted: its networks were not called as modules"


def _networks(model: Any) -> list[nn.Module]:
    inner = getattr(model, "inner", None)
    for owner in (model, inner):
        try:
            named = getattr(owner, getattr(owner, "network", ""), None)
        except Exception:  # a property of a user's
            named = None
        if isinstance(named, nn.Module):
            return [named]
    if inner is None:
        return []
    if isinstance(inner, nn.Module):
        return list(inner.children()) or [inner]
    return list(_modules(getattr(inner, "__dict__", {})))


def _modules(value: Any) -> Iterator[nn.Module]:
    if isinstance(value, nn.Module):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _modules(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _modules(part)
