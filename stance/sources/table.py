"""CSV and TSV: a row is a document, or a single sentence."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from stance.sources import encoding, rows
from stance.sources.items import Fault, Item, ReadOptions
from stance.sources.raw import Raw


def read_table(raw: Raw, options: ReadOptions) -> Iterator[Item]:
    """An item or a fault for each row; the first row names the columns."""
    faults: list[Fault] = []
    source = _lines(raw, options, faults)
    first = next(source, "")
    delimiter = "\t" if options.format == "tsv" else _delimiter(first)
    csv.field_size_limit(options.max_line)
    reader = csv.reader(_again(first, source), delimiter=delimiter)
    header: list[str] | None = None
    index = 0
    start = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as fault:
            yield Fault(
                f"{raw.name}:{start}", f"not readable as a table ({fault}); check its quotation marks"
            )
            break
        yield from faults
        faults.clear()
        place, start = f"{raw.name}:{start}", reader.line_num + 1
        if not any(cells):
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            missing = _missing(header, options)
            if missing is not None:
                yield Fault(raw.name, missing)
                return
            continue
        yield _row(header, cells, place, index, options)
        index += 1
    yield from faults


def _row(header: list[str], cells: list[str], place: str, index: int, options: ReadOptions) -> Item:
    if len(cells) > len(header):
        return Fault(
            place, f"{len(cells)} cells for {len(header)} columns; put cells with commas in quotation marks"
        )
    row = {name: cell for name, cell in zip(header, cells, strict=False) if cell}
    text_column = options.columns.get("text", "text")
    if text_column not in row:
        if options.unit == "sentence" and len(cells) == len(header):
            row[text_column] = ""
        else:
            return Fault(place, f"its '{text_column}' is empty; nothing to label")
    return rows.item(row, place, index, options)


def _missing(header: list[str], options: ReadOptions) -> str | None:
    """The sentence for a table that lacks a column that was asked for, or its text."""
    wanted = [*options.columns.values()]
    if "text" not in options.columns:
        wanted.insert(0, "text")
    for column in wanted:
        if column not in header:
            cure = "name it with --text-column" if column == "text" else "check its name"
            return f"has no column '{column}' (it has {', '.join(header)[:200]}); {cure}"
    return None


def _delimiter(first: str) -> str:
    """Comma, semicolon or tab: whichever the first line holds most of."""
    return max(",;\t", key=first.count)


def _lines(raw: Raw, options: ReadOptions, faults: list[Fault]) -> Iterator[str]:
    for line in encoding.lines(raw.stream, options.encoding, options.max_line):
        if line.fault is not None:
            faults.append(Fault(f"{raw.name}:{line.number}", line.fault))
        yield line.text


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest
