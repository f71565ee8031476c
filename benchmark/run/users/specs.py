"""Models that a user names: files, modules, or baselines with other arguments or budgets."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ....baselines import MODELS
from ...suites.suite import NO_RECIPE, ModelSpec, Recipe, Suite
from ...tasks import outline_of
from .user_model import check_arguments

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_FORMS = "file.py:Class, package.module:Class, name=file.py:Class or a baseline's name"


@dataclass(frozen=True)
class Variant:
    """What the user says of the models that a command names.

    Attributes:
        arguments: Keyword arguments beside the domain.
        name: The name in tables; empty: the one before "=" of the model, or that of its class.
        steps: Training steps; None for those of the suite.
        batch_size: Rows of a batch; None for those of the suite.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    steps: int | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for what, count in (("training step", self.steps), ("row a batch", self.batch_size)):
            if count is not None and count < 1:
                raise ValueError(f"Expected at least one {what}, got {count}.")

    @property
    def has_budget(self) -> bool:
        """Whether the user asks for steps or a batch size."""
        return self.steps is not None or self.batch_size is not None

    @property
    def changes_nothing(self) -> bool:
        """Whether only the name is another."""
        return not self.arguments and not self.has_budget


AS_IT_IS = Variant()


def parsed_arguments(texts: Iterable[str]) -> dict[str, Any]:
    """Returns the arguments in texts such as "hidden=(256,256),lr=1e-3,schedule=cosine".

    Values are Python's literals; a bare word is text.

    Raises:
        ValueError: Not of that form, or an argument is given twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        try:
            call = ast.parse(f"f({text})", mode="eval").body
            given = [(k.arg, _literal(k.value)) for k in call.keywords]  # type: ignore[attr-defined]
            if call.args or not given or any(name is None for name, _ in given):  # type: ignore[attr-defined]
                raise ValueError
        except (SyntaxError, ValueError, RecursionError, MemoryError, AttributeError):
            raise ValueError(
                f"Expected arguments as name=value,name=value, got {text[:200]!r}."
            ) from None
        for name, value in given:
            if name in found:
                raise ValueError(f"Expected each argument once, got {name} twice.")
            found[str(name)] = value
    return found


def _literal(node: ast.expr) -> Any:
    return node.id if isinstance(node, ast.Name) else ast.literal_eval(node)


def with_users(
    suite: Suite, paths: Iterable[str], variant: Variant = AS_IT_IS
) -> tuple[Suite, list[str], list[ModelSpec]]:
    """Puts the models that a user names beside those of a suite.

    Args:
        suite: The suite.
        paths: Of the forms of `user_spec`.
        variant: What holds for all of them.

    Returns:
        The suite with their budgets, and with the variants of baselines; the names of those; and
        the specs of the user's own models.

    Raises:
        ValueError: Not of a form that names a model, cannot be imported, two have one name, or
            one name for several models.
    """
    given = [user_spec(path) for path in dict.fromkeys(paths)]
    if variant != AS_IT_IS and not given:
        raise ValueError("Expected a --model to which --set, --as, --steps or --batch-size apply.")
    if variant.name and len(given) > 1:
        raise ValueError(
            f"Expected one model under the name {variant.name}, got {len(given)}; name each with "
            "--model name=file.py:Class."
        )
    taken = dict.fromkeys(suite.models)
    specs = []
    for spec in given:
        name = checked_name(variant.name or spec.name)
        if name in taken:
            again = "nsf-wide=nsf" if not spec.is_users else f"other-name={spec.target}"
            raise ValueError(
                f"Expected models of different names, got {name} twice; name one with --as, or "
                f"as in --model {again}."
            )
        taken[name] = None
        check_arguments(spec.load(), variant.arguments)
        specs.append(replace(spec, name=name, arguments=dict(variant.arguments)))
    ours = [spec for spec in specs if not spec.is_users]
    for spec in ours:
        suite = _varied(suite, spec, variant)
    users = [spec for spec in specs if spec.is_users]
    return _budgeted(suite, users, variant), [spec.name for spec in ours], users


def _varied(suite: Suite, spec: ModelSpec, variant: Variant) -> Suite:
    """The suite with one more model: a baseline's recipes with other arguments."""
    base = next((n for n, c in MODELS.items() if ModelSpec.of(n, c).target == spec.target), "")
    recipes = {
        kind: {**models, spec.name: _changed(models.get(base, NO_RECIPE), variant)}
        for kind, models in _by_kind(suite).items()
    }
    # An unchanged one takes as long as the baseline.
    times = {k: {**v, spec.name: v[base]} for k, v in suite.seconds.items() if base in v}
    return replace(
        suite,
        models={**suite.models, spec.name: suite.models.get(base) or spec.load()},
        recipes=recipes,
        seconds={**suite.seconds, **times} if variant.changes_nothing else suite.seconds,
    )


