"""What results are made from, as values that can be hashed: code, data, weights, arguments.

What is stored depends on everything it was made from, and on nothing else. Code is the closure of
the package's modules that a thing imports, and the versions of other packages that they import
(`sources`). Nothing here reads or draws rows.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from ....metrics.features import FEATURE_MAPS
from ...contract.files import cache_folder, write_atomically
from ...plugged import LOADED
from ...suites.model_file import BESIDE
from ...suites.suite import ModelSpec
from ...tasks import TASKS, Outline
from ...tasks.readers.data_root import data_root
from .sources import Closure, Sources, merged

PACKAGE = __name__.split(".")[0]
ROOT = Path(__file__).parents[3]
OURS = Sources({PACKAGE: ROOT})


def content_key(content: dict[str, Any]) -> str:
    """Returns the SHA-256 of the canonical JSON of what a stage depends on."""
    text = json.dumps(content, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code(*modules: str) -> Closure:
    """Returns the closure of modules of this package, by their dotted names."""
    return merged(OURS.closure(module) for module in modules)


def stage_code(*modules: str) -> str:
    """Returns the key of the code of modules, by their names within the package."""
    return code(*(f"{PACKAGE}.{module}" for module in modules)).key()


def model_key(spec: ModelSpec) -> dict[str, Any]:
    """Returns what a trained model is made from: its class, its code, what training reads.

    Raises:
        ValueError: The class cannot be loaded.
    """
    if not spec.target:  # samples came without a model
        return {}
    where, _, name = spec.target.rpartition(":")
    asked = _probe_arguments(spec)
    arguments = {k: v for k, v in spec.arguments.items() if k not in asked}
    # The same file in another folder is the same model.
    module = Path(where).name if where.endswith(".py") else where
    return {
        "class": f"{module}:{name}",
        "code": model_code(spec).key(),
        "arguments": described(arguments),
        "code of arguments": _code_of(arguments).key(),
    }


def model_code(spec: ModelSpec) -> Closure:
    """Returns the closure of a model's module: of the package, or of the user's own files.

    Raises:
        ValueError: A file of the user's is no Python.
    """
    where = spec.target.rpartition(":")[0]
    if not spec.is_users:
        return code(where)
    sources, module = user_sources(where)
    try:
        return sources.closure(module)
    except SyntaxError as error:
        raise ValueError(
            f"Expected {error.filename} to be Python, got {error.msg} in line {error.lineno}."
        ) from None


def user_sources(where: str) -> tuple[Sources, str]:
    """Returns where the modules lie that a user's model may import, and the model's own module.

    Args:
        where: A Python file, or the dotted name of a module that can be imported.
    """
    if where.endswith(".py"):
        path = Path(where)
        return Sources({PACKAGE: ROOT}, path.parent), path.stem
    top = where.partition(".")[0]
    from importlib.util import find_spec

    found = find_spec(top)
    origin = None if found is None else found.origin
    if origin is None:
        return OURS, where
    folder = Path(origin).parent
    if Path(origin).name == "__init__.py":
        return Sources({PACKAGE: ROOT, top: folder}), where
    return Sources({PACKAGE: ROOT}, folder), where


def probe_arguments(spec: ModelSpec) -> dict[str, Any]:
    """Returns the arguments of a model that only sampling and `log_prob` read."""
    asked = _probe_arguments(spec)
    return described({k: v for k, v in spec.arguments.items() if k in asked})


def _probe_arguments(spec: ModelSpec) -> frozenset[str]:
    named = getattr(spec.load(), "probe_arguments", ()) if spec.target else ()
    return frozenset(named) if isinstance(named, set | frozenset | tuple | list) else frozenset()


def metric_key(factory: Callable[..., Any]) -> dict[str, Any]:
    """Returns what a metric is: its class, its arguments and its code."""
    cls = factory.func if isinstance(factory, partial) else factory
    keywords = factory.keywords if isinstance(factory, partial) else {}
    return {
        "class": f"{cls.__module__}:{cls.__qualname__}",
        "arguments": described(keywords),
        "code": module_code(cls.__module__).key(),
    }


def module_code(name: str) -> Closure:
    """Returns the closure of a module of ours, or of a file or plugin of the user's."""
    if OURS.file(name) is not None:
        return code(name)
    file = getattr(sys.modules.get(name), "__file__", None)
    sources, module = user_sources(file if name.startswith(BESIDE) and file else name)
    return sources.closure(module)


@cache
def map_key(name: str, levels: int | None) -> dict[str, Any]:
    """Returns what a feature map computes: its code, its weights, the levels that it is given.

    The weights are hashed and not loaded; where there are none their key is "missing".
    """
    kind = FEATURE_MAPS.get(name)
    if kind is None:
        return {"name": name}
    weights: Path | None = kind.weights_file()  # type: ignore[attr-defined]
    found = weights is not None and weights.is_file()
    return {
        "name": name,
        "levels": levels,
        "code": module_code(kind.__module__).key(),
        "weights": file_sha256(weights) if weights and found else "missing" if weights else "",
    }


