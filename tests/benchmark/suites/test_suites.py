"""What every suite promises: names that exist, choices that fit, metrics that choose."""

import pytest
from dgmbench import metrics
from dgmbench.baselines import MODELS
from dgmbench.benchmark.contract.task import Domain
from dgmbench.benchmark.run.recording import SAMPLING_COSTS, TRAINING_COSTS
from dgmbench.benchmark.run.scoring.by_metric import metric_protocol
from dgmbench.benchmark.suites import SUITES, load_suite
from dgmbench.benchmark.tasks import TASKS, MissingData, load_task
from dgmbench.leaderboards.tables import columns

NAMES = [
    "quick",
    "standard",
    "toy2d",
    "highdim",
    "tabular",
    "binary",
    "sequences",
    "mnist",
    "images",
    "reward",
    "canary",
]


def tasks_here(suite):
    for name in suite.tasks:
        try:
            yield load_task(name)
        except MissingData:
            continue


def test_the_suites_are_the_contract():
    assert list(SUITES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_suite_names_what_there_is(name):
    suite = load_suite(name)
    assert set(suite.tasks) <= set(TASKS)
    assert set(suite.models) <= set(MODELS)
    assert {"oracle", "memoriser", "noise"} <= set(suite.models)
    assert "minutes" in suite.summary or "hour" in suite.summary
    assert "cores" in suite.summary


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_goes_by_the_name_of_its_function(name):
    for metric, factory in SUITES[name].metrics.items():
        cls = getattr(factory, "func", factory)
        assert metrics.FUNCTIONS[cls].__name__ == metric, metric_protocol(factory)


@pytest.mark.parametrize("name", NAMES)
def test_the_metric_that_chooses_is_one_of_the_suite_and_not_refused(name):
    suite = SUITES[name]
    firsts = {}
    for task in tasks_here(suite):
        firsts.setdefault(task.kind, task)
    for task in firsts.values():
        assert task.primary in suite.metrics, task.name
        assert task.primary not in task.refuses, task.name


@pytest.mark.parametrize("name", NAMES)
def test_chosen_arguments_build_every_model(name):
    suite = load_suite(name)
    for kind, recipes in suite.recipes.items():
        for model in recipes:
            spec = suite.spec(model, kind)
            domain = Domain((3,), levels=2 if kind.endswith("binary") else None)
            cls = spec.load()
            if not cls.supports(domain):
                cls(domain, **spec.arguments)


def test_every_number_of_every_metric_has_a_heading():
    names = {
        output
        for cls, function in metrics.FUNCTIONS.items()
        for output in (cls.unit if isinstance(cls.unit, dict) else [function.__name__])
    }
    costs = {name for name, *_ in (*TRAINING_COSTS, *SAMPLING_COSTS)}
    assert set(columns.LABELS) == names | costs
