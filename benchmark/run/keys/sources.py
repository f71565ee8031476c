"""What code a thing is made from: modules and the modules that they import, read as text.

Nothing is imported for it. A module counts by its syntax tree without docstrings, so that
comments, docstrings and formatting change no key.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path

# Packages whose distribution has another name.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "ot": "POT", "yaml": "PyYAML"}


@dataclass(frozen=True)
class Import:
    """One `import module` or `from module import name`; a level above 0 is relative."""

    module: str
    name: str = ""
    level: int = 0
    alias: str = ""


@dataclass(frozen=True)
class Parsed:
    """What a file says.

    Attributes:
        sha256: Of its syntax tree without docstrings.
        imports: Its import statements, also those inside functions, but not those for types only.
        defines: Names that it binds itself at the top level.
    """

    sha256: str
    imports: tuple[Import, ...]
    defines: frozenset[str]


def parsed(path: Path) -> Parsed:
    """Parses a Python file, once per content.

    Raises:
        SyntaxError: It is no Python.
    """
    stat = path.stat()
    return _parsed(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4096)
def _parsed(path: Path, _changed: int, _size: int) -> Parsed:
    tree = ast.parse(path.read_bytes(), str(path))
    defines = frozenset(name for node in tree.body for name in _bound(node))
    _undocument(tree)
    text = ast.dump(tree)
    return Parsed(hashlib.sha256(text.encode()).hexdigest(), tuple(_imports(tree)), defines)


def _undocument(tree: ast.Module) -> None:
    """Takes the docstrings away."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                if isinstance(first.value.value, str):
                    node.body = node.body[1:]


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    for target in getattr(node, "targets", [getattr(node, "target", None)]):
        if isinstance(target, ast.Name):
            yield target.id


def _imports(node: ast.AST) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for name in child.names:
                yield Import(name.name, alias=name.asname or name.name.partition(".")[0])
        elif isinstance(child, ast.ImportFrom):
            for name in child.names:
                yield Import(child.module or "", name.name, child.level, name.asname or name.name)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            yield from _imports(ast.Module(child.orelse, []))
        else:
            yield from _imports(child)


@dataclass(frozen=True)
class Closure:
    """The modules that something is made from, and the packages that compute in them.

    Attributes:
        modules: Dotted name to SHA-256.
        versions: Installed version of every package of others; that of torch always.
    """

    modules: Mapping[str, str]
    versions: Mapping[str, str]

    def key(self) -> str:
        """Returns the SHA-256 of both, in hexadecimal."""
        text = repr((sorted(self.modules.items()), sorted(self.versions.items())))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Sources:
    """Where packages and modules lie.

    Attributes:
        packages: Name of a top-level package to its folder.
        beside: Folder of a user's files, whose modules are imported by their bare names.
    """

    packages: Mapping[str, Path]
    beside: Path | None = None
    _found: dict[tuple[str, ...], Closure] = field(default_factory=dict, compare=False)

    def file(self, module: str) -> Path | None:
        """Returns the file of a module, or None where it is not among these sources."""
        top, _, rest = module.partition(".")
        folder = self.packages.get(top)
        if folder is None:
            if self.beside is None or not top:
                return None
            folder, rest = self.beside, module
        path = folder.joinpath(*rest.split(".")) if rest else folder
        for candidate in (path.with_suffix(".py") if rest else path, path / "__init__.py"):
            if candidate.is_file():
                return candidate
        return None

    def closure(self, *modules: str) -> Closure:
        """Returns everything that modules reach by import statements.

        Raises:
            SyntaxError: A file among them is no Python.
        """
        seen: dict[str, str] = {}
        others = {"torch"}
        waiting = list(modules)
        while waiting:
            module = waiting.pop()
            path = self.file(module)
            if module in seen or path is None:
                continue
            found = parsed(path)
            seen[module] = found.sha256
            weights = path.with_suffix(".safetensors")
            if weights.is_file():  # what lies beside a module under its name is a part of it
                seen[f"{module} (weights)"] = hashlib.sha256(weights.read_bytes()).hexdigest()
            for statement in found.imports:
                target = self._target(module, path, statement)
                if self.file(target) is not None:
                    waiting.append(target)
                elif statement.level == 0:
                    others.add(statement.module.partition(".")[0])
        versions = {name: v for name in others if (v := version(name))}
        return Closure(seen, versions)

    def _target(self, module: str, path: Path, statement: Import) -> str:
        """The module that a statement leads to, through `__init__` files that only pass on."""
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        return self._defining(_absolute(package, statement), statement.name, frozenset())

    def _defining(self, base: str, name: str, passed: frozenset[tuple[str, str]]) -> str:
        if not name or name == "*" or (base, name) in passed:
            return base
        inner = f"{base}.{name}" if base else name
        if self.file(inner) is not None:
            return inner
        path = self.file(base)
        if path is None or path.name != "__init__.py" or name in parsed(path).defines:
            return base
        for statement in parsed(path).imports:
            if statement.alias == name and statement.name:
                other = _absolute(base, statement)
                return self._defining(other, statement.name, passed | {(base, name)})
        return base


def _absolute(package: str, statement: Import) -> str:
    """The module that a statement inside a package names."""
    if not statement.level:
        return statement.module
    for _ in range(statement.level - 1):
        package = package.rpartition(".")[0]
    return ".".join(part for part in (package, statement.module) if part)


@cache
def version(package: str) -> str:
    """Returns the installed version of a package by its import name; "" of the standard library.

    What is no installed package (a module on the path) has no version.
    """
    if package in sys.stdlib_module_names:
        return ""
    try:
        return metadata.version(DISTRIBUTIONS.get(package, package))
    except metadata.PackageNotFoundError:
        names = metadata.packages_distributions().get(package, [])
        return ", ".join(f"{name} {metadata.version(name)}" for name in names)


def merged(closures: Iterable[Closure]) -> Closure:
    """Returns the union of closures."""
    modules: dict[str, str] = {}
    versions: dict[str, str] = {}
    for closure in closures:
        modules |= closure.modules
        versions |= closure.versions
    return Closure(modules, versions)
