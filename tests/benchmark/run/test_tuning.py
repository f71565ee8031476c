"""Fair play: as many trials for everybody, judged on val, test never touched."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.run import pace as paces
from dgmbench.benchmark.run.job import Job, make_jobs
from dgmbench.benchmark.run.tuning import halving as search
from dgmbench.benchmark.run.tuning import trial as trials
from dgmbench.benchmark.run.tuning import tune as tuning
from dgmbench.benchmark.run.tuning.trial import Trial
from dgmbench.benchmark.suites import SUITES
from dgmbench.benchmark.suites.suite import ModelSpec, Recipe
from dgmbench.benchmark.tasks import Outline, load_task, outline_of

SPACE = {"a": (1, 2, 3), "b": ("x", "y")}


def test_draws_are_the_defaults_and_distinct_points_of_the_space():
    found = search.draws(SPACE, 5, seed=0)
    assert found[0] == {}
    assert len(found) == 5
    assert len({repr(d) for d in found}) == 5
    assert all(d["a"] in SPACE["a"] and d["b"] in SPACE["b"] for d in found[1:])
    assert found == search.draws(SPACE, 5, seed=0)


def test_a_small_space_is_drawn_once():
    assert len(search.draws(SPACE, 16, seed=0)) == 1 + 6


def test_no_draw_repeats_the_defaults():
    found = search.draws(SPACE, 16, 0, {"a": 2, "b": "y", "c": 1})
    assert {"a": 2, "b": "y"} not in found
    assert len(found) == 1 + 5
    assert len(search.draws(SPACE, 16, 0, {"a": 9, "b": "y"})) == 1 + 6


def test_every_space_names_arguments_of_its_model():
    for suite in SUITES.values():
        for name, space in suite.spaces.items():
            cls = ModelSpec.of(name, suite.models[name]).load()
            wanted = cls.__init__.__annotations__
            assert set(space) <= {*wanted, "batch_size"}, name


def trial(spec, outline=None, **budget):
    suite = replace(SUITES["quick"], budget=Budget(**budget))
    return Trial(Job(suite, outline or outline_of("ring-8"), spec, 0, "cpu", Path()))


def test_a_trial_does_not_touch_test():
    task = replace(load_task("ring-8"), test=None, holdout=None, draw=None, log_density=None)
    outline = Outline.of(task)
    spec = ModelSpec.of("gmm", SUITES["quick"].models["gmm"])
    result = trials.run_trial(trial(spec, outline, steps=20, batch_size=64))
    assert result.reason == ""
    assert result.value < 0.05
    assert 0 < result.nll < 1  # the entropy is 0.31


def test_a_trial_sees_val_in_the_place_of_test():
    task = load_task("ring-8")
    seen = trials.on_val(task)
    assert seen.test is task.val and seen.holdout is None


def test_a_bad_draw_is_kept_with_its_reason():
    spec = ModelSpec("nsf", ModelSpec.of("nsf", SUITES["quick"].models["nsf"]).target, {"bins": 0})
    result = trials.run_trial(trial(spec, steps=2, batch_size=64))
    assert result.value is None
    assert result.reason
    assert result.told()["arguments"] == {"bins": 0, "batch_size": 64}


def judged(value, stderr=0.0, nll=None, name="a"):
    spec = ModelSpec("nsf", "x:Y", {"name": name})
    found = trial(spec, steps=1, batch_size=1)
    found.value, found.stderr, found.nll = value, stderr, nll
    return found


def test_trials_that_cannot_be_told_apart_are_ordered_by_likelihood():
    best, close, far = judged(1.0, 0.1, 5.0), judged(1.2, 0.1, 4.0), judged(2.0, 0.1, 0.0)
    failed = judged(None)
    assert search.ranked([far, failed, best, close]) == [close, best, far, failed]
    assert search.ranked([failed]) == [failed]


def test_ranks_are_summed_over_tasks():
    rows = [judged(v, name=n) for n, v in (("a", 1.0), ("b", 2.0), ("c", 3.0))]
    rows += [judged(v, name=n) for n, v in (("a", 3.0), ("b", 1.0), ("c", 2.0))]
    others = load_task("grid-25")
    for row in rows[3:]:
        row.job = replace(row.job, outline=Outline.of(others))
    found = search.survivors(rows, 2)
    assert [draw["name"] for draw in found] == ["b", "a"]


def test_halving_costs_three_whole_runs():
    """Eight short runs, three longer ones, one whole run; the best of each goes on."""
    made = []

    def run(work):
        made.append(work)
        for one in work:
            one.value, one.steps = one.job.model.arguments.get("lr", 9.0), 1000
            yield one

    suite = replace(SUITES["quick"], spaces={"made": {"lr": tuple(range(1, 9))}})
    spec = ModelSpec.of("made", suite.models["made"])
    rows = search.halving(suite, spec, [outline_of("ring-8")], 8, "cpu", run)
    assert [len(work) for work in made] == [8, 3, 1]
    assert sum(row.share for row in rows) == pytest.approx(3.0)
    assert rows[-1].job.model.arguments == {"lr": min(r.value for r in rows)}
    assert all(row.steps == 1000 for row in made[1])


def test_steps_follow_from_the_compute_class():
    suite = replace(SUITES["quick"], core_minutes=0.05)
    spec = ModelSpec.of("made", suite.models["made"])
    job = replace(trial(spec, steps=1, batch_size=64).job, suite=suite)
    steps = trials.whole_run(job, load_task("ring-8"))
    assert 50 < steps < 20_000
    assert trials.two_digits(123_456) == 120_000
    assert trials.two_digits(7) == 7


def test_a_quick_machine_makes_no_more_steps_than_the_reference(monkeypatch):
    """A machine at twice the pace fits the same steps into half of the core seconds."""
    suite = replace(SUITES["quick"], core_minutes=1.0)
    spec = ModelSpec.of("made", suite.models["made"])
    job = replace(trial(spec, steps=1, batch_size=64).job, suite=suite)
    for quicker in (1, 2):
        monkeypatch.setattr(trials, "_timed", lambda job, task, n, q=quicker: 0.01 * n / q)
        monkeypatch.setattr(trials, "pace", lambda q=quicker: float(q))
        assert trials.whole_run(job, None) == pytest.approx(60 / 0.01, rel=0.2)


def test_the_pace_is_that_of_the_reference_over_ours(monkeypatch):
    monkeypatch.setattr(paces, "STEPS", 2)
    assert paces.pace() > 0
    for ours, expected in ((paces.REFERENCE, 1.0), (paces.REFERENCE / 2, 2.0)):
        monkeypatch.setattr(paces, "_seconds", lambda s=ours: s)
        assert paces.pace() == pytest.approx(expected)


def test_convergence_is_read_off_the_validation_loss():
    falls = [(i, "val", 1.0 / (1 + i)) for i in range(20)]
    stands = [(i, "val", 1.0 if i < 5 else 0.1) for i in range(20)]
    assert trials.converged(stands) is True
    assert trials.converged([(i, "val", 20.0 - i) for i in range(20)]) is False
    assert trials.converged(falls[:5]) is None


def test_a_model_without_a_recipe_gets_the_median():
    recipes = {"plane": {"nsf": Recipe(steps=100, batch_size=64), "vae": Recipe(steps=500)}}
    recipes["plane"]["made"] = Recipe(steps=300, batch_size=128)
    suite = replace(SUITES["quick"], recipes=recipes)
    assert suite.budget_of("nsf", "plane").steps == 100
    assert suite.budget_of("vae", "plane") == replace(suite.budget, steps=500)
    mine = suite.budget_of("mine", "plane")
    assert (mine.steps, mine.batch_size) == (300, 96)
    assert suite.budget_of("nsf", "image") == suite.budget


def test_a_task_whose_steps_are_cheap_has_its_own_number_of_them():
    assert tuning.shared_steps({"small": 900, "middle": 140, "large": 100}) == (
        100,
        {"small": 900},
    )
    recipes = {"binary": {"nade": Recipe(steps=100, steps_on={"nltcs": 900}), "made": Recipe()}}
    recipes["binary"]["vae"] = Recipe(steps=300)
    suite = replace(SUITES["binary"], recipes=recipes)
    assert suite.budget_of("nade", "binary", "nltcs").steps == 900
    assert suite.budget_of("nade", "binary", "plants").steps == 100
    assert suite.budget_of("mine", "binary", "nltcs").steps == 600
    (job,) = make_jobs(suite, [outline_of("nltcs")], ["nade"], [], [0], "cpu", Path("."))
    assert job.budget.steps == 900


def test_more_trials_than_the_rule_are_refused():
    with pytest.raises(ValueError, match="1 to 16"):
        tuning.tune("quick", trials=17)


def test_a_tune_that_was_cut_goes_on(tmp_path, monkeypatch):
    """What has as many trials from the same space is left out, unless it is asked for again."""
    file = tmp_path / "quick.json"
    monkeypatch.setattr(tuning, "choices_path", lambda name: file)
    monkeypatch.setattr(
        tuning, "read_choices", lambda name: json.loads(file.read_text()) if file.exists() else {}
    )
    ran = []

    def halving(suite, spec, outlines, trials, device, run):
        ran.append(spec.name)
        one = trial(spec, outlines[0], steps=1, batch_size=1)
        one.value = 1.0
        return [one]

    monkeypatch.setattr(tuning, "halving", halving)
    asked = {"models": ["made", "nsf"], "tasks": ["ring-8"]}
    tuning.tune("quick", trials=4, **asked)
    tuning.tune("quick", trials=4, **asked)
    assert ran == ["made", "nsf"]
    tuning.tune("quick", trials=4, models=["made"], tasks=["ring-8"], again=True)
    tuning.tune("quick", trials=5, models=["nsf"], tasks=["ring-8"])
    assert ran == ["made", "nsf", "made", "nsf"]


def test_steps_only_keeps_the_arguments_and_takes_those_of_standard(tmp_path, monkeypatch):
    """No trial is made; where a suite has no recipe, that of the kind in standard holds."""
    files = {name: tmp_path / f"{name}.json" for name in ("toy2d", "standard")}

    def read(name):
        return json.loads(files[name].read_text()) if files[name].exists() else {}

    def recipes_of(name):
        found = read(name).get("recipes", {})
        return {k: {m: Recipe(**r) for m, r in models.items()} for k, models in found.items()}

    monkeypatch.setattr(tuning, "choices_path", files.get)
    monkeypatch.setattr(tuning, "read_choices", read)
    monkeypatch.setattr(tuning, "recipes_of", recipes_of)
    threads, usual = [], torch.get_num_threads()
    monkeypatch.setattr(
        tuning, "whole_run", lambda job, task: threads.append(torch.get_num_threads()) or 70
    )
    theirs = {"made": {"arguments": {"lr": 0.1}, "batch_size": 32, "steps": 5}}
    theirs["nsf"] = {"arguments": {"bins": 4}, "batch_size": 16, "steps": 5}
    files["standard"].write_text(json.dumps({"recipes": {"plane": theirs}}))
    own = {"nsf": {"arguments": {"bins": 6}, "batch_size": 8, "steps": 9}}
    files["toy2d"].write_text(json.dumps({"recipes": {"plane": own}}))
    tuning.tune("toy2d", models=["made", "nsf"], tasks=["ring-8"], steps_only=True)
    assert read("toy2d")["recipes"]["plane"] == {
        "made": {"arguments": {"lr": 0.1}, "batch_size": 32, "steps": 70},
        "nsf": {"arguments": {"bins": 6}, "batch_size": 8, "steps": 70},
    }
    assert "trials" not in read("toy2d")
    assert threads == [1, 1] and torch.get_num_threads() == usual
