"""CONTRIBUTING says which places a new model, metric, task, suite or column touches."""

import ast
import re
from pathlib import Path

import dgmbench
import pytest
from dgmbench import metrics
from dgmbench.baselines import MODELS
from dgmbench.benchmark.suites import SUITES
from dgmbench.benchmark.tasks import TASKS
from dgmbench.leaderboards.tables.columns import LABELS
from dgmbench.metrics.features import FEATURE_MAPS

ROOT = Path(dgmbench.__file__).parent
TEXT = ROOT / "CONTRIBUTING.md"
ROOMS = ("baselines", "benchmark", "leaderboards", "metrics")
pytestmark = pytest.mark.skipif(not TEXT.exists(), reason="installed without its checkout")


def table():
    """The rows of the table "Where a thing is": what to add, and the cells behind it."""
    part = TEXT.read_text().partition("## Where a thing is")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| a")]
    return {row[0].removeprefix("a ").split(",")[0].split("'")[0]: row[1:] for row in rows}


@pytest.fixture(scope="module")
def imports():
    """Path of a module to the pairs (where from, name) that it imports."""
    return {
        path.relative_to(ROOT).as_posix(): {
            (node.module or "", name.name)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
            for name in node.names
        }
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
    }


def knowing(imports, name):
    return {path for path, pairs in imports.items() if name in {n for _, n in pairs}}


def file_of(cls):
    return cls.__module__.removeprefix("dgmbench.").replace(".", "/") + ".py"


def test_every_place_that_is_named_is_there():
    for path in re.findall(
        r"`((?:baselines|benchmark|metrics|leaderboards|tests)/[\w/.]*)`", TEXT.read_text()
    ):
        assert (ROOT / path).exists() or "realnvp" in path or "<" in path, path


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_known_to_its_family_the_list_suites_and_comparisons_alone(name, imports):
    own = file_of(MODELS[name])
    listed = ("baselines/__init__.py", "benchmark/suites/", "benchmark/reproduce/")
    allowed = (own.rpartition("/")[0], *listed)
    places = {own.removesuffix(".py").rpartition("/")[2], "baselines", ""}
    knows = {
        path
        for path, pairs in imports.items()
        for module, word in pairs
        if word == MODELS[name].__name__ and module.rpartition(".")[2] in places
    }
    assert knows and all(path.startswith(allowed) for path in knows)
    assert own.startswith("baselines/")


@pytest.mark.parametrize("cls", sorted(metrics.FUNCTIONS, key=lambda c: c.__name__))
def test_a_metric_is_known_to_metrics_suites_and_comparisons_alone(cls, imports):
    allowed = ("metrics/", "benchmark/suites/", "benchmark/speed/", "benchmark/reproduce/")
    assert all(path.startswith(allowed) for path in knowing(imports, cls.__name__))


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_is_known_to_the_list_and_to_suites_that_follow_it(name, imports):
    pair = (name, name.upper())
    knows = {path for path, pairs in imports.items() if pair in pairs and "suites" in path}
    assert "benchmark/suites/__init__.py" in knows
    full = f"suites.{name}"
    assert not [path for path, pairs in imports.items() if full in {m for m, _ in pairs}]


def test_a_metric_without_a_heading_has_one_made_of_its_name():
    """A column needs no line in the table of headings to be shown."""
    from dgmbench.leaderboards.tables.columns import label, theme

    assert (label("my_new_metric"), theme("my_new_metric")) == ("My new metric", "further metrics")
    assert "mmd" in LABELS


def test_the_lists_are_where_the_table_says():
    assert MODELS and metrics.FUNCTIONS and TASKS and SUITES and FEATURE_MAPS
    said = {
        "model": "baselines/__init__.py",
        "metric": "metrics/__init__.py",
        "task": "benchmark/tasks/registry.py",
        "suite": "benchmark/suites/__init__.py",
        "feature map": "metrics/features/__init__.py",
    }
    for what, path in said.items():
        assert path in " ".join(table()[what]), what
    assert "leaderboards/tables/columns.py" in " ".join(table()["column"])
    assert "benchmark/run/execution.py" in " ".join(table()["way to run cells elsewhere"])
