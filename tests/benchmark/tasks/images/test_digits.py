from __future__ import annotations

import numpy as np
import pytest
import sklearn.datasets
import torch
from dgmbench.benchmark.tasks import load_task
from dgmbench.benchmark.tasks.split import cut, permutation
from dgmbench.metrics import energy_distance, mmd
from dgmbench.metrics.features import feature_map
from scipy import stats

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


@pytest.mark.parametrize("features", ["identity", "digits-cnn"])
def test_held_out_digits_are_to_test_as_fresh_ones_would_be(features):
    """A split by class would put the oracle's distances below 0: its rows would be too alike."""
    task = load_task("digits")
    held_out, test = map(feature_map(features), (task.holdout.float(), task.test.float()))
    for distance in (mmd, energy_distance):
        found = distance(held_out, test)
        assert abs(found.value) < 2 * found.stderr


def test_classes_differ_between_splits_as_by_chance():
    task = load_task("digits")
    table = [np.bincount(labels_of(getattr(task, split)), minlength=10) for split in SPLITS]
    # A split by class has chi^2 near 0, p near 1; random splits have p uniform on [0, 1].
    assert 0.01 < stats.chi2_contingency(table).pvalue < 0.99


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


def test_permutation_never_changes():
    assert permutation(10).tolist() == [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]


def test_cut_wants_sizes_that_add_up():
    assert [part.tolist() for part in cut(10, [6, 4])] == [[2, 8, 4, 9, 1, 6], [7, 3, 0, 5]]
    with pytest.raises(ValueError, match=r"Expected sizes that add up to 5 rows, got \[2, 2\]"):
        cut(5, [2, 2])
