"""The wheel: it holds every module and weight, and runs from a clean environment."""

import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import dgmbench
import pytest

ROOT = Path(dgmbench.__file__).parent
FOLDERS = ("baselines", "benchmark", "leaderboards", "metrics")


def call(*words, cwd):
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_packages_that_are_listed_are_the_folders():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {
        ".".join(("dgmbench", *path.parent.relative_to(ROOT).parts))
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }
    assert sorted(listed["packages"]) == sorted({"dgmbench", *folders})
    for package, patterns in listed["package-data"].items():
        folder = ROOT.joinpath(*package.split(".")[1:])
        assert all(list(folder.glob(pattern)) for pattern in patterns), package


@pytest.mark.slow
def test_the_wheel_runs_in_a_clean_environment(tmp_path):
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("dgmbench is installed without its checkout")
    build = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    call(sys.executable, *build, str(ROOT), cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "env", with_pip=True)
    python = str(tmp_path / "env" / "bin" / "python")
    call(python, "-m", "pip", "install", "-q", "--no-deps", str(wheel), cwd=tmp_path)
    # The dependencies are borrowed from this environment; dgmbench itself is not.
    site = Path(next(p for p in sys.path if p.endswith("site-packages")))
    (home,) = (tmp_path / "env").rglob("site-packages")
    (home / "borrowed.pth").write_text(f"{site}\n")
    where = call(python, "-c", "import dgmbench; print(dgmbench.__file__)", cwd=tmp_path)
    assert str(tmp_path / "env") in where
    run = ["run", "--tasks", "ring-8,digits", "--models", "oracle,noise", "--workers", "1"]
    call(str(tmp_path / "env" / "bin" / "dgmbench"), *run, cwd=tmp_path)
    assert (tmp_path / "results" / "quick" / "report.html").exists()
