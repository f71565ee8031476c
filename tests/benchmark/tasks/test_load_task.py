from __future__ import annotations

import re

import pytest
import torch
from dgmbench.benchmark.tasks import TASKS, MissingData, load_task

METRICS = set(
    "frechet_distance kernel_distance mmd energy_distance sliced_wasserstein precision recall "
    "density coverage vendi_score pairwise_diversity modes_captured high_quality reverse_kl "
    "nearest_neighbour_ratio authenticity ct_score nll bits_per_dim kl_to_truth total_variation "
    "l1_distance empirical_total_variation empirical_l1_distance log_z_error c2st "
    "inception_score".split()
)
EMBEDDED = [
    "ring-8", "banana", "gaussian-16", "mixture-64", "veegan-1200", "digits", "hypergrid-8x8",
    "hypergrid-8x8x8x8", "wine", "breast-cancer", "diabetes", "iris", "hmm-8", "hmm-64",
]  # fmt: skip
FROM_ROOT = [
    "mnist", "fashion-mnist", "cifar10", "cifar10-20k", "celeba-64", "binary-mnist-static",
    "binary-mnist-dynamic", "stacked-mnist", "olivetti", "frey-faces", "abalone", "adult",
    "california-housing", "wine-quality", "power", "gas", "hepmass", "miniboone", "bsds300",
    "miniboone-1523", "nltcs", "pumsb-star", "tinyshakespeare", "jsb-chorales", "hf:owner/name",
]  # fmt: skip
KINDS = {"plane", "vector", "image", "table", "binary", "sequence", "grid"}
KINDS |= {"binary-image", "colour-image", "wide-binary"}

SHOWN = {"domain", "train", "val", "log_reward", "log_partial_reward", "context"}


@pytest.mark.parametrize("name", EMBEDDED)
def test_a_task_keeps_the_contract(name):
    task = load_task(name)
    assert task.name == name and task.version >= 1 and task.kind in KINDS
    assert task.card.summary and task.card.pitfalls
    assert set(task.refuses) <= METRICS and all(task.refuses.values())
    assert task.primary not in task.refuses
    kind = torch.float32 if task.domain.levels is None else torch.int64
    for split in ("train", "val", "test", "holdout"):
        rows = getattr(task, split)
        if rows is not None:
            assert rows.dtype == kind
            task.domain.check(split, rows)
    if task.draw is not None:
        task.domain.check("draws", task.draw(7))
    if task.entropy is not None:
        assert task.log_density is not None


@pytest.mark.parametrize("name", FROM_ROOT)
def test_missing_data_name_the_command_and_the_root(name, root):
    with pytest.raises(MissingData, match=re.escape(f"run_all.py fetch {name}")) as caught:
        load_task(name)
    assert str(root) in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ValueError, match=r"got 'ring8'; the nearest name is 'ring-8'"):
        load_task("ring8")


def test_names_are_kebab_case():
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in TASKS)


def test_a_task_is_loaded_once():
    assert load_task("ring-8") is load_task("ring-8")


def test_models_do_not_see_the_truth():
    seen = load_task("hypergrid-8x8").for_training()
    assert set(vars(seen)) == SHOWN
