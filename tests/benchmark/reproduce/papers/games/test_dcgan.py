"""Nets, training and measures of kid-mnist and stacked-mnist are those of the papers' code."""

import math

import numpy as np
import pytest
import torch
from dgmbench.benchmark.contract.model import Budget, seeded
from dgmbench.benchmark.contract.task import TrainingTask
from dgmbench.benchmark.reproduce.comparison import Finding, Listing
from dgmbench.benchmark.reproduce.papers.games import dcgan, digit_games, stacks

MNIST = np.random.RandomState(0).randint(0, 256, (40, 1, 28, 28)).astype(np.uint8)


def size(net):
    return sum(p.numel() for p in net.parameters())


@pytest.fixture
def digits(monkeypatch):
    """Few images in the place of MNIST."""
    images = {"train": MNIST, "test": MNIST[:20]}
    for module in (digit_games, stacks):
        monkeypatch.setattr(module, "mnist_images", lambda: images)
        monkeypatch.setattr(module, "STEPS", 1)
    return images


@pytest.mark.parametrize("packed", [1, 3])
def test_nets_have_the_sizes_of_the_code(packed):
    model = stacks.PacDCGAN(packed)
    # Filters of 25 pixels and their biases; a scale and a shift of what is normalised.
    filters = 25 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 256 + 128 + 64 + 3
    assert size(model.generator) == 101 * 512 * 4 + filters + 2 * (512 + 256 + 128 + 64)
    filters = 25 * (3 * packed * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 64 + 128 + 256 + 512
    norms = 2 * (128 + 256 + 512)
    assert size(model.discriminator) == filters + norms + 512 * 4 + 1
    assert model.judge(torch.rand(2 * packed, 3, 28, 28)).shape == (2, 1)
    weights = model.discriminator.layers[2].weight.detach()
    assert float(weights.std()) == pytest.approx(0.02, rel=0.02)


def test_critics_of_digits_have_sixteen_filters_and_no_normalisation():
    mmd, wgan = (make() for make in digit_games.MODELS.values())
    filters = 25 * (16 + 16 * 32 + 32 * 64 + 64 * 128) + 16 + 32 + 64 + 128
    assert size(mmd.critic) == filters + (128 * 4 + 1) * 16
    assert size(wgan.discriminator) == filters + 128 * 4 + 1
    assert size(mmd.generator) == size(wgan.generator)
    assert mmd.h(torch.rand(5, 784)).shape == (5, 16)


@pytest.mark.parametrize("make", digit_games.MODELS.values())
def test_players_of_digits_learn_as_printed(make):
    critic, generator = make().players()
    for player in (critic, generator):
        assert (player.lr, player.betas, player.clip) == (1e-4, (0.5, 0.9), math.inf)
        assert player.schedule(0.9) == 1
    assert (critic.turns, generator.turns) == (5, 1)


def test_the_generator_of_stacks_makes_two_steps():
    critic, generator = stacks.PacDCGAN(2).players()
    assert (critic.turns, generator.turns) == (1, 2)
    assert critic.lr == generator.lr == 2e-4 and critic.betas == (0.5, 0.999)


def test_rows_are_pixels_between_0_and_1_and_come_back_as_levels():
    model = stacks.PacDCGAN(1)
    rows = torch.arange(256).repeat(28 * 3 * 28).reshape(256, 3, 28, 28).to(torch.uint8)
    batch = next(model.batches(TrainingTask(stacks.IMAGES, rows), 256))
    assert float(batch.min()) == 0 and float(batch.max()) == 1
    assert torch.equal(
        dcgan.levels(batch).flatten(1).sort(0).values, rows.flatten(1).sort(0).values
    )
    assert dcgan.levels(torch.tensor([-0.7, 1.2])).tolist() == [0, 255]


def test_noise_is_uniform_and_both_nets_move():
    with seeded(0):
        model = digit_games.PapersMMDGAN()
        seen = []
        model.generator.register_forward_pre_hook(lambda net, z: seen.append(z[0]))
        before = [p.clone() for p in model.parameters()]
        rows = torch.as_tensor(MNIST)
        model.fit(TrainingTask(digit_games.IMAGES, rows), Budget(1, 8))
        drawn = model.sample(64)
    assert drawn.shape == (64, 1, 28, 28) and 0 <= float(drawn.min()) and float(drawn.max()) <= 1
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    z = torch.cat(seen)
    assert float(z.abs().max()) < 1 and float(z.var()) == pytest.approx(1 / 3, rel=0.05)


def test_the_digits_of_test_are_the_digits_of_test():
    images = torch.as_tensor(MNIST)
    found = digit_games.judged(images, images)
    assert found["fid"] == pytest.approx(0, abs=1e-4)
    assert found["kid"] < 1e-3 and found["inception_score"] >= 1


def test_a_sampler_of_all_stacks_has_all_modes(monkeypatch, digits):
    """Its divergence is that of 26,000 draws, about (K - 1) / 2n."""
    monkeypatch.setattr(stacks, "STACKS", 64)
    monkeypatch.setattr(stacks.PacDCGAN, "sample", lambda self, n: torch.rand(n, 3, 1, 1))
    with seeded(1):
        labels = torch.randint(1000, (26_000,))
    monkeypatch.setattr(stacks, "classify", lambda images: labels)
    found = stacks.trial(1, 0)
    assert found["modes_captured"] == 1000
    assert found["kl_modes_uniform"] == pytest.approx(999 / 52_000, rel=0.2)


def test_orders_of_digits_are_judged_and_numbers_are_not(monkeypatch):
    better = {"fid": 4.0, "kid": 0.004, "inception_score": 8.0}
    worse = {"fid": 7.0, "kid": 0.009, "inception_score": 9.0}
    monkeypatch.setattr(
        digit_games, "trial", lambda method, seed: better if "MMD" in method else worse
    )
    found = list(digit_games.kid_mnist())
    findings = [one for one in found if isinstance(one, Finding)]
    assert [one.verdict for one in findings[:2]] == ["reproduced", "reproduced"]
    assert {one.verdict for one in findings[2:]} == {"not comparable"}
    (listing,) = [one for one in found if isinstance(one, Listing)]
    assert [row[0] for row in listing.rows] == [f"{name} (printed)" for name in digit_games.MODELS]


def test_modes_of_stacks_are_judged(monkeypatch):
    found = {1: {"modes_captured": 80.0, "kl_modes_uniform": 4.4}}
    full = {"modes_captured": 990.0, "kl_modes_uniform": 0.1}
    monkeypatch.setattr(stacks, "trial", lambda packed, seed: found.get(packed, full))
    verdicts = {
        (one.published.method, one.published.metric): one.verdict
        for one in stacks.stacked_mnist()
        if isinstance(one, Finding)
    }
    assert verdicts["ALI (quoted)", "modes_captured"] == "not comparable"
    assert verdicts["PacDCGAN2", "modes_captured"] == "reproduced"
    assert verdicts["DCGAN (re-implemented)", "kl_modes_uniform"] == "reproduced"
    assert verdicts["PacDCGAN4 less DCGAN (re-implemented)", "modes_captured"] == "reproduced"
    found[1] = full
    again = {
        one.published.method: one.verdict
        for one in stacks.stacked_mnist()
        if isinstance(one, Finding) and one.by_sign
    }
    assert set(again.values()) == {"off"}
