from __future__ import annotations

import io
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from dgmbench.benchmark.tasks import load_task
from dgmbench.benchmark.tasks.images import binary_mnist
from dgmbench.benchmark.tasks.images import parquet_sets as images
from dgmbench.benchmark.tasks.images.parquet_sets import SHA256
from dgmbench.benchmark.tasks.readers import array_cache as arrays
from dgmbench.benchmark.tasks.registry import named_task
from PIL import Image

# The module, which the function of its name hides.
STACKED = sys.modules["dgmbench.benchmark.tasks.images.stacked_mnist"]


def encoded(pixels: np.ndarray, kind: str = "PNG") -> dict[str, bytes | str | None]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return {"bytes": buffer.getvalue(), "path": None}


def write_parquet(path: Path, pictures: np.ndarray, column: str = "image") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {column: [encoded(x) for x in pictures], "label": list(range(len(pictures)))}
    kinds = datasets.Features({column: datasets.Image(), "label": datasets.Value("int64")})
    datasets.Dataset.from_dict(rows, features=kinds).to_parquet(path)


def pictures(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, (n, *shape)).astype(np.uint8)


@pytest.fixture
def small_mnist(root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, np.ndarray]:
    """A set of MNIST's layout: 40 and 10 images; the checksum of the real one is set aside."""
    train, test = pictures(40, 28, 28), pictures(10, 28, 28, seed=1)
    write_parquet(root / "mnist" / "train.parquet", train)
    write_parquet(root / "mnist" / "test.parquet", test)
    monkeypatch.setitem(SHA256, "mnist", None)
    sizes = {"train": 24, "val": 8, "test": 10, "holdout": 8}
    monkeypatch.setitem(images.SIZES, "mnist", sizes)
    return train, test


def test_pixels_and_order_are_kept(small_mnist):
    train, test = small_mnist
    task = load_task("mnist")
    assert task.domain.shape == (1, 28, 28) and task.domain.levels == 256
    assert task.train.dtype == torch.uint8
    every = torch.cat([task.train, task.val, task.holdout])[:, 0].numpy()
    assert np.array_equal(every, train) and np.array_equal(task.test[:, 0].numpy(), test)


def test_other_pixels_than_the_published_are_refused(small_mnist, monkeypatch):
    monkeypatch.setitem(SHA256, "mnist", "0" * 64)
    with pytest.raises(
        ValueError, match=r"Expected mnist with SHA-256 0000000000000000\.\.\., got"
    ):
        load_task("mnist")


def test_a_truncated_file_is_named_and_nothing_else_is_said(small_mnist, root, capfd):
    path = root / "mnist" / "train.parquet"
    path.write_bytes(path.read_bytes()[:-400])
    capfd.readouterr()
    with pytest.raises(ValueError, match=r"Expected a whole Parquet file at .*train\.parquet"):
        load_task("mnist")
    assert capfd.readouterr() == ("", "")


def test_a_changed_file_changes_the_checksum(small_mnist, root):
    before = load_task("mnist").checksum
    named_task.cache_clear()
    write_parquet(root / "mnist" / "test.parquet", pictures(10, 28, 28, seed=2))
    assert load_task("mnist").checksum != before


def test_a_file_without_images_is_named(small_mnist, root):
    datasets.Dataset.from_dict({"text": ["a"]}).to_parquet(root / "mnist" / "test.parquet")
    with pytest.raises(
        ValueError, match=r"Expected a column 'image' or 'img' in .*got \['text'\]"
    ):
        load_task("mnist")


def test_images_are_decoded_once(small_mnist, monkeypatch):
    first = load_task("mnist").train.clone()
    named_task.cache_clear()
    monkeypatch.setattr(images, "parquet_pixels", None)  # would raise if it were called
    assert torch.equal(load_task("mnist").train, first)


def test_an_altered_cache_is_made_again(small_mnist):
    first = load_task("mnist").train.clone()
    (cached,) = (arrays.cache_folder() / "arrays").glob("mnist-*/train.npy")
    data = bytearray(cached.read_bytes())
    data[-20_000] ^= 1
    cached.write_bytes(data)
    named_task.cache_clear()
    assert torch.equal(load_task("mnist").train, first)


def test_writing_to_rows_leaves_the_cache_alone(small_mnist):
    task = load_task("mnist")
    first = task.train.clone()
    task.train.zero_()
    named_task.cache_clear()
    assert torch.equal(load_task("mnist").train, first)


