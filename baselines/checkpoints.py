"""The state of a training run on disk, from which it goes on to the bit."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .averages import Average, Best
from .players import Player


class Checkpoint:
    """One file that holds the newest state of a run.

    Args:
        path: The file; safetensors, with a JSON note in its metadata.
        every: Seconds between two writings.

    Attributes:
        seconds: Training time before this process took the run up.
        core_seconds: Processor time of it, of all threads together.
        beside: What else is written and put back with a state; it has `state` and `go_on`.
    """

    beside: Any = None

    def __init__(self, path: Path, every: float = 60.0) -> None:
        self.path, self.every = path, every
        self.started = self.written = time.monotonic()
        self.cores = time.process_time()
        self.seconds = self.core_seconds = 0.0

    def due(self) -> bool:
        """Whether it is time to write."""
        return time.monotonic() - self.written >= self.every

    def write(self, tensors: dict[str, Tensor], note: dict[str, Any]) -> None:
        """Writes a state in place of the one before."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        spent = {
            "seconds": self.seconds + time.monotonic() - self.started,
            "core_seconds": self.core_seconds + time.process_time() - self.cores,
        }
        beside = self.beside.state() if self.beside is not None else None
        text = json.dumps({**note, **spent, "beside": beside})
        try:
            held = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
            save_file(held, temporary, metadata={"note": text})
            os.replace(temporary, self.path)
        finally:
            temporary.unlink(missing_ok=True)
        self.written = time.monotonic()

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Returns the newest state, or None where there is no sound one."""
        try:
            with safe_open(self.path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}
                note = json.loads((file.metadata() or {})["note"])
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
        self.seconds, self.core_seconds = float(note["seconds"]), float(note["core_seconds"])
        if self.beside is not None and note.get("beside") is not None:
            self.beside.go_on(note["beside"])
        return tensors, note

    def clear(self) -> None:
        """Removes the file: the run has ended."""
        self.path.unlink(missing_ok=True)


def packed(
    model: torch.nn.Module, players: list[Player], average: Average, best: Best, stream: Any
) -> dict[str, Tensor]:
    """Returns every tensor that decides how a run goes on."""
    found = {f"model/{k}": v for k, v in model.state_dict().items()}
    found |= {f"average/{k}": v for k, v in average.means.items()}
    found |= {f"best/{k}": v for k, v in (best.state or {}).items()}
    for place, player in enumerate(players):
        for p, values in player.optimizer.state_dict()["state"].items():
            found |= {f"player/{place}/{p}/{k}": torch.as_tensor(v) for k, v in values.items()}
    found |= {f"stream/{k}": v for k, v in getattr(stream, "state", dict)().items()}
    found["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        found["random/cuda"] = torch.cuda.get_rng_state()
    return found


def unpack(
    tensors: dict[str, Tensor],
    model: torch.nn.Module,
    players: list[Player],
    average: Average,
    best: Best,
    stream: Any,
) -> None:
    """Puts a state back; the counterpart of `packed`."""
    model.load_state_dict(_below(tensors, "model/"))
    with torch.no_grad():
        for name, mean in average.means.items():
            mean.copy_(tensors[f"average/{name}"])
    best.state = _below(tensors, "best/") or None
    for place, player in enumerate(players):
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(tensors, f"player/{place}/").items():
            p, _, key = name.partition("/")
            state.setdefault(int(p), {})[key] = value
        whole = player.optimizer.state_dict()
        player.optimizer.load_state_dict({**whole, "state": state})
    if hasattr(stream, "go_on"):
        stream.go_on(_below(tensors, "stream/"))
    torch.set_rng_state(tensors["random/cpu"])
    if "random/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random/cuda"])


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
