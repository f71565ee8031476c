"""A user's model, which needs only `fit`, `sample` and, if it has one, `log_prob`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...contract.model import Budget, GenerativeModel, Likelihood
from ...contract.task import Domain, TrainingTask


def build(make: Callable[..., Any], domain: Domain, arguments: dict[str, Any]) -> GenerativeModel:
    """Returns a model that keeps the contract of `GenerativeModel`.

    Args:
        make: A class with `fit(task, budget)` and `sample(n)`, or a function that returns such an
            object.
        domain: Given to the constructor if it has a parameter called `domain`, or a positional one
            without a default.
        arguments: Keyword arguments of the constructor.

    Raises:
        ValueError: The constructor does not take the arguments, or the object lacks `fit` or
            `sample`.
    """
    model = make(*_domain(make, domain, arguments), **_given(make, domain, arguments))
    if isinstance(model, GenerativeModel):
        return model
    for method in ("fit", "sample"):
        if not callable(getattr(model, method, None)):
            name = getattr(make, "__name__", type(model).__name__)
            raise ValueError(f"Expected {name} to have a method {method}, got none.")
    return UserModel(model, domain)


def users_refusal(make: Callable[..., Any], domain: Domain) -> str:
    """Returns why a user's model is not for a domain, or "" if it does not say.

    Args:
        make: See `build`; its `supports` may be the contract's, or mean anything.
        domain: What one point is.
    """
    ask = getattr(make, "supports", None)
    try:
        reason = ask(domain) if callable(ask) else None
    except Exception:  # not the contract's method: then there is no reason
        return ""
    return reason if isinstance(reason, str) else ""


def _parameters(make: Callable[..., Any]) -> list[inspect.Parameter]:
    """Its parameters; of a callable that does not tell them, that it takes any keyword."""
    try:
        return list(inspect.signature(make).parameters.values())
    except (TypeError, ValueError):  # built in, or a signature of its own making
        return [inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)]


def _domain(make: Callable[..., Any], domain: Domain, given: Mapping[str, Any]) -> list[Domain]:
    """The domain as a positional argument, where one is required and none is called `domain`."""
    parameters = _parameters(make)
    if any(p.name == "domain" for p in parameters):
        return []
    required = [
        p
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        and p.default is p.empty
        and p.name not in given
    ]
    return [domain] if required else []


def _given(
    make: Callable[..., Any], domain: Domain, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """The keyword arguments, the domain among them where there is a parameter of that name."""
    check_arguments(make, arguments)
    parameters = _parameters(make)
    wants = any(p.name == "domain" and p.kind is not p.POSITIONAL_ONLY for p in parameters)
    return {**({"domain": domain} if wants else {}), **arguments}


def check_arguments(make: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuses arguments that a constructor does not take, before anything is made.

    Raises:
        ValueError: It does not take one of them; the nearest that it takes is told.
    """
    parameters = _parameters(make)
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for name in arguments:
        if name not in names:
            known = [n for n in names if n not in ("domain", "self")]
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise ValueError(
                f"Expected arguments of {getattr(make, '__name__', 'the model')} among "
                f"{', '.join(known) or 'none at all'}, got {name}{hint}"
            )