def test_dynamic_binarisation_has_the_grey_levels_as_means(small_mnist):
    grey, task = load_task("mnist"), load_task("binary-mnist-dynamic")
    assert task.domain.levels == 2 and len(task.train) == 4 * len(grey.train)
    x, p = task.train.float(), grey.train.float().repeat(4, 1, 1, 1) / 255
    stderr = (p * (1 - p)).mean().sqrt() / x.numel() ** 0.5
    assert abs(float((x - p).mean())) < 4 * stderr
    assert (x[p == 0] == 0).all() and (x[p == 1] == 1).all()
    copies = x.view(4, -1)
    assert not torch.equal(copies[0], copies[1])


def test_stacks_are_made_of_the_digits(small_mnist, monkeypatch):
    monkeypatch.setattr(STACKED, "STACKS", {"train": 50, "val": 5, "test": 30, "holdout": 5})
    grey, task = load_task("mnist"), load_task("stacked-mnist")
    assert task.train.shape == (50, 3, 28, 28) and task.modes.count == 1000
    digits = {x.numpy().tobytes() for x in grey.test}
    assert all(channel.numpy().tobytes() in digits for x in task.test for channel in x)


def test_stacked_modes_read_the_digits_as_a_number(monkeypatch):
    monkeypatch.setattr(STACKED, "classify_mnist", lambda x: x[:, 0, 0, 0].long())
    x = torch.zeros(2, 3, 28, 28, dtype=torch.uint8)
    x[0, :, 0, 0] = torch.tensor([3, 1, 4])
    x[1, :, 0, 0] = torch.tensor([0, 0, 9])
    assert STACKED.classify(x).tolist() == [314, 9]


def test_static_binarisation_reads_the_original_layout(root, monkeypatch):
    monkeypatch.setattr(binary_mnist, "STATIC_ROWS", {"train": 5, "valid": 3, "test": 2})
    bits = {k: pictures(n, 784) % 2 for k, n in binary_mnist.STATIC_ROWS.items()}
    (root / "binary_mnist").mkdir()
    for split, rows in bits.items():
        text = "\n".join(" ".join(map(str, row)) + " " for row in rows) + "\n"
        (root / "binary_mnist" / f"binarized_mnist_{split}.amat").write_text(text)
    task = load_task("binary-mnist-static")
    assert np.array_equal(task.val.flatten(1).numpy(), bits["valid"])
    named_task.cache_clear()
    path = root / "binary_mnist" / "binarized_mnist_test.amat"
    path.write_text(path.read_text()[:-10])
    with pytest.raises(ValueError, match=r"Expected 2 images of 784 bits in .* cut short"):
        load_task("binary-mnist-static")


def test_celeba_is_cropped_and_resized(root, monkeypatch):
    sizes = {"train": 11, "val": 12, "test": 12, "holdout": 1}
    monkeypatch.setitem(images.SIZES, "celeba-64", sizes)
    faces = np.zeros((12, 218, 178, 3), np.uint8)
    faces[:, 39:179, 19:159] = 200  # the central 140 x 140 square
    for split in ("train", "valid", "test"):
        write_parquet(root / "celeba" / f"{split}.parquet", faces)
    task = load_task("celeba-64")
    assert task.domain.shape == (3, 64, 64)
    assert (task.train == 200).all()
    assert [len(x) for x in (task.train, task.val, task.test, task.holdout)] == [11, 12, 12, 1]


def test_cifar10_is_refused_in_part(root):
    write_parquet(root / "cifar10" / "train.parquet", pictures(20, 32, 32, 3), "img")
    write_parquet(root / "cifar10" / "test.parquet", pictures(10, 32, 32, 3), "img")
    with pytest.raises(ValueError, match="Expected 50,000 training images of cifar10, got 20"):
        load_task("cifar10")


def test_a_set_of_the_hub_is_split(root):
    rows = pictures(50, 6, 5, 3)
    write_parquet(root / "hf" / "owner" / "name" / "train.parquet", rows)
    task = load_task("hf:owner/name")
    assert task.domain.shape == (3, 6, 5)
    parts = [task.train, task.val, task.test, task.holdout]
    assert [len(x) for x in parts] == [35, 5, 5, 5]
    every = torch.cat(parts).permute(0, 2, 3, 1).numpy()
    assert {x.tobytes() for x in every} == {x.tobytes() for x in rows}


def test_a_set_of_the_hub_keeps_its_test(root):
    folder = root / "hf" / "owner" / "name"
    write_parquet(folder / "train.parquet", pictures(50, 6, 5))
    write_parquet(folder / "test.parquet", pictures(7, 6, 5, seed=3))
    task = load_task("hf:owner/name")
    assert [len(x) for x in (task.train, task.val, task.test, task.holdout)] == [40, 5, 7, 5]
    assert np.array_equal(task.test[:, 0].numpy(), pictures(7, 6, 5, seed=3))


