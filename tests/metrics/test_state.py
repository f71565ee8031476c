"""What the classes keep: nothing is lost by a small batch, an error, a buffer used again."""

import math

import numpy as np
import pytest
import torch
from dgmbench import metrics
from torchmetrics import MetricCollection

TWO_SIDED = (metrics.MMD, metrics.EnergyDistance, metrics.FrechetDistance, metrics.PRDC)


def both(n, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, generator=g), torch.randn(n, 3, generator=g)


def plain(value):
    return {k: float(v) for k, v in value.items()} if isinstance(value, dict) else float(value)


@pytest.mark.parametrize("cls", TWO_SIDED)
def test_a_batch_with_too_few_rows_is_kept_and_has_no_value(cls):
    metric, whole = cls(), cls()
    for seed in range(3):
        metric(*both(20, seed))
        whole.update(*both(20, seed))
    value = metric(*(x[:1] for x in both(20, 9)))
    whole.update(*(x[:1] for x in both(20, 9)))
    assert all(
        math.isnan(v)
        for v in (plain(value).values() if isinstance(value, dict) else [plain(value)])
    )
    assert plain(metric.compute()) == plain(whole.compute())


@pytest.mark.parametrize("cls", TWO_SIDED)
def test_the_value_of_a_batch_is_that_of_the_batch_alone(cls):
    metric, alone = cls(), cls()
    metric(*both(20, 0))
    value = metric(*both(20, 1))
    alone.update(*both(20, 1))
    assert plain(value) == plain(alone.compute())


@pytest.mark.parametrize("first", [torch.empty(0), torch.tensor([-math.inf])])
def test_a_collection_does_not_take_one_metric_for_another(first):
    collection = MetricCollection({"nll": metrics.NLL(), "kl": metrics.KLToTruth()})
    log_p = torch.tensor([-1.0, -2.0, -3.0])
    collection.update(log_prob=first, log_density=torch.zeros_like(first))
    collection.update(log_prob=log_p - 1, log_density=log_p)
    if not len(first):
        found = collection.compute()
        assert float(found["nll"]) == pytest.approx(3.0)
        assert float(found["kl"]) == pytest.approx(1.0)
    assert len(collection.compute_groups) == 2


def test_an_error_while_states_are_shared_leaves_the_metric_usable(monkeypatch):
    metric = metrics.MMD()
    metric.update(*both(1))
    monkeypatch.setattr(
        metric,
        "sync",
        lambda **_: (
            setattr(metric, "_is_synced", True)
            or setattr(metric, "_cache", metric._copy_state_dict())
        ),
    )
    with pytest.raises(ValueError):
        metric.estimate()
    assert not metric._is_synced
    metric.update(*both(30, 1))
    monkeypatch.undo()
    assert math.isfinite(metric.estimate().value)


ARRAYS = {
    metrics.MMD: lambda: both(20),
    metrics.PRDC: lambda: both(20),
    metrics.VendiScore: lambda: both(20)[:1],
    metrics.PairwiseDiversity: lambda: both(20)[:1],
    metrics.NLL: lambda: (both(20)[0][:, 0],),
    metrics.KLToTruth: lambda: (both(20)[0][:, 0], both(20)[1][:, 0]),
    metrics.Authenticity: lambda: both(20),
    metrics.TotalVariation: lambda: (torch.full((4,), 0.25), torch.tensor([0.1, 0.2, 0.3, 0.4])),
    metrics.EmpiricalTotalVariation: lambda: (torch.arange(4), torch.full((4,), 0.25)),
}


@pytest.mark.parametrize("cls", ARRAYS)
def test_arrays_are_as_good_as_tensors(cls):
    given = ARRAYS[cls]()
    ours, theirs = cls(), cls()
    ours.update(*given)
    theirs.update(*(x.numpy() for x in given))
    assert plain(ours.compute()) == plain(theirs.compute())


@pytest.mark.parametrize("cls", ARRAYS)
def test_a_buffer_may_be_used_again(cls):
    given = [x.clone() for x in ARRAYS[cls]()]
    metric, whole = cls(), cls()
    whole.update(*(x.clone() for x in given))
    metric.update(*given)
    for x in given:
        x.zero_()
    assert plain(metric.compute()) == plain(whole.compute())


def test_a_batch_of_another_width_is_refused_at_once_and_nothing_of_it_is_kept():
    metric = metrics.MMD()
    metric.update(*both(20))
    with pytest.raises(ValueError, match=r"Expected samples of event shape \(3,\), got \(4,\)"):
        metric.update(torch.zeros(5, 4), torch.zeros(5, 4))
    with pytest.raises(ValueError, match=r"\(3,\) in samples and \(2,\) in reference|event shape"):
        metrics.MMD().update(torch.zeros(5, 3), torch.zeros(5, 2))
    one_side = metrics.MMD()
    one_side.update(torch.zeros(5, 3), torch.zeros(0, 3))
    with pytest.raises(ValueError, match="event shape"):
        one_side.update(torch.zeros(0, 3), torch.zeros(5, 2))
    assert len(metric.rows("samples")) == 20


def test_numbers_in_arrays_of_every_kind_are_taken():
    found = metrics.MMD()
    found.update(np.ones((5, 2), dtype=np.float32), np.zeros((5, 2), dtype=np.float32))
    assert float(found.compute()) > 0
