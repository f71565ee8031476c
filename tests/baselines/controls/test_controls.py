import math

import pytest
import torch
from dgmbench.baselines.controls.memoriser import Memoriser
from dgmbench.baselines.controls.mode_dropper import ModeDropper
from dgmbench.baselines.controls.noise import Noise
from dgmbench.baselines.controls.oracle import Oracle
from dgmbench.benchmark.contract.model import Budget, Likelihood
from dgmbench.benchmark.contract.task import Domain, Modes, Task

BUDGET = Budget(steps=1)
REAL = Domain((1,))
IMAGES = Domain((1, 2, 2), levels=4)


def draw(n):
    """Five modes at 0, 1, 2, 3, 4."""
    return torch.randint(0, 5, (n, 1)).float() + 0.01 * torch.randn(n, 1)


def assign(x):
    """The nearest mode; a point more than 0.02 away is of none."""
    label = x.flatten(1)[:, 0].round().long()
    return label.where((x.flatten(1)[:, 0] - label).abs() < 0.02, -1)


def line(**kwargs) -> Task:
    fields = {"draw": draw, "modes": Modes(5, assign)} | kwargs
    return Task("line", 1, REAL, "plane", train=torch.tensor([[-2.0], [0.0], [2.0]]), **fields)


def images(**kwargs) -> Task:
    rows = torch.randint(0, 4, (20, 1, 2, 2), dtype=torch.uint8)
    return Task("images", 1, IMAGES, "image", train=rows[:10], holdout=rows[10:], **kwargs)


def test_oracle_draws_from_the_sampler_and_knows_the_density():
    model = Oracle(REAL)
    model.fit(line(log_density=lambda x: -x[:, 0]), BUDGET)
    assert model.likelihood is Likelihood.EXACT
    x = model.sample(500)
    assert x.dtype == torch.float32
    assert len(x.round().unique()) == 5
    torch.testing.assert_close(model.log_prob(x), -x[:, 0])


def test_oracle_hands_out_distinct_held_out_rows():
    task = images()
    model = Oracle(IMAGES)
    model.fit(task, BUDGET)
    assert model.likelihood is Likelihood.NONE
    x = model.sample(10)
    assert x.dtype == torch.int64
    order = IMAGES.index(x).sort().values
    torch.testing.assert_close(order, IMAGES.index(task.holdout).sort().values)
    assert not torch.equal(x, model.sample(10))
    with pytest.raises(ValueError, match="at most 10"):
        model.sample(11)
    with pytest.raises(NotImplementedError):
        model.log_prob(x)


def test_oracle_needs_a_truth():
    with pytest.raises(ValueError, match="sampler or held-out"):
        Oracle(REAL).fit(line(draw=None), BUDGET)


def test_memoriser_draws_rows_of_train_uniformly():
    model = Memoriser(REAL)
    model.fit(line(), BUDGET)
    x = model.sample(3000)
    values, counts = x.unique(return_counts=True)
    assert values.tolist() == [-2.0, 0.0, 2.0]
    assert (counts - 1000).abs().max() < 4.5 * math.sqrt(3000 * 2 / 9)
    assert model.likelihood is Likelihood.NONE


def test_memoriser_is_restored_from_its_state():
    task = images()
    model, again = Memoriser(IMAGES), Memoriser(IMAGES)
    model.fit(task, BUDGET)
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again.rows, task.train.long())


def test_noise_is_uniform_over_the_box_half_again_as_wide():
    model = Noise(REAL)
    model.fit(line(), BUDGET)
    x = model.sample(5000)
    # Train spans [-2, 2]; half of its range more in total is [-3, 3].
    assert -3 <= float(x.min()) < -2.98
    assert 2.98 < float(x.max()) <= 3
    assert float(x.var()) == pytest.approx(3, rel=0.06)
    inside = model.log_prob(torch.tensor([[0.0], [2.99], [3.01], [-4.0]]))
    torch.testing.assert_close(inside, torch.tensor([-math.log(6)] * 2 + [-math.inf] * 2))


def test_noise_is_uniform_over_the_levels():
    model = Noise(IMAGES)
    model.fit(images(), BUDGET)
    x = IMAGES.check("samples", model.sample(4000))
    counts = torch.bincount(x.flatten(), minlength=4)
    assert (counts - 4000).abs().max() < 4.5 * math.sqrt(16_000 * 3 / 16)
    torch.testing.assert_close(model.log_prob(x[:3]), torch.full((3,), -4 * math.log(4)))
    assert model.likelihood is Likelihood.EXACT


def test_mode_dropper_keeps_the_first_half():
    model = ModeDropper(REAL)
    model.fit(line(log_density=lambda x: -x[:, 0]), BUDGET)
    x = model.sample(2000)
    labels = assign(x)
    assert len(x) == 2000
    assert labels.unique().tolist() == [0, 1, 2]
    assert model.likelihood is Likelihood.NONE


def test_mode_dropper_draws_held_out_rows_of_the_kept_modes_again_and_again():
    modes = Modes(2, lambda x: (x.flatten(1)[:, 0] >= 2).long())
    task = images(modes=modes)
    kept = int((modes.assign(task.holdout) == 0).sum())
    model = ModeDropper(IMAGES)
    model.fit(task, BUDGET)
    x = model.sample(50 * kept)
    assert bool((modes.assign(x) == 0).all())
    assert len(IMAGES.index(x).unique()) == kept


def test_mode_dropper_says_why_not():
    assert "modes" in ModeDropper.refuses(line(modes=None))
    with pytest.raises(ValueError, match="at least two known modes"):
        ModeDropper(REAL).fit(line(modes=None), BUDGET)
    empty = ModeDropper(REAL)
    empty.fit(line(modes=Modes(5, lambda x: torch.full((len(x),), 4))), BUDGET)
    with pytest.raises(ValueError, match="found 0"):
        empty.sample(1)
    held_out = ModeDropper(IMAGES)
    held_out.fit(images(modes=Modes(2, lambda x: torch.ones(len(x)).long())), BUDGET)
    with pytest.raises(ValueError, match="found none"):
        held_out.sample(1)
