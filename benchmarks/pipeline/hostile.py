"""Does parsing stay linear on odd text? Splits and parses texts of 10 KB to 5 MB.

    python benchmarks/pipeline/hostile.py [--pipeline DIR]

Prints and writes to results/hostile.json the microseconds of processor time per character at each size,
the largest over the smallest of them, and how many of the sentences of the largest text got no tree
because they are longer than the parser takes (``stance.syntax.MAX_CHARS``, ``MAX_TOKENS``).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from stance import seeds, segment
from stance.syntax import Parser

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)
WORDS = "The ministry said on Tuesday that nobody had been hurt and the grain went to the port "
KINDS: dict[str, str] = {
    "one line without a stop": WORDS,
    "sentences of 3,000 words": WORDS * 177 + "today. ",
    "opening brackets": "(",
    "only punctuation": "?!.,;:-",
    "spaced punctuation": ". , ",
    "emoji": "😀🇺🇦",
    "control characters": "\x00\x01\x1b",
    "lone surrogates": "\ud800. ",
    "quotation marks": '" “ ',
    "right to left": "\u202eשלום עולם וברכה\u200f " * 8 + ". ",
    "sentences": "",
    "sentences of 250 words": WORDS * 14 + "today. ",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pipeline", type=Path, default=None, help="folder (default: the shipped one)")
    options = parser.parse_args()
    trees = Parser(options.pipeline)
    prose = " ".join(" ".join(document.text.split()) for document in seeds.documents())
    trees.parse(["A sentence to load the pipeline."])
    out = Path(__file__).resolve().parent / "results" / "hostile.json"
    results: dict[str, Any] = {"pipeline": trees.version, "sizes": SIZES, "kinds": {}}
    for name, piece in KINDS.items():
        unit = piece or prose + " "
        row: list[float] = []
        for size in SIZES:
            text = (unit * (size // len(unit) + 1))[:size]
            times = []
            for _ in range(5 if size <= 100_000 else 1):
                parsed: list[Any] = []  # the last trees are given back before the clock runs
                began = time.process_time()
                parsed = trees.parse([sentence.text for sentence in segment.split(text)])
                times.append(time.process_time() - began)
            row.append(min(times) / size * 1e6)
        entry = {
            "microseconds per character": [round(value, 3) for value in row],
            "largest / smallest": round(max(row) / min(row), 2),
            "5 MB / 10 KB": round(row[-1] / row[0], 2),
            "sentences of the largest": len(parsed),
            "of these without a tree": sum(tree is None for tree in parsed),
        }
        results["kinds"][name] = entry
        print(f"{name:28}", *(f"{value:8.3f}" for value in row), entry["5 MB / 10 KB"], flush=True)
        out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
