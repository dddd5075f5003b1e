"""How well and how fast the splitter splits, beside other libraries.

    python benchmarks/splitter.py [--treebank DIR] [--seeds DIR] [--no-hostile]

Gold boundaries come from the seed corpus, from GUM's news documents and from PUD (Universal
Dependencies; the sentences of a document joined by a space; a sentence without a final stop stands
on a line of its own). GUM's train file was used while the rules were written, its dev and test files
only here. A library that is not installed is left out with the reason. Libraries that know no lines
get each line by itself, as ours takes it. Times are processor time, the best of several runs.

Writes `benchmarks/results/splitter.json` and `.md`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from stance.segment import split  # noqa: E402

Spans = list[tuple[int, int]]
Splitter = Callable[[str], Spans]

FINAL_STOP = re.compile(r"[.!?…][\"'”’»)\]]*\Z")
LINE = re.compile(r"[^\n\r]+")


@dataclass(frozen=True)
class Gold:
    """A text with the offsets of its sentences."""

    text: str
    spans: Spans


# ------------------------------------------------------------------------------------------- gold


def seeds(folder: Path) -> list[Gold]:
    spans: dict[str, Spans] = {}
    for line in (folder / "gold.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        spans.setdefault(record["document"], []).append((record["start"], record["end"]))
    home = folder / "documents" if (folder / "documents").is_dir() else folder
    return [Gold((home / name).read_bytes().decode("utf-8"), found) for name, found in spans.items()]


def treebank(path: Path, wanted: str, document: Callable[[str], str], stopped_only: bool) -> list[Gold]:
    """The sentences of the documents whose sentence ids contain `wanted`, joined into running text."""
    documents: dict[str, list[str]] = {}
    sent_id = ""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            key, _, value = line.rstrip("\n").partition(" = ")
            if key == "# sent_id":
                sent_id = value
            elif key == "# text" and wanted in sent_id:
                documents.setdefault(document(sent_id), []).append(value.strip())
    return [_joined(sentences, stopped_only) for sentences in documents.values()]


def _joined(sentences: Iterable[str], stopped_only: bool) -> Gold:
    text = ""
    spans: Spans = []
    for sentence in sentences:
        stopped = FINAL_STOP.search(sentence) is not None
        if not stopped and stopped_only:
            continue
        if not stopped and text and not text.endswith("\n"):
            text = text.rstrip(" ") + "\n"
        spans.append((len(text), len(text) + len(sentence)))
        text += sentence + (" " if stopped else "\n")
    return Gold(text, spans)


# -------------------------------------------------------------------------------------- splitters


def ours() -> Splitter:
    return lambda text: [(found.start, found.end) for found in split(text)]


def with_syntok() -> Splitter:
    from syntok import segmenter

    def run(line: str) -> Spans:
        return [
            (sentence[0].offset, sentence[-1].offset + len(sentence[-1].value))
            for paragraph in segmenter.analyze(line)
            for sentence in paragraph
            if sentence
        ]

    return by_line(run)


def with_pysbd() -> Splitter:
    import pysbd

    segmenter = pysbd.Segmenter(language="en", clean=False, char_span=True)
    return by_line(lambda line: [(span.start, span.end) for span in segmenter.segment(line)])


def with_spacy() -> Splitter:
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.max_length = 10**8
    return by_line(lambda line: [(found.start_char, found.end_char) for found in nlp(line).sents])


def with_punkt(texts: Sequence[str]) -> Splitter:
    """NLTK's Punkt learns from plain text; its ready-made parameters would have to be downloaded."""
    from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTrainer

    trainer = PunktTrainer()
    trainer.INCLUDE_ALL_COLLOCS = True
    for text in texts:
        trainer.train(text, finalize=False)
    trainer.finalize_training()
    tokenizer = PunktSentenceTokenizer(trainer.get_params())
    return by_line(lambda line: list(tokenizer.span_tokenize(line)))


def with_blingfire() -> Splitter:
    import blingfire

    return by_line(lambda line: [tuple(pair) for pair in blingfire.text_to_sentences_and_offsets(line)[1]])


