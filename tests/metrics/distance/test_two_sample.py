"""What holds for every distance between samples and a reference."""

from __future__ import annotations

import copy
import math
import os
import subprocess
import sys
from functools import partial

import pytest
import torch
from dgmbench.metrics.distance.c2st import C2ST, c2st
from dgmbench.metrics.distance.cmmd import CMMD, cmmd
from dgmbench.metrics.distance.energy_distance import EnergyDistance, energy_distance
from dgmbench.metrics.distance.frechet import (
    FrechetDistance,
    FrechetDistanceInfinity,
    frechet_distance,
    frechet_distance_infinity,
)
from dgmbench.metrics.distance.inception_score import InceptionScore
from dgmbench.metrics.distance.kernel_distance import KernelDistance, kernel_distance
from dgmbench.metrics.distance.mmd import MMD, MMDTest, mmd, mmd_test
from dgmbench.metrics.distance.sinkhorn import SinkhornDivergence, sinkhorn_divergence
from dgmbench.metrics.distance.sliced_wasserstein import SlicedWasserstein, sliced_wasserstein
from dgmbench.metrics.distance.wasserstein import Wasserstein, wasserstein

subsets = {"subsets": 5, "subset_size": 20}
PAIRS = {  # function and metric with the same arguments
    "frechet": (frechet_distance, FrechetDistance()),
    "frechet-infinity": (frechet_distance_infinity, FrechetDistanceInfinity()),
    "kernel": (kernel_distance, KernelDistance()),
    "kernel-subsets": (partial(kernel_distance, **subsets), KernelDistance(**subsets)),
    "mmd": (mmd, MMD()),
    "mmd-test": (mmd_test, MMDTest()),
    "cmmd": (cmmd, CMMD()),
    "energy": (energy_distance, EnergyDistance()),
    "sliced": (sliced_wasserstein, SlicedWasserstein()),
    "wasserstein": (wasserstein, Wasserstein()),
    "sinkhorn": (sinkhorn_divergence, SinkhornDivergence()),
    "c2st": (partial(c2st, classifier="logistic"), C2ST("logistic")),
}
every = pytest.mark.parametrize("name", PAIRS)
HAVE_AN_ORIGIN = ("kernel", "kernel-subsets", "cmmd")
DEAL_BY_CONTENT = ("frechet-infinity", "c2st")  # and so deal moved points in another way


@pytest.fixture
def sides(generator):
    x = torch.randn(70, 4, generator=generator, dtype=torch.float64)
    return x, torch.randn(50, 4, generator=generator, dtype=torch.float64) * 1.3 + 0.5


def same(one, other, rel=1e-9):
    assert one.value == pytest.approx(other.value, rel=rel, abs=1e-12)
    assert one.stderr == pytest.approx(other.stderr, rel=1e-5, abs=1e-9, nan_ok=True)
    assert (one.n, one.note) == (other.n, other.note)


@every
def test_the_order_of_the_rows_does_not_matter(name, sides, generator):
    function, (x, y) = PAIRS[name][0], sides
    p, q = (torch.randperm(len(side), generator=generator) for side in sides)
    same(function(x[p], y[q]), function(x, y))


@pytest.mark.parametrize("name", sorted(set(PAIRS) - {*HAVE_AN_ORIGIN, *DEAL_BY_CONTENT}))
def test_a_shift_of_both_sides_does_not_matter(name, sides):
    function, (x, y) = PAIRS[name][0], ((side * 2**10).round() / 2**10 for side in sides)
    one, other = function(x + 1e6, y + 1e6), function(x, y)  # rounded: the shift is exact
    assert one.value == pytest.approx(other.value, rel=1e-7)


