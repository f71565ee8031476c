"""How fast this core trains beside one core of the reference machine.

A compute class is in core seconds of the reference machine. Steps that fit it are chosen once and
hold everywhere: chosen on a quick machine, or beside other work, they would give a model more or
less training than the others got. So seconds are counted as those of the reference machine, by a
fixed piece of training that is timed beside them.
"""

from __future__ import annotations

from statistics import median

import torch
from torch import nn

from .cost import Clock

# Core seconds of the fixed training on the reference machine, two cores of an Intel Xeon that are
# both at work. Eight exemplars took 26 to 73 core seconds on ring-8, 0.55 of those of the
# reference machine, on an AMD EPYC that needs 0.057 for the fixed training.
REFERENCE = 0.10
WIDTH, BATCH, STEPS, REPEATS = 128, 256, 100, 5


def pace() -> float:
    """Returns the reference machine's core seconds per core second of this machine.

    Above 1 where this core is quicker. The median of five timings, with one thread.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return REFERENCE / median(_seconds() for _ in range(REPEATS))
    finally:
        torch.set_num_threads(threads)


def _seconds() -> float:
    """Core seconds of the fixed training: Adam on a perceptron with two hidden layers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Linear(2, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2)
        )
        points = torch.randn(BATCH, 2)
    adam = torch.optim.Adam(net.parameters())
    clock = Clock("cpu")
    for _ in range(STEPS):
        adam.zero_grad()
        net(points).square().mean().backward()
        adam.step()
    return clock.core_seconds()