def test_rows_of_the_hub_without_an_image_are_named(root):
    kinds = datasets.Features({"image": datasets.Image()})
    rows = {"image": [encoded(x) for x in pictures(12, 6, 5)] + [None]}
    path = root / "hf" / "owner" / "name" / "train.parquet"
    path.parent.mkdir(parents=True)
    datasets.Dataset.from_dict(rows, features=kinds).to_parquet(path)
    with pytest.raises(ValueError, match=r"Expected an image at row 12 of .*, got none"):
        load_task("hf:owner/name")


def test_a_set_of_the_hub_with_two_sizes_is_refused(root):
    write_parquet(root / "hf" / "owner" / "name" / "train.parquet", pictures(50, 6, 5))
    write_parquet(root / "hf" / "owner" / "name" / "test.parquet", pictures(7, 6, 6))
    with pytest.raises(ValueError, match=r"Expected hf:owner/name of shapes .*7, 1, 6, 5"):
        load_task("hf:owner/name")


def save_folder(folder: Path, rows: np.ndarray, kind: str = "png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, x in enumerate(rows):
        Image.fromarray(x).save(folder / f"{i:03}.{kind}")


def test_a_folder_is_a_task(tmp_path):
    save_folder(tmp_path / "own" / "inner", pictures(20, 8, 8))
    task = load_task(f"folder:{tmp_path / 'own'}")
    assert task.domain.shape == (1, 8, 8) and len(task.train) == 14


def test_grey_and_colour_together_are_colour(tmp_path):
    save_folder(tmp_path, pictures(10, 8, 8))
    save_folder(tmp_path / "more", pictures(10, 8, 8, 3))
    assert load_task(f"folder:{tmp_path}").domain.shape == (3, 8, 8)


def test_bad_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"Expected a folder of images, got .*nowhere"):
        load_task(f"folder:{tmp_path / 'nowhere'}")
    with pytest.raises(ValueError, match="Expected folder:path, got no path"):
        load_task("folder:")
    (tmp_path / "a.png").mkdir()  # a folder of that name is no image
    with pytest.raises(ValueError, match=r"Expected images \(.*png.*\) in .*, got none"):
        load_task(f"folder:{tmp_path}")
    save_folder(tmp_path, pictures(12, 8, 8))
    Image.new("L", (8, 9)).save(tmp_path / "tall.png")
    with pytest.raises(
        ValueError, match=r"one size, got 8x8 at .*000\.png and 8x9 at .*tall\.png"
    ):
        load_task(f"folder:{tmp_path}")
    (tmp_path / "tall.png").write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"Expected an image at .*tall\.png, got a corrupt one"):
        load_task(f"folder:{tmp_path}")
    (tmp_path / "tall.png").unlink()
    Image.new("F", (8, 8)).save(tmp_path / "real.tif")
    with pytest.raises(ValueError, match=r"image of 8 or 16 bits at .*real\.tif, got real"):
        load_task(f"folder:{tmp_path}")


def test_a_folder_of_few_images_is_refused(tmp_path):
    save_folder(tmp_path, pictures(9, 8, 8))
    with pytest.raises(ValueError, match="Expected at least 10 images to split, got 9"):
        load_task(f"folder:{tmp_path}")


# Real data.


@pytest.mark.parametrize(
    ("name", "shape", "sizes", "mean"),
    [
        ("mnist", (1, 28, 28), [50_000, 5_000, 10_000, 5_000], 33.791),
        pytest.param(
            "fashion-mnist",
            (1, 28, 28),
            [50_000, 5_000, 10_000, 5_000],
            73.147,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "cifar10-20k",
            (3, 32, 32),
            [8_000, 1_000, 10_000, 1_000],
            121.529,
            marks=pytest.mark.slow,
        ),
        ("olivetti", (1, 64, 64), [240, 40, 80, 40], None),
        ("frey-faces", (1, 28, 20), [1_365, 200, 200, 200], None),
    ],
)
def test_real_sets(real_root, name, shape, sizes, mean):
    task = load_task(name)
    assert task.domain.shape == shape and task.domain.levels == 256
    assert [len(x) for x in (task.train, task.val, task.test, task.holdout)] == sizes
    few = task.domain.dim >= min(len(task.test), 1025)
    assert ("frechet_distance" in task.refuses) == (task.feature_map == "pixels" and few)
    if mean is not None:
        assert float(task.test.double().mean()) == pytest.approx(mean, abs=0.001)


def test_the_shipped_classifier_reads_mnist(real_root):
    import pyarrow.parquet as pq

    labels = torch.tensor(pq.read_table(real_root / "mnist" / "test.parquet")["label"].to_pylist())
    task = load_task("mnist")
    guess = task.modes.assign(task.test[:2000])
    assert float((guess == labels[:2000]).float().mean()) > 0.98
