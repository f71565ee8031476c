"""The order of import that DESIGN draws, read from the sources."""

import ast
import importlib
import subprocess
import sys
import types
from pathlib import Path

import dgmbench

ROOT = Path(dgmbench.__file__).parent
# What the metrics of every theme stand on; no theme imports another.
METRIC_BASIS = ("metrics.checks", "metrics.estimate", "metrics.numerics")
# What a room may import of ours; a name covers what lies under it, the longest rule holds.
ALLOWED = {
    "metrics": {"metrics"},
    "metrics.checks": set(),
    "metrics.estimate": set(),
    "metrics.numerics": {"metrics.numerics", "metrics.checks", "metrics.estimate"},
    **{
        f"metrics.{theme}": {f"metrics.{theme}", *METRIC_BASIS}
        for theme in ("distance", "diversity", "memorisation", "likelihood", "exact", "reward")
    },
    "metrics.features": {"metrics.features"},
    "benchmark": set(),
    "benchmark.names": set(),
    "benchmark.plugged": set(),
    "benchmark.contract": {"benchmark.contract"},
    "benchmark.tasks": {
        "benchmark.tasks", "benchmark.contract", "benchmark.names", "metrics.features",
    },
    "benchmark.suites": {
        "benchmark.suites", "benchmark.contract", "benchmark.names", "baselines", "metrics",
    },
    "benchmark.run": {
        "benchmark.run", "benchmark.suites", "benchmark.tasks", "benchmark.contract",
        "benchmark.names", "benchmark.plugged", "baselines", "metrics", "__version__",
    },
    "benchmark.reproduce": {
        "benchmark.reproduce", "benchmark.run", "benchmark.suites", "benchmark.tasks",
        "benchmark.contract", "benchmark.names", "baselines", "metrics",
    },
    "benchmark.speed": {
        "benchmark.speed", "benchmark.run.cost", "benchmark.contract", "benchmark.tasks",
        "baselines", "metrics",
    },
    "benchmark.cli": {"benchmark", "baselines", "metrics", "leaderboards", "__version__"},
    "baselines": {"baselines", "benchmark.contract", "metrics.likelihood"},
    "leaderboards": {"leaderboards", "benchmark.contract.record", "benchmark.contract.files"},
    "leaderboards.hardware": {"benchmark.contract.record"},
    "leaderboards.tables": {"leaderboards.tables", "benchmark.contract.record", "benchmark.names"},
    "leaderboards.exports": {
        "leaderboards.exports", "leaderboards.tables", "benchmark.contract.record",
        "benchmark.contract.model_card", "benchmark.contract.files", "benchmark.names",
    },
    "leaderboards.page": {
        "leaderboards.page", "leaderboards.tables", "leaderboards.hardware",
        "benchmark.contract.record",
    },
    "leaderboards.site": {
        "leaderboards.site", "leaderboards.page", "leaderboards.tables", "leaderboards.hardware",
        "leaderboards.report", "benchmark.contract.record", "benchmark.contract.files",
    },
    "leaderboards.trackers": {
        "leaderboards.trackers", "leaderboards.page.attachments", "benchmark.contract.record",
    },
}  # fmt: skip


def modules():
    for package in ("metrics", "benchmark", "baselines", "leaderboards"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(name: str, path: Path):
    """Our own modules that a file imports, by their path below the package."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = [*base, *(node.module.split(".") if node.module else [])]
            yield (
                ".".join(target)
                if node.module
                else [".".join([*target, a.name]) for a in node.names]
            )
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dgmbench"):
            yield (node.module or "").removeprefix("dgmbench").lstrip(".")


def covers(rule: str, name: str) -> bool:
    return name == rule or name.startswith(rule + ".")


def edges():
    """Every import of ours, as (module, imported)."""
    for name, path in modules():
        for target in imports(name, path):
            for one in target if isinstance(target, list) else [target]:
                if one:
                    yield name, one


def rule(name: str) -> str:
    return max((r for r in ALLOWED if covers(r, name)), key=len, default="")


def test_every_room_has_a_rule_of_its_own():
    rooms = {".".join(n.split(".")[:2]) for n, path in modules() if path.name == "__init__.py"}
    families = {room for room in rooms if room.startswith("baselines.")}
    assert rooms - families <= set(ALLOWED)


def test_every_import_keeps_the_order():
    wrong = [
        f"{name} imports {one}"
        for name, one in edges()
        if not any(covers(a, one) for a in ALLOWED[rule(name)])
    ]
    assert not wrong


def test_nobody_imports_the_command_line():
    assert not [
        e for e in edges() if covers("benchmark.cli", e[1]) and rule(e[0]) != "benchmark.cli"
    ]


def test_rooms_do_not_import_each_other_in_circles():
    rooms = {(rule(a), rule(b)) for a, b in edges() if rule(b) and rule(a) != rule(b)}
    left = {room for pair in rooms for room in pair}
    while left:  # what imports nothing that is left is done
        done = {room for room in left if not any(a == room and b in left for a, b in rooms)}
        assert done, f"a circle among {sorted(left)}"
        left -= done


def test_no_public_name_hides_a_module_of_its_package():
    hidden = []
    for name, path in modules():
        if path.name != "__init__.py":
            continue
        package = importlib.import_module(f"dgmbench.{name}")
        for below in path.parent.iterdir():
            seen = getattr(package, below.stem, None)
            is_module = (below / "__init__.py").exists() or below.suffix == ".py"
            if is_module and below.stem != "__init__" and seen is not None:
                if not isinstance(seen, types.ModuleType):
                    hidden.append(f"{name}.{below.stem}")
    assert not hidden


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return set(done.stdout.split())


def test_help_and_report_do_not_import_torch():
    for module in (
        "dgmbench.benchmark.cli.main",
        "dgmbench.benchmark.cli.console",
        "dgmbench.leaderboards.report",
    ):
        assert "torch" not in loaded_by(f"import {module}"), module


def test_nothing_is_loaded_under_a_bare_name():
    seen = loaded_by("import dgmbench.benchmark.run.plan, dgmbench.benchmark.cli.catalogue")
    bare = {"metrics", "benchmark", "baselines", "leaderboards", "run_all"}
    assert not bare & {name.split(".")[0] for name in seen}
