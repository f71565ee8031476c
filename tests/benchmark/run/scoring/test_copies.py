"""Copies of rows are told from what is frequent: a narrow model repeats every split alike."""

import dataclasses

import pytest
import torch
from dgmbench.benchmark.contract.task import Domain, Task
from dgmbench.benchmark.run.scoring.copies import copy_flags

BITS = 12
CHANCES = torch.linspace(0.02, 0.5, BITS)


def law(n, sharper=1.0, seed=0):
    """Independent bits; a law that is sharper draws frequent points too often."""
    generator = torch.Generator().manual_seed(seed)
    odds = (CHANCES / (1 - CHANCES)) ** sharper
    return (torch.rand(n, BITS, generator=generator) < odds / (1 + odds)).to(torch.uint8)


@pytest.fixture
def task():
    rows = law(9000, seed=1)
    return Task(
        "bits",
        1,
        Domain((BITS,), 2),
        train=rows[:5000],
        val=rows[5000:7000],
        test=rows[7000:],
        kind="bits",
    )


def test_fresh_draws_are_no_copies(task):
    assert copy_flags(law(2000, seed=2), task) == ()


def test_a_model_that_is_too_sharp_copies_nothing(task):
    drawn = law(2000, sharper=1.6, seed=2)
    rows = {tuple(row) for row in task.train.tolist()}
    share = sum(tuple(row) in rows for row in drawn.tolist()) / 2000
    fresh = sum(tuple(row) in rows for row in task.test.tolist()) / len(task.test)
    assert share > fresh + 0.02  # it repeats more rows than fresh data do
    assert copy_flags(drawn, task) == ()


@pytest.mark.parametrize("split", ["train", "test"])
def test_rows_of_a_split_are_copies_of_it(task, split):
    rows = getattr(task, split)
    drawn = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(3))[:1500]]
    (flag,) = [f for f in copy_flags(drawn, task) if f" {split}" in f]
    assert flag.startswith("1,500 of 1,500")


def test_where_fresh_data_never_repeat_a_few_copies_tell(task):
    generator = torch.Generator().manual_seed(4)
    rows = torch.randn(3000, 3, generator=generator)
    real = dataclasses.replace(
        task, domain=Domain((3,)), train=rows[:1000], val=rows[1000:2000], test=rows[2000:]
    )
    drawn = torch.randn(1000, 3, generator=generator)
    assert copy_flags(drawn, real) == ()
    drawn[:20] = real.train[:20]
    assert copy_flags(drawn, real) == ("20 of 1,000 samples are copies of training rows",)


def test_where_no_row_is_there_but_once_nothing_can_be_told(task):
    small = dataclasses.replace(
        task,
        domain=Domain((2,), 2),
        train=task.train[:, -2:],
        val=task.val[:, -2:],
        test=task.test[:, -2:],
    )
    assert copy_flags(torch.zeros(500, 2, dtype=torch.uint8), small) == ()