class UserModel(GenerativeModel):
    """Gives a user's object the contract's types. Beside its methods nothing of it can fail a run.

    Args:
        inner: The user's object.
        domain: What one point is.

    Attributes:
        notes: What of the object was not used, and why.
    """

    def __init__(self, inner: Any, domain: Domain) -> None:
        self.inner, self.domain = inner, domain
        self.notes: list[str] = []
        self.likelihood = self._claim()
        paper = _attribute(inner, "paper")
        self.paper = paper if isinstance(paper, str) else ""  # type: ignore[misc]

    def _claim(self) -> Likelihood:
        """The user's claim; an undeclared likelihood is an estimate: nobody vouches for more."""
        claim = _attribute(self.inner, "likelihood")
        if isinstance(claim, Likelihood):
            return claim
        if isinstance(claim, str):
            words = [likelihood.value for likelihood in Likelihood]
            if claim not in words:
                told = f"Expected the likelihood to be one of {', '.join(words)}, got {claim!r}."
                raise ValueError(told)
            return Likelihood(claim)
        has_one = callable(_attribute(self.inner, "log_prob"))
        return Likelihood.ESTIMATE if has_one else Likelihood.NONE

    def fit(self, task: TrainingTask, budget: Budget) -> None:
        self.inner.fit(task, budget)

    def sample(
        self,
        n: int,
        *,
        context: Tensor | None = None,
        sampler: str | None = None,
        steps: int | None = None,
    ) -> Any:
        """What the object draws, unchecked; it is handed only what is not None."""
        given = {"context": context, "sampler": sampler, "steps": steps}
        return self.inner.sample(n, **{k: v for k, v in given.items() if v is not None})

    def log_prob(
        self, x: Tensor, context: Tensor | None = None, *, draws: int | None = None
    ) -> Any:
        """What the object says of rows, unchecked; it is handed only what is not None."""
        given = () if context is None else (context,)
        return self.inner.log_prob(x, *given, **({} if draws is None else {"draws": draws}))

    def estimator(self, draws: int | None = None) -> str:
        told = _attribute(self.inner, "estimator")
        try:
            text = told(draws) if callable(told) else told
        except Exception:  # not the contract's method
            text = None
        return text if isinstance(text, str) else super().estimator(draws)

    def log_z(self) -> float | None:
        told = _attribute(self.inner, "log_z")
        value = told() if callable(told) else None
        return None if value is None else float(value)

    def to(self, device: str) -> None:
        """Moves the object where it has a method for that."""
        move = _attribute(self.inner, "to")
        if callable(move):
            move(device)

    @property
    def device(self) -> torch.device:
        """Where its parameters or tensors are; the CPU where it has none."""
        for value in self.parameters():
            if isinstance(value, Tensor):
                return value.device
        found = _attribute(self.inner, "device")
        return (
            torch.device(found) if isinstance(found, str | torch.device) else torch.device("cpu")
        )

    def parameters(self) -> list[Any]:
        """The object's parameters, tensors or arrays, if it has some."""
        told = _attribute(self.inner, "parameters")
        try:
            return list(told()) if callable(told) else []
        except Exception as error:  # a method of that name that is another's
            self.notes.append(f"its parameters() were not counted ({type(error).__name__})")
            return []

    @property
    def curve(self) -> list[tuple[int, str, float]]:
        """The object's training curve: of rows (step, name, value), or of plain numbers."""
        told = _attribute(self.inner, "curve")
        if not isinstance(told, list | tuple | np.ndarray):
            return []
        rows: list[tuple[int, str, float]] = []
        for step, row in enumerate(told, 1):
            try:
                if isinstance(row, list | tuple) and len(row) == 3:
                    rows.append((int(row[0]), str(row[1]), float(row[2])))
                else:
                    rows.append((step, "loss", float(row)))
            except (TypeError, ValueError):
                self.notes.append("its curve was not kept: it holds something else than numbers")
                return []
        return rows

    def state_dict(self) -> dict[str, Tensor] | None:
        """The object's state, nested or not, as flat tensors; None where it has none or others."""
        told = _attribute(self.inner, "state_dict")
        if not callable(told) or not callable(_attribute(self.inner, "load_state_dict")):
            return None
        try:
            flat: dict[str, Tensor] = {}
            self._layout = _flatten(told(), "", flat)
        except Exception as error:  # whatever it holds or raises
            why = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            self.notes.append(f"its state_dict was not kept ({why})")
            return None
        return flat

    def layout(self) -> Any:
        """What `state_dict` was made from, without its tensors; JSON."""
        return getattr(self, "_layout", None)

    def load_state_dict(self, state: dict[str, Tensor], layout: Any = None) -> None:
        """Hands the state back to the object, nested as it was."""
        self.inner.load_state_dict(state if layout is None else _unflatten(layout, state))


def _attribute(inner: Any, name: str) -> Any:
    """An attribute of a user's object; one that raises counts as not there."""
    try:
        return getattr(inner, name, None)
    except Exception:  # a property of the user's
        return None


def _flatten(value: Any, path: str, flat: dict[str, Tensor]) -> Any:
    """Puts the tensors and arrays of a nested state into `flat`; returns the rest with places.

    Raises:
        TypeError: Something that is neither tensor, array, number, text nor a collection of them.
    """
    if isinstance(value, Tensor):
        flat[path] = value
        return {"tensor": path}
    if isinstance(value, np.ndarray | np.generic):
        flat[path] = torch.from_numpy(np.array(value))
        return {"array": path}
    if isinstance(value, Mapping):
        pairs = [
            [key, _flatten(v, f"{path}/{key}" if path else str(key), flat)]
            for key, v in value.items()
        ]
        if not all(isinstance(key, str | int) for key, _ in pairs):
            raise TypeError("keys that are neither text nor numbers")
        return {"dict": pairs}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_flatten(v, f"{path}/{i}", flat) for i, v in enumerate(value)]}
    if value is None or isinstance(value, bool | int | float | str):
        return {"value": value}
    raise TypeError(f"a {type(value).__name__} at {path or 'its top'}")


def _unflatten(layout: Mapping[str, Any], flat: Mapping[str, Tensor]) -> Any:
    (kind, held), *_ = layout.items()
    if kind == "tensor":
        return flat[held]
    if kind == "array":
        return flat[held].cpu().numpy()
    if kind == "dict":
        return {key: _unflatten(value, flat) for key, value in held}
    if kind in ("list", "tuple"):
        parts = [_unflatten(value, flat) for value in held]
        return parts if kind == "list" else tuple(parts)
    return held
