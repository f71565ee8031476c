"""Nets and measures of pacgan-ring and pacgan-grid are those of the paper's code."""

import math

import pytest
import torch
from dgmbench.benchmark.contract.model import seeded
from dgmbench.benchmark.reproduce.comparison import Finding, Listing
from dgmbench.benchmark.reproduce.papers.games import packing

RING, GRID = packing.RING, packing.GRID


def test_maxout_is_the_largest_of_its_affine_maps():
    with seeded(0):
        layer, x = packing.Maxout(3, 4), torch.randn(7, 3)
        every = (x @ layer.maps.weight.mT + layer.maps.bias).reshape(7, packing.PIECES, 4)
    torch.testing.assert_close(layer(x), every.max(1).values)


@pytest.mark.parametrize("packed", [1, 3])
def test_nets_have_the_sizes_of_the_paper(packed):
    model = packing.PapersGAN(packed)
    count = {
        name: sum(p.numel() for p in net.parameters())
        for name, net in (("G", model.generator), ("D", model.discriminator))
    }
    # Weights without a bias, a scale and a shift per unit; then an affine map.
    assert count["G"] == 2 * 400 + 3 * 400**2 + 4 * 800 + 401 * 2
    units = 200 * 5
    assert count["D"] == (2 * packed + 1) * units + 2 * (201 * units) + 201
    assert model.judge(torch.randn(6 * packed, 2)).shape == (6, 1)
    weights = torch.cat(
        [m.weight.flatten() for m in model.modules() if isinstance(m, torch.nn.Linear)]
    )
    assert float(weights.detach().std()) == pytest.approx(0.02, rel=0.02)


def test_both_players_keep_one_rate_and_are_not_cut():
    model = packing.PapersGAN(2)
    players = model.players()
    assert [(p.lr, p.betas, p.clip, p.turns) for p in players] == [
        (1e-4, (0.8, 0.999), math.inf, 1)
    ] * 2
    assert [p.schedule(0.9) for p in players] == [1, 1]
    moved = [{id(p) for p in player.moved} for player in players]
    assert moved[0] == {id(p) for p in model.discriminator.parameters()}
    assert moved[1] == {id(p) for p in model.generator.parameters()}


@pytest.mark.parametrize("dataset", [RING, GRID])
def test_an_exact_sampler_has_all_modes(monkeypatch, dataset):
    """And 99 % within three standard deviations, as the law of two coordinates has."""
    monkeypatch.setattr(packing, "STEPS", 1)
    task = packing.TASKS[dataset]().task
    monkeypatch.setattr(packing.PapersGAN, "sample", lambda self, n: task.draw(n))
    found = packing.trial(dataset, 1, 0)
    assert found["modes_captured"] == task.modes.count
    assert found["high_quality_samples"] == pytest.approx(100 * (1 - math.exp(-4.5)), abs=0.7)
    assert found["reverse_kl"] < 0.02


def test_no_draw_of_quality_is_the_worst_divergence(monkeypatch):
    monkeypatch.setattr(packing, "STEPS", 1)
    monkeypatch.setattr(packing.PapersGAN, "sample", lambda self, n: torch.full((n, 2), 9.0))
    found = packing.trial(RING, 1, 0)
    assert (found["modes_captured"], found["high_quality_samples"]) == (0, 0)
    assert found["reverse_kl"] == pytest.approx(math.log(8))


def test_data_are_neither_shifted_nor_scaled(monkeypatch):
    monkeypatch.setattr(packing, "STEPS", 2)
    with seeded(0):
        model = packing.PapersGAN(2)
        x = packing.TASKS[GRID]().task.draw(300)
        task = packing.TrainingTask(model.domain, x)
        model.fit(task, packing.Budget(2, 8))
    torch.testing.assert_close(model.scaling.encode(x), x)


def test_findings_judge_numbers_and_the_sign_of_what_packing_changes(monkeypatch):
    better = {"modes_captured": 8.0, "high_quality_samples": 97.0, "reverse_kl": 0.05}
    worse = {"modes_captured": 6.0, "high_quality_samples": 98.0, "reverse_kl": 0.5}
    monkeypatch.setattr(packing, "trial", lambda dataset, m, seed: better if m > 1 else worse)
    found = list(packing.modes_of(RING))
    findings = {
        (one.published.method, one.published.metric): one
        for one in found
        if isinstance(one, Finding)
    }
    assert findings["ALI", "reverse_kl"].verdict == "not comparable"
    assert findings["GAN", "modes_captured"].verdict == "reproduced"
    gain = findings["PacGAN2 less GAN", "reverse_kl"]
    assert (gain.ours, gain.verdict) == (pytest.approx(-0.45), "reproduced")
    (listing,) = [one for one in found if isinstance(one, Listing)]
    assert [row[0] for row in listing.rows] == list(packing.PACKED)
    monkeypatch.setattr(packing, "trial", lambda dataset, m, seed: worse)
    again = [one for one in packing.modes_of(RING) if isinstance(one, Finding) and one.by_sign]
    assert {one.verdict for one in again} == {"off"}
