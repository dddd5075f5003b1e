"""Fuzz one target with atheris (Python 3.11): ``python tests/fuzz/run.py splitter --runs 1000000``.

The corpus and what crashed are kept in the folder given by ``--work``; with ``--seconds`` the time is the bound.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

INSTRUMENTED = {
    "splitter": ["stance.segment"],
    "quotation": ["stance.segment"],
    "rules": [
        "stance.ruleyaml",
        "stance.ruleread",
        "stance.rulefiles",
        "stance.phrases",
        "stance.ruleshapes",
    ],
    "model": ["stance.model", "json"],
    "readers": [
        "stance.sources.encoding",
        "stance.sources.formats",
        "stance.sources.jsonl",
        "stance.sources.rows",
        "stance.sources.table",
        "stance.sources.text",
        "json",
    ],
    "feed": ["stance.sources.worker", "fastfeedparser"],
    "page": ["stance.sources.worker", "trafilatura", "htmldate", "justext"],
}
LENGTH = {
    "splitter": 300,
    "quotation": 300,
    "rules": 700,
    "model": 600,
    "readers": 600,
    "feed": 4000,
    "page": 6000,
}


def ours() -> list[str]:
    """The modules of the package. atheris instruments whole packages, which makes every run slower."""
    folder = Path(__file__).parents[2] / "stance"
    return [".".join(path.relative_to(folder.parent).with_suffix("").parts) for path in folder.rglob("*.py")]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("target", choices=sorted(INSTRUMENTED))
    options.add_argument("--runs", type=int, default=1_000_000)
    options.add_argument("--seconds", type=int, default=0, help="end after this time, whatever --runs says")
    options.add_argument("--length", type=int, help="bytes of the longest input; short ones go faster")
    options.add_argument("--work", type=Path, default=Path("fuzz-work"))
    options.add_argument("--timeout", type=int, default=60, help="seconds for one input")
    given = options.parse_args()

    import atheris

    wanted = INSTRUMENTED[given.target]
    with atheris.instrument_imports(include=wanted, exclude=[name for name in ours() if name not in wanted]):
        import targets

        target = targets.TARGETS[given.target]
        target(b"")  # what is imported on first use is instrumented too

    corpus = given.work / given.target / "corpus"
    found = given.work / given.target / "found"
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(targets.seeds(given.target)):
        (corpus / f"seed-{number:03d}").write_bytes(seed)

    count = 0

    def once(data: bytes) -> None:
        nonlocal count
        count += 1
        target(data)

    arguments = [
        sys.argv[0],
        str(corpus),
        f"-runs={given.runs}",
        f"-max_len={given.length or LENGTH[given.target]}",
        f"-timeout={given.timeout}",
        "-rss_limit_mb=3000",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
        "-use_value_profile=0",
    ]
    if given.seconds:
        arguments.append(f"-max_total_time={given.seconds}")
    began = time.time()
    print(json.dumps({"target": given.target, "began": began}), flush=True)
    atheris.Setup(arguments, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
