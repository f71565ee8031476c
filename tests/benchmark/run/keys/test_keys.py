"""What is stored depends on everything it was made from, and on nothing else."""

import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import dgmbench
import pytest
import torch
from dgmbench import metrics
from dgmbench.baselines import MODELS
from dgmbench.benchmark.run.job import Job
from dgmbench.benchmark.run.keys import content as keys
from dgmbench.benchmark.run.keys.sources import Sources, version
from dgmbench.benchmark.run.keys.stage_keys import stage_keys
from dgmbench.benchmark.suites import SUITES
from dgmbench.benchmark.suites.suite import ModelSpec, Recipe
from dgmbench.benchmark.tasks import TASKS, outline_of
from dgmbench.benchmark.tasks.densities.mixtures import Mixture
from dgmbench.metrics.features import digits_cnn

ROOT = Path(dgmbench.__file__).parent
SPLINES = "baselines/flows/splines.py"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The package's sources, to be edited."""
    root = tmp_path_factory.mktemp("sources") / "dgmbench"
    skipped = shutil.ignore_patterns(".*", "results", "tests", "__pycache__")
    shutil.copytree(ROOT, root, ignore=skipped)
    return root


class Edit:
    """Appends text to a file and takes it away again."""

    def __init__(self, path, text):
        self.path, self.text = path, text

    def __enter__(self):
        self.before = self.path.read_text()
        self.path.write_text(self.before + self.text)

    def __exit__(self, *_):
        self.path.write_text(self.before)
        stat = self.path.stat()
        os.utime(self.path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def closures(root, things):
    sources = Sources({"dgmbench": root})
    return {name: sources.closure(module).key() for name, module in things.items()}


MODULES = {name: cls.__module__ for name, cls in MODELS.items()}
METRICS = {cls.__name__: cls.__module__ for cls in metrics.FUNCTIONS}


@pytest.mark.parametrize(
    ("file", "changes", "spares"),
    [
        (SPLINES, {"nsf"}, {"vae", "made", "kde"}),
        ("baselines/training.py", {"nsf", "vae", "gan", "ddpm"}, {"kde", "gmm", "noise"}),
        ("baselines/scaling.py", {"nsf", "vae"}, {"oracle", "memoriser"}),
        ("benchmark/contract/task.py", set(MODELS), set()),
        ("baselines/latent/vae.py", {"vae"}, set(MODELS) - {"vae"}),
        ("metrics/distance/mmd.py", set(), set(MODELS)),
    ],
)
def test_an_edit_changes_the_models_that_import_it_and_no_other(copy, file, changes, spares):
    before = closures(copy, MODULES)
    with Edit(copy / file, "\nEDITED = 1\n"):
        after = closures(copy, MODULES)
    changed = {name for name in MODULES if before[name] != after[name]}
    assert changes <= changed
    assert not changed & spares
    assert closures(copy, MODULES) == before


@pytest.mark.parametrize(
    ("file", "changes", "spares"),
    [
        ("metrics/numerics/neighbours.py", {"PRDC"}, {"MMD", "NLL"}),
        ("metrics/numerics/linalg.py", {"FrechetDistance"}, {"NLL"}),
        ("metrics/estimate.py", set(METRICS), set()),
        ("metrics/diversity/vendi.py", {"VendiScore"}, set(METRICS) - {"VendiScore"}),
    ],
)
def test_an_edit_changes_the_metrics_that_import_it_and_no_other(copy, file, changes, spares):
    before = closures(copy, METRICS)
    with Edit(copy / file, "\nEDITED = 1\n"):
        after = closures(copy, METRICS)
    changed = {name for name in METRICS if before[name] != after[name]}
    assert changes <= changed
    assert not changed & spares


@pytest.mark.parametrize("text", ["\n# a remark\n", "\n\n\n", '\n"""A sentence behind."""\n'])
def test_what_computes_nothing_changes_nothing(copy, text):
    source = (copy / SPLINES).read_text()
    before = closures(copy, MODULES)
    if text.startswith('\n"""'):  # a docstring instead of a string behind the code
        (copy / SPLINES).write_text(source.replace('"""', '"""Another word. ', 1))
        after = closures(copy, MODULES)
        (copy / SPLINES).write_text(source)
    else:
        with Edit(copy / SPLINES, text):
            after = closures(copy, MODULES)
    assert after == before


def test_weights_beside_a_module_are_a_part_of_it(copy):
    things = {"map": digits_cnn.__name__, "task": TASKS["digits"].__module__}
    before = closures(copy, things)
    file = copy / "metrics/features/digits_cnn.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    after = closures(copy, things)
    file.write_bytes(data)
    assert before["map"] != after["map"]
    assert before["task"] != after["task"]  # its modes are the classes of that network


def test_imports_for_types_alone_are_no_part(tmp_path):
    (tmp_path / "heavy.py").write_text("X = 1\n")
    (tmp_path / "mine.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import heavy\n"
    )
    found = Sources({}, tmp_path).closure("mine")
    assert set(found.modules) == {"mine"}


def test_versions_of_what_computes_count(tmp_path):
    (tmp_path / "mine.py").write_text("import sklearn.cluster, json\ndef f():\n    import scipy\n")
    found = Sources({}, tmp_path).closure("mine")
    assert set(found.versions) == {"torch", "sklearn", "scipy"}
    assert found.versions["torch"] == torch.__version__ == version("torch")


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_has_a_key_without_its_rows(name, monkeypatch):
    def refuse(*_):
        raise AssertionError("rows were read")

    outline = outline_of(name)
    monkeypatch.setattr(type(outline), "load", refuse)
    key = keys.content_key(keys.task_key(outline))
    assert key == keys.content_key(keys.task_key(outline_of(name)))


def test_tasks_that_differ_in_one_number_differ_in_their_keys():
    def mixture(std):
        return Mixture(torch.zeros(2, 2), std)

    def key(std):
        return keys.described(partial(mixture(std).sample, 3))

    assert key(0.1) == key(0.1)
    assert key(0.1) != key(0.2)


def test_all_keys_of_tasks_differ():
    found = {name: keys.content_key(keys.task_key(outline_of(name))) for name in TASKS}
    assert len(set(found.values())) == len(found)


def test_captured_values_arguments_and_defaults_are_described():
    def make(scale):
        def draw(n, shift=1.0):
            return scale * n + shift

        return draw

    assert keys.described(make(1)) == keys.described(make(1))
    assert keys.described(make(1)) != keys.described(make(2))
    assert keys.described(make(torch.ones(2))) != keys.described(make(torch.zeros(2)))
    assert keys.described(partial(make, 1)) != keys.described(partial(make, 2))


def test_a_description_of_what_holds_itself_ends():
    ring = {}
    ring["self"] = ring
    assert keys.described(ring) == {"self": "itself"}


def test_arguments_of_answers_alone_do_not_train_again():
    def spec(**arguments):
        toys = Path(__file__).parents[1] / "toy_models.py"
        return ModelSpec("refined", f"{toys}:Refined", arguments)

    assert keys.model_key(spec(rate=0.1)) == keys.model_key(spec(rate=0.9))
    assert keys.probe_arguments(spec(rate=0.1)) != keys.probe_arguments(spec(rate=0.9))


def test_a_models_arguments_are_a_part_of_its_key():
    def key(**arguments):
        return keys.content_key(
            keys.model_key(ModelSpec.of("nsf", partial(MODELS["nsf"], **arguments)))
        )

    assert key(bins=8) == key(bins=8)
    assert len({key(), key(bins=8), key(bins=12)}) == 3


def test_a_metrics_arguments_are_a_part_of_its_key():
    assert keys.metric_key(partial(metrics.PRDC, k=3)) != keys.metric_key(metrics.PRDC)


def test_a_map_goes_by_its_weights_and_levels(monkeypatch, tmp_path):
    assert keys.map_key("one-hot", 4) != keys.map_key("one-hot", 5)
    before = keys.map_key("digits-cnn", 17)
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other weights")
    monkeypatch.setattr(digits_cnn.DigitsCNN, "weights_file", classmethod(lambda cls: other))
    keys.map_key.cache_clear()
    assert keys.map_key("digits-cnn", 17) != before
    other.unlink()
    keys.map_key.cache_clear()
    assert keys.map_key("digits-cnn", 17)["weights"] == "missing"
    keys.map_key.cache_clear()


def test_a_large_file_is_hashed_once(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    large = tmp_path / "large"
    large.write_bytes(bytes(2**20 + 1))
    first = keys.file_sha256(large)
    keys._hashed.cache_clear()
    monkeypatch.setattr(keys, "_hashed", lambda *_: pytest.fail("hashed again"))
    assert keys.file_sha256(large) == first


def test_a_recipe_is_a_part_of_what_is_trained():
    """Its steps, batch size and arguments train again; whether it had converged does not."""

    def train_key(**recipe):
        suite = replace(SUITES["quick"], recipes={"plane": {"nsf": Recipe(**recipe)}})
        spec = suite.spec("nsf", "plane")
        job = Job(suite, outline_of("ring-8"), spec, 0, "cpu", Path(), suite.probes)
        return stage_keys(job)["train"]

    usual = train_key(steps=100, batch_size=64)
    assert train_key(steps=100, batch_size=64, converged=True) == usual
    others = [
        train_key(steps=200, batch_size=64),
        train_key(steps=100, batch_size=128),
        train_key(steps=100, batch_size=64, arguments={"bins": 12}),
    ]
    assert len({usual, *others}) == 4
    asked = {"arguments": {"particles": 4}}
    assert train_key(steps=100, batch_size=64, **asked) == usual
