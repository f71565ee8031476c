"""Where and with what a cell ran: commit, versions, hardware."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

from ... import __version__
from ..contract.record import Provenance


def environment(device: str) -> Provenance:
    """Returns where and with what this process runs."""
    commit, dirty = _commit()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    hardware = f"{_processor()}, {cores} cores"
    if device.startswith("cuda"):
        hardware = f"{torch.cuda.get_device_name()}; {hardware}"
    return Provenance(
        commit=commit,
        dirty=dirty,
        dgmbench=__version__,
        python=platform.python_version(),
        torch=torch.__version__,
        numpy=version("numpy"),
        scikit_learn=version("scikit-learn"),
        cuda=(torch.version.cuda or "") if device.startswith("cuda") else "",
        cudnn=str(torch.backends.cudnn.version() or "") if device.startswith("cuda") else "",
        platform=f"{platform.system()} {platform.machine()}",
        hardware=hardware,
        device=device,
        threads=torch.get_num_threads(),
        tf32=torch.get_float32_matmul_precision() != "highest",
    )


@cache
def _commit() -> tuple[str, bool]:
    """Returns the commit of the sources and whether they differ from it; empty if unknown."""
    here = Path(__file__).resolve().parents[2]
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
