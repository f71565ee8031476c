"""Default arguments of the package's models, read from their sources: no module is imported."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[2]


def default_arguments(model_path: str) -> dict[str, str]:
    """Returns a model's arguments with their defaults as Python writes them.

    Args:
        model_path: Class path, such as "dgmbench.baselines.latent.vae:VAE".

    Returns:
        Empty for a class that is none of the package's, or that takes no arguments.
    """
    module, _, name = model_path.partition(":")
    parts = module.split(".")
    if parts[0] != "dgmbench" or not name.isidentifier():
        return {}
    return _of_class(_PACKAGE.joinpath(*parts[1:]).with_suffix(".py"), name)


def _of_class(path: Path, name: str) -> dict[str, str]:
    """The defaults of a class's constructor, or of the first base's that has one."""
    tree = _parsed(path)
    found = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name), None)
    if found is None:
        return {}
    for node in found.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return _of_function(node)
    for base in found.bases:
        # A generic base is written as Base[T].
        word = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(word, ast.Name):
            given = _of_class(_home(path, tree, word.id), word.id)
            if given:
                return given
    return {}


def _of_function(node: ast.FunctionDef) -> dict[str, str]:
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    defaults = dict(zip([a.arg for a in positional][::-1], given.defaults[::-1], strict=False))
    found = {a.arg: defaults[a.arg] for a in positional if a.arg in defaults}
    found |= {
        argument.arg: default
        for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if default is not None
    }
    return {name: ast.unparse(default) for name, default in found.items()}


def _home(path: Path, tree: ast.Module, name: str) -> Path:
    """The file that a name of another file comes from; that file itself for its own names."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and any(a.name == name for a in node.names):
            folder = path.parents[max(node.level - 1, 0)]
            return folder.joinpath(*(node.module or "").split(".")).with_suffix(".py")
    return path


@cache
def _parsed(path: Path) -> ast.Module:
    if not path.is_file():
        return ast.Module(body=[], type_ignores=[])
    return ast.parse(path.read_text(encoding="utf-8"))
