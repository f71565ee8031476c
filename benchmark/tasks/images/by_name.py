"""Any image set by name: `hf:owner/name` of the Hugging Face hub, and `folder:path`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract.files import tell
from ...contract.task import Card, Domain, Task
from ..outline import Loaded, Outline
from ..readers.array_cache import Cached, cached
from ..readers.data_root import data_root, find
from ..readers.decode import folder_pixels, image_files, parquet_pixels
from ..split import permutation, tensors
from .parquet_sets import image_task, pair

SPLITS = ("train", "val", "test", "holdout")


def shuffled_split(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Returns a fixed random split: a tenth each (at most 5,000) is val, test and holdout.

    Of images that are equal to the last pixel one is kept, so that no copy of a training image
    is tested on.
    """
    _, first = np.unique(images.reshape(len(images), -1), axis=0, return_index=True)
    if len(first) < len(images):
        tell(f"{len(images) - len(first)} of {len(images)} images are copies and are left out.")
        images = images[np.sort(first)]
    part = min(5_000, len(images) // 10)
    if part < 1:
        raise ValueError(f"Expected at least 10 images to split, got {len(images)}.")
    parts = np.split(permutation(len(images)), [-3 * part, -2 * part, -part])
    return {split: images[index] for split, index in zip(SPLITS, parts, strict=True)}


def repository(name: str) -> str:
    """Returns owner/name of a task `hf:owner/name`.

    Raises:
        ValueError: It is not of this form.
    """
    found = name.removeprefix("hf:")
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", found):
        raise ValueError(f"Expected the name of a set as hf:owner/name, got {name!r}.")
    return found


def hub_images(name: str) -> Task:
    """Returns the task `hf:owner/name`: an image set of the Hugging Face hub, fetched before.

    Its test split, where it has one, is the test; else a tenth of the images is.

    Raises:
        MissingData: It was not fetched.
        ValueError: Its images differ in size, or a file is damaged.
    """
    folder = f"hf/{repository(name)}"
    has_test = (data_root() / folder / "test.parquet").is_file()
    paths = find(name, *(pair(folder) if has_test else pair(folder)[:1]))

    def build() -> dict[str, NDArray[Any]]:
        parts = shuffled_split(parquet_pixels(paths[0]))
        if has_test:
            parts["train"] = np.concatenate([parts["train"], parts["test"]])
            parts["test"] = parquet_pixels(paths[1])
        return parts

    return _task(
        name, cached(_file_name(name), paths, build), f"{repository(name)} on the Hugging Face hub"
    )


def folder_images(name: str) -> Task:
    """Returns the task `folder:path`: the images of a folder, split by a fixed permutation.

    Raises:
        ValueError: The folder has no images, images of several sizes, or a corrupt one.
    """
    given = name.removeprefix("folder:")
    if not given:
        raise ValueError("Expected folder:path, got no path; folder:. is the present folder.")
    folder = Path(given).expanduser()
    found = cached(
        _file_name(f"folder-{folder.name}"),
        image_files(folder),
        lambda: shuffled_split(folder_pixels(folder)),
    )
    return _task(name, found, f"the folder {folder.name}")


def _task(name: str, found: Cached, source: str) -> Task:
    sizes = {split: len(x) for split, x in found.arrays.items()}
    domain = Domain(found.arrays["train"].shape[1:], levels=256)
    card = Card(
        summary=f"An image of shape {'x'.join(map(str, domain.shape))} from {source}.",
        source=source,
        licence="see its source",
        pitfalls="The split is ours. Distances are between raw pixels.",
    )
    # Version 1 compared levels, 2 kept copies.
    task = image_task(name, domain, sizes["test"], card, version=3)
    return Outline(task, sizes, lambda: Loaded(tensors(found.arrays), found.checksum)).load()


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
