"""What a feature map is: a frozen module that turns points of a task into rows of features."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn


class FrozenMap(nn.Module):
    """A feature map: always in evaluation mode, without gradients, batched internally.

    Whatever decides the features is a parameter, a buffer or part of `settings`, so that
    `fingerprint` tells two maps apart by what they compute and not by what they are called.

    Args:
        batch: Rows that go through the network at once; bounds the memory, not the result.

    Attributes:
        name: Name of the map, in kebab case.
        version: Raised whenever the definition of the features changes.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1

    def __init__(self, batch: int = 1024) -> None:
        super().__init__()
        if batch < 1:
            raise ValueError(f"Expected a batch of at least 1 row, got {batch}.")
        self.batch = batch

    @classmethod
    def weights_file(cls) -> Path | None:
        """Returns the file of the weights that it has by default, there or not; None without."""
        return None

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """Returns the features of one batch, shape `(B, *shape)` to `(B, d)`."""

    def settings(self) -> dict[str, object]:
        """Returns what decides the features beside parameters and buffers."""
        return {}

    def freeze(self) -> Self:
        """Returns the map itself in evaluation mode, its parameters without gradients."""
        return self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode, whatever the module around it does."""
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the features of all rows.

        Args:
            x: Points in the task's domain, shape `(N, *shape)`; moved to the map's device.

        Returns:
            Features, floating point, shape `(N, d)`, on the map's device.

        Raises:
            ValueError: `x` holds no points.
        """
        if x.ndim < 1 or len(x) == 0:
            raise ValueError(f"Expected points of shape (N, *shape), got {tuple(x.shape)}.")
        device = next((t.device for t in self.state_dict().values()), x.device)
        with torch.no_grad():
            return torch.cat([self.features(rows.to(device)) for rows in x.split(self.batch)])

    def fingerprint(self) -> str:
        """Returns the SHA-256 of name, version, settings, parameters and buffers, in hex."""
        digest = hashlib.sha256(f"{self.name} {self.version} {self.settings()}".encode())
        for key, value in sorted(self.state_dict().items()):
            digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(content(value))
        return digest.hexdigest()


def content(x: Tensor) -> bytes:
    """Returns the bytes of a tensor, row by row, as they are hashed."""
    flat = x.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()
