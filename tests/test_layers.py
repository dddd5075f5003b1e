"""Imports run one direction: a module imports only from rows above its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import stance

PACKAGE = Path(stance.__file__).parent
ROWS = (
    {"labels", "errors", "version", "inflect"},
    {"document", "resources", "cache", "phrases", "pipeline_training", "schema", "calibration"},
    {"evidence", "segment", "rulebook", "seeds", "gold", "tokens"},
    {"ruleyaml", "spans", "overlap", "anchors"},
    {"lexicon"},
    {"ruleshapes", "syntax"},
    {"ruleread", "trees", "voice", "mirroring"},
    {"rulefiles", "rulelint", "gather"},
    {"decide", "model", "rulecheck", "rulestats"},
    {"reasons"},
    {"classifier"},
    {"executors"},
    {"evaluate", "component"},
    {"training"},
    {"baselines", "impartiality", "sklearn"},
    {"config", "sources", "sinks"},
    {"monitor"},
    {"report"},
    {"review"},
    {"cli", "__main__", "__init__"},
)
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}
MODULES = sorted(PACKAGE.rglob("*.py"))
# Doors to the outside: who may import what, anywhere in the file.
DOORS = {
    "yaml": {"ruleyaml"},
    "spacy": {"syntax", "pipeline_training", "sinks", "component"},
    "sklearn": {"training", "baselines", "sklearn"},
    "sqlite3": {"monitor"},
    "jinja2": {"report"},
    "distributed": {"executors"},
    "urllib3": {"sources"},
}


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST, *, top: bool) -> set[str]:
    """Modules imported, at the top of the file or anywhere; imports for types alone do not count."""
    nodes = tree.body if top and isinstance(tree, ast.Module) else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "stance":
                names |= {f"stance.{alias.name}" for alias in node.names}
            else:
                names.add(node.module)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_direction(path: Path) -> None:
    own = part(path)
    assert own in RANK, f"give {own} a row"
    for name in imported(ast.parse(path.read_text(encoding="utf-8")), top=True):
        if name.startswith("stance."):
            other = name.split(".")[1]
            if other != own and other in RANK:
                top = own in ("cli", "__init__", "__main__")
                assert top or RANK[other] < RANK[own], f"{own} imports {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_each_outside_thing_has_one_door(path: Path) -> None:
    for name in imported(ast.parse(path.read_text(encoding="utf-8")), top=False):
        allowed = DOORS.get(name.split(".")[0])
        assert allowed is None or part(path) in allowed, f"{part(path)} opens {name}"


def test_prediction_loads_no_training_library() -> None:
    import subprocess
    import sys

    code = (
        "import sys, stance; c = stance.load(); "
        "list(c.classify_sentences(['Rain is expected on Monday.'])); "
        "print([m for m in ('sklearn', 'scipy', 'pandas', 'torch', 'urllib3', 'spacy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
