"""Builds the API reference: ``python tests/reference.py FOLDER``; a warning is an error."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import stance

PACKAGE = Path(stance.__file__).parent
# Commands are documented by their help; shapes of rule files by their JSON Schema and rules/README.md.
ELSEWHERE = frozenset({"cli", "ruleshapes", "__main__", "_data"})


def modules() -> list[tuple[str, Path]]:
    """Name and file of every module that is part of the reference, by name."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if not set(parts) & ELSEWHERE:
            found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return sorted(found)


def build(folder: Path) -> None:
    """Write the pages."""
    import pdoc

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "The module specification")  # a package brings its modules along
        pdoc.pdoc(*[name for name, _ in modules()], output_directory=folder)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
