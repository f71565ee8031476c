from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from dgmbench.benchmark.run.cost import counted_rows
from torch import nn

PEAK = """
import torch
from dgmbench.benchmark.run.cost import PeakMemory
from dgmbench.benchmark.run.guardian import keep_freed_memory
KEEP
before = torch.ones(500_000_000, dtype=torch.uint8)
del before
peak = PeakMemory("cpu")
held = peak.read()
torch.ones(300_000_000, dtype=torch.uint8)
print((peak.read() - held) / 1e6)
"""


@pytest.mark.parametrize("keep", ["", "keep_freed_memory()"])
def test_peak_memory_counts_what_is_freed_again(keep):
    # In a process of its own, as in a race: an old one may hold pages that the system takes back.
    code = PEAK.replace("KEEP", keep)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 200 < float(done.stdout) < 400


def test_rows_that_a_network_evaluates_are_counted():
    class Model:
        network = "net"
        net = nn.Linear(2, 2)

    with counted_rows(Model()) as count:
        Model.net(torch.zeros(3, 2))
        Model.net(torch.zeros(4, 2))
    assert count == [7]
    Model.net(torch.zeros(5, 2))
    assert count == [7]  # the hook is gone
    with counted_rows(object()) as none:
        pass
    assert none == []
