"""What a model costs: parameters, peak memory, function evaluations, and where it ran."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import __version__
from .record import Environment


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
        else:
            gc.collect()
            _give_back()

    def read(self) -> int:
        """Returns the peak in bytes."""
        if self.cuda:
            return torch.cuda.max_memory_allocated()
        if STATUS.exists():
            fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
            return int(fields["VmHWM"].split()[0]) * 1024
        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


STATUS = Path("/proc/self/status")


def _give_back() -> None:
    """Hands freed memory back to the system and sets the high-water mark to what is held."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # glibc only
            ctypes.CDLL(None).malloc_trim(0)
        with suppress(OSError):  # some containers forbid it: then the mark is the process's
            Path("/proc/self/clear_refs").write_text("5")


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


def environment(device: str) -> Environment:
    """Returns where and with what this process runs."""
    commit, dirty = _commit()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    hardware = f"{_processor()}, {cores} cores"
    if device.startswith("cuda"):
        hardware = f"{torch.cuda.get_device_name()}; {hardware}"
    return Environment(
        commit=commit,
        dirty=dirty,
        dgmbench=__version__,
        python=platform.python_version(),
        torch=torch.__version__,
        platform=f"{platform.system()} {platform.machine()}",
        hardware=hardware,
        device=device,
    )


@cache
def _commit() -> tuple[str, bool]:
    """Returns the commit of the sources and whether they differ from it; empty if unknown."""
    here = Path(__file__).resolve().parents[1]
    if not (here / ".git").exists():
        return "", False

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, check=False
        ).stdout.strip()

    return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))


@cache
def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
