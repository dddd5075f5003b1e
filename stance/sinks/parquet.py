"""Parquet: the records with their nested fields. Needs the extra ``stance[parquet]``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from stance.errors import StanceError
from stance.labels import Label

_BATCH: Final = 5_000
_META: Final = ("title", "outlet", "author", "time", "link", "language")


def require() -> None:
    """A `StanceError` unless pyarrow can be imported."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise StanceError("writing Parquet needs pyarrow; pip install 'stance[parquet]'") from None


def schema() -> Any:
    """The Arrow schema of ``stance/1``: as in JSON, but `id` is always text."""
    import pyarrow as pa

    text, number, real, truth = pa.string(), pa.int64(), pa.float64(), pa.bool_()
    speaker = pa.struct([("text", text), ("side", text)])
    evidence = pa.struct(
        [
            *((name, text) for name in ("rule", "kind", "effect", "test", "side")),
            ("start", number),
            ("end", number),
            ("text", text),
            ("voice", text),
            ("speaker", speaker),
            ("because", text),
            ("weight", real),
            ("counted", truth),
            ("not_counted", text),
        ]
    )
    versions = ("stance", "rules", "model", "pipeline", "codebook")
    return pa.schema(
        [
            ("schema", text),
            ("document", text),
            ("index", number),
            ("id", text),
            ("start", number),
            ("end", number),
            ("text", text),
            ("label", text),
            ("own_label", text),
            ("probabilities", pa.struct([(label.value, real) for label in Label])),
            ("abstained", truth),
            ("frame", text),
            ("opinion", truth),
            ("voice", text),
            ("speaker", speaker),
            ("reason", text),
            ("evidence", pa.list_(evidence)),
            ("engine", text),
            ("versions", pa.struct([(name, text) for name in versions])),
            ("meta", pa.struct([(name, text) for name in _META])),
        ]
    )


def convert(jsonl: str, target: str) -> None:
    """Write the records of the file `jsonl` to `target`, a few thousand at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shape = schema()
    with (
        open(jsonl, encoding="utf-8") as lines,
        pq.ParquetWriter(target, shape, compression="zstd") as writer,
    ):
        records = _records(lines)
        while batch := list(islice(records, _BATCH)):
            writer.write_table(pa.Table.from_pylist(batch, schema=shape))


def _records(lines: Any) -> Iterator[dict[str, Any]]:
    for line in lines:
        record = json.loads(line)
        if record.get("id") is not None:
            record["id"] = str(record["id"])
        yield record
