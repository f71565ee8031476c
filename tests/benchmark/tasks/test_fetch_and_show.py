from __future__ import annotations

import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from dgmbench.benchmark.task import Domain
from dgmbench.benchmark.tasks import MissingData, data_root, fetch, load_task, show
from dgmbench.benchmark.tasks.fetch import TEXTS
from dgmbench.benchmark.tasks.pictures import parquet_pixels
from dgmbench.benchmark.tasks.show import near_duplicates, vectors
from PIL import Image

MODULE = "dgmbench.benchmark.tasks.fetch"  # a name that the function of that name hides


def test_embedded_tasks_need_nothing(root):
    assert fetch("ring-8") == [] and fetch("digits") == []
    assert list(root.iterdir()) == []


def test_a_name_that_no_task_has_is_not_fetched(root):
    with pytest.raises(ValueError, match=r"got 'mnits'; the nearest name is 'mnist'"):
        fetch("mnits")


def test_texts_are_brought_once(root, tmp_path, monkeypatch):
    source = tmp_path / "input.txt"
    source.write_text("To be, or not to be")
    file = "sequences/tinyshakespeare.txt.gz"
    monkeypatch.setitem(TEXTS, "tinyshakespeare", {file: source.as_uri()})
    assert fetch("tinyshakespeare") == [root / file]
    source.unlink()
    assert fetch("tinyshakespeare") == []  # it is there
    assert [p.name for p in (root / "sequences").iterdir()] == ["tinyshakespeare.txt.gz"]


def test_bits_are_brought_as_one_file(root, tmp_path, monkeypatch):
    folder = tmp_path / "datasets" / "nltcs"
    folder.mkdir(parents=True)
    for i, split in enumerate(("train", "valid", "test")):
        (folder / f"nltcs.{split}.data").write_text("0,1,1\n" * (i + 2))
    monkeypatch.setattr(sys.modules[MODULE], "DEBD", tmp_path.as_uri())
    (path,) = fetch("nltcs")
    with np.load(path) as archive:
        assert [archive[k].shape for k in ("train", "valid", "test")] == [(2, 3), (3, 3), (4, 3)]
        assert archive["train"].dtype == np.uint8 and archive["test"][0].tolist() == [0, 1, 1]


def test_a_set_of_the_hub_is_written_as_parquet(root, monkeypatch):
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    picture = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4))
    rows = datasets.Dataset.from_dict({"image": [picture] * 12, "label": [0] * 12}, features=kinds)
    asked = []

    def load_dataset(name):
        asked.append(name)
        return {"train": rows, "test": rows}

    with monkeypatch.context() as patch:
        patch.setattr(datasets, "load_dataset", load_dataset)
        paths = fetch("hf:owner/name")
    assert asked == ["owner/name"]
    assert {p.relative_to(root).as_posix() for p in paths} == {
        "hf/owner/name/train.parquet",
        "hf/owner/name/test.parquet",
    }
    x = parquet_pixels(root / "hf/owner/name/train.parquet")
    assert x.shape == (12, 1, 4, 4) and x[0].ravel().tolist() == list(range(16))


def test_a_set_of_the_hub_without_train_is_refused(root, monkeypatch):
    monkeypatch.setattr(datasets, "load_dataset", lambda name: {"validation": None})
    with pytest.raises(ValueError, match=r"Expected a split 'train' of owner/name, got \['valid"):
        fetch("hf:owner/name")


@pytest.mark.parametrize("name", ["hf:name", "hf:../name", "hf:owner/../name", "hf:/etc/name"])
def test_names_that_leave_the_data_root_are_refused(name, root):
    for do in (fetch, load_task):
        with pytest.raises(ValueError, match="Expected the name of a set as hf:owner/name"):
            do(name)


def test_what_cannot_be_reached_says_what_to_do(root, tmp_path, monkeypatch):
    nowhere = (tmp_path / "nothing.txt").as_uri()
    monkeypatch.setitem(TEXTS, "abalone", {"tabular/abalone.csv.gz": nowhere})
    with pytest.raises(MissingData, match=r"run_all\.py fetch abalone.*DGMBENCH_DATA") as caught:
        fetch("abalone")
    assert str(root) in str(caught.value)
    assert list((root / "tabular").iterdir()) == []  # nothing half-written


@pytest.mark.parametrize("name", ["binary-mnist-static", "olivetti", "power", "jsb-chorales"])
def test_what_has_to_be_brought_by_hand_is_named(name, root):
    with pytest.raises(MissingData, match="put it there by hand, from"):
        fetch(name)


def test_a_root_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DGMBENCH_DATA", str(tmp_path / "file" / "root"))
    with pytest.raises(ValueError, match="Expected a data root that can be written"):
        fetch("abalone")


@pytest.mark.parametrize(
    "name", ["ring-8", "digits", "hypergrid-8x8", "hypergrid-8x8x8x8", "iris", "hmm-8"]
)
def test_show_writes_a_picture_and_the_card(name, tmp_path):
    path = tmp_path / "picture.png"
    text = show(name, path)
    with Image.open(path) as picture:
        assert picture.width == 800
        assert len(np.unique(np.asarray(picture))) > 10
    assert text.startswith(f"{name}, version {load_task(name).version}: ") and "Pitfalls: " in text
    assert "near" in text.lower()


def test_near_duplicates_are_counted():
    generator = torch.Generator().manual_seed(0)
    train = torch.randn(500, 20, generator=generator)
    test = torch.randn(100, 20, generator=generator)
    embed = vectors(Domain((20,)))
    assert near_duplicates(train, test, embed) == (0, 0)
    test[:3] = train[:3]
    test[3:8] = train[3:8] + 0.05
    assert near_duplicates(train, test, embed) == (3, 5)


def test_symbols_that_are_names_are_all_equally_far_apart():
    x = torch.tensor([[0], [1], [9]])
    apart = torch.pdist(vectors(Domain((1,), levels=10, ordered=False))(x))
    assert apart.tolist() == pytest.approx([2**0.5] * 3)
    assert torch.pdist(vectors(Domain((1,), levels=10))(x)).tolist() == [1, 9, 8]


def test_the_data_root_is_in_the_cache_folder_by_default(monkeypatch):
    monkeypatch.delenv("DGMBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert data_root() == Path("/somewhere/dgmbench/data")
    monkeypatch.setenv("DGMBENCH_DATA", "~/mine")
    assert data_root() == Path.home() / "mine"
