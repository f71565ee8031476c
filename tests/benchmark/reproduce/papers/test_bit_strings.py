"""Strings that are written bit by bit: their tree, their reward, and what trained models give."""

import math

import pytest
import torch
from dgmbench.benchmark.contract.environment import listed
from dgmbench.benchmark.reproduce.comparison import Finding, Listing
from dgmbench.benchmark.reproduce.papers import bit_strings


@pytest.mark.parametrize("bits", [1, 2])
def test_states_form_a_tree(bits):
    environment = bit_strings.Written(3, bits)
    graph = listed(environment)
    assert (
        len(graph.states)
        == environment.num_states
        == sum(4**k if bits == 2 else 2**k for k in range(4))
    )
    parents = environment.undoable(graph.states).sum(1)
    assert parents[0] == 0 and (parents[1:] == 1).all()
    stops = environment.legal(graph.states)[:, environment.stop]
    assert torch.equal(stops, (graph.states > 0).all(1))
    # Whatever is written is the next place, and undone from the last.
    filled = graph.states > 0
    assert (filled.cummin(1).values == filled).all()


def test_a_move_is_undone():
    environment = bit_strings.Written(4)
    states = torch.tensor([[2, 1, 0, 0], [1, 0, 0, 0]])
    moves = torch.tensor([5, 3])
    after = environment.step(states, moves)
    assert after.tolist() == [[2, 1, 2, 0], [1, 2, 0, 0]]
    assert environment.undoable(after).nonzero().tolist() == [[0, 5], [1, 3]]
    assert torch.equal(environment.undo(after, moves), states)


def test_modes_are_those_of_the_script():
    torch.manual_seed(4444)
    modes = torch.randint(0, 2, (2, 4), dtype=torch.int64)
    task = bit_strings.strings(4, 2)
    assert task.log_reward(modes).tolist() == [0, 0]
    rewards = task.log_reward(task.domain.states())
    expected = -(task.domain.states()[:, None] != modes).sum(2).amin(1)
    assert torch.equal(rewards, expected.float())
    assert task.log_z == pytest.approx(float(rewards.double().logsumexp(0)))


def test_distance_is_that_of_the_models_law(monkeypatch):
    monkeypatch.setattr(bit_strings, "ITERATIONS", 1)
    uniform = lambda self, x: torch.full((len(x),), -math.log(16))  # noqa: E731
    monkeypatch.setattr(bit_strings.MODELS["gfn-tb"], "log_prob", uniform)
    task = bit_strings.strings(4, 2)
    expected = (task.log_density(task.domain.states()).double().exp() - 1 / 16).abs().sum()
    assert bit_strings.distance(4, 2, "gfn-tb", 0) == pytest.approx(float(expected), abs=1e-6)


def test_trajectory_balance_learns_the_law(monkeypatch):
    monkeypatch.setattr(bit_strings, "ITERATIONS", 300)
    assert bit_strings.distance(4, 2, "gfn-tb", 0) < 0.05


def test_findings_are_bounded_from_above(monkeypatch):
    monkeypatch.setattr(bit_strings, "distance", lambda length, count, model, seed: 0.001)
    found = list(bit_strings.gflownet_bits())
    findings = [one for one in found if isinstance(one, Finding)]
    assert [one.verdict for one in findings] == ["reproduced"] * 4
    (listing,) = [one for one in found if isinstance(one, Listing)]
    assert [row[:2] for row in listing.rows] == [("4", "2"), ("4", "4"), ("8", "2"), ("8", "4")]
    monkeypatch.setattr(bit_strings, "distance", lambda length, count, model, seed: 0.1)
    off = {
        one.published.dataset: one.verdict
        for one in bit_strings.gflownet_bits()
        if isinstance(one, Finding)
    }
    assert off["Bit sequence len 4, 2 modes"] == "off"
    assert off["Bit sequence len 8, 2 modes"] == "reproduced"
