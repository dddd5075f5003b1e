"""JSON Lines, and JSON files that hold one list of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from stance.sources import encoding, rows
from stance.sources.items import Fault, Item, ReadOptions
from stance.sources.raw import Raw


def read_lines(raw: Raw, options: ReadOptions) -> Iterator[Item]:
    """An item or a fault for each line that is not blank."""
    index = 0
    for line in encoding.lines(raw.stream, options.encoding, options.max_line):
        place = f"{raw.name}:{line.number}"
        if line.fault is not None:
            yield Fault(place, line.fault)
        if not line.text.strip():
            continue
        value = parsed(line.text.rstrip(), place)
        if isinstance(value, Fault):
            yield value
            continue
        if not isinstance(value, dict):
            yield Fault(place, 'valid JSON, but not an object; write one {"text": …} a line')
            continue
        yield rows.item(value, place, index, options)
        index += 1


def read_list(raw: Raw, options: ReadOptions) -> Iterator[Item]:
    """An item or a fault for each object of a JSON list; a single object is a list of one."""
    found = encoding.decode(raw.whole(options.max_document), options.encoding)
    if found.undecodable is not None:
        yield Fault(f"{raw.name}:{found.undecodable.line}", str(found.undecodable))
    value = parsed(found.text, raw.name)
    if isinstance(value, Fault):
        yield value
        return
    for number, entry in enumerate(value if isinstance(value, list) else [value]):
        place = f"{raw.name}[{number}]"
        if isinstance(entry, dict):
            yield rows.item(entry, place, number, options)
        else:
            yield Fault(place, 'not an object; write {"text": …}')


def parsed(text: str, place: str) -> Any:
    """The JSON value of `text`, or the fault that it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as fault:
        line = f"line {fault.lineno}, " if fault.lineno > 1 else ""
        return Fault(place, f"not JSON ({fault.msg} at {line}column {fault.colno}); one object a line")
    except (RecursionError, ValueError) as fault:
        reason = "nested too deeply" if isinstance(fault, RecursionError) else str(fault)
        return Fault(place, f"not readable as JSON ({reason}); simplify it")
