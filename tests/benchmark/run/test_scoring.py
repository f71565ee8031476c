"""Which tensors a metric gets, which claim its number carries, and why a cell is empty."""

import math
from dataclasses import replace

import pytest
import torch
from dgmbench.benchmark.contract.evidence import Evidence
from dgmbench.benchmark.contract.model import Likelihood
from dgmbench.benchmark.run.scoring import Inputs, load_map, sample_rows, scores
from dgmbench.benchmark.suites import load_suite
from dgmbench.benchmark.tasks import load_task
from dgmbench.metrics.features import FeatureCache


def scored(task, evidence, likelihood):
    suite = load_suite("quick")
    return {s.metric: s for s in scores(suite, Inputs(task, evidence, likelihood))}


@pytest.fixture(scope="module")
def ring():
    return load_task("ring-8")


def test_the_truth_has_no_divergence_from_itself_and_says_why(ring):
    samples = ring.val[:256]
    evidence = Evidence(
        samples,
        log_prob=ring.log_density(ring.test).double(),
        log_prob_samples=ring.log_density(samples).double(),
    )
    found = scored(ring, evidence, Likelihood.EXACT)
    assert found["kl_to_truth"].value == 0
    assert "task's" in found["kl_to_truth"].note
    assert found["nll"].value == pytest.approx(ring.entropy, abs=4 * found["nll"].stderr)
    assert found["reverse_kl_to_truth"].value == 0


@pytest.mark.parametrize(
    ("likelihood", "mark"),
    [(Likelihood.EXACT, "="), (Likelihood.LOWER_BOUND, "<="), (Likelihood.ESTIMATE, "~")],
)
def test_the_mark_stands_before_likelihoods_only(ring, likelihood, mark):
    evidence = Evidence(ring.val[:256], log_prob=torch.zeros(len(ring.test)))
    found = scored(ring, evidence, likelihood)
    assert found["nll"].mark == found["kl_to_truth"].mark == mark
    assert found["mmd"].mark == ""


def test_an_empty_cell_says_why(ring):
    found = scored(ring, Evidence(ring.val[:256]), Likelihood.UNNORMALIZED)
    assert found["nll"].value is None
    assert "up to a constant" in found["nll"].reason
    assert found["total_variation"].reason
    grid = load_task("hypergrid-8x8")
    found = scored(grid, Evidence(grid.val[:256]), Likelihood.NONE)
    assert "64" in found["frechet_distance"].reason
    assert "no exact law" in found["total_variation"].reason
    assert "does not estimate log Z" in found["log_z_error"].reason
    assert found["empirical_total_variation"].value is not None


def test_an_exact_law_is_compared_with_the_target():
    grid = load_task("hypergrid-8x8")
    uniform = torch.full((64,), 1 / 64, dtype=torch.float64)
    evidence = Evidence(grid.val[:256], law=uniform, log_z=torch.tensor(3.0))
    found = scored(grid, evidence, Likelihood.EXACT)
    target = grid.log_density(grid.domain.states()).double().exp()
    assert found["l1_distance"].value == pytest.approx(float((target - uniform).abs().sum()))
    assert found["log_z_error"].value == pytest.approx(abs(3.0 - grid.log_z), abs=1e-6)


def test_protocols_name_n_reference_and_features(ring):
    found = scored(ring, Evidence(ring.val[:256]), Likelihood.NONE)
    said = found["frechet_distance"].protocol
    for part in ("FrechetDistance()", "ring-8 v1", "256 samples", "first 256 test", "identity"):
        assert part in said
    other = scored(ring, Evidence(ring.val[:128]), Likelihood.NONE)
    assert other["frechet_distance"].protocol != said


def test_a_test_point_of_no_probability_is_infinite_not_a_crash(ring):
    log_prob = torch.zeros(len(ring.test))
    log_prob[0] = -math.inf
    found = scored(ring, Evidence(ring.val[:256], log_prob=log_prob), Likelihood.EXACT)
    assert found["nll"].value == math.inf
    assert found["nll"].note


def test_rows_are_chosen_by_a_fixed_seed():
    x = torch.arange(100)
    assert torch.equal(sample_rows(x, 10), sample_rows(x, 10))
    assert len(sample_rows(x, 10).unique()) == 10
    assert torch.equal(sample_rows(x, 100), x)


def test_a_metric_is_refused_by_the_task(ring):
    task = replace(ring, refuses={"mmd": "it is not wanted here"})
    found = scored(task, Evidence(ring.val[:256]), Likelihood.NONE)
    assert found["mmd"].reason == "it is not wanted here"
    assert found["energy_distance"].value is not None


def test_without_weights_the_distances_are_empty_and_the_rest_is_not(ring, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    load_map.cache_clear()
    task = replace(ring, feature_map="inception-v3")
    evidence = Evidence(ring.val[:64], log_prob=torch.zeros(len(ring.test)))
    found = scored(task, evidence, Likelihood.EXACT)
    assert "weights-inception" in found["mmd"].reason
    assert str(tmp_path) in found["mmd"].reason
    assert found["mmd"].value is None and found["nll"].value == 0
    assert found["modes_captured"].value is not None


def test_tokens_are_compared_one_hot():
    task = load_task("hmm-8")
    inputs = Inputs(task, Evidence(task.val[:32]), Likelihood.NONE)
    assert inputs.get("samples").shape == (32, 8 * 4)


def test_features_of_train_are_kept_and_those_of_samples_are_not(tmp_path):
    task = load_task("digits")
    cache = FeatureCache(tmp_path)
    for _ in range(2):
        inputs = Inputs(task, Evidence(task.val[:32]), Likelihood.NONE, cache)
        for name in ("samples", "reference", "train"):
            inputs.get(name)
    assert len(list(tmp_path.iterdir())) == 2
