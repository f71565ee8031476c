"""The contract of a task, over every task that needs no data beside the package."""

import math

import pytest
import torch
from dgmbench.benchmark.contract.model import seeded
from dgmbench.benchmark.tasks import TASKS, load_task

SHOWN = {"domain", "train", "val", "log_reward", "log_partial_reward", "context"}


def loaded(name):
    try:
        return load_task(name)
    except ValueError as error:
        pytest.skip(f"its data are not here: {error}")


SPLITS = ("train", "val", "test", "holdout")


@pytest.fixture(scope="module", params=TASKS)
def task(request):
    return loaded(request.param)


def test_rows_are_points_of_the_domain(task):
    for split in SPLITS:
        rows = getattr(task, split)
        if rows is not None:
            task.domain.check(split, rows[:2000])
            assert rows.is_floating_point() == (task.domain.levels is None)


def test_it_has_a_card_a_version_and_a_kind(task):
    assert task.card.summary.endswith(".")
    assert task.card.source
    assert task.version >= 1
    assert task.kind


def test_draws_follow_the_seed_and_the_domain(task):
    if task.draw is None:
        pytest.skip("no sampler")
    with seeded(0):
        a = task.draw(50)
    with seeded(0):
        b = task.draw(50)
    assert torch.equal(a, b)
    task.domain.check("draws", a)
    assert a.dtype == (torch.float32 if task.domain.levels is None else torch.int64)


def test_the_entropy_is_the_mean_of_minus_log_density(task):
    if task.draw is None or task.log_density is None or task.entropy is None:
        pytest.skip("not all are known")
    with seeded(1):
        surprise = -task.log_density(task.draw(20_000)).double()
    error = surprise.std() / len(surprise) ** 0.5
    assert abs(float(surprise.mean()) - task.entropy) < 4 * float(error) + 1e-6


def test_a_reward_is_the_density_times_z(task):
    if task.log_reward is None:
        pytest.skip("no reward")
    states = task.domain.states() if task.domain.is_enumerable else task.test[:100]
    assert torch.allclose(
        task.log_reward(states).double(), task.log_density(states).double() + task.log_z, atol=1e-5
    )


def test_what_cannot_be_built_has_no_reward(task):
    """Models of bits and grids put mass there, which no formula should praise."""
    if task.log_reward is None or task.domain.environment is None:
        pytest.skip("no reward, or nothing is built")
    with seeded(2):
        x = torch.randint(task.domain.levels, (500, *task.domain.shape))
    built = task.domain.environment.admits(x.flatten(1))
    for law in (task.log_reward, task.log_density):
        assert torch.equal(law(x) > -math.inf, built)


def test_laws_read_rows_of_bytes_as_other_integers(task):
    """Rows are int64 or uint8, in which 2 * 0 - 1 is 255."""
    if task.domain.levels is None or task.domain.levels > 256:
        pytest.skip("its rows are no bytes")
    laws = [task.log_reward, task.log_density, task.modes and task.modes.assign]
    x = (task.domain.states() if task.domain.is_enumerable else task.test)[:200].long()
    for law in filter(None, laws):
        torch.testing.assert_close(law(x.to(torch.uint8)), law(x), rtol=0, atol=0)


def test_what_is_shown_for_training_holds_no_test_row(task):
    shown = task.for_training()
    assert set(vars(shown)) == SHOWN


def test_the_same_name_gives_the_same_rows(task):
    again = TASKS[task.name]().load()
    for split in SPLITS:
        a, b = getattr(task, split), getattr(again, split)
        assert (a is None and b is None) or torch.equal(a, b)