def task_key(outline: Outline) -> dict[str, Any]:
    """Returns what a task is: its definition, the code that makes or reads its rows, its files."""
    return _once("task", outline, _task_key)


def rows_key(outline: Outline) -> dict[str, Any]:
    """Returns what a model can see of a task: its domain, its rows or its reward; no judge."""
    return _once("rows", outline, _rows_key)


_ONCE: dict[tuple[str, int], tuple[Outline, dict[str, Any]]] = {}


def _once(what: str, outline: Outline, key: Callable[[Outline], dict[str, Any]]) -> dict[str, Any]:
    found = _ONCE.get((what, id(outline)))
    if found is None or found[0] is not outline:
        found = _ONCE[what, id(outline)] = (outline, key(outline))
    return found[1]


def _task_key(outline: Outline) -> dict[str, Any]:
    task = outline.task
    parts = {
        f.name: getattr(task, f.name)
        for f in dataclasses.fields(task)
        if f.name not in ("card", "checksum", "splits")
    }
    return {
        "task": described(parts),
        "code": _code_of(parts).key(),
        "rows": rows_key(outline),
    }


def _rows_key(outline: Outline) -> dict[str, Any]:
    task = outline.task
    parts = [task.domain, task.log_reward, task.conditional, outline.read]
    return {
        "version": [task.name, task.version],
        "rows": described(parts),
        "code": _code_of([*parts, TASKS.get(outline.address or task.name)]).key(),
        "files": {name: _file_key(name) for name in outline.files},
    }


def _file_key(name: str) -> str:
    path = data_root() / name
    return file_sha256(path) if path.is_file() else "missing"


def file_sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, in hex; of one that has not changed, from a list on disk.

    The list lies in the user's cache folder and goes by path, size and time of change.
    """
    stat = path.stat()
    name = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    if stat.st_size < 2**20:
        return _hashed(path, name)
    place = cache_folder() / "sha256" / hashlib.sha256(name.encode()).hexdigest()[:24]
    try:
        known, found = place.read_text().rsplit(" ", 1)
        if known == name and len(found) == 64:
            return found
    except (OSError, ValueError):
        pass  # not there, or not what was written
    found = _hashed(path, name)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, f"{name} {found}".encode())
    except OSError:
        pass  # a cache that cannot be written costs time alone
    return found


@cache
def _hashed(path: Path, _name: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _code_of(value: Any) -> Closure:
    """The closure of all functions and classes of ours within a value."""
    names = sorted(set(_modules(value, set())))
    plugged = {plugin.module for plugin in LOADED.values()}
    ours = [name for name in names if OURS.file(name) is not None]
    users = [name for name in names if name.startswith(BESIDE) or name in plugged]
    return merged([code(*ours), *map(module_code, users)]) if users else code(*ours)


def _modules(value: Any, passed: set[int]) -> Iterator[str]:
    if id(value) in passed or isinstance(value, Tensor | np.ndarray | str | bytes):
        return
    passed.add(id(value))
    if isinstance(value, type | types.FunctionType | types.MethodType | partial):
        if module := getattr(value, "__module__", None):
            yield module
    elif type(value).__module__.startswith(f"{PACKAGE}."):
        yield type(value).__module__
    for _, part in _parts(value):
        yield from _modules(part, passed)


def described(value: Any) -> Any:
    """Returns a value as JSON holds it, such that values that compute alike are described alike.

    Functions go by their names, arguments and captured values; tensors by the SHA-256 of their
    bytes; objects by their class and attributes. What is none of these goes by its class.
    """
    return _described(value, ())


def _described(value: Any, above: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        data = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return [str(value.dtype), list(value.shape), data]
    if id(value) in above:
        return "itself"
    above = (*above, id(value))
    if isinstance(value, list | tuple):
        return [_described(part, above) for part in value]
    if isinstance(value, set | frozenset):
        return sorted(json.dumps(_described(part, above), sort_keys=True) for part in value)
    if isinstance(value, Mapping):
        return {str(k): _described(v, above) for k, v in value.items()}
    parts = {str(name): _described(part, above) for name, part in _parts(value)}
    return {_name(value): parts}


def _name(value: Any) -> str:
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}:{named.__qualname__}"


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """What a value holds, by name."""
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from enumerate(value)
    elif isinstance(value, partial):
        yield from (("function", value.func), ("arguments", value.args))
        yield "keywords", value.keywords
    elif isinstance(value, types.MethodType):
        yield from (("function", value.__func__), ("self", value.__self__))
    elif isinstance(value, types.FunctionType):
        cells = (cell.cell_contents for cell in value.__closure__ or ())
        yield from zip(value.__code__.co_freevars, cells, strict=True)
        yield from enumerate(value.__defaults__ or ())
        yield from (value.__kwdefaults__ or {}).items()
    elif isinstance(value, nn.Module):
        yield from value.state_dict().items()
    elif not isinstance(value, type | types.BuiltinFunctionType | types.ModuleType):
        yield from sorted(getattr(value, "__dict__", {}).items())
