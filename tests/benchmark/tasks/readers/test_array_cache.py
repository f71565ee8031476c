"""Arrays that several processes keep at once: each gets what was built, whoever is faster."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from dgmbench.benchmark.tasks.readers import array_cache

ROWS = np.arange(12).reshape(3, 4)


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(array_cache, "cache_folder", lambda: tmp_path / "cache")
    path = tmp_path / "rows.csv"
    path.write_text("1,2\n")
    return path


def test_arrays_that_are_replaced_at_once_are_those_that_were_built(source, monkeypatch):
    write = array_cache._write

    def taken_away(folder, *rest):
        write(folder, *rest)
        shutil.rmtree(folder)  # as one that found a damaged entry does before it writes its own

    expected = array_cache.cached("kept", [source], lambda: {"x": ROWS.T})
    monkeypatch.setattr(array_cache, "_write", taken_away)
    found = array_cache.cached("rows", [source], lambda: {"x": ROWS.T})
    assert np.array_equal(found.arrays["x"], ROWS.T)
    assert found.checksum == expected.checksum


def test_what_another_wrote_meanwhile_stays(source):
    def late():
        array_cache.cached("rows", [source], lambda: {"x": ROWS})  # another one, which is faster
        (folder,) = (source.parent / "cache" / "arrays").iterdir()
        seen.append((folder / "x.npy").stat().st_ino)
        return {"x": ROWS}

    seen = []
    array_cache.cached("rows", [source], late)
    (folder,) = (source.parent / "cache" / "arrays").iterdir()
    assert (folder / "x.npy").stat().st_ino == seen[0]


def test_many_at_once_all_get_them(source):
    every = threading.Barrier(8)

    def build():
        every.wait(10)
        return {"x": ROWS}

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: array_cache.cached("rows", [source], build), range(8)))
    assert len({one.checksum for one in found}) == 1
    assert all(np.array_equal(one.arrays["x"], ROWS) for one in found)
    assert len(list((source.parent / "cache" / "arrays").iterdir())) == 1
