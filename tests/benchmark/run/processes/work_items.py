"""Pieces of work that leave a process in every way; imported by name in the processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch


def double(x):
    return 2 * x


def gpu(x):
    time.sleep(0.5)
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def exits(x):
    sys.exit(0)


def interrupts(x):
    raise KeyboardInterrupt


def closes(x):
    raise GeneratorExit


def ends_at_once(x):
    os._exit(0)


def is_killed(x):
    os.kill(os.getpid(), signal.SIGKILL)


def cannot_be_pickled(x):
    return lambda: x


class Mute(Exception):
    def __str__(self):
        raise RuntimeError


def has_no_words(x):
    raise Mute


def returns_much(x):
    return bytes(x)


def hangs(folder):
    """Starts two processes, one of them in a session of its own, and never comes back."""
    for own in (False, True):
        child = subprocess.Popen(["sleep", "1000"], start_new_session=own)
        (Path(folder) / str(child.pid)).touch()
    (Path(folder) / str(os.getpid())).touch()
    (Path(folder) / "ready").touch()
    time.sleep(600)


def leaves_children(folder):
    for own in (False, True):
        child = subprocess.Popen(["sleep", "1000"], start_new_session=own)
        (Path(folder) / str(child.pid)).touch()
    return "done"


def prints(megabytes):
    for _ in range(megabytes):
        os.write(1, b"y" * 2**20)
    os.write(2, b"the end")
    return "done"


def spoils(x):
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.randn = None
    np.seterr(all="raise")
    os.chdir("/")
    os.environ["SPOILT"] = "1"
    torch.manual_seed(7)
    return spoilt(x)


def spoilt(x):
    """What a process is found with."""
    return (
        str(torch.get_default_dtype()), torch.is_grad_enabled(), torch.randn is None,
        np.geterr()["over"], os.getcwd() == "/", "SPOILT" in os.environ, torch.initial_seed() == 7,
    )  # fmt: skip


def threads(x):
    return (
        torch.get_num_threads(),
        os.environ["OMP_WAIT_POLICY"],
        os.environ["GOMP_SPINCOUNT"],
    )


class Wide:
    """Work that runs a parallel loop of torch already where it is unpickled."""

    def __reduce__(self):
        return _made_wide, ()


def _made_wide():
    import torch

    torch.set_num_threads(2)
    torch.ones(2**20).exp().sum()
    return Wide()


def in_parallel(_):
    import torch

    return float(torch.ones(2**20).exp().log().mean())
