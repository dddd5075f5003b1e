"""Each candidate of a lexicon on real sentences: does a rule cover it, how often does it occur, is it right?

    python benchmarks/lexicon.py [--lexicon FILE] [--real DIR] [--out FILE]

The lexicon is a CSV with the columns `term`, `side_or_cue`, `category`. Occurrences are counted on the read
sentences and the unlabelled ones, word by word and whatever the case; the share of sentences whose gold frame
(or opinion) is the candidate's on the read ones. A candidate that no rule covers has earned a place where it
stands in three articles of two outlets and is right in seven of ten labelled sentences, three at least.
Prints ids, single cues and counts, no sentence.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import stance
from stance import inflect
from stance.classifier import Classifier
from stance.evidence import Verdict
from stance.labels import Voice
from stance.rulestats import MIN_ARTICLES, MIN_GROUPS, MIN_PRECISION

WORD = re.compile(r"\w+")
LONGEST = 8
FEW = 3
CARRIERS = ("{}", "The report spoke of {} in May.", "It is {}.", "They {} wait.", "{} the bridge was closed.")
SAYING = "The minister {} that the bridge was closed."
OPINION, VERB = "analytic_opinion", "report_verb"


@dataclass(slots=True)
class Candidate:
    """One row of the lexicon with what was counted; ``covered`` is a rule's id, "voice" or nothing."""

    number: int
    term: str
    side: str
    category: str
    covered: str = ""
    sentences: int = 0
    articles: set[str] = field(default_factory=set)
    outlets: set[str] = field(default_factory=set)
    labelled: int = 0
    right: int = 0

    @property
    def framed(self) -> bool:
        return self.side.startswith("pro_")

    @property
    def earned(self) -> bool:
        enough = len(self.articles) >= MIN_ARTICLES and len(self.outlets) >= MIN_GROUPS
        return (
            not self.covered
            and (self.framed or self.side == OPINION)
            and enough
            and self.labelled >= FEW
            and self.right >= MIN_PRECISION * self.labelled
        )


