"""What a user says of a model on the command line: arguments, name, budget; variants of ours."""

from dataclasses import replace
from functools import partial

import pytest
from dgmbench.benchmark.contract.record import read_records
from dgmbench.benchmark.run.execution import execute
from dgmbench.benchmark.run.plan import make_plan
from dgmbench.benchmark.run.users.specs import (
    AS_IT_IS,
    Variant,
    parsed_arguments,
    user_spec,
    with_users,
)
from dgmbench.benchmark.suites import load_suite
from dgmbench.benchmark.suites.suite import ModelSpec

MINE = '''
from functools import partial
import torch

class Shift:
    """Rows of train and some noise, told apart by its arguments."""
    def __init__(self, scale=0.1, hidden=(1,)):
        self.scale, self.hidden = scale, hidden
    def fit(self, task, budget):
        self.rows, self.steps = task.train, budget.steps
    def sample(self, n):
        rows = self.rows[torch.randint(len(self.rows), (n,))]
        return rows + self.scale * torch.randn_like(rows)

def factory(scale=0.2):
    return Shift(scale)

wide = partial(Shift, scale=0.4)
'''


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([], {}),
        (["hidden=256,lr=1e-3"], {"hidden": 256, "lr": 1e-3}),
        (["hidden=(256, 256)", "schedule=cosine"], {"hidden": (256, 256), "schedule": "cosine"}),
        (["a=None,b=True,c=-1,d='x,y',e={'f': [1]}"],
         {"a": None, "b": True, "c": -1, "d": "x,y", "e": {"f": [1]}}),
    ],
)  # fmt: skip
def test_arguments_are_python_literals_or_words(texts, found):
    assert parsed_arguments(texts) == found


@pytest.mark.parametrize(
    "text", ["", "a", "a b", "3", "a=b=c", "**a", "a=f()", "a=1)(", "a=__import__('os')", "a.b=1"]
)
def test_other_texts_are_refused_in_a_sentence(text):
    with pytest.raises(ValueError, match="Expected arguments as name=value"):
        parsed_arguments([text])


def test_an_argument_that_is_given_twice_is_refused():
    with pytest.raises(ValueError, match="once, got a twice"):
        parsed_arguments(["a=1", "a=2"])


def test_a_baseline_by_name_keeps_its_recipes_and_takes_what_is_said():
    suite = load_suite("quick")
    variant = Variant({"bins": 4}, "small", steps=50)
    found, ours, users = with_users(suite, ["nsf"], variant)
    assert (ours, users) == (["small"], [])
    for kind in ("plane", "image"):
        base = suite.spec("nsf", kind).arguments
        assert found.spec("small", kind).arguments == {**base, "bins": 4}
        budget = suite.budget_of("nsf", kind)
        assert found.budget_of("small", kind) == replace(budget, steps=50)
        assert found.budget_of("nsf", kind) == suite.budget_of("nsf", kind)
    assert found.spec("small", "plane").target == suite.spec("nsf", "plane").target


def test_users_models_get_the_budget_that_is_asked_for(mine):
    suite = load_suite("quick")
    found, ours, (spec,) = with_users(suite, [f"{mine}:Shift"], Variant({"scale": 1}, steps=9))
    assert ours == [] and spec.name == "Shift" and spec.arguments == {"scale": 1}
    budget = found.budget_of("Shift", "plane")
    assert budget.steps == 9
    assert budget.batch_size == suite.budget_of("unknown", "plane").batch_size
    for kind in ("plane", "image"):
        assert found.budget_of("unknown", kind) == suite.budget_of("unknown", kind)
    assert with_users(suite, [f"{mine}:Shift"])[0] is suite


@pytest.mark.parametrize(
    ("models", "variant", "said"),
    [
        (["nsf"], AS_IT_IS, "got nsf twice"),
        (["nsf", "made"], Variant(name="x"), "one model under the name x, got 2"),
        (["nsf"], Variant({"binz": 3}, "x"), "did you mean bins"),
        ([], Variant({"a": 1}), "Expected a --model to which"),
        (["x=nsf", "x=made"], AS_IT_IS, "got x twice"),
        (["nsf"], Variant(name=" "), "1 to 100 printed letters"),
        (["nfs"], AS_IT_IS, "a baseline's name"),
    ],
)
def test_what_makes_no_sense_is_told(models, variant, said):
    with pytest.raises(ValueError, match=said):
        with_users(load_suite("quick"), models, variant)


@pytest.mark.parametrize(("steps", "size"), [(0, None), (None, 0), (-3, None)])
def test_budgets_of_nothing_are_refused(steps, size):
    with pytest.raises(ValueError, match="Expected at least one"):
        Variant(steps=steps, batch_size=size)


def test_a_name_goes_before_that_of_the_class(mine):
    assert user_spec(f"other={mine}:Shift").name == "other"
    assert user_spec("wide=nsf") == ModelSpec("wide", user_spec("nsf").target)
    _, _, (spec,) = with_users(load_suite("quick"), [f"{mine}:Shift"], Variant(name="mine-wide"))
    assert spec.name == "mine-wide"


def test_classes_functions_and_partials_run_side_by_side(mine, tmp_path):
    """Each variant is a row of its own; the record says what it was given, the row its budget."""
    plan = partial(make_plan, "quick", out=tmp_path / "out", tasks=["ring-8"], models=["none"])
    first = plan(
        user_models=[f"{mine}:Shift", f"{mine}:factory", f"{mine}:wide"],
    )
    execute(first, lambda job, record: None)
    variant = Variant({"scale": 0.3}, "far", steps=7, batch_size=5)
    execute(plan(user_models=[f"{mine}:Shift"], variant=variant), lambda job, record: None)
    records = {r.model: r for r in read_records(tmp_path / "out" / "quick")}
    assert {r.status for r in records.values()} == {"ok"}, [r.reason for r in records.values()]
    assert set(records) == {"Shift", "factory", "wide", "far"}
    assert records["far"].arguments == {"scale": 0.3}
    assert records["far"].budget == {"steps": 7, "batch_size": 5}
    assert records["far"].notes == ("its user's own budget: 7 steps of 5",)
    assert records["Shift"].notes == ()
    values = {n: next(s.value for s in r.scores if s.metric == "mmd") for n, r in records.items()}
    assert values["Shift"] < values["factory"] < values["wide"]


def test_none_is_for_users_alone(tmp_path):
    with pytest.raises(ValueError, match="Expected a --model of yours"):
        make_plan("quick", out=tmp_path, models=["none"])
