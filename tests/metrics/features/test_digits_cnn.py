from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from dgmbench.benchmark.contract.model import seeded
from dgmbench.benchmark.tasks.images import train_classifiers
from dgmbench.benchmark.tasks.images.digits import digits
from dgmbench.metrics import mmd
from dgmbench.metrics.features import digits_cnn
from dgmbench.metrics.features.digits_cnn import DigitsCNN


def test_the_weights_are_small():
    assert DigitsCNN.shipped.stat().st_size < 500_000


def test_the_stated_accuracy():
    splits = train_classifiers.labelled_digits()
    right = {k: (DigitsCNN.on_cpu().classify(x) == y).sum().item() for k, (x, y) in splits.items()}
    assert right == {"train": 797, "val": 200, "test": 398}
    assert "of the 400 test images, which it never saw, it puts 398" in digits_cnn.__doc__
    assert len(splits["test"][0]) == 400


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_the_training_script_learns(average):
    recipe = replace(train_classifiers.RECIPES["digits-cnn"], epochs=6, average=average)
    splits = recipe.data()
    with seeded(0):
        network = train_classifiers.train(recipe, splits)
    assert train_classifiers.correct(network, recipe, *splits["val"]) > 120  # of 200; chance: 20


def test_training_images_look_like_fresh_ones():
    """Under features that knew the training images, a memoriser would stand out by them alone."""
    task = digits().load()
    train, fresh = map(DigitsCNN(), (task.train, torch.cat([task.test, task.holdout])))
    gap = mmd(train, fresh)
    assert abs(gap.value) < 2 * gap.stderr
    noise = torch.randint(0, 17, (797, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    assert mmd(DigitsCNN()(noise), fresh).value > 100 * gap.stderr


def test_shapes_and_types():
    x = digits().load().train
    phi = DigitsCNN()
    assert phi(x[:5]).shape == (5, 32)
    p = phi.probabilities(x[:5])
    assert p.shape == (5, 10)
    torch.testing.assert_close(p.sum(1), torch.ones(5))
    classes = phi.classify(x[:5])
    assert classes.dtype == torch.int64 and torch.equal(classes, p.argmax(1))
    assert torch.equal(phi(x[:5].to(torch.uint8)), phi(x[:5]))


def test_features_stay_bounded_on_strange_images():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 17, (500, 1, 8, 8), generator=generator)
    blank, full = torch.zeros(1, 1, 8, 8), torch.full((1, 1, 8, 8), 16.0)
    features = DigitsCNN()(torch.cat([noise, blank, full]))
    gain, shift = DigitsCNN().network.body[10].weight, DigitsCNN().network.body[10].bias
    # A coordinate of 32 normalised ones is at most sqrt(31), and GELU(v) <= max(v, 0).
    assert features.isfinite().all()
    assert (features <= (gain.abs() * 31**0.5 + shift.abs()) * (1 + 1e-6)).all()


def test_what_are_no_digits_is_named():
    with pytest.raises(ValueError, match=r"of shape \(N, 1, 8, 8\), got \(2, 64\)"):
        DigitsCNN.on_cpu().classify(torch.zeros(2, 64))
    with pytest.raises(ValueError, match=r"within 0\.\.16, got 0\.\.17"):
        DigitsCNN.on_cpu().classify(torch.arange(64).view(1, 1, 8, 8) % 18)
    with pytest.raises(ValueError, match=r"within 0\.\.16"):
        DigitsCNN.on_cpu().classify(torch.full((1, 1, 8, 8), torch.nan))
