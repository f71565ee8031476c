"""A damaged file is found, named, set aside and made again; the others go on."""

import json
import os
import runpy
import stat
from pathlib import Path

import pytest
import torch
from dgmbench import metrics
from dgmbench.benchmark.contract.files import write_atomically
from dgmbench.benchmark.contract.probe import DEFAULT_PROBES
from dgmbench.benchmark.contract.record import read_records, read_tasks
from dgmbench.benchmark.run.stages import run_job
from dgmbench.benchmark.run.store import Store
from dgmbench.benchmark.tasks.readers.array_cache import cached
from dgmbench.leaderboards.report import Results, write_report
from dgmbench.metrics.features import FeatureCache
from dgmbench.metrics.features.linear import Pixels

HELP = runpy.run_path(str(Path(__file__).with_name("test_probes.py")))
suite, job, ring = (HELP[name] for name in ("suite", "job", "ring"))


def flip(path):
    """Turns one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def garbage(path):
    path.write_bytes(b"\xff\xfe no such thing")


DAMAGES = (flip, cut, empty, garbage, Path.unlink)


def the_job(root):
    asked = suite(*DEFAULT_PROBES, mmd=metrics.MMD, nll=metrics.NLL)
    return job(ring(conditional=True), asked, root, "RingByLabel")


def numbers(record):
    return {s.metric: s.value for s in record.scores if s.metric in ("mmd", "nll")}


STAGES = [
    ("train", "cost.json"),
    ("train", "curve.json"),
    ("train", "manifest.json"),
    ("probe", "evidence.safetensors"),
    ("probe", "claim.json"),
    ("probe", "cost.json"),
    ("probe", "manifest.json"),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    record = run_job(the_job(root))
    assert record.status == "ok", record.reason
    return numbers(record)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("stage", "file"), STAGES)
def test_a_damaged_stage_is_done_again(tmp_path, finished, stage, file, damage, capsys):
    run_job(the_job(tmp_path))
    path = next((tmp_path / "stages" / stage).glob(f"*/{file}"))
    damage(path)
    for record in (tmp_path / "records").iterdir():
        record.unlink()
    again = run_job(the_job(tmp_path))
    assert again.status == "ok"
    assert numbers(again) == finished
    said = capsys.readouterr().err
    assert str(path.parent) in said and "set aside" in said
    assert list((tmp_path / "damaged").iterdir())


@pytest.fixture
def two_records(tmp_path):
    run_job(the_job(tmp_path))
    other = job(ring(), suite(*DEFAULT_PROBES, mmd=metrics.MMD), tmp_path)
    run_job(other)
    return tmp_path


@pytest.mark.parametrize("damage", DAMAGES[:-1])
def test_a_damaged_record_is_named_and_the_others_are_read(two_records, damage, capsys):
    first, second = sorted((two_records / "records").iterdir())
    damage(first)
    assert len(read_records(two_records)) == 1
    assert first.name in capsys.readouterr().err
    assert not first.exists() and second.exists()
    assert write_report(Results.read(two_records, read_records(two_records)))


@pytest.mark.parametrize("damage", DAMAGES[:-1])
def test_a_damaged_description_of_a_task_costs_that_alone(two_records, damage, capsys):
    (path,) = (two_records / "tasks").iterdir()
    damage(path)
    assert read_tasks(two_records) == {}
    assert path.name in capsys.readouterr().err
    assert write_report(Results.read(two_records, read_records(two_records)))


def test_what_is_no_file_is_left_out_and_stays(two_records, capsys):
    (two_records / "records" / "a.json").mkdir()
    os.mkfifo(two_records / "records" / "b.json")
    assert len(read_records(two_records)) == 2
    said = capsys.readouterr().err
    assert "a.json is no file" in said and "b.json is no file" in said


def test_a_record_of_another_version_is_left_where_it_is(two_records, capsys):
    path = two_records / "records" / "later.json"
    body = b' "wisdom": 3\n}'
    import hashlib

    path.write_bytes(b'{"sha256": "%s",\n' % hashlib.sha256(body).hexdigest().encode() + body)
    assert len(read_records(two_records)) == 2
    assert "another version" in capsys.readouterr().err
    assert path.exists()


def test_in_a_folder_that_cannot_be_written_damage_is_told_only(two_records, capsys, monkeypatch):
    def refused(*_, **__):
        raise PermissionError

    first = min((two_records / "records").iterdir())
    flip(first)
    monkeypatch.setattr(Path, "mkdir", refused)
    assert len(read_records(two_records)) == 1
    assert "left out" in capsys.readouterr().err
    assert first.exists()


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    store = Store(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"), store.writing("train", "k") as folder:
        (folder / "x").write_text("whole")
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "y", b"whole")
    assert not store.done("train", "k")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == []


def test_files_have_the_permissions_of_others(tmp_path):
    write_atomically(tmp_path / "a", b"")
    (tmp_path / "b").write_bytes(b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"]
    assert modes[0] == modes[1]


def test_of_two_writers_of_one_stage_one_stays(tmp_path):
    store = Store(tmp_path)
    with store.writing("train", "k") as first, store.writing("train", "k") as second:
        (first / "x").write_text("first")
        (second / "x").write_text("second")
    assert (store.open("train", "k") / "x").read_text() == "first"


def test_a_store_is_absolute_from_the_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store(Path("here"))
    monkeypatch.chdir("/")
    assert store.root == tmp_path / "here"


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_features_are_computed_anew(tmp_path, damage, capsys):
    cache, network = FeatureCache(tmp_path), Pixels(levels=4)
    x = torch.randint(4, (8, 1, 2, 2), generator=torch.Generator().manual_seed(0))
    first = cache(network, x)
    damage(cache.path(network, x))
    assert torch.equal(cache(network, x), first)
    if damage is not Path.unlink:
        assert "computed anew" in capsys.readouterr().err
    assert torch.equal(FeatureCache(tmp_path)(network, x), first)


def test_features_of_other_code_have_another_name(tmp_path):
    network, x = Pixels(levels=4), torch.zeros(2, 1, 2, 2, dtype=torch.int64)
    assert FeatureCache(tmp_path, "a").path(network, x) != FeatureCache(tmp_path, "b").path(
        network, x
    )


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["x.npy", "sha256.json"])
def test_damaged_arrays_are_built_again(tmp_path, monkeypatch, name, damage):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = tmp_path / "source"
    source.write_text("rows")

    def build():
        return {"x": torch.arange(100).numpy()}

    first = cached("rows", [source], build)
    path = next(tmp_path.rglob(name))
    expected = first.arrays["x"].tolist()
    del first
    damage(path)
    assert cached("rows", [source], build).arrays["x"].tolist() == expected
    json.loads(next(tmp_path.rglob("sha256.json")).read_text())
