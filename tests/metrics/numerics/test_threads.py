from __future__ import annotations

from itertools import count, islice
from threading import Thread

import numpy as np
import pytest
import torch
from dgmbench.metrics import kernel_distance, prdc, sliced_wasserstein, vendi_score
from dgmbench.metrics.numerics.threads import spread, threads, torch_on_one_thread
from threadpoolctl import threadpool_info, threadpool_limits

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def four():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def seen_elsewhere():
    found = []
    other = Thread(target=lambda: found.append(torch.get_num_threads()))
    other.start()
    other.join()
    return found[0]


def test_torch_on_one_thread_is_over_afterwards_and_leaves_other_threads_alone():
    before = seen_elsewhere()
    with torch_on_one_thread():
        assert (torch.get_num_threads(), threads()) == (1, 4)
        with torch_on_one_thread():
            assert threads() == 4
        assert seen_elsewhere() == before
    assert torch.get_num_threads() == threads() == 4


def test_a_function_can_be_decorated_and_fail():
    @torch_on_one_thread()
    def fails():
        assert torch.get_num_threads() == 1
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            fails()
        assert torch.get_num_threads() == 4


def test_spread_is_map_with_one_thread_a_call():
    def alone(i):
        return i * i, torch.get_num_threads(), of_blas()

    with threadpool_limits(2, user_api="blas"):
        assert list(spread(alone, range(50), CPU)) == [(i * i, 1, {1}) for i in range(50)]
        assert of_blas() == {2}


def test_spread_draws_a_few_items_ahead_only():
    drawn = count()
    results = spread(lambda item: item, drawn, CPU)
    assert list(islice(results, 3)) == [0, 1, 2]
    results.close()
    assert next(drawn) <= 3 + 5


def of_blas():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_every_openblas_is_limited_and_with_one_thread_too():
    torch.set_num_threads(1)
    with threadpool_limits(2, user_api="blas"):
        assert list(spread(lambda _: of_blas(), range(2), CPU)) == [{1}, {1}]
        assert of_blas() == {2}


@pytest.mark.parametrize("first", [0, 1])
def test_overlapping_limits_leave_none_behind(first):
    with threadpool_limits(3, user_api="blas"):
        two = [spread(lambda item: item, range(50), CPU) for _ in range(2)]
        assert [next(results) for results in two] == [0, 0]
        two[first].close()
        assert of_blas() == {1}
        two[1 - first].close()
        assert of_blas() == {3}


def test_an_error_leaves_no_limit_and_drops_what_waits():
    done = []

    def fails(i):
        done.append(i)
        raise KeyError(i)

    with threadpool_limits(3, user_api="blas"):
        with pytest.raises(KeyError, match="0"):
            list(spread(fails, range(100), CPU))
        assert of_blas() == {3}
    assert len(done) <= 5


@pytest.mark.parametrize("device", [CPU, torch.device("meta")])
def test_an_error_in_a_call_comes_out(device):
    with pytest.raises(ZeroDivisionError):
        list(spread(lambda i: 1 // i, [1, 0, 1], device))


def test_on_another_device_one_call_follows_the_other():
    found = []
    assert list(spread(found.append, range(5), torch.device("meta"))) == [None] * 5
    assert found == list(range(5))


def test_results_do_not_depend_on_the_number_of_threads():
    rows = np.random.default_rng(0).standard_normal((40, 300, 300))

    def sums():
        return [float(np.linalg.norm(a @ a)) for a in spread(lambda i: rows[i], range(40), CPU)]

    many = sums()
    torch.set_num_threads(1)
    assert sums() == many


@pytest.mark.parametrize(
    "metric",
    [
        lambda x, y: kernel_distance(x, y, subsets=20, subset_size=300),
        lambda x, y: sliced_wasserstein(x, y, 200),
        lambda x, y: prdc(x, y)["density"],
        lambda x, y: vendi_score(x),
    ],
)
def test_a_metric_does_not_depend_on_the_number_of_threads(metric):
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(2500, 24, generator=generator) for _ in range(2))
    many = metric(x, y)
    torch.set_num_threads(1)
    one = metric(x, y)
    assert many.value == pytest.approx(one.value, rel=1e-12)
    assert many.stderr == pytest.approx(one.stderr, rel=1e-9)
