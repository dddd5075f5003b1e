"""JSON Schemas of the contracts that outside tools rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def record_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one ``stance/1`` record."""
    text = (Path(__file__).parent / "record.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