def by_line(run: Callable[[str], Iterable[tuple[int, int]]]) -> Splitter:
    """The spans of every line, trimmed of white space."""

    def whole(text: str) -> Spans:
        spans: Spans = []
        for match in LINE.finditer(text):
            line = match.group()
            if not line.strip():
                continue
            for start, end in run(line):
                words = line[start:end]
                if words.strip():
                    start += len(words) - len(words.lstrip())
                    spans.append((match.start() + start, match.start() + start + len(words.strip())))
        return spans

    return whole


# ---------------------------------------------------------------------------------------- figures


def score(splitter: Splitter, golds: Sequence[Gold]) -> dict[str, float]:
    """F1 of the places where sentences end, F1 of whole sentences, share of the text kept."""
    ends = Counts()
    whole = Counts()
    kept = size = 0
    for gold in golds:
        spans = splitter(gold.text)
        ends.add({end for _, end in spans}, {end for _, end in gold.spans})
        whole.add(set(spans), set(gold.spans))
        covered = {at for start, end in spans for at in range(start, end)}
        solid = {at for at, character in enumerate(gold.text) if not character.isspace()}
        kept += len(covered & solid)
        size += len(solid)
    return {"boundary_f1": ends.f1(), "sentence_f1": whole.f1(), "kept": kept / size, "gold": ends.gold}


@dataclass
class Counts:
    hits: int = 0
    found: int = 0
    gold: int = 0

    def add(self, found: set[Any], gold: set[Any]) -> None:
        self.hits += len(found & gold)
        self.found += len(found)
        self.gold += len(gold)

    def f1(self) -> float:
        return 2 * self.hits / (self.found + self.gold)


def seconds(run: Callable[[], object], times: int = 5) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


HOSTILE = {
    "news in one line": None,
    "letters": "a",
    "white space": " ",
    "line ends": "\n",
    "opening brackets": "(",
    "closing and opening": ")(",
    "bracket, stop": "(A. b ",
    "straight marks": '"',
    "curly opening marks": "“",
    "curly pairs": "“”",
    "marks and words": '“A b. ‘c "d ',
    "apostrophes": "'the boys' toys ",
    "unclosed paragraphs": "“A b. C\n\n",
    "stops": ".",
    "spaced stops": ". ",
    "stop, bracket": ".)",
    "initials": "A. ",
    "no space after stops": "ab.Cd",
    "emoji": "😀🇺🇦",
    "control characters": "\x00\x01\x1b",
    "right to left": "\u202e\u200fא. ",
    "lone surrogates": "\ud800. ",
    "short lines": "A\n",
}
SIZES = (10_000, 100_000, 1_000_000, 5_000_000)


