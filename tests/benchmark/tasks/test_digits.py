from __future__ import annotations

import numpy as np
import pytest
import sklearn.datasets
import torch
from dgmbench.benchmark.tasks import load_task
from dgmbench.benchmark.tasks.split import cut, permutation, stratified

SPLITS = {"train": 797, "val": 200, "test": 400, "holdout": 400}


def labels_of(images: torch.Tensor) -> np.ndarray:
    bunch = sklearn.datasets.load_digits()
    known = {
        x.astype(np.int64).tobytes(): y for x, y in zip(bunch.images, bunch.target, strict=True)
    }
    return np.array([known[x[0].numpy().tobytes()] for x in images])


def test_splits_are_a_partition_of_the_images():
    task = load_task("digits")
    parts = [getattr(task, split) for split in SPLITS]
    assert [len(part) for part in parts] == list(SPLITS.values())
    every = torch.cat(parts)
    assert every.dtype == torch.int64 and every.shape[1:] == (1, 8, 8)
    expected = torch.from_numpy(sklearn.datasets.load_digits().images).long().flatten(1)
    assert torch.equal(every.flatten(1).unique(dim=0), expected.unique(dim=0))
    task.domain.check("images", every)


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_the_classes_in_proportion(split):
    rows = getattr(load_task("digits"), split)
    count = np.bincount(labels_of(rows), minlength=10)
    whole = np.bincount(sklearn.datasets.load_digits().target) / 1797
    assert np.abs(count - whole * len(rows)).max() <= 1.5


def test_rows_of_a_split_are_in_random_order():
    labels = labels_of(load_task("digits").test)
    repeats = (labels[1:] == labels[:-1]).sum()  # 10 % by chance, 0 where classes take turns
    assert 20 <= repeats <= 62


def test_modes_are_the_classes():
    task = load_task("digits")
    assert task.modes.count == 10 and task.modes.over == "all"
    guess = task.modes.assign(task.test).numpy()
    assert (guess == labels_of(task.test)).mean() > 0.95


def test_altered_images_are_refused(monkeypatch):
    bunch = sklearn.datasets.load_digits()
    bunch.images[5, 3, 3] += 1
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: bunch)
    with pytest.raises(ValueError, match=r"Expected digits with SHA-256 .* altered or cut short"):
        load_task("digits")


def test_stratified_keeps_proportions_in_every_run():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    order = stratified(labels)
    assert sorted(order) == list(range(1000))
    for part in np.split(labels[order], 10):
        assert np.abs(np.bincount(part, minlength=3) - [60, 30, 10]).max() <= 1


def test_permutation_never_changes():
    assert permutation(10).tolist() == [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]


def test_cut_wants_sizes_that_add_up():
    with pytest.raises(ValueError, match=r"Expected sizes that add up to 5 rows, got \[2, 2\]"):
        cut(np.arange(5), [2, 2])
