from __future__ import annotations

import os
from pathlib import Path

import pytest
from dgmbench.benchmark.tasks.registry import named_task


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Decoded arrays go to a folder of the test, and no task is remembered from another test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    named_task.cache_clear()
    yield
    named_task.cache_clear()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data root."""
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("DGMBENCH_DATA", str(folder))
    return folder


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def real_root(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data root with the real sets, decoded once a session."""
    folder = os.environ.get("DGMBENCH_DATA")
    if not folder or not Path(folder, "mnist", "train.parquet").is_file():
        pytest.skip("needs real data: set DGMBENCH_DATA to a data root")
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))
    return Path(folder)
