"""A table that is here has its number and verdict; one that is not has none, and says why."""

import numpy as np
import pytest
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.reproduce.papers import maf_tables
from dgmbench.benchmark.tasks.registry import named_task
from dgmbench.benchmark.tasks.tables import maf
from scipy.stats import multivariate_normal


@pytest.fixture
def miniboone(tmp_path, monkeypatch):
    """A small file in the place of MINIBOONE's, and its three splits."""
    monkeypatch.setenv("DGMBENCH_DATA", str(tmp_path))
    monkeypatch.setitem(maf.PUBLISHED, "miniboone", (43, (8100, 900, 1000)))
    monkeypatch.setattr(maf_tables, "BUDGET", Budget(steps=3, batch_size=10))
    random = np.random.RandomState(0)
    path = tmp_path / "miniboone" / "data.npy"
    path.parent.mkdir()
    np.save(path, random.randn(10_000, 43) @ random.randn(43, 43))
    named_task.cache_clear()
    yield maf.miniboone(path)
    named_task.cache_clear()


def test_the_gaussian_is_that_of_maximum_likelihood(miniboone):
    train, _, test = miniboone
    law = multivariate_normal(train.mean(0), np.cov(train.T, bias=True))
    found = list(maf_tables.tabular_gaussian())
    (here,) = [one for one in found if one.ours is not None]
    assert here.published.dataset == "MINIBOONE" and here.published.value == -37.24
    assert here.ours == pytest.approx(law.logpdf(test).mean(), abs=2e-3)
    assert here.verdict == "off" and here.tolerance == 0.02
    others = [one for one in found if one is not here]
    assert len(others) == 4 and {one.verdict for one in others} == {"not comparable"}
    assert all("not in the data root" in one.note for one in others)


def test_every_trained_method_is_compared(miniboone):
    found = [one for one in maf_tables.maf_tabular() if one.ours is not None]
    assert [one.published.method for one in found] == ["MADE", "MADE MoG", "MAF (5)"]
    assert all(np.isfinite(one.ours) and one.stderr > 0 for one in found)
    assert [one.tolerance for one in found] == [0.5, 0.5, 0.3]
