"""What must be true of the numbers of the quick suite, whatever the other tests say.

Runs the suite as a user would, under `results/` of the checkout: where `make quick` has run, it is
found done.
"""

import math
import subprocess
import sys
from pathlib import Path

import dgmbench
import pytest
from dgmbench.benchmark.contract.record import read_records
from dgmbench.benchmark.tasks import load_task

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("quick")]
ROOT = Path(dgmbench.__file__).parent
DISTANCES = ("frechet_distance", "mmd", "energy_distance")
NOT_LEARNED = {"classical", "control", "user"}


@pytest.fixture(scope="module")
def quick():
    """Task to model to metric to score."""
    if not (ROOT / "Makefile").exists():
        pytest.skip("dgmbench is installed without its checkout")
    run = [sys.executable, "run_all.py", "run", "--suite", "quick"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    scores = {}
    for record in read_records(ROOT / "results" / "quick"):
        if record.family != "user" and record.seed == 0:
            found = {s.metric: s for s in record.scores if s.value is not None}
            scores.setdefault(record.task, {})[record.model] = (record.family, found)
    return scores


def gap(a, b):
    """Difference of two scores, and its standard error."""
    return a.value - b.value, math.hypot(a.stderr or 0.0, b.stderr or 0.0)


@pytest.mark.parametrize("metric", DISTANCES)
def test_no_row_beats_the_oracle_on_the_ring(quick, metric):
    rows = quick["ring-8"]
    for model, (_, scores) in rows.items():
        if metric in scores and model != "oracle":
            difference, error = gap(rows["oracle"][1][metric], scores[metric])
            assert difference < 3 * error, model


@pytest.mark.parametrize("metric", DISTANCES)
def test_noise_is_worse_than_what_has_not_collapsed_on_the_ring(quick, metric):
    rows = quick["ring-8"]
    for model, (family, scores) in rows.items():
        if family != "control" and metric in scores and scores["modes_captured"].value == 8:
            difference, error = gap(rows["noise"][1][metric], scores[metric])
            assert difference > 3 * error, model


def test_likelihoods_on_the_ring(quick):
    rows, entropy = quick["ring-8"], load_task("ring-8").entropy
    assert entropy == pytest.approx(0.30, abs=0.02)
    oracle = rows["oracle"][1]["kl_to_truth"]
    assert abs(oracle.value) <= 3 * oracle.stderr + 1e-9
    assert rows["gmm"][1]["kl_to_truth"].value < 0.05
    assert rows["nsf"][1]["kl_to_truth"].value < 0.15
    assert abs(rows["gmm"][1]["nll"].value - entropy) < 0.05
    assert abs(rows["nsf"][1]["nll"].value - entropy) < 0.15
    for _, scores in rows.values():
        claim = scores.get("kl_to_truth")
        if claim is not None and claim.mark in ("=", "<="):
            assert claim.value >= -3 * claim.stderr - 1e-9


def test_the_memoriser_is_caught_on_digits(quick):
    rows = quick["digits"]
    assert rows["memoriser"][1]["nearest_neighbour_ratio"].value < 0.1
    ratio = rows["oracle"][1]["nearest_neighbour_ratio"]
    assert abs(ratio.value - 1) < 4 * ratio.stderr
    difference, error = gap(
        rows["memoriser"][1]["frechet_distance"], rows["oracle"][1]["frechet_distance"]
    )
    assert difference > -2 * error


def test_five_learned_families_beat_noise_on_digits(quick):
    rows, far = quick["digits"], set()
    for family, scores in rows.values():
        if family not in NOT_LEARNED and "frechet_distance" in scores:
            difference, error = gap(
                rows["noise"][1]["frechet_distance"], scores["frechet_distance"]
            )
            if difference > 10 * error:
                far.add(family)
    assert len(far) >= 5, far


def test_trajectory_balance_finds_the_law_of_the_hypergrid(quick):
    scores = quick["hypergrid-8x8"]["gfn-tb"][1]
    assert load_task("hypergrid-8x8").log_z == pytest.approx(3.1091, abs=1e-4)
    assert scores["l1_distance"].value < 0.15
    assert scores["log_z_error"].value < 0.05
