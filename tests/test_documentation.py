"""What is written about the package is true: doctests, docstrings, the README, the API reference."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import reference

import stance
from stance import component  # noqa: F401 - in a checkout that is not installed nobody else registers it
from stance.document import Document

TOP = reference.PACKAGE.parent
MODULES = reference.modules()


@pytest.mark.parametrize("name", [name for name, path in MODULES if ">>>" in path.read_text("utf-8")])
def test_doctests(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize(("name", "path"), MODULES, ids=[name for name, _ in MODULES])
def test_what_is_public_is_documented(name: str, path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), name
    missing = [inner for inner, node in public(tree, "") if not ast.get_docstring(node)]
    assert not missing


def public(node: ast.Module | ast.ClassDef, inside: str) -> list[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    found: list[tuple[str, ast.FunctionDef | ast.ClassDef]] = []
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            found.append((inside + child.name, child))
            if isinstance(child, ast.ClassDef):
                found += public(child, f"{inside}{child.name}.")
    return found


def test_the_package_says_that_it_is_typed() -> None:
    assert (reference.PACKAGE / "py.typed").is_file()


def test_the_reference_is_built_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("pdoc", reason="pdoc is in the extra dev")
    reference.build(tmp_path)
    for name, _ in MODULES:
        assert (tmp_path / f"{name.replace('.', '/')}.html").is_file()
    assert "shipped" in (tmp_path / "stance" / "sklearn.html").read_text("utf-8")


# -- the README ------------------------------------------------------------------------------------------

README = TOP / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[str]:
    if not README.is_file():
        return []
    return [body for found, body in BLOCK.findall(README.read_text("utf-8")) if found == kind]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the README's examples run: with the files that they name, and `stance` on the path."""
    for name in ("article.txt", "other.txt"):
        (tmp_path / name).write_text("The occupiers fled in panic. Rain fell.\n", encoding="utf-8")
    (tmp_path / "archive").mkdir()
    shutil.copy(tmp_path / "article.txt", tmp_path / "archive")
    verdicts = stance.load("rules").classify(Document("The occupiers fled in panic. Rain fell.", "a"))
    lines = [json.dumps(verdict.to_dict()) for verdict in verdicts]
    (tmp_path / "results.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "records.jsonl").write_text('{"id": 1, "text": "Rain fell.", "prev": "It was cold."}\n')
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    script = bin_ / "stance"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m stance "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(TOP))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.skipif(not README.is_file(), reason="not a checkout")
@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_the_readmes_python_runs(folder: Path, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(blocks("python")[number], f"README.md, python block {number + 1}", "exec"), {})


# These need the network, a store that it has filled, or a person who answers.
ELSEWHERE = re.compile(r"pip |stance (?:watch|export|review) |\w+\.db")


def commands() -> list[str]:
    """The lines after a prompt, without their comments."""
    lines = [line[2:] for body in blocks("console") for line in body.splitlines() if line.startswith("$ ")]
    return [re.sub(r"\s+# .*$", "", line) for line in lines]


@pytest.mark.skipif(not README.is_file(), reason="not a checkout")
@pytest.mark.parametrize("line", commands())
def test_the_readmes_commands_run(folder: Path, line: str) -> None:
    if ELSEWHERE.search(line):
        pytest.skip("needs the network, a store that it has filled, or a person who answers")
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    written = [*folder.glob("*.html"), *folder.glob("labels.jsonl")]
    assert done.stdout.strip() or written


@pytest.mark.skipif(not README.is_file(), reason="not a checkout")
def test_the_costs_of_a_billion_sentences_follow_from_the_speeds_beside_them() -> None:
    sys.path.insert(0, str(TOP / "benchmarks"))
    try:
        billion = importlib.import_module("billion")
    finally:
        sys.path.pop(0)
    assert "| 1,000 | 278 | 8.7 hours | 14 dollars |" in billion.row("x", 1_000)
    page = billion.PAGE.read_text("utf-8")
    lines = page.partition("## A billion sentences")[2].split(billion.HEAD)[1].split("\n\n")[0].splitlines()
    cells = [re.split(r" ?\| ", line) for line in lines]
    rates = [(name, int(rate.replace(",", ""))) for _, name, rate, *_ in cells]
    assert len(rates) == 3
    assert billion.replaced(page, billion.table(rates)) == page
