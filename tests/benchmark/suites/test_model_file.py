"""A user's model is rarely one file, and what goes wrong at its import is one sentence."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from dgmbench.benchmark.run.keys import content as keys
from dgmbench.benchmark.suites.model_file import load_model_class
from dgmbench.benchmark.suites.suite import ModelSpec

MODEL = """
{imports}
class Mine:
    width = WIDTH
    def fit(self, task, budget):
        {late}
    def sample(self, n):
        return None
"""


def write(folder, imports="from net import WIDTH", late="pass", width=1, name="model.py"):
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "net.py").write_text(f"WIDTH = {width}\n")
    (folder / name).write_text(MODEL.format(imports=imports, late=late))
    return f"{folder / name}:Mine"


@pytest.mark.parametrize(
    "imports", ["from net import WIDTH", "from .net import WIDTH", "import net\nWIDTH = net.WIDTH"]
)
def test_it_imports_what_lies_beside_it(tmp_path, imports):
    assert load_model_class(write(tmp_path, imports)).width == 1


def test_relative_imports_work_in_a_folder_that_is_a_package(tmp_path):
    target = write(tmp_path / "package", "from .net import WIDTH")
    (tmp_path / "package" / "__init__.py").write_text("")
    assert load_model_class(target).width == 1


def test_two_folders_do_not_share_their_modules(tmp_path):
    a, b = write(tmp_path / "a", width=1), write(tmp_path / "b", width=2)
    assert (load_model_class(a).width, load_model_class(b).width) == (1, 2)
    assert "net" not in sys.modules


def test_what_it_imports_late_lies_beside_it_too(tmp_path):
    late = "import net; self.found = net.WIDTH"
    specs = [
        ModelSpec("mine", write(tmp_path / k, late=late, width=w)) for k, w in (("a", 1), ("b", 2))
    ]
    for spec, width in zip(specs, (1, 2), strict=True):
        model = spec.load()()
        with spec.around():
            model.fit(None, None)
        assert model.found == width
    assert str(tmp_path / "a") not in sys.path


def test_a_module_of_a_package_is_named_with_dots(tmp_path, monkeypatch):
    write(tmp_path / "laboratory", "from .net import WIDTH")
    (tmp_path / "laboratory" / "__init__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert load_model_class("laboratory.model:Mine").width == 1
    spec = ModelSpec("mine", "laboratory.model:Mine")
    monkeypatch.syspath_prepend(tmp_path)
    before = keys.model_key(spec)
    (tmp_path / "laboratory" / "net.py").write_text("WIDTH = 100\n")
    assert keys.model_key(spec) != before


def test_what_it_imports_belongs_to_its_key(tmp_path):
    spec = ModelSpec("mine", write(tmp_path, width=1))
    before = keys.model_key(spec)
    (tmp_path / "net.py").write_text("# a remark\nWIDTH = 1\n")
    assert keys.model_key(spec) == before
    (tmp_path / "net.py").write_text("WIDTH = 10\n")
    assert keys.model_key(spec) != before


def test_a_file_that_nothing_imports_does_not(tmp_path):
    spec = ModelSpec("mine", write(tmp_path))
    before = keys.model_key(spec)
    (tmp_path / "plots.py").write_text("X = 1\n")
    assert keys.model_key(spec) == before


def test_the_same_files_in_another_folder_are_the_same_model(tmp_path):
    a, b = write(tmp_path / "a"), write(tmp_path / "b")
    assert keys.model_key(ModelSpec("x", a)) == keys.model_key(ModelSpec("y", b))


TROUBLES = {
    "import sys; sys.exit(0)": "ends the process",
    "import argparse; argparse.ArgumentParser().parse_args(['--no'])": "ends the process",
    "1 / 0": "ZeroDivisionError: division by zero",
    "import no_such_package_anywhere": "ModuleNotFoundError",
    "def (": "to be Python",
    "class E(Exception):\n    def __str__(self): raise OSError\nraise E": "to import, got E",
    "raise GeneratorExit": "GeneratorExit",
}


@pytest.mark.parametrize("text", TROUBLES)
def test_what_goes_wrong_is_one_sentence(tmp_path, text):
    target = write(tmp_path, f"{text}\nWIDTH = 1")
    with pytest.raises(ValueError, match=TROUBLES[text]) as caught:
        load_model_class(target)
    assert "model.py" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["__class__", "", "a\nb", "No Name", "[/]"])
def test_a_name_must_be_one_of_a_class(tmp_path, name):
    target = write(tmp_path).rpartition(":")[0] + ":" + name
    with pytest.raises(ValueError, match="Expected the name of a class"):
        load_model_class(target)


def test_a_missing_class_is_told_with_those_there_are(tmp_path):
    target = write(tmp_path).replace(":Mine", ":Other")
    with pytest.raises(ValueError, match=r"Expected a class Other in .*, got Mine"):
        load_model_class(target)


def test_a_claim_is_one_of_five_words(tmp_path):
    target = write(tmp_path, late="pass\n    likelihood = 'Exact'")
    with pytest.raises(ValueError, match="exact, lower bound, estimate, unnormalized, none"):
        load_model_class(target)


def test_an_import_leaves_the_process_as_it_was(tmp_path):
    target = write(
        tmp_path,
        "import os, sys, random, numpy, torch\n"
        "torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False)\n"
        "torch.manual_seed(5); numpy.random.seed(5); random.seed(5); numpy.seterr(all='raise')\n"
        "os.chdir('/'); sys.argv[:] = ['mine']; sys.path.append('mine')\n"
        "os.environ['MINE'] = '1'\n"
        "WIDTH = 1",
    )

    def state():
        numbers = np.random.get_state()
        return (
            torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_rng_state().tolist(),
            numbers[1].tolist(), random.getstate(), np.geterr(), os.getcwd(), list(sys.argv),
            list(sys.path), dict(os.environ),
        )  # fmt: skip

    before = state()
    load_model_class(target)
    assert state() == before


def test_a_factory_is_as_good_as_a_class(tmp_path):
    write(tmp_path)
    (tmp_path / "make.py").write_text("from model import Mine\ndef wide():\n    return Mine()\n")
    assert load_model_class(f"{tmp_path / 'make.py'}:wide")().width == 1


@pytest.mark.slow
@pytest.mark.parametrize("script", ["run.py", "env/bin/dgmbench"])
def test_a_program_within_the_folder_of_a_model_goes_on(tmp_path, script):
    """As `.venv/bin/dgmbench` does where a project holds its environment: it starts processes."""
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "class Mine:\n"
        "    def fit(self, task, budget): self.x = task.train\n"
        "    def sample(self, n): return self.x[torch.randint(len(self.x), (n,))] + 0.1\n"
    )
    path = tmp_path / script
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "import sys\n"
        "from dgmbench.benchmark.cli.main import main\n"
        "sys.argv[1:] = ['check', 'mine.py:Mine', '--domains', 'plane']\n"
        "if __name__ == '__main__':\n"
        "    main()\n"
    )
    done = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Mine holds the contract" in done.stdout


def test_an_environment_within_the_folder_is_not_the_models(tmp_path, monkeypatch):
    (tmp_path / "env" / "lib").mkdir(parents=True)
    (tmp_path / "env" / "lib" / "part_of_python.py").write_text("x = 1\n")
    (tmp_path / "mine.py").write_text("import part_of_python\nclass Mine: pass\n")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    monkeypatch.syspath_prepend(str(tmp_path / "env" / "lib"))
    load_model_class(f"{tmp_path / 'mine.py'}:Mine")
    assert sys.modules.pop("part_of_python").x == 1