def hostile(news: str) -> Iterator[tuple[str, list[float]]]:
    """For each kind of text the nanoseconds per character at each size."""
    for name, piece in HOSTILE.items():
        unit = piece or news.replace("\n", " ")
        row = []
        for size in SIZES:
            text = (unit * (size // len(unit) + 1))[:size]
            rounds = max(1, 100_000 // size)
            spent = seconds(
                lambda text=text, rounds=rounds: [split(text) for _ in range(rounds)], 4 - len(row)
            )
            row.append(spent / rounds / size * 1e9)
        yield name, row


# ------------------------------------------------------------------------------------------- main


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--treebank", type=Path, default=ROOT.parent / "shared" / "treebank")
    parser.add_argument("--seeds", type=Path, default=ROOT / "seeds")
    parser.add_argument("--no-hostile", action="store_true", help="leave out the timing of hostile texts")
    args = parser.parse_args()

    corpora = corpora_of(args.seeds, args.treebank)
    learning = [gold.text for gold in corpora.get("GUM news train", [])]
    peers: dict[str, tuple[str, Callable[[], Splitter]]] = {
        "ours": ("", ours),
        "syntok": ("syntok", with_syntok),
        "pysbd": ("pysbd", with_pysbd),
        "spaCy sentencizer": ("spacy", with_spacy),
        "NLTK Punkt, trained on GUM news train": ("nltk", lambda: with_punkt(learning)),
        "blingfire": ("blingfire", with_blingfire),
    }
    results: dict[str, Any] = {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "splitters": {},
        "skipped": {},
        "hostile": {},
    }
    timed = corpora.get("GUM news train") or next(iter(corpora.values()), [])
    for name, (package, make) in peers.items():
        try:
            splitter = make()
        except (ImportError, LookupError) as reason:
            results["skipped"][name] = str(reason).splitlines()[0]
            continue
        spent = seconds(lambda splitter=splitter: [splitter(gold.text) for gold in timed])
        entry = {
            "version": importlib.metadata.version(package) if package else "",
            "sentences_per_second": round(sum(len(gold.spans) for gold in timed) / spent),
            "scores": {corpus: score(splitter, golds) for corpus, golds in corpora.items()},
        }
        results["splitters"][name] = entry
        print(name, entry, flush=True)
    if not args.no_hostile:
        news = "\n".join(gold.text for gold in timed)
        for name, row in hostile(news):
            results["hostile"][name] = [round(value, 1) for value in row]
            print(f"{name:24}", *(f"{value:10.1f}" for value in row), f"  {row[-1] / row[0]:.1f}", flush=True)
    write(results, ROOT / "benchmarks" / "results")


def corpora_of(seed_folder: Path, treebank_folder: Path) -> dict[str, list[Gold]]:
    corpora: dict[str, list[Gold]] = {}
    if (seed_folder / "gold.jsonl").exists():
        corpora["seeds"] = seeds(seed_folder)
    for part in ("train", "dev", "test"):
        path = treebank_folder / f"gum-{part}.conllu"
        if path.exists():
            for label, stopped in (("", False), (", stops only", True)):
                corpora[f"GUM news {part}{label}"] = treebank(path, "GUM_news", gum_document, stopped)
            if part != "train":
                corpora[f"GUM {part}, all genres"] = treebank(path, "", gum_document, False)
    path = treebank_folder / "pud-test.conllu"
    if path.exists():
        corpora["PUD"] = treebank(path, "", lambda sent_id: sent_id[:6], False)
    return corpora


def gum_document(sent_id: str) -> str:
    return sent_id.rpartition("-")[0]


def write(results: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = json.dumps(results, indent=1, ensure_ascii=False)
    (folder / "splitter.json").write_text(data + "\n", encoding="utf-8")
    (folder / "splitter.md").write_text(markdown(results), encoding="utf-8")


def markdown(results: dict[str, Any]) -> str:
    splitters = results["splitters"]
    corpora = list(next(iter(splitters.values()))["scores"])
    names = list(splitters)
    titles = [f"{name} {splitters[name]['version']}".strip() for name in names]
    lines = [
        "# The sentence splitter beside others",
        "",
        f"`python benchmarks/splitter.py`, {results['date']}, Python {results['python']}.",
        "F1 of sentence ends / F1 of whole sentences (both offsets). The seeds and GUM's news train file",
        "were at hand while the rules were written, GUM's dev and test files were not. PUD's sentences are",
        "isolated: a smoke test. “Kept” is the smallest share of the characters, white space apart,",
        "that lie inside a sentence.",
        "",
        "| | gold | " + " | ".join(titles) + " |",
        "|---|---" + "|---" * len(names) + "|",
    ]
    for corpus in corpora:
        scores = [splitters[name]["scores"][corpus] for name in names]
        cells = [f"{one['boundary_f1']:.3f} / {one['sentence_f1']:.3f}" for one in scores]
        lines.append(f"| {corpus} | {scores[0]['gold']:,} | " + " | ".join(cells) + " |")
    kept = [min(one["kept"] for one in splitters[name]["scores"].values()) for name in names]
    lines.append("| kept | | " + " | ".join(f"{share:.4f}" for share in kept) + " |")
    speeds = [splitters[name]["sentences_per_second"] for name in names]
    lines.append("| sentences/s | | " + " | ".join(f"{speed:,}" for speed in speeds) + " |")
    lines += [f"\nNot measured: {name} ({reason})." for name, reason in results["skipped"].items()]
    if results["hostile"]:
        head = " | ".join(f"{size // 1000:,} KB" for size in SIZES)
        lines += ["", "## Hostile text: nanoseconds per character", "", f"| text | {head} | last / first |"]
        lines.append("|---" * (len(SIZES) + 2) + "|")
        for name, row in results["hostile"].items():
            cells = " | ".join(f"{value:,.0f}" for value in row)
            lines.append(f"| {name} | {cells} | {row[-1] / row[0]:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