def read_lexicon(path: Path) -> list[Candidate]:
    """All rows; the first is number 1."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [Candidate(i, r["term"], r["side_or_cue"], r["category"]) for i, r in enumerate(rows, 1)]


def words(text: str) -> tuple[str, ...]:
    """Words in lower case, without marks: hyphens and apostrophes part them."""
    return tuple(WORD.findall(text.lower()))


def countable(candidate: Candidate) -> bool:
    """A construction (`DEP[…]`), a pattern or a note cannot be counted as words."""
    return not re.search(r"[\[\]|>{}*…()/]", candidate.term) and 0 < len(words(candidate.term)) <= LONGEST


def cover(candidates: Iterable[Candidate], classifier: Classifier) -> None:
    """Which rule answers to the bare words, alone or in a carrier sentence."""
    todo = [(c, carriers(c, classifier)) for c in candidates if countable(c)]
    verdicts = classifier.classify_sentences(text for _, texts in todo for text in texts)
    for candidate, texts in todo:
        found = [next(verdicts) for _ in texts]
        candidate.covered = next((rule for v in found if (rule := covering(candidate, v))), "")


def carriers(candidate: Candidate, classifier: Classifier) -> list[str]:
    """Sentences with the bare words; a verb of saying stands in each of its forms."""
    if candidate.side != VERB:
        return [carrier.format(candidate.term) for carrier in CARRIERS]
    first, _, rest = candidate.term.partition(" ")
    return [SAYING.format(f"{f} {rest}".strip()) for f in inflect.forms(first, classifier.rulebook.irregular)]


def covering(candidate: Candidate, verdict: Verdict) -> str:
    if candidate.side == VERB:
        return "voice" if verdict.voice is not Voice.AUTHOR else ""
    for piece in verdict.evidence:
        if candidate.framed and piece.effect == "frame" and piece.side == candidate.side.removeprefix("pro_"):
            return piece.rule or ""
        if candidate.side == OPINION and piece.effect == "opinion":
            return piece.rule or ""
    return ""


def rows(real: Path) -> Iterator[Mapping[str, Any]]:
    """The read sentences, then the unlabelled ones."""
    with (real / "train.jsonl").open(encoding="utf-8") as file:
        yield from map(json.loads, file)
    with gzip.open(real / "unlabelled.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def count(candidates: Iterable[Candidate], sentences: Iterable[Mapping[str, Any]]) -> None:
    """Sentences, articles, outlets and labelled sentences of each candidate."""
    index: dict[tuple[str, ...], list[Candidate]] = {}
    for candidate in filter(countable, candidates):
        index.setdefault(words(candidate.term), []).append(candidate)
    lengths = sorted({len(key) for key in index})
    for row in sentences:
        tokens = words(row["text"])
        seen = {tokens[i : i + n] for n in lengths for i in range(len(tokens) - n + 1)} & index.keys()
        for key in seen:
            for candidate in index[key]:
                note(candidate, row)


def note(candidate: Candidate, row: Mapping[str, Any]) -> None:
    candidate.sentences += 1
    candidate.articles.add(row["article"])
    candidate.outlets.add(re.split(r"[. |(]", row["outlet"] or "not recorded")[0])
    if "label" in row:
        candidate.labelled += 1
        opinion = candidate.side == OPINION
        candidate.right += row["opinion"] if opinion else row["frame"] == candidate.side.removeprefix("pro_")


def table(candidates: Iterable[Candidate]) -> Iterator[str]:
    """Markdown: a row for each candidate."""
    yield "| row | cue | side or cue | category | covered by | sentences | articles | outlets | right / all |"
    yield "| ---: | --- | --- | --- | --- | ---: | ---: | ---: | ---: |"
    for c in candidates:
        cue = c.term if countable(c) else "–"
        share = f"{c.right} / {c.labelled}" if c.labelled and (c.framed or c.side == OPINION) else "–"
        mark = c.covered or ("**earned**" if c.earned else "–")
        yield (
            f"| {c.number} | {cue} | {c.side} | {c.category} | {mark} | {c.sentences} | {len(c.articles)} "
            f"| {len(c.outlets)} | {share} |"
        )


def summary(candidates: list[Candidate]) -> Iterator[str]:
    """Counts by side or cue."""
    yield "| side or cue | rows | words | covered | never seen | covered or never seen | earned alone |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for side in dict.fromkeys(c.side for c in candidates):
        own = [c for c in candidates if c.side == side]
        plain = [c for c in own if countable(c)]
        yield (
            f"| {side} | {len(own)} | {len(plain)} | {sum(bool(c.covered) for c in plain)} "
            f"| {sum(not c.sentences for c in plain)} "
            f"| {sum(bool(c.covered) or not c.sentences for c in plain)} | {sum(c.earned for c in plain)} |"
        )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lexicon", type=Path, default=Path("../shared/lexicon.csv"))
    parser.add_argument("--real", type=Path, default=Path("../shared/real"))
    parser.add_argument("--out", type=Path, default=None, help="write here instead of printing")
    options = parser.parse_args(arguments)
    for needed in (options.lexicon, options.real / "train.jsonl", options.real / "unlabelled.jsonl.gz"):
        if not needed.is_file():
            cure = "name the file with --lexicon or the folder with --real"
            print(f"{needed}: not found; {cure}", file=sys.stderr)
            return 1
    candidates = read_lexicon(options.lexicon)
    classifier = stance.load(engine="rules")
    cover(candidates, classifier)
    count(candidates, rows(options.real))
    head = f"# Candidates of a lexicon on real sentences\n\nRules {classifier.rulebook.digest[:16]}; {LEGEND}"
    text = "\n".join([head, "", *summary(candidates), "", *table(candidates)]) + "\n"
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text, encoding="utf-8")
    return 0


LEGEND = """made by `python benchmarks/lexicon.py`.

Covered: a rule of that side (or an opinion rule, or the voice stage for verbs of saying) answers to the bare
words; a cue not covered may still be held in its context. Right: labelled sentences with the cue whose gold
frame (or opinion) is the candidate's. Earned alone: not covered, in three articles of two outlets, right in
seven of ten. A dash for a cue is a construction, which cannot be counted as words."""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
