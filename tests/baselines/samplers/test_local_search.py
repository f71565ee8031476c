"""Langevin chains leave their law alone, and a stream of paths goes on where it stood."""

import pytest
import torch
from dgmbench.baselines.samplers.continuous_gflownet import ContinuousGFlowNet
from dgmbench.baselines.samplers.local_search import Alternating, LocalSearch
from dgmbench.benchmark.contract.model import Budget, seeded
from dgmbench.benchmark.contract.task import Domain, TrainingTask

MEAN, SCALE = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 1.5])


def log_reward(x):
    return -0.5 * ((x - MEAN) / SCALE).square().sum(-1)


def search_of(step, **rest):
    return LocalSearch(log_reward, step, torch.empty(0, 2), **rest)


def test_chains_that_start_far_away_reach_the_law():
    search = search_of(0.05)
    with seeded(0):
        for _ in range(4):
            search.look(search.draw(500) if len(search.kept) else 5 * torch.randn(500, 2))
    last = search.kept[-4000:]
    assert torch.allclose(last.mean(0), MEAN, atol=0.15)
    assert torch.allclose(last.std(0), SCALE, atol=0.15)
    assert 0.2 < float(search.step) < 1.5  # it followed the acceptance


def test_the_newest_points_are_kept():
    search = search_of(0.3, most=100)
    with seeded(1):
        search.look(torch.randn(50, 2))
    assert search.kept.shape == (100, 2)


def stream(search):
    return Alternating(
        lambda n: torch.randn(n, 3, 2),
        lambda x: torch.stack([0 * x, x / 2, x], 1),
        lambda path: path,
        search,
        size=16,
    )


def test_every_other_batch_ends_in_what_was_found():
    search = search_of(0.3)
    with seeded(2):
        batches = [path for path, _ in zip(stream(search), range(6), strict=False)]
    found = {tuple(x) for x in search.kept.tolist()}
    ends = [{tuple(x) for x in path[:, -1].tolist()} <= found for path in batches]
    assert ends == [False, True, False, True, False, True]


def test_a_stream_goes_on_where_it_stood():
    with seeded(3):
        first = stream(search_of(0.3))
        for _ in range(3):
            next(first)
        state = {name: value.clone() for name, value in first.state().items()}
        again = stream(search_of(0.3))
        again.go_on(state)
        with seeded(4):
            expected = [next(first) for _ in range(2)]
        with seeded(4):
            found = [next(again) for _ in range(2)]
    for a, b in zip(expected, found, strict=True):
        assert torch.equal(a, b)


def test_a_batch_of_one_path_is_enough():
    with seeded(6):
        model = ContinuousGFlowNet(Domain((2,)), steps=4, hidden=(8,))
        model.fit(TrainingTask(Domain((2,)), log_reward=log_reward), Budget(steps=4, batch_size=1))
        assert model.sample(3).shape == (3, 2)


@pytest.mark.slow
def test_a_search_finds_modes_that_paths_miss():
    """Two far modes: the policy's own noise reaches both basins, its loss alone one of them."""

    def two(x):
        return torch.logsumexp(
            torch.stack([-2 * (x - c).square().sum(-1) for c in (-6.0, 6.0)]), 0
        )

    domain = Domain((2,))
    shares = []
    for search in (False, True):
        with seeded(5):
            model = ContinuousGFlowNet(domain, scale=8.0, steps=20, hidden=(64, 64), search=search)
            model.fit(TrainingTask(domain, log_reward=two), Budget(steps=250, batch_size=128))
            x = model.sample(2000)
        near = [((x - c).square().sum(1) < 4).float().mean() for c in (-6.0, 6.0)]
        shares.append(float(min(near)))
    assert shares[1] > 0.2 and shares[1] > shares[0]
