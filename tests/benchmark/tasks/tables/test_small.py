from __future__ import annotations

import gzip

import numpy as np
import pytest
import torch
from dgmbench.benchmark.tasks import load_task
from dgmbench.benchmark.tasks.tables import small as tables
from dgmbench.benchmark.tasks.tables.small import prepare, resolution, table


def test_splits_are_disjoint_and_standardised():
    task = load_task("wine")
    parts = [task.train, task.val, task.test, task.holdout]
    assert [len(x) for x in parts] == [109, 17, 26, 26]
    assert len(torch.cat(parts).unique(dim=0)) == 178
    assert task.train.mean(0).abs().max() < 1e-5
    assert (task.train.std(0, correction=0) - 1).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["wine", "breast-cancer", "diabetes", "iris"])
def test_an_altered_table_is_refused(name, monkeypatch):
    raw = tables.embedded(name)
    raw[3, 1] += 1e-6
    monkeypatch.setattr(tables, "embedded", lambda name: raw)
    with pytest.raises(ValueError, match=f"Expected {name} with SHA-256"):
        load_task(name)


def test_resolution_ignores_rounding_errors():
    assert resolution(np.array([0.1, 0.3, 0.1 + 0.2, 0.7])) == pytest.approx(0.2)
    assert resolution(np.array([3.0, 3.0])) == 0.0


def test_rounded_columns_become_continuous_within_their_step():
    rows = np.stack([np.arange(400) % 7, np.random.RandomState(0).randn(400)], 1)
    parts = prepare(rows)
    x = np.concatenate(list(parts.values()))
    assert len(np.unique(x[:, 0])) == 400
    before = rows.mean(0), rows.std(0)
    # Uniform noise of one step: variance 1/12 more.
    back = x[:, 0] / x[:, 0].std() * np.sqrt(before[1][0] ** 2 + 1 / 12)
    assert np.ptp(back) == pytest.approx(7, abs=0.2)


def test_copies_and_missing_values_are_dropped():
    random = np.random.RandomState(0)
    rows = random.randn(100, 2)
    parts = prepare(np.concatenate([rows, rows[:50], [[np.nan, 0.0]]]))
    assert sum(map(len, parts.values())) == 100


def test_a_constant_column_is_refused():
    with pytest.raises(ValueError, match="Expected columns that vary, got a constant column 1"):
        prepare(np.stack([np.arange(50.0), np.ones(50)], 1))


def test_unknown_and_textual_columns_are_named(root):
    (root / "tabular").mkdir()
    lines = "\n".join(f"M,{i},1,1,1,1,1,1,{i}" for i in range(30))
    (root / "tabular" / "abalone.csv.gz").write_bytes(gzip.compress(lines.encode()))
    assert table("abalone", ["length", "rings"]).load().domain.shape == (2,)
    with pytest.raises(ValueError, match=r"column of abalone among sex, length, .* got 'weight'"):
        table("abalone", ["length", "weight"]).load()
    with pytest.raises(ValueError, match="Expected numbers in column 'sex' of abalone, got text"):
        table("abalone", ["sex"]).load()
    with pytest.raises(ValueError, match="Expected abalone with SHA-256"):
        load_task("abalone")


def test_a_damaged_table_is_named(root):
    (root / "tabular").mkdir()
    data = gzip.compress(b"M,1,1,1,1,1,1,1,1\n" * 1000)
    (root / "tabular" / "abalone.csv.gz").write_bytes(data[:-15])
    with pytest.raises(ValueError, match=r"Expected a whole table at .*abalone\.csv\.gz"):
        load_task("abalone")


@pytest.mark.parametrize(
    ("name", "rows", "dim"),
    [
        ("abalone", 4177, 8),
        ("california-housing", 20433, 9),
        ("wine-quality", 5318, 12),
        ("adult", None, 6),
    ],
)
def test_real_tables(real_root, name, rows, dim):
    task = load_task(name)
    assert task.domain.shape == (dim,)
    parts = (task.train, task.val, task.test, task.holdout)
    if rows is not None:
        assert sum(map(len, parts)) == rows
    task.domain.check("rows", torch.cat(parts))
