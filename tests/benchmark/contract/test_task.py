"""What a point is."""

from dataclasses import replace

import pytest
import torch
from dgmbench.baselines.controls.oracle import Oracle
from dgmbench.benchmark.contract.probe import Probe
from dgmbench.benchmark.contract.task import Domain, Task
from dgmbench.benchmark.run.job import Job
from dgmbench.benchmark.suites import load_suite
from dgmbench.benchmark.suites.suite import ModelSpec
from dgmbench.benchmark.tasks.outline import Outline


def test_states_and_index_are_inverse():
    for domain in (Domain((2,), levels=8), Domain((5,), levels=2), Domain((1, 2, 2), levels=3)):
        states = domain.states()
        assert len(states) == domain.num_states == len(states.unique(dim=0))
        assert torch.equal(domain.index(states), torch.arange(len(states)))


def test_real_domains_have_no_states():
    with pytest.raises(ValueError, match="got inf"):
        Domain((2,)).states()
    with pytest.raises(ValueError, match="discrete"):
        Domain((2,)).index(torch.zeros(1, 2))


def test_too_many_states_are_refused():
    with pytest.raises(ValueError, match=r"2\^20"):
        Domain((64,), levels=17).states()


def test_where_no_rows_are_held_out_the_validation_rows_are_unseen(tmp_path):
    rows = torch.arange(6.0).view(3, 2)
    task = Task("t", 1, Domain((2,)), "plane", train=rows, val=rows + 10, test=rows + 20)
    assert torch.equal(task.unseen, rows + 10)
    assert torch.equal(replace(task, holdout=rows + 30).unseen, rows + 30)
    assert Oracle.refuses(task) is None
    outline = Outline.of(replace(task, val=rows[:2]))
    oracle = ModelSpec.of("oracle", Oracle)
    job = Job(load_suite("quick"), outline, oracle, 0, "cpu", tmp_path)
    assert job.samples(Probe()) == 2
