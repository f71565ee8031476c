"""Models in files of the user's: imported by path with the files beside them, or by module name.

A researcher's model is rarely one file. `import net` and `from .net import Net` find the files
beside the model's; two folders that both have a `net.py` do not share it. What a file does to the
process when it is imported (its working directory, its arguments, its random state) is undone, and
what goes wrong is one sentence that names the file.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from ..contract.model import Likelihood
from ..contract.told import told

BESIDE = "beside_"  # with which the names of packages of a user's folder begin
# The program itself: other processes are started by it, wherever its file lies.
_MAIN = ("__main__", "__mp_main__")
# Modules that the files of a folder imported from beside them, by folder; see `beside`.
_BESIDE: dict[Path, dict[str, ModuleType]] = {}


def load_model_class(target: str) -> Callable[..., Any]:
    """Returns the class, or the function that makes a model, of "file.py:Name" or "module:Name".

    Raises:
        ValueError: There is no such file, module or name, the name is no class and no function,
            or the import fails in whatever way.
    """
    where, _, name = target.rpartition(":")
    if not name.isidentifier() or name.startswith("__"):
        raise ValueError(f"Expected the name of a class behind the colon, got {target!r}.")
    module = load_module(where)
    found = getattr(module, name, None)
    if not callable(found):
        raise ValueError(f"Expected a class {name} in {where}, got {_offered(module)}.")
    return _of_known_claim(found, name)


def load_module(where: str) -> ModuleType:
    """Imports a Python file, or a module by its name.

    Raises:
        ValueError: There is none, or the import fails in whatever way.
    """
    return _by_path(Path(where)) if where.endswith(".py") else _by_name(where)


def _of_known_claim(found: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Refuses a claim in a word that is none of `Likelihood`'s."""
    claim = getattr(found, "likelihood", None)
    words = [likelihood.value for likelihood in Likelihood]
    if isinstance(claim, str) and claim not in words:
        raise ValueError(
            f"Expected the likelihood of {name} to be one of {', '.join(words)}, got {claim!r}."
        )
    return found


def _offered(module: ModuleType) -> str:
    """The classes that a module itself defines, for a message."""
    own = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    ]
    return ", ".join(own) or "no class at all"


@cache
def _by_path(path: Path) -> ModuleType:
    """Imports a Python file by its path."""
    if not path.is_file():
        raise ValueError(f"Expected a Python file at {path}, got none.")
    folder = path.resolve().parent
    package = f"{BESIDE}{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    name = f"{package}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"Expected a Python file, got {path}.")
    if package not in sys.modules:  # relative imports find the folder through it
        holder = ModuleType(package)
        holder.__path__ = [str(folder)]
        sys.modules[package] = holder
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader = spec.loader
    try:
        with _told(str(path)), as_before(), beside(folder):
            loader.exec_module(module)
    except ValueError:
        sys.modules.pop(name, None)
        raise
    return module


def _by_name(name: str) -> ModuleType:
    """Imports a module that Python finds: in the working directory, or installed."""
    with _told(name), as_before():
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(name)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Turns whatever an import raises into one sentence."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except SystemExit as error:
        raise ValueError(
            f"Expected {where} to import, but it ends the process (exit code {error.code}); put "
            'what it runs as a script below `if __name__ == "__main__":`.'
        ) from None
    except SyntaxError as error:
        raise ValueError(
            f"Expected {error.filename} to be Python, got {error.msg} in line {error.lineno}."
        ) from None
    except BaseException as error:
        raise ValueError(
            f"Expected {where} to import, got {told(error, 300).rstrip('.')}."
        ) from error


@contextmanager
def beside(folder: Path) -> Iterator[None]:
    """Lets `import net` find the files of a folder, apart from those of other folders.

    Args:
        folder: The folder, resolved.
    """
    mine = _BESIDE.setdefault(folder, {})
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if _hides(name, folder)}
    sys.modules.update(mine)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        for name, module in list(sys.modules.items()):
            if name not in _MAIN and not name.startswith(BESIDE) and _lies_in(module, folder):
                mine[name] = sys.modules.pop(name)
        sys.modules.update(hidden)


def _hides(name: str, folder: Path) -> bool:
    """Whether a module that is loaded would be taken for one of the folder's."""
    top = name.partition(".")[0]
    known = getattr(sys.modules.get(top), "__file__", None) or ""
    elsewhere = any(Path(known).is_relative_to(other) for other in _BESIDE if other != folder)
    return elsewhere and ((folder / f"{top}.py").exists() or (folder / top).is_dir())


def _lies_in(module: Any, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or "site-packages" in file:
        return False
    place = Path(file).resolve()
    return place.is_relative_to(folder) and not _is_pythons(place, folder) and not _is_ours(module)


def _is_pythons(place: Path, folder: Path) -> bool:
    """Whether a file belongs to an environment that lies within the folder, as `.venv` does."""
    roots = {Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)}
    inside = (root for root in roots if root != folder and root.is_relative_to(folder))
    return any(place.is_relative_to(root) for root in inside)


def _is_ours(module: Any) -> bool:
    return str(getattr(module, "__name__", "")).partition(".")[0] == __name__.partition(".")[0]


@contextmanager
def as_before() -> Iterator[None]:
    """Gives back what a user's file may change of the process that imports it."""
    folder, arguments, path = os.getcwd(), list(sys.argv), list(sys.path)
    environment = dict(os.environ)
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    dtype, grad, threads = (
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
    )
    errors = np.geterr()
    try:
        yield
    finally:
        os.chdir(folder)
        sys.argv[:], sys.path[:] = arguments, path
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        np.seterr(**errors)
