"""Nets, data and measures of iwae-mnist are those of the paper."""

import pytest
import torch
from dgmbench.benchmark.contract.model import Budget, seeded
from dgmbench.benchmark.contract.task import TrainingTask
from dgmbench.benchmark.reproduce.comparison import Finding, Listing
from dgmbench.benchmark.reproduce.papers import importance


def grey(n: int = 200) -> torch.Tensor:
    with seeded(0):
        return torch.randint(256, (n, 784)).mul(torch.rand(784) > 0.5).to(torch.uint8)


def test_nets_have_the_sizes_of_the_paper():
    model = importance.PapersIWAE(5, grey())
    count = {
        name: sum(p.numel() for p in net.parameters())
        for name, net in (("q", model.encoder), ("p", model.decoder))
    }
    assert count["q"] == 785 * 200 + 201 * 200 + 201 * 100
    assert count["p"] == 51 * 200 + 201 * 200 + 201 * 784


def test_bits_are_drawn_anew_with_the_grey_levels_as_probabilities():
    rows = torch.tensor([0, 51, 204, 255], dtype=torch.uint8).expand(20_000, 4)
    drawn = importance.bits(rows)
    assert drawn.dtype == torch.int64 and set(drawn.unique().tolist()) == {0, 1}
    torch.testing.assert_close(
        drawn.float().mean(0), torch.tensor([0.0, 0.2, 0.8, 1.0]), atol=0.015, rtol=0
    )
    assert drawn[:, 0].sum() == 0 and drawn[:, 3].all()
    model = importance.PapersIWAE(1, grey(40))
    batches = model.batches(TrainingTask(importance.DOMAIN), 40)
    first, second = (next(batches).sum(0) for _ in range(2))  # of all rows, in any order
    assert not torch.equal(first, second)
    assert not first[grey(40).sum(0) == 0].any()


def test_outputs_start_at_the_mean_digit():
    rows = grey(4000)
    model = importance.PapersIWAE(1, rows)
    with torch.no_grad():
        for layer in model.decoder:
            if isinstance(layer, torch.nn.Linear):
                layer.weight.zero_()
    with seeded(1):
        mean = model.sample(4000).float().mean(0)
    torch.testing.assert_close(mean, rows.float().mean(0) / 255, atol=0.04, rtol=0)


def test_two_digits_are_told_apart():
    """Of two of them, exactly as frequent, log 2 nats are left."""
    rows = torch.zeros(200, 784, dtype=torch.uint8)
    rows[:100, :392] = rows[100:, 392:] = 255
    with seeded(0):
        model = importance.PapersIWAE(5, rows)
        test = importance.bits(rows[80:120])
        before = model.log_prob(test, draws=50).mean()
        model.fit(TrainingTask(importance.DOMAIN, test), Budget(300, 20))
        after = model.log_prob(test, draws=50).mean()
    assert float(before) < -500 and -20 < float(after) < 0


def test_a_table_of_made_bounds_is_judged(monkeypatch):
    bounds = {1: [87.0, 88.0], 5: [85.5, 86.5], 50: [84.0, 92.0]}
    monkeypatch.setattr(importance, "trained", lambda k: {"bound": bounds[k], "active": 20 + k})
    found = list(importance.iwae_mnist())
    findings = [f for f in found if isinstance(f, Finding)]
    assert [f.published.value for f in findings[:3]] == [86.76, 85.54, 84.78]
    assert [f.verdict for f in findings[:3]] == ["reproduced", "reproduced", "off"]
    assert [f.verdict for f in findings[3:]] == ["reproduced", "off"]  # 88 - 86 > 0: worse
    (listing,) = (f for f in found if isinstance(f, Listing))
    assert listing.rows[0] == ("1", "87.50 ± 0.50", "86.76", "21", "19")
    assert findings[0].stderr == pytest.approx(0.5)
