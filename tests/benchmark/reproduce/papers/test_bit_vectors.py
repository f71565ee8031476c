"""The floors of binary sets are those of maximum likelihood; a set that is not here says so."""

from dataclasses import replace

import numpy as np
import pytest
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.reproduce.comparison import Finding
from dgmbench.benchmark.reproduce.papers import bit_vectors
from dgmbench.benchmark.reproduce.published import those
from dgmbench.benchmark.tasks.discrete import debd
from dgmbench.benchmark.tasks.readers.data_root import sha256
from dgmbench.benchmark.tasks.registry import named_task

COUNTS = (2000, 500, 1000)


@pytest.fixture
def nltcs(tmp_path, monkeypatch):
    """A small file in the place of nltcs, and its training and test rows."""
    random = np.random.RandomState(0)
    rows = (random.rand(sum(COUNTS), 16) < random.rand(16)).astype(np.uint8)
    rows[:, 1] = rows[:, 0] ^ (random.rand(len(rows)) < 0.1)  # one edge of the tree
    parts = np.split(rows, np.cumsum(COUNTS)[:-1])
    monkeypatch.setenv("DGMBENCH_DATA", str(tmp_path))
    monkeypatch.setitem(debd.SETS, "nltcs", (16, COUNTS))
    monkeypatch.setitem(debd.SHA256, "nltcs", sha256(*parts))
    (tmp_path / "debd").mkdir()
    named = dict(zip(("train", "valid", "test"), parts, strict=True))
    np.savez(tmp_path / "debd" / "nltcs.npz", **named)
    named_task.cache_clear()
    yield parts[0], parts[2]
    named_task.cache_clear()


def test_the_floors_are_those_of_maximum_likelihood(nltcs):
    train, test = nltcs
    found = [one for one in bit_vectors.debd() if isinstance(one, Finding)]
    here = {one.published.method: one for one in found if one.ours is not None}
    p = train.mean(0)
    independent = (test * np.log(p) + (1 - test) * np.log(1 - p)).sum(1).mean()
    assert here["independent"].ours == pytest.approx(independent, abs=16 / 2000)
    # The other edges are of independent bits, and bring nothing but their noise.
    a, b = test[:, :2].T
    both = np.histogram2d(train[:, 0], train[:, 1], 2)[0] / len(train)
    edge = np.log(both[a, b] / (both.sum(1)[a] * both.sum(0)[b])).mean()
    assert edge > 0.05
    assert here["Chow-Liu"].ours == pytest.approx(independent + edge, abs=31 / 2000)
    assert here["Chow-Liu"].tolerance == 31 / 2000
    others = [one for one in found if one.ours is None]
    assert {one.verdict for one in others} == {"not comparable"}
    assert all("not in the data root" in one.note for one in others)


def test_every_set_is_listed(nltcs):
    (listing,) = [one for one in bit_vectors.debd() if not isinstance(one, Finding)]
    assert [row[0] for row in listing.rows] == list(debd.SETS)
    here = [row for row in listing.rows if row[-1] != "not in the data root"]
    assert [row[0] for row in here] == ["nltcs"]


def test_what_is_trained_is_within_a_share_of_the_published_number(nltcs, monkeypatch):
    monkeypatch.setattr(bit_vectors, "BUDGET", Budget(steps=3, batch_size=10))
    row = those("debd", method="EoNADE")[0]
    found = bit_vectors._finding(replace(row, dataset="nltcs"))
    assert np.isfinite(found.ours) and found.stderr > 0
    assert found.tolerance == pytest.approx(0.02 * abs(row.value))
    assert found.verdict == "not comparable"  # the paper's table was not seen
