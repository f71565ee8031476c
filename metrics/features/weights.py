"""Where the weights of the published networks are, and whether they are the right ones."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified(path: Path, checksum: str, advice: str) -> Path:
    """Returns the path of a file of weights whose content is the right one.

    Args:
        path: Where the file should be.
        checksum: SHA-256 of the content in hex, or its beginning; empty: any content will do.
        advice: How to come by the file, for the message.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The content has another checksum.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the weights {path.name} in {path.parent}, found no such file; {advice}."
        )
    if checksum and not (found := sha256(path)).startswith(checksum.lower()):
        raise ValueError(
            f"Expected weights {path} with a SHA-256 that begins with {checksum}, got {found}."
        )
    return path


def in_hub_cache(repository: str, filename: str) -> Path:
    """Returns where the Hugging Face hub's cache keeps a file, whether it is there or not.

    Args:
        repository: Owner and name on the hub, such as `facebook/dinov2-large`.
        filename: Name of the file in the repository.
    """
    from huggingface_hub import constants, try_to_load_from_cache

    found = try_to_load_from_cache(repository, filename)
    if isinstance(found, str):
        return Path(found)
    return Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / filename


def blob_checksum(path: Path) -> str:
    """Returns the SHA-256 by which the hub's cache names a file; empty outside the cache."""
    name = path.resolve().name
    return name if len(name) == 64 and set(name) <= set("0123456789abcdef") else ""
