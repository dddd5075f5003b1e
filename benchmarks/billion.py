"""What a billion sentences cost, from measured speeds: rewrites that table of ``scale.md``.

    stance bench throughput --sentences 500 --json speed.json
    python benchmarks/billion.py speed.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

PAGE = Path(__file__).with_name("scale.md")
SENTENCES = 1_000_000_000
CORES = 32
CENTS = 5  # a core hour
ENGINE = "hybrid, JSON written"
HEAD = (
    f"| text | sentences/s and core | core hours | on {CORES} cores | at {CENTS} cents a core hour |\n"
    "|---|---|---|---|---|\n"
)
NAMES = {"seeds": "articles all about the war", "mixed": "mixed news, a fifth about the war"}


def row(name: str, rate: int) -> str:
    """A line of the table; `rate` in sentences a second and core."""
    hours = SENTENCES / (3600 * rate)
    cost = f"{hours:,.0f} | {hours / CORES:,.1f} hours | {hours * CENTS / 100:,.0f} dollars"
    return f"| {name} | {rate:,} | {cost} |\n"


def table(rates: Iterable[tuple[str, int]]) -> str:
    """The whole table."""
    return HEAD + "".join(row(name, rate) for name, rate in rates)


def replaced(page: str, new: str) -> str:
    """The page with the table under its last heading replaced."""
    before, heading, after = page.partition("## A billion sentences\n")
    text, _, rest = after.partition("\n| ")
    _, _, end = rest.partition("\n\n")
    return f"{before}{heading}{text}\n{new}\n{end}"


def main() -> None:
    """Read the speeds, rewrite the page, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("speed", type=Path, help="what `stance bench throughput --json` wrote")
    results = json.loads(parser.parse_args().speed.read_text("utf-8"))["results"]
    rates = [(NAMES[key], round(results[key][ENGINE]["sentences_per_second"])) for key in NAMES]
    made = table([*rates, ("for comparison", 5_000)])
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), made), encoding="utf-8")
    print(made, end="")


if __name__ == "__main__":
    main()