def _changed(recipe: Recipe, variant: Variant) -> Recipe:
    return Recipe(
        {**recipe.arguments, **variant.arguments},
        variant.steps or recipe.steps,
        variant.batch_size or recipe.batch_size,
        own=variant.has_budget,
        steps_on={} if variant.steps else recipe.steps_on,
    )


def _budgeted(suite: Suite, users: list[ModelSpec], variant: Variant) -> Suite:
    """The suite with the budget that the user wants, where that is another than the suite's."""
    if not users or not variant.has_budget:
        return suite
    recipes = _by_kind(suite)
    for kind, models in recipes.items():
        budget = suite.budget_of("", kind)
        steps, size = variant.steps or budget.steps, variant.batch_size or budget.batch_size
        own = Recipe({}, steps, size, own=True)
        recipes[kind] = {**models, **{spec.name: own for spec in users}}
    return replace(suite, recipes=recipes)


def _by_kind(suite: Suite) -> dict[str, Mapping[str, Recipe]]:
    """The recipes of every kind of task in the suite."""
    kinds = dict.fromkeys(outline_of(name).task.kind for name in suite.tasks)
    return {**{kind: {} for kind in kinds}, **suite.recipes}


def user_spec(text: str) -> ModelSpec:
    """Returns the spec of "file.py:Class", "package.module:Class" or "nsf", after "name=" or not.

    Its name in tables is the one before the equals sign, else the class's or the baseline's.

    Raises:
        ValueError: Not of that form, or a name that cannot stand in a table.
    """
    given, equals, path = text.partition("=")
    path = path if equals else text
    where, _, cls = path.rpartition(":")
    if path in MODELS:
        return ModelSpec.of(checked_name(given if equals else path), MODELS[path])
    if not where or not cls or not (where.endswith(".py") or _DOTTED.fullmatch(where)):
        raise ValueError(f"Expected a model as {_FORMS}, got {text!r}.")
    name = checked_name(given if equals else cls)
    return ModelSpec(name, f"{Path(where).resolve() if where.endswith('.py') else where}:{cls}")


def with_arguments(text: str, arguments: Mapping[str, Any]) -> ModelSpec:
    """Returns the spec of a model with arguments that it takes.

    Raises:
        ValueError: As `user_spec`; it cannot be imported or does not take them.
    """
    spec = user_spec(text)
    check_arguments(spec.load(), arguments)
    return replace(spec, arguments={**spec.arguments, **arguments})


def checked_name(name: str, remedy: str = "give one with --model name=file.py:Class") -> str:
    """Returns a name that can stand in tables; how it is spelled on disk is `safe_name`'s.

    Raises:
        ValueError: Empty, over 100 letters, dots or spaces at its ends, or not printed.
    """
    if not 0 < len(name) <= 100 or name.strip(". ") != name or not name.isprintable():
        raise ValueError(
            f"Expected a name of 1 to 100 printed letters, got {name[:120]!r}; {remedy}."
        )
    return name