@pytest.mark.parametrize("of_x", [torch.float16, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("of_y", [torch.float32, torch.bfloat16])
@every
def test_any_precision_is_computed_in_double(name, of_x, of_y, sides):
    function, x, y = PAIRS[name][0], sides[0].to(of_x).requires_grad_(), sides[1].to(of_y)
    rel = 1e-6 if name == "kernel-subsets" else 1e-12  # whose products have the input's precision
    one, other = function(x, y), function(x.detach().double(), y.double())
    assert one.value == pytest.approx(other.value, rel=rel)
    assert one.stderr == pytest.approx(other.stderr, rel=1e-5, nan_ok=True)


@every
def test_the_shape_of_a_point_does_not_matter(name, sides):
    function, (x, y) = PAIRS[name][0], sides
    same(function(x.reshape(-1, 1, 2, 2), y.reshape(-1, 1, 2, 2)), function(x, y))


@every
def test_points_on_a_line_need_no_second_axis(name, sides):
    function, (x, y) = PAIRS[name][0], (side[:, 0] for side in sides)
    same(function(x, y), function(x[:, None], y[:, None]))


@every
def test_integers_are_not_multiplied_as_integers(name, sides):
    function, (x, y) = PAIRS[name][0], ((40 * side + 128).clamp(1, 255) for side in sides)
    same(function(x.byte(), y.byte()), function(x.byte().double(), y.byte().double()), rel=1e-6)


@every
def test_the_callers_random_state_is_left_alone(name, sides):
    before = torch.get_rng_state()
    PAIRS[name][0](*sides)
    assert torch.equal(torch.get_rng_state(), before)


@every
def test_one_point_a_side_is_too_few(name, sides):
    with pytest.raises(ValueError, match=r"at least .* in samples, got 1"):
        PAIRS[name][0](sides[0][:1], sides[1])


@pytest.mark.parametrize("name", ["frechet", "sliced"])
def test_views_and_small_types_that_numpy_lacks(name, sides):
    function, (x, y) = PAIRS[name][0], sides
    small = x.to(torch.float8_e4m3fn)
    assert function(small, y).value == function(small.double(), y).value
    negative = torch.complex(y, -x[: len(y)]).conj().imag  # a view that is negated when read
    assert function(negative, y).value == function(x[: len(y)].clone(), y).value


@pytest.mark.filterwarnings("error")
@every
def test_infinities_of_both_signs_are_an_error_alone(name, sides):
    x = sides[0].clone()
    x[3, 1], x[5, 0] = -math.inf, math.inf
    with pytest.raises(ValueError, match="got 2 of 70 rows with NaN or infinity"):
        PAIRS[name][0](x, sides[1])


@every
def test_rows_that_are_not_finite_are_counted(name, sides):
    x = sides[0].clone()
    x[3, 1], x[5, 0] = math.nan, math.inf
    with pytest.raises(ValueError, match="got 2 of 70 rows with NaN or infinity"):
        PAIRS[name][0](x, sides[1])


@every
def test_event_shapes_must_agree(name, sides):
    with pytest.raises(ValueError, match=r"one event shape, got \(4,\) and \(3,\)"):
        PAIRS[name][0](sides[0], sides[1][:, :3])


@every
def test_equal_constant_rows_are_at_distance_zero(name):
    x = torch.full((40, 3), 0.1)
    estimate = PAIRS[name][0](x, x[:30])
    expected = {"mmd-test": 1.0, "c2st": 0.5}.get(name, 0.0)
    assert estimate.value == pytest.approx(expected, abs=1e-7)


@every
def test_batches_do_not_matter(name, sides):
    function, metric = PAIRS[name]
    metric = copy.deepcopy(metric)
    for x, y in zip(sides[0].split(30), sides[1].split(20), strict=True):
        metric.update(x, y)
    metric.update(sides[0][:0], sides[1][:0])
    same(metric.estimate(), function(*sides))
    assert float(metric.compute()) == metric.estimate().value
    assert metric.compute().dtype == torch.float64


@every
def test_sides_can_come_one_after_the_other(name, sides):
    function, metric = PAIRS[name]
    metric = copy.deepcopy(metric)
    metric.update(sides[0], sides[1][:0])
    metric.update(sides[0][:0], sides[1])
    same(metric.estimate(), function(*sides))


@every
def test_states_merge(name, sides):
    function, metric = PAIRS[name]
    one, other = copy.deepcopy(metric), copy.deepcopy(metric)
    one.update(sides[0][:20], sides[1])
    other.update(sides[0][20:], sides[1][:0])
    one.merge_state(other)
    same(one.estimate(), function(*sides))


@every
def test_reset_forgets(name, sides):
    metric = copy.deepcopy(PAIRS[name][1])
    metric.update(*sides)
    metric.reset()
    with pytest.raises(ValueError, match="at least one update"):
        metric.estimate()


def distributed_worker(rank: int, path: str) -> None:
    """One of two processes; the second one has seen nothing of `InceptionScore`."""
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(70, 4, generator=generator, dtype=torch.float64)
    y = torch.randn(50, 4, generator=generator, dtype=torch.float64) * 1.3 + 0.5
    mine = slice(0, 20) if rank == 0 else slice(20, None)
    streaming = (frechet_distance, FrechetDistance(rows=0))
    for name, (function, metric) in {**PAIRS, "streaming": streaming}.items():
        metric.update(x[mine], y[mine])
        found, expected = float(metric.compute()), function(x, y)
        if abs(found - expected.value) > 1e-9 * abs(expected.value):
            raise ValueError(f"{name}: {found} instead of {expected.value}")
        if name == "frechet" and metric.estimate().stderr - expected.stderr > 1e-9:
            raise ValueError(f"{name}: {metric.estimate()} instead of {expected}")
    score, alone = InceptionScore(sync_on_compute=True), InceptionScore(sync_on_compute=False)
    alone.update(x.softmax(dim=1))
    if rank == 0:
        score.update(x.softmax(dim=1))
    if abs(float(score.compute()) - float(alone.compute())) > 1e-12:
        raise ValueError(f"inception score: {score.compute()} instead of {alone.compute()}")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_see_what_one_sees(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    script = (
        f"import sys, importlib.util as u; s = u.spec_from_file_location('m', {__file__!r});"
        "m = u.module_from_spec(s); s.loader.exec_module(m);"
        f"m.distributed_worker(int(sys.argv[1]), {str(tmp_path / 'store')!r})"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", script, str(rank)], env=environment)
        for rank in range(2)
    ]
    assert [worker.wait(timeout=240) for worker in workers] == [0, 0]
