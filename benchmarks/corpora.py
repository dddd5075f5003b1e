"""Corpora for `stance bench throughput` from text that does not belong to this project.

    python benchmarks/corpora.py SHARED OUT

SHARED holds ``real/unlabelled.jsonl.gz`` and ``treebank/*.conllu``. Written to OUT: ``news.jsonl``,
articles on the war; ``mixed.jsonl``, a feed in which four sentences of five are about other things. A line
is a document ``{"id", "text"}``; no sentence stands twice. The output is not for publishing.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

NEWS = 10_000
MIXED = 20_000
DOCUMENT = 20  # sentences


def articles(path: Path) -> Iterator[list[str]]:
    """Sentences of each article, none that was seen before."""
    seen: set[str] = set()
    current: str | None = None
    found: list[str] = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["article"] != current and found:
                yield found
                found = []
            current = row["article"]
            text = " ".join(row["text"].split())
            if text and text not in seen:
                seen.add(text)
                found.append(text)
    if found:
        yield found


def treebank(folder: Path) -> Iterator[str]:
    """Sentences of the treebanks, each once, in the order of the files."""
    seen: set[str] = set()
    for path in sorted(folder.glob("*.conllu")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("# text = "):
                text = " ".join(line.removeprefix("# text = ").split())
                if len(text) >= 20 and text not in seen:
                    seen.add(text)
                    yield text


def write(path: Path, documents: Iterable[Sequence[str]]) -> None:
    count = 0
    with path.open("w", encoding="utf-8") as out:
        for number, sentences in enumerate(documents):
            count += len(sentences)
            out.write(json.dumps({"id": f"{path.stem}-{number}", "text": "\n".join(sentences)}) + "\n")
    print(f"{path.name}: {count} sentences")


def main(shared: Path, out: Path) -> None:
    chance = random.Random(8)
    war = list(articles(shared / "real" / "unlabelled.jsonl.gz"))
    chance.shuffle(war)
    other = list(treebank(shared / "treebank"))
    chance.shuffle(other)
    sentences = [text for article in war for text in article]
    write(out / "news.jsonl", [article for article in _until(war, NEWS) if article])
    feed = sentences[-MIXED // 5 :] + other[: MIXED - MIXED // 5]
    chance.shuffle(feed)
    rest = iter(feed)
    write(out / "mixed.jsonl", iter(lambda: list(islice(rest, DOCUMENT)), []))


def _until(documents: Sequence[list[str]], count: int) -> Iterator[list[str]]:
    for document in documents:
        if count <= 0:
            return
        yield document[:count]
        count -= len(document)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
