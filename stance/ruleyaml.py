"""The only door to YAML: bytes to plain data with the line of every value, or to located faults.

A file is walked as a stream of parser events, so that nothing is built before it is checked: nesting
is limited, anchors, aliases, tags, tabs and duplicate keys are refused. Plain scalars are text, except
``true``, ``false`` and an empty one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

MAX_NESTING: Final = 50
Loc = tuple[str | int, ...]
BOOLS: Final = {"true": True, "false": False}
NULLS: Final = frozenset({"", "~", "null"})
# A value that starts with a character that means something to YAML: nearly always a phrase without quotes.
_UNQUOTED: Final = re.compile(r"(?:^|[\[,:-])\s*[*&!%@`|>]|\{(?:[XY]|any|[a-z]+)(?::[a-z|]+)?\}")
_LOADER: Final = getattr(yaml, "CLoader", yaml.Loader)


@dataclass(slots=True)
class Parsed:
    """Plain data, the line (from 1) of every place in it, and (line, message) for each fault.

    `data` is None where a fault left nothing to go on with.
    """

    data: Any = None
    lines: dict[Loc, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def line(self, loc: Loc) -> int:
        """The line of a place, or of the nearest place around it."""
        while loc not in self.lines and loc:
            loc = loc[:-1]
        return self.lines.get(loc, 1)


class _Stop(Exception):
    """A fault after which the rest of the file means nothing."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet; `key` waits for its value."""

    value: dict[str, Any] | list[Any]
    loc: Loc
    key: str | None = None
    duplicate: bool = False


def parse_yaml(data: bytes) -> Parsed:
    """The one document in `data` (UTF-8)."""
    parsed = Parsed()
    try:
        _walk(_text(data, parsed), parsed)
    except _Stop as stop:
        parsed.data = None
        parsed.faults.append((stop.line, stop.message))
    except yaml.MarkedYAMLError as error:
        parsed.data = None
        parsed.faults.append(_syntax(error, data))
    except yaml.YAMLError as error:
        parsed.data = None
        parsed.faults.append((1, f"not YAML: {str(error).splitlines()[0]}"))
    return parsed


def _text(data: bytes, parsed: Parsed) -> str:
    """The text, checked for what no rule file may hold."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Stop(line, f"not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise _Stop(line, "a NUL character; is this a text file?")
    tabs = [number for number, content in enumerate(lines, 1) if "\t" in content]
    if tabs:
        more = f" (and on {len(tabs) - 1} more lines)" if len(tabs) > 1 else ""
        raise _Stop(tabs[0], f"a tab{more}; use spaces")
    return "\n".join(lines)


def _walk(text: str, parsed: Parsed) -> None:
    stack: list[_Open] = []
    documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _Stop(line, "a second document after '---'; one file is one document")
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            stack.pop()
        elif isinstance(event, yaml.NodeEvent):
            _node(event, line, stack, parsed)
    if parsed.data is None and not parsed.faults:
        raise _Stop(1, "the file is empty; write the rule or delete the file")


def _node(event: yaml.NodeEvent, line: int, stack: list[_Open], parsed: Parsed) -> None:
    if isinstance(event, yaml.AliasEvent):
        raise _Stop(line, "'*' starts a YAML alias; put a phrase in quotation marks, a shared one in lists/")
    if event.anchor is not None:
        raise _Stop(line, "'&' starts a YAML anchor; put a text in quotation marks, a shared one in lists/")
    if getattr(event, "tag", None) is not None:
        raise _Stop(line, "'!' starts a YAML tag; put the text in quotation marks")
    if isinstance(event, yaml.ScalarEvent):
        _scalar(event, line, stack, parsed)
        return
    if len(stack) >= MAX_NESTING:
        raise _Stop(line, f"nested deeper than {MAX_NESTING}; no rule needs that")
    value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
    stack.append(_Open(value, _place(value, line, stack, parsed)))


def _scalar(event: yaml.ScalarEvent, line: int, stack: list[_Open], parsed: Parsed) -> None:
    around = stack[-1] if stack else None
    if around is not None and isinstance(around.value, dict) and around.key is None:
        around.key, around.duplicate = event.value, event.value in around.value
        if around.duplicate:
            parsed.faults.append((line, f"key {event.value[:60]!r} twice; keep one"))
        else:
            parsed.lines[(*around.loc, event.value)] = line
        return
    _place(_resolve(event), line, stack, parsed)


def _resolve(event: yaml.ScalarEvent) -> str | bool | None:
    if not event.implicit[0]:
        return str(event.value)
    if event.value in NULLS:
        return None
    return BOOLS.get(event.value, str(event.value))


def _place(value: Any, line: int, stack: list[_Open], parsed: Parsed) -> Loc:
    """Put a value where it belongs and say where that is."""
    if not stack:
        parsed.data = value
        parsed.lines[()] = line
        return ()
    around = stack[-1]
    if isinstance(around.value, list):
        loc: Loc = (*around.loc, len(around.value))
        around.value.append(value)
        parsed.lines[loc] = line
        return loc
    if around.key is None:
        raise _Stop(line, "a key that is no word; if this is a phrase, put it in quotation marks")
    loc = (*around.loc, around.key)
    if not around.duplicate:
        around.value[around.key] = value
    around.key = None
    return loc


def _syntax(error: yaml.MarkedYAMLError, data: bytes) -> tuple[int, str]:
    """A syntax error of the parser with the cure that fits most of them."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    lines = data.decode("utf-8", "replace").splitlines()
    excerpt = lines[line - 1] if line <= len(lines) else ""
    problem = (error.problem or "cannot be read").replace("\n", " ")
    if _UNQUOTED.search(excerpt):
        cure = "put each phrase with braces or a mark in front in quotation marks"
    elif "mapping values" in problem:
        cure = "put the text in quotation marks: it holds a colon"
    else:
        cure = "check indentation and brackets; put phrases with commas or marks in quotation marks"
    return line, f"not YAML: {problem}; {cure}"
