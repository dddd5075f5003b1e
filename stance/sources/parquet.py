"""Parquet: a row is a document, or a single sentence. Needs the extra ``stance[parquet]``."""

from __future__ import annotations

import io
from collections.abc import Iterator

from stance.sources import rows
from stance.sources.items import META_FIELDS, Fault, Item, ReadOptions
from stance.sources.raw import Raw

_BATCH = 256


def read_parquet(raw: Raw, options: ReadOptions) -> Iterator[Item]:
    """An item or a fault for each row; only the columns that mean something here are read."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        yield Fault(raw.name, "reading Parquet needs pyarrow; pip install 'stance[parquet]'")
        return
    source = raw.stream if raw.stream.seekable() else io.BytesIO(raw.whole(options.max_document))
    try:
        file = pq.ParquetFile(source)
        names = [name for name in file.schema_arrow.names if name in _wanted(options)]
        if options.columns.get("text", "text") not in names:
            known = ", ".join(file.schema_arrow.names)[:200]
            yield Fault(raw.name, f"has no column 'text' (it has {known}); name it with --text-column")
            return
        number = 0
        for batch in file.iter_batches(batch_size=_BATCH, columns=names):
            for row in batch.to_pylist():
                yield rows.item(row, f"{raw.name}[{number}]", number, options)
                number += 1
        if number == 0:
            yield Fault(raw.name, "holds no rows; nothing to label")
    except (pa.ArrowException, OSError, ValueError) as fault:
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        yield Fault(raw.name, f"not readable as Parquet ({reason}); write it again")


def _wanted(options: ReadOptions) -> set[str]:
    fields = ("text", "id", "prev", "name", *META_FIELDS)
    return {name for field in fields for name in rows.ALIASES[field]} | set(options.columns.values())
