"""Recordings of a function of tensors: a replay gives what the function gives, or it is called.

Without a GPU a stand-in records the operators of a call and runs them again at the same addresses.
"""

import sys
from contextlib import contextmanager, nullcontext

import pytest
import torch
from dgmbench.metrics.likelihood.annealing import ais
from dgmbench.metrics.likelihood.replay import Replayed
from dgmbench.metrics.likelihood.schedules import geometric_schedule
from dgmbench.metrics.likelihood.transitions import HMC
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

REPLAY = sys.modules[Replayed.__module__]


class Tape(TorchDispatchMode):
    """Operators with the tensors that they read and wrote."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, out))
        return out


class Graph:
    """The stand-in for a CUDA graph; `replays` counts, and `works` is False for a broken one."""

    replays, works = 0, True

    def __init__(self):
        self.tape = Tape()

    def replay(self):
        type(self).replays += 1
        if not self.works:
            return
        with torch.no_grad():
            for func, args, kwargs, out in self.tape.calls:
                found = func(*args, **kwargs)
                for at, new in zip(tree_leaves(out), tree_leaves(found), strict=True):
                    if isinstance(at, torch.Tensor):
                        at.copy_(new)


class Stream:
    def wait_stream(self, other):
        pass


@contextmanager
def recording(graph):
    with graph.tape:
        yield


@pytest.fixture
def gpu(monkeypatch):
    """Lets CPU tensors be recorded by the stand-in."""
    Graph.replays, Graph.works = 0, True
    cuda = {
        "CUDAGraph": Graph,
        "graph": recording,
        "Stream": Stream,
        "stream": lambda stream: nullcontext(),
        "current_stream": Stream,
        "get_sync_debug_mode": lambda: 0,
        "set_sync_debug_mode": lambda mode: None,
    }
    for name, stand_in in cuda.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(REPLAY, "_on_gpu", lambda inputs: True)
    return Graph


def test_on_a_cpu_the_function_is_called():
    seen = []
    run = Replayed(lambda x: (seen.append(x) or x + 1,))
    given = torch.ones(2)
    assert run(given)[0].tolist() == [2, 2]
    assert seen[0] is given


def test_a_recording_gives_what_the_function_gives(gpu):
    shift, calls = torch.zeros(()), []

    def function(x, y):
        calls.append(1)
        return (x.detach().requires_grad_() * y + shift).cos().detach(), x @ y

    run = Replayed(function)
    kept = []
    for seed in range(4):
        x, y = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(seed))
        shift.fill_(seed)
        kept.append((run(x, y), ((x * y + seed).cos(), x @ y)))
    for found, expected in kept:  # the first outputs are not written over by later calls
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert gpu.replays == 4  # one of them was the check
    assert len(calls) == 1 + REPLAY.WARM_UPS + 1


def test_other_shapes_are_recorded_anew(gpu):
    run = Replayed(lambda x: (x * x,))
    for n in (2, 3, 3, 2):
        torch.testing.assert_close(run(torch.full((n,), 3.0)), (torch.full((n,), 9.0),))
    assert gpu.replays == 4


def test_a_recording_that_gives_other_values_is_not_used(gpu):
    gpu.works = False
    run = Replayed(lambda x: (x * x,))
    for value in (2.0, 3.0):
        assert float(run(torch.tensor(value))[0]) == value * value
    assert gpu.replays == 1


def test_a_function_that_waits_for_the_gpu_is_called(gpu, monkeypatch):
    mode = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", mode.append)

    def waits(x):
        if mode and mode[-1] == "error":
            raise RuntimeError("called a synchronizing CUDA operation")
        return (x + 1,)

    run = Replayed(waits)
    assert [float(run(torch.zeros(()))[0]) for _ in range(2)] == [1, 1]
    assert gpu.replays == 0
    assert mode == ["error", 0]


def test_an_error_of_the_function_is_its_own(gpu):
    def fails(x):
        raise RuntimeError("a reason")

    with pytest.raises(RuntimeError, match="a reason"):
        Replayed(fails)(torch.zeros(1))


def _annealed(device="cpu"):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(8, 3, 2, generator=generator).to(device)
    return ais(
        lambda z: -z.square().sum(-1) / 2,
        lambda z: -(z - 2).square().sum(-1) / 0.5,
        start,
        geometric_schedule(12),
        HMC(step=0.3, leapfrog=3, generator=generator),
    )


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_annealing_is_the_same_by_a_recording(gpu, monkeypatch, rate):
    recorded = _annealed()
    assert gpu.replays == 12  # one a move; the last has the target as its density, anew
    monkeypatch.setattr(REPLAY, "_on_gpu", lambda inputs: False)
    called = _annealed()
    torch.testing.assert_close(recorded.log_weight, called.log_weight, rtol=0, atol=1e-6)
    torch.testing.assert_close(recorded.points, called.points, rtol=0, atol=1e-6)


def test_a_method_is_recorded_once(gpu):
    """A method is another object at each access, and the same density."""

    class Target:
        evaluated = 0

        def log_prob(self, z):
            self.evaluated += 1
            return -z.square().sum(-1) / 2

    target, move = Target(), HMC(step=0.3, leapfrog=1, generator=torch.Generator().manual_seed(0))
    z = torch.zeros(8, 3, 2)
    for _ in range(20):
        z, _ = move(z, 1.0, target.log_prob)
    assert gpu.replays == 20
    assert target.evaluated == 2 * (1 + REPLAY.WARM_UPS + 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_annealing_on_a_gpu_is_that_on_a_cpu():
    on_gpu, on_cpu = _annealed("cuda"), _annealed()
    torch.testing.assert_close(on_gpu.log_weight.cpu(), on_cpu.log_weight, rtol=1e-3, atol=1e-3)
