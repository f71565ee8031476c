"""Modules whose buffers take their sizes from what is loaded into them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Resizable(nn.Module):
    """A module whose `load_state_dict` takes over the shapes of its own buffers.

    How many rows a kernel density keeps is known only after `fit`; a fresh instance takes the
    number from the state.
    """

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for name, buffer in list(self.named_buffers(recurse=False)):
            if prefix + name in state_dict:
                loaded = state_dict[prefix + name]
                setattr(self, name, buffer.new_zeros(loaded.shape, dtype=loaded.dtype))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
