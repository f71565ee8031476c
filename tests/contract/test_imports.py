"""The order of import that DESIGN draws, read from the sources."""

import ast
import subprocess
import sys
from pathlib import Path

import dgmbench

ROOT = Path(dgmbench.__file__).parent
# What a package may import of ours; a name covers what lies under it.
ALLOWED = {
    "metrics": {"metrics"},
    "benchmark.task": set(),
    "benchmark.model": {"benchmark.task"},
    "benchmark.evidence": set(),
    "benchmark.record": set(),
    "benchmark.tasks": {
        "benchmark.tasks", "benchmark.task", "benchmark.model", "benchmark.names", "metrics",
    },
    "baselines": {"baselines", "benchmark.task", "benchmark.model"},
    "leaderboards": {"leaderboards", "benchmark.record"},
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


def test_every_import_keeps_the_order():
    wrong = []
    for name, path in modules():
        rules = [r for r in ALLOWED if covers(r, name)]
        if not rules:
            continue
        allowed = ALLOWED[max(rules, key=len)]
        for target in imports(name, path):
            for one in target if isinstance(target, list) else [target]:
                if one and not any(covers(a, one) for a in allowed):
                    wrong.append(f"{name} imports {one}")
    assert not wrong


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return set(done.stdout.split())


def test_help_and_report_do_not_import_torch():
    for module in (
        "dgmbench.benchmark.cli",
        "dgmbench.benchmark.console",
        "dgmbench.leaderboards.report",
    ):
        assert "torch" not in loaded_by(f"import {module}"), module


def test_nothing_is_loaded_under_a_bare_name():
    seen = loaded_by("import dgmbench.benchmark.harness, dgmbench.benchmark.catalogue")
    bare = {"metrics", "benchmark", "baselines", "leaderboards", "run_all"}
    assert not bare & {name.split(".")[0] for name in seen}
