"""What a benchmark hands out: a table on the terminal, JSON with the facts of the run, Markdown.

Figures and ids only: no text of the data goes into a file.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stance.sinks.inert import one_line
from stance.version import __version__

SCHEMA: Final = "stance-bench/1"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under a head; the first column holds names, the others figures."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def terminal(self) -> str:
        lines = [self.head, *self.rows]
        shown = [[one_line(cell) for cell in line] for line in lines]
        widths = [max(len(line[i]) for line in shown) for i in range(len(self.head))]
        out = [one_line(self.title)]
        for line in shown:
            cells = [line[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
            out.append("  " + "  ".join(cells).rstrip())
        return "\n".join(out)

    def markdown(self) -> str:
        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in cells) + " |"

        rule = "|---|" + "---:|" * (len(self.head) - 1)
        return "\n".join([f"## {one_line(self.title)}", "", line(self.head), rule, *map(line, self.rows)])


@dataclass
class Report:
    """One run: what was asked, of what, and what came out."""

    what: str
    command: str
    versions: dict[str, Mapping[str, str | None]] = field(default_factory=dict)
    data: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)  # engine to rule to hits
    tables: list[Table] = field(default_factory=list)
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "what": self.what,
            "command": self.command,
            "date": self.date,
            "machine": machine(),
            "stance": __version__,
            "versions": {name: dict(versions) for name, versions in self.versions.items()},
            "data": self.data,
            "notes": self.notes,
            "results": self.results,
            **({"rules": self.rules} if self.rules else {}),
        }

    def terminal(self) -> str:
        blocks = [table.terminal() for table in self.tables]
        if self.notes:
            blocks.append("\n".join(f"note: {one_line(note)}" for note in self.notes))
        return "\n\n".join(blocks)

    def markdown(self) -> str:
        facts = machine()
        lines = [
            f"# stance bench {self.what}",
            "",
            f"`{self.command}`, {self.date}, stance {__version__}, Python {facts['python']}, "
            f"{facts['platform']}, {facts['cores']} cores.",
            "",
        ]
        lines += [f"- {name}: {_versions(versions)}" for name, versions in self.versions.items()]
        lines += [
            f"- data: {item['name']}, {item['sentences']} sentences"
            + (f", SHA-256 {item['sha256'][:16]}" if "sha256" in item else "")
            for item in self.data
        ]
        lines += [f"- note: {one_line(note)}" for note in self.notes]
        return "\n".join([*lines, "", "\n\n".join(table.markdown() for table in self.tables), ""])

    def write(self, json_file: Path | None, markdown_file: Path | None) -> None:
        for path in (json_file, markdown_file):
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
        if json_file is not None:
            text = json.dumps(self.to_dict(), ensure_ascii=False, indent=1)
            json_file.write_text(text + "\n", encoding="utf-8")
        if markdown_file is not None:
            markdown_file.write_text(self.markdown(), encoding="utf-8")


def _versions(versions: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name} {value}" for name, value in versions.items() if value and name != "stance")


def machine() -> dict[str, Any]:
    """Facts that figures depend on; no name of the machine and no path."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "byteorder": sys.byteorder,
    }


_ABSOLUTE: Final = re.compile(r"(^|[=,:])(?:~|[A-Za-z]:)?[\\/](?:[^\\/,]+[\\/])*([^\\/,]*)")


def without_folders(argument: str) -> str:
    """An argument in which absolute paths are their last part alone."""
    return _ABSOLUTE.sub(r"\1\2", argument)


def command_line(path: str, arguments: Sequence[str]) -> str:
    """The command as one could type it again, without the folders of this machine."""
    return " ".join([path, *(shlex.quote(without_folders(argument)) for argument in arguments)])


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"


def figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def figure2(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def grouped(rows: Sequence[str], width: int = 8) -> Iterator[str]:
    """Ids in lines of a few."""
    for start in range(0, len(rows), width):
        yield ", ".join(rows[start : start + width])
