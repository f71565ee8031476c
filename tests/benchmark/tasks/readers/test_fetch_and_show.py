from __future__ import annotations

import sys
import tarfile
from functools import partial
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from dgmbench.benchmark.cli.card import near_duplicates, show_task, vectors
from dgmbench.benchmark.contract.task import Domain
from dgmbench.benchmark.tasks import MissingData, data_root, fetch, load_task
from dgmbench.benchmark.tasks.readers import originals
from dgmbench.benchmark.tasks.readers.decode import parquet_pixels
from dgmbench.benchmark.tasks.readers.fetch import BEGINNING
from dgmbench.benchmark.tasks.readers.originals import ORIGINALS
from PIL import Image
from scipy.io import savemat

MODULE = "dgmbench.benchmark.tasks.readers.fetch"  # a name that the function of that name hides


def brought_from(place, name, monkeypatch):
    """The file of a task, the arguments of its writer, and from now on its original in `place`."""
    ((file, write),) = ORIGINALS[name].items()
    made = partial(write.func, place.as_uri(), *write.args[1:])
    monkeypatch.setitem(ORIGINALS, name, {file: made})
    return file, write.args


def test_embedded_tasks_need_nothing(root):
    assert fetch("ring-8") == [] and fetch("digits") == []
    assert list(root.iterdir()) == []


def test_a_name_that_no_task_has_is_not_fetched(root):
    with pytest.raises(ValueError, match=r"got 'mnits'; the nearest name is 'mnist'"):
        fetch("mnits")


def test_texts_are_brought_once(root, tmp_path, monkeypatch):
    source = tmp_path / "input.txt"
    source.write_text("To be, or not to be")
    file, _ = brought_from(source, "tinyshakespeare", monkeypatch)
    assert fetch("tinyshakespeare") == [root / file]
    source.unlink()
    assert fetch("tinyshakespeare") == []  # it is there
    assert [p.name for p in (root / "sequences").iterdir()] == ["tinyshakespeare.txt.gz"]


def test_bits_are_brought_as_one_file(root, tmp_path, monkeypatch):
    folder = tmp_path / "datasets" / "nltcs"
    folder.mkdir(parents=True)
    for i, split in enumerate(("train", "valid", "test")):
        (folder / f"nltcs.{split}.data").write_text("0,1,1\n" * (i + 2))
    monkeypatch.setattr(originals, "DEBD", tmp_path.as_uri())
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
    brought_from(tmp_path / "nothing.txt", "abalone", monkeypatch)
    with pytest.raises(MissingData, match=r"run_all\.py fetch abalone.*DGMBENCH_DATA") as caught:
        fetch("abalone")
    assert str(root) in str(caught.value)
    assert list((root / "tabular").iterdir()) == []  # nothing half-written


@pytest.mark.parametrize(("name", "side"), [("olivetti", (64, 64)), ("frey-faces", (28, 20))])
def test_faces_are_turned_into_images(name, side, root, tmp_path, monkeypatch):
    _, (_, variable, _) = brought_from(tmp_path / "faces.mat", name, monkeypatch)
    image = np.arange(side[0] * side[1], dtype=np.uint16).reshape(side)
    column = image.T.reshape(-1) if name == "olivetti" else image.reshape(-1)
    savemat(tmp_path / "faces.mat", {variable: np.stack([column] * 20, axis=1)})
    (path,) = fetch(name)
    with np.load(path) as archive:
        assert np.array_equal(archive["images"], np.stack([image] * 20))
        assert archive["labels"].tolist() == [0] * 10 + [1] * 10
    assert fetch(name) == []


def test_chorales_are_brought_as_one_file(root, tmp_path, monkeypatch):
    brought_from(tmp_path / "all.tgz", "jsb-chorales", monkeypatch)
    for split, number in (("train", "000"), ("valid", "229"), ("test", "305")):
        table = tmp_path / "jsb_chorales" / split / f"chorale_{number}.csv"
        table.parent.mkdir(parents=True)
        table.write_text("note0,note1,note2,note3\n74,70,65,58\n0,70,65,58\n")
    with tarfile.open(tmp_path / "all.tgz", "w:gz") as archive:
        archive.add(tmp_path / "jsb_chorales", "jsb_chorales")
    (path,) = fetch("jsb-chorales")
    with np.load(path) as archive:
        assert sorted(archive.files) == ["test_305", "train_000", "valid_229"]
        assert archive["test_305"].tolist() == [[74, 70, 65, 58], [0, 70, 65, 58]]
        assert archive["test_305"].dtype == np.uint8


@pytest.mark.parametrize("name", ["olivetti", "frey-faces", "jsb-chorales"])
def test_what_is_brought_is_what_the_checksum_is_of(name, real_root, root, tmp_path, monkeypatch):
    """From originals made of the arrays in the data root, laid out as their sources are."""
    file, arguments = brought_from(tmp_path / "original", name, monkeypatch)
    with np.load(real_root / file) as archive:
        arrays = dict(archive)
    if name == "jsb-chorales":
        with tarfile.open(tmp_path / "original", "w:gz") as tar:
            for key, notes in arrays.items():
                split, number = key.split("_")
                table = tmp_path / "table.csv"
                np.savetxt(table, notes, "%d", ",", header="note0,note1,note2,note3", comments="")
                tar.add(table, f"jsb_chorales/{split}/chorale_{number}.csv")
    else:
        images = arrays["images"].transpose(0, 2, 1) if name == "olivetti" else arrays["images"]
        savemat(tmp_path / "original", {arguments[1]: images.reshape(len(images), -1).T}, False)
    fetch(name)
    assert load_task(name).train is not None


def test_the_first_batch_is_cut_out_of_the_whole_set(root, monkeypatch):
    monkeypatch.setattr(sys.modules[MODULE], "BATCH", 12)
    kinds = datasets.Features({"img": datasets.Image(), "label": datasets.Value("int64")})
    labels = [*range(12), *BEGINNING, 0, 1, *range(12)]
    pictures = [Image.fromarray(np.full((2, 2), i, dtype=np.uint8)) for i in range(36)]
    rows = datasets.Dataset.from_dict({"img": pictures, "label": labels}, features=kinds)
    monkeypatch.setattr(datasets, "load_dataset", hub(rows, datasets.load_dataset))
    paths = fetch("cifar10-20k")
    assert [path.name for path in paths] == [
        "test.parquet",
        "train.parquet",
        "train-batch1.parquet",
    ]
    first = parquet_pixels(root / "cifar10/train-batch1.parquet")
    assert first[:, 0, 0, 0].tolist() == list(range(12, 24))
    assert fetch("cifar10-20k") == []


def hub(rows, load):
    """`datasets.load_dataset` with a set of the hub that has these rows."""

    def load_dataset(name, **arguments):
        if name == "parquet":
            return load(name, **arguments)
        return {"train": rows, "test": rows}

    return load_dataset


@pytest.mark.parametrize("name", ["binary-mnist-static", "power"])
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
    text = show_task(name, path)
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
