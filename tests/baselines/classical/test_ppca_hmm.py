"""Closed forms of PPCA, enumeration and known chains for the hidden Markov model."""

import math
from itertools import pairwise

import pytest
import torch
from dgmbench.baselines.classical.hmm import HMM, Chain, improve, random_chain
from dgmbench.baselines.classical.ppca import PPCA, shrunk
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from dgmbench.benchmark.tasks import load_task
from torch.distributions import MultivariateNormal

SIX = Domain((6,), levels=3, ordered=False, layout="sequence")


def test_ppca_is_the_closed_form_of_tipping_and_bishop():
    x = torch.randn(4000, 2) @ torch.randn(2, 5) + 0.3 * torch.randn(4000, 5) + 2
    x = x / x.std(0)  # it standardises
    model = PPCA(Domain((5,)), latents=(2,))
    model.fit(TrainingTask(Domain((5,)), x, x), Budget(steps=1))
    mean, S = x.double().mean(0), torch.cov(x.double().T, correction=0)
    values, vectors = torch.linalg.eigh(S)
    noise = values[:3].mean()
    W = vectors[:, 3:] * (values[3:] - noise).sqrt()
    exact = MultivariateNormal(mean, W @ W.T + noise * torch.eye(5).double())
    torch.testing.assert_close(model.log_prob(x[:50]).double(), exact.log_prob(x[:50].double()))
    torch.testing.assert_close(
        torch.cov(model.sample(50_000).T).double(), exact.covariance_matrix, atol=0.03, rtol=0
    )


def test_ppca_chooses_the_number_of_latents_on_val():
    mix = torch.randn(4, 32).sign()  # equal variances: noise stays even when standardised
    x = torch.randn(6000, 4) @ mix + 0.5 * torch.randn(6000, 32)
    model = PPCA(Domain((32,)))
    model.fit(TrainingTask(Domain((32,)), x[:400], x[400:]), Budget(steps=1))
    assert model.latent == 4


def test_all_but_the_greatest_variances_become_their_mean():
    found = shrunk(torch.tensor([1.0, 2.0, 3.0, 10.0]), 1)
    assert found.tolist() == [2.0, 2.0, 2.0, 10.0]
    assert shrunk(torch.tensor([1.0, 3.0]), 0).tolist() == [2.0, 2.0]


def test_ppca_refuses_more_latents_than_coordinates():
    with pytest.raises(ValueError, match="below 3 coordinates"):
        PPCA(Domain((3,)), latents=(3, 8))


def some_chain(states, symbols):
    return random_chain(states, symbols, torch.zeros(1, 1, dtype=torch.long))


def by_paths(chain, x):
    """p(x) and the expected counts by a sum over all paths of states."""
    S, T = len(chain.initial), len(x)
    total = 0.0
    starts, moves = torch.zeros(S).double(), torch.zeros(S, S).double()
    emissions = torch.zeros_like(chain.emission)
    for path in torch.cartesian_prod(*[torch.arange(S)] * T):
        p = chain.initial[path[0]]
        for t in range(T):
            p = p * chain.emission[path[t], x[t]]
            if t:
                p = p * chain.transition[path[t - 1], path[t]]
        total += p
        starts[path[0]] += p
        for t in range(T):
            emissions[path[t], x[t]] += p
            if t:
                moves[path[t - 1], path[t]] += p
    return total, starts / total, moves / total, emissions / total


def test_forward_variables_and_expected_counts_equal_the_sum_over_paths():
    chain = some_chain(2, 3)
    rows = torch.tensor([[0, 2, 1, 1], [2, 2, 0, 1]])
    parts = [by_paths(chain, x) for x in rows]
    _, scales = chain.forward(rows)
    torch.testing.assert_close(scales.sum(0).exp(), torch.stack([p[0] for p in parts]))
    improved, score = improve(rows, chain, chunk=1)
    assert score == pytest.approx(sum(math.log(p[0]) for p in parts) / 2)
    for name, k in (("initial", 1), ("transition", 2), ("emission", 3)):
        counts = sum(p[k] for p in parts) + 1e-2
        expected = counts / counts.sum(-1, keepdim=True)
        torch.testing.assert_close(getattr(improved, name), expected)


def test_every_iteration_raises_the_likelihood():
    rows = load_task("hmm-8").train[:500]
    chain, scores = some_chain(3, 4), []
    for _ in range(12):
        chain, score = improve(rows.long(), chain)
        scores.append(score)
    assert all(b > a - 1e-3 for a, b in pairwise(scores))
    assert scores[-1] > scores[0] + 0.1


def test_probabilities_sum_to_one_and_draws_follow_them():
    model = HMM(SIX, states=(2,))
    model._take(some_chain(2, 3))
    states = SIX.states()
    p = model.log_prob(states).double().exp()
    assert float(p.sum()) == pytest.approx(1, abs=1e-5)
    drawn = model.sample(40_000)
    base = 3 ** torch.arange(5, -1, -1)
    counts = (drawn * base).sum(1).bincount(minlength=729) / 40_000
    assert (counts[(states * base).sum(1)] - p).abs().max() < 5 * math.sqrt(float(p.max()) / 4e4)


def test_it_finds_the_chain_that_made_the_rows():
    """With its own number of states it comes within 0.02 nats of the exact likelihood."""
    task = load_task("hmm-8")
    model = HMM(task.domain, states=(3,), max_rows=4000)
    model.fit(task.for_training(), Budget(steps=120))
    x = task.test[:2000]
    gap = task.log_density(x).mean() - model.log_prob(x).mean()
    assert -0.005 < float(gap) < 0.03


def test_states_compete_on_val():
    task = load_task("hmm-8")
    model = HMM(task.domain, states=(1, 4), restarts=1, max_rows=2000)
    model.fit(task.for_training(), Budget(steps=20))
    assert len(model.initial) == 4


def test_a_chain_of_one_state_is_the_histogram():
    rows = torch.randint(3, (100, 6))
    one = Chain(*(torch.ones(s).double() / s[-1] for s in ((1,), (1, 1), (1, 3))))
    improved, _ = improve(rows, one)
    frequency = (rows.flatten().bincount().double() + 1e-2) / (600 + 3e-2)
    torch.testing.assert_close(improved.emission[0], frequency)
