"""Which tensors a metric gets, which claim its number carries, and why a cell is empty."""

import math
from dataclasses import replace

import pytest
import torch
from dgmbench import metrics
from dgmbench.benchmark.contract.evidence import Evidence
from dgmbench.benchmark.contract.model import Likelihood
from dgmbench.benchmark.contract.probe import Probe
from dgmbench.benchmark.run.scoring.by_metric import reads, scores
from dgmbench.benchmark.run.scoring.inputs import Inputs, load_map
from dgmbench.benchmark.run.scoring.subset import fixed_subset
from dgmbench.benchmark.suites import load_suite
from dgmbench.benchmark.tasks import load_task
from dgmbench.metrics.features import FeatureCache


def scored(task, evidence, likelihood, suite=None):
    """Scores of both kinds of probe, as if one evidence held the answers to both."""
    suite = suite or load_suite("quick")
    answers = Evidence(log_prob=evidence.log_prob, law=evidence.law, log_z=evidence.log_z)
    return {
        s.metric: s
        for probe, found in ((Probe("samples"), evidence), (Probe("likelihood"), answers))
        for s in scores(suite, Inputs(task, probe, found, likelihood, "the estimator"))
    }


@pytest.fixture(scope="module")
def ring():
    return load_task("ring-8")


def test_the_truth_has_no_divergence_from_itself_and_says_why(ring):
    samples = ring.val[:256]
    evidence = Evidence(
        samples=samples,
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
    evidence = Evidence(samples=ring.val[:256], log_prob=torch.zeros(len(ring.test)))
    found = scored(ring, evidence, likelihood)
    assert found["nll"].mark == found["kl_to_truth"].mark == mark
    assert found["mmd"].mark == ""


def test_an_empty_cell_says_why(ring):
    found = scored(ring, Evidence(samples=ring.val[:256]), Likelihood.UNNORMALIZED)
    assert found["nll"].value is None
    assert "up to a constant" in found["nll"].reason
    assert found["total_variation"].reason
    grid = load_task("hypergrid-8x8")
    found = scored(grid, Evidence(samples=grid.val[:256]), Likelihood.NONE)
    assert "64" in found["frechet_distance"].reason
    assert "no exact law" in found["total_variation"].reason
    assert "does not estimate log Z" in found["log_z_error"].reason
    assert "fewer than 5 per state" in found["empirical_total_variation"].reason
    enough = scored(grid, Evidence(samples=grid.val[:320]), Likelihood.NONE)
    assert enough["empirical_total_variation"].value is not None


def test_an_exact_law_is_compared_with_the_target():
    grid = load_task("hypergrid-8x8")
    uniform = torch.full((64,), 1 / 64, dtype=torch.float64)
    evidence = Evidence(samples=grid.val[:256], law=uniform, log_z=torch.tensor(3.0))
    found = scored(grid, evidence, Likelihood.EXACT)
    target = grid.log_density(grid.domain.states()).double().exp()
    assert found["l1_distance"].value == pytest.approx(float((target - uniform).abs().sum()))
    assert found["log_z_error"].value == pytest.approx(abs(3.0 - grid.log_z), abs=1e-6)


def test_protocols_name_n_reference_and_features(ring):
    found = scored(ring, Evidence(samples=ring.val[:256]), Likelihood.NONE)
    said = found["frechet_distance"].protocol
    for part in (
        "FrechetDistance()",
        "ring-8 v2",
        "256 samples",
        f"against 256 of {len(ring.test)} test rows",
        "identity",
    ):
        assert part in said
    other = scored(ring, Evidence(samples=ring.val[:128]), Likelihood.NONE)
    assert other["frechet_distance"].protocol != said


def test_a_test_point_of_no_probability_is_infinite_not_a_crash(ring):
    log_prob = torch.zeros(len(ring.test))
    log_prob[0] = -math.inf
    found = scored(ring, Evidence(samples=ring.val[:256], log_prob=log_prob), Likelihood.EXACT)
    assert found["nll"].value == math.inf
    assert found["nll"].note


def test_rows_are_chosen_by_a_fixed_seed_and_not_the_first():
    some = fixed_subset(100, 10)
    assert torch.equal(some, fixed_subset(100, 10))
    assert len(some.unique()) == 10 and not torch.equal(some.sort().values, torch.arange(10))
    assert torch.equal(fixed_subset(100, 100), torch.arange(100))
    assert torch.equal(fixed_subset(100, 200), torch.arange(100))


def test_the_reference_is_a_random_subset_of_the_split_that_is_asked_for(ring):
    for split in ("test", "train"):
        rows = getattr(ring, split)
        probe = Probe("samples", split=split)
        inputs = Inputs(ring, probe, Evidence(samples=ring.val[:64]), Likelihood.NONE)
        assert torch.equal(inputs.reference, rows[fixed_subset(len(rows), 64)])


def test_numbers_of_other_estimators_samplers_and_references_have_other_protocols(ring):
    def said(metric, probe, estimator="exact"):
        evidence = Evidence(samples=ring.val[:64], log_prob=torch.zeros(len(ring.test)))
        if probe.kind == "likelihood":
            evidence = replace(evidence, samples=None)
        inputs = Inputs(ring, probe, evidence, Likelihood.EXACT, estimator)
        return next(s for s in scores(load_suite("quick"), inputs) if s.metric == metric)

    distances = [
        Probe(),
        Probe(steps=5),
        Probe(steps=10),
        Probe(sampler="ddim"),
        Probe(split="train"),
    ]
    assert len({said("mmd", probe).protocol for probe in distances}) == 5
    likelihood = Probe("likelihood")
    words = ["exact", "IWAE-64", "ELBO"]
    found = [said("nll", likelihood, word) for word in words]
    assert len({s.protocol for s in found}) == 3 and [s.estimator for s in found] == words


def test_what_a_metric_raises_is_the_reason_of_its_own_place(ring):
    class Raising(metrics.MMD):
        def _estimate(self):
            raise KeyError("no such thing")

    suite = replace(
        load_suite("quick"),
        metrics={
            "raising": Raising,
            "mmd": metrics.MMD,
            "inception_score": metrics.InceptionScore,
        },
    )
    found = scored(
        replace(ring, refuses={}), Evidence(samples=ring.val[:64]), Likelihood.NONE, suite
    )
    assert found["raising"].value is None and "KeyError" in found["raising"].reason
    assert "probabilities" in found["inception_score"].reason
    assert found["mmd"].value is not None


def test_an_infinite_row_empties_the_metrics_that_cannot_hold_it(ring):
    log_prob = torch.zeros(len(ring.test), dtype=torch.float64)
    log_prob[3] = math.inf
    own = torch.full((64,), -math.inf, dtype=torch.float64)
    evidence = Evidence(samples=ring.val[:64], log_prob=log_prob, log_prob_samples=own)
    found = scored(ring, evidence, Likelihood.EXACT)
    assert found["nll"].value is None and "+infinity" in found["nll"].reason
    assert found["reverse_kl_to_truth"].value is None and found["reverse_kl_to_truth"].reason
    assert found["mmd"].value is not None


def test_a_metric_is_read_from_the_probe_of_its_kind_alone(ring):
    suite = load_suite("quick")
    samples = {
        s.metric
        for s in scores(
            suite, Inputs(ring, Probe(), Evidence(samples=ring.val[:64]), Likelihood.NONE)
        )
    }
    others = {
        s.metric
        for s in scores(suite, Inputs(ring, Probe("likelihood"), Evidence(), Likelihood.NONE))
    }
    assert not samples & others
    for cls in metrics.FUNCTIONS:
        assert reads(cls, Probe()) != reads(cls, Probe("likelihood")), cls


def test_a_metric_is_refused_by_the_task(ring):
    task = replace(ring, refuses={"mmd": "it is not wanted here"})
    found = scored(task, Evidence(samples=ring.val[:256]), Likelihood.NONE)
    assert found["mmd"].reason == "it is not wanted here"
    assert found["energy_distance"].value is not None


def test_without_weights_the_distances_are_empty_and_the_rest_is_not(ring, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    load_map.cache_clear()
    task = replace(ring, feature_map="inception-v3")
    evidence = Evidence(samples=ring.val[:64], log_prob=torch.zeros(len(ring.test)))
    found = scored(task, evidence, Likelihood.EXACT)
    assert "weights-inception" in found["mmd"].reason
    assert str(tmp_path) in found["mmd"].reason
    assert found["mmd"].value is None and found["nll"].value == 0
    assert found["modes_captured"].value is not None


def test_tokens_are_compared_one_hot():
    task = load_task("hmm-8")
    inputs = Inputs(task, Probe(), Evidence(samples=task.val[:32]), Likelihood.NONE)
    assert inputs.get("samples").shape == (32, 8 * 4)


def test_features_of_train_are_kept_and_those_of_samples_are_not(tmp_path):
    task = load_task("digits")
    cache = FeatureCache(tmp_path)
    for _ in range(2):
        inputs = Inputs(
            task, Probe(), Evidence(samples=task.val[:32]), Likelihood.NONE, cache=cache
        )
        for name in ("samples", "reference", "train"):
            inputs.get(name)
    assert len(list(tmp_path.iterdir())) == 2
