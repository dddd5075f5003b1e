"""The short training runs behind the choice of the pipeline's shape, on the dev files alone.

    python benchmarks/pipeline/frontier.py --treebank DIR --out DIR [--silver FILE] [--run NAME …]

``--silver`` is what models/pipeline/teacher.py writes; the run that ships needs it. Each run writes its
pipeline to OUT/NAME and its checkpoints to OUT/NAME.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from stance.pipeline_training import REFERENCE, SHIPPED, Settings, train

# The first three were run before dropout reached the embeddings and are not repeated to the digit.
EARLY = {"warmup": 200, "dropout": 0.1}
WIDE_TABLES = {"rows": (12000, 1000, 4000, 3000)}
GOLD = Settings(width=64, rows=(8000, 1000, 4000, 2500), shared_types=True)
RUNS: dict[str, Settings] = {
    "width 96, dropout 0.1": replace(REFERENCE, shared_types=True, steps=2000, tag_every=1, **EARLY),
    "width 64, dropout 0.1, 12,000 rows": replace(GOLD, steps=2000, tag_every=1, **WIDE_TABLES, **EARLY),
    "width 64, dropout 0.1, 12,000 rows, long": replace(GOLD, steps=9000, dropout=0.1, **WIDE_TABLES),
    "width 64, dropout 0.2": GOLD,
    "reference": replace(REFERENCE, steps=9000),
    "shipped": SHIPPED,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--treebank", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--silver", type=Path, default=None)
    parser.add_argument("--run", nargs="*", default=list(RUNS), choices=list(RUNS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.run:
        print(name, flush=True)
        record = train(
            options.treebank,
            options.out / name,
            progress=lambda message: print(message, flush=True),
            settings=RUNS[name],
            silver=options.silver if RUNS[name].silver_share else None,
        )
        (options.out / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
