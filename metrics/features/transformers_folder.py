"""Where the networks that transformers holds find their weights."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .weights import blob_checksum, in_hub_cache, verified

FILE = "model.safetensors"


def model_folder(weights: Path | str | None, repository: str, checksum: str) -> Path:
    """Returns the folder that holds a model's configuration and its verified weights.

    Args:
        weights: The folder, or None for the Hugging Face hub's cache.
        repository: Owner and name on the hub.
        checksum: SHA-256 of the weights, or its beginning; if empty, the one that the hub's cache
            has on record.

    Raises:
        FileNotFoundError: No such weights, or no configuration beside them.
        ValueError: The weights have another checksum.
    """
    advice = (
        f"fetch {repository} with `hf download` on a machine with a network, "
        "or name a folder as `weights`"
    )
    path = Path(weights) / FILE if weights else in_hub_cache(repository, FILE)
    verified(path, checksum or blob_checksum(path), advice)
    verified(path.with_name("config.json"), "", advice)
    return path.parent


def pretrained(architecture: str, folder: Path) -> Any:
    """Returns a network of transformers with the weights of a folder.

    Args:
        architecture: Name of a model's class in transformers.
        folder: What `model_folder` returned.

    Raises:
        ImportError: transformers is not installed.
    """
    if find_spec("transformers") is None:
        raise ImportError("Expected transformers, which holds the network; install it with pip.")
    kind = getattr(import_module("transformers"), architecture)
    return kind.from_pretrained(folder, local_files_only=True)
