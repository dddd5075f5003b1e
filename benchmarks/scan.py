"""Our scan beside other ways to find many phrases in a text: the same phrases, the same sentences, one run.

    python benchmarks/scan.py [--sentences N] [--out FILE]

Phrases of the shipped rules are spelled out to plain words where that is finite: alternatives and options
become phrases of their own, up to `MOST` each. A phrase with a gap, an actor, a mark or a limit of the
sentence has no plain form: no peer can express it, and it is left out of the comparison of like with like.
Peers get the spelled-out forms; ours is run once on the same forms and once on the whole rulebook, which also
names actors, binds sides, passes over quotation marks, and silences. Then the same with ten times as many
phrases, of words that the sentences hold. Of each sentence the least time of several passes counts, taken in
turn; figures are microseconds a sentence. Needs `pyahocorasick`, `ahocorasick_rs` and spaCy; prints no
sentence.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import ahocorasick
import ahocorasick_rs
import spacy
from spacy.matcher import PhraseMatcher

from stance import rulebook, seeds
from stance.cli.bench_throughput import everyday
from stance.lexicon import Lexicon
from stance.phrases import Alternatives, Element, Optional, PhraseParser, Word
from stance.rulebook import Rulebook
from stance.tokens import Tokens

MOST = 200
PASSES = 7
FEW = 3
Scan = Callable[[str], object]


def forms(elements: Sequence[Element]) -> Iterator[tuple[str, ...]]:
    """The plain forms of a phrase; `ValueError` if it has something that is no word."""
    choices: list[list[tuple[str, ...]]] = []
    count = 1
    for element in elements:
        if isinstance(element, Word):
            found = [(form,) for form in sorted(element.forms)]
        elif isinstance(element, Optional):
            found = [(), *forms(element.elements)]
        elif isinstance(element, Alternatives):
            found = [form for option in element.options for form in forms(option)]
        else:
            raise ValueError(type(element).__name__)
        choices.append(found)
        count *= len(found)
        if count > MOST:
            raise ValueError("too many")
    for parts in product(*choices):
        if words := tuple(word for part in parts for word in part):
            yield words


def plain(book: Rulebook) -> tuple[dict[tuple[str, ...], None], int, int]:
    """The plain forms of all phrases and names, of how many phrases, and how many phrases have none."""
    parser = PhraseParser(book.lists, book.irregular)
    phrases = [name for actor in book.actors for name in actor.names]
    phrases += [p for rule in book.rules if rule.kind == "lexical" for p in rule.phrases]
    found: dict[tuple[str, ...], None] = {}
    spelled = left_out = 0
    for phrase in phrases:
        try:
            found |= dict.fromkeys(forms(parser.parse(phrase)))
            spelled += 1
        except ValueError:
            left_out += 1
    return found, spelled, left_out


def more(known: dict[tuple[str, ...], None], texts: Sequence[str], times: int) -> list[tuple[str, ...]]:
    """``times`` as many phrases: new ones of two to four words that the sentences hold, drawn at random."""
    chance = random.Random(3)
    words = sorted({word for text in texts for word in Tokens(text).words if word.isalpha()})
    found = dict(known)
    while len(found) < times * len(known):
        found[tuple(chance.choices(words, k=chance.randint(2, 4)))] = None
    return list(found)


# -- contestants -----------------------------------------------------------------------------------------


def ours(phrases: Sequence[tuple[str, ...]], book: Rulebook) -> Scan:
    """Our scan of these phrases alone, as one rule without names."""
    rule = next(r for r in book.rules if r.kind == "lexical" and r.status == "active")
    rule = replace(rule, phrases=tuple(map(" ".join, phrases)), unless_phrases=())
    return Lexicon(replace(book, rules=(rule,), actors=())).scan


def corasick(phrases: Sequence[tuple[str, ...]], _: Rulebook) -> Scan:
    """pyahocorasick over the lower-cased characters; what begins or ends inside a word is dropped."""
    automaton = ahocorasick.Automaton()
    for number, phrase in enumerate(phrases):
        text = " ".join(phrase)
        automaton.add_word(text, (number, len(text)))
    automaton.make_automaton()

    def scan(text: str) -> object:
        small = text.lower()
        return [
            (end - size + 1, end + 1, number)
            for end, (number, size) in automaton.iter(small)
            if _whole(small, end - size + 1, end + 1)
        ]

    return scan


def corasick_rs(phrases: Sequence[tuple[str, ...]], _: Rulebook) -> Scan:
    """ahocorasick_rs over the lower-cased characters; what begins or ends inside a word is dropped."""
    automaton = ahocorasick_rs.AhoCorasick([" ".join(phrase) for phrase in phrases])

    def scan(text: str) -> object:
        small = text.lower()
        found = automaton.find_matches_as_indexes(small, overlapping=True)
        return [(start, end, number) for number, start, end in found if _whole(small, start, end)]

    return scan


def _whole(text: str, start: int, end: int) -> bool:
    return not (start and text[start - 1].isalnum()) and not (end < len(text) and text[end].isalnum())


def matcher(phrases: Sequence[tuple[str, ...]], _: Rulebook, *, ready: Sequence[str] = ()) -> Scan:
    """spaCy's PhraseMatcher on the lower-cased tokens of its blank English tokenizer.

    With ``ready`` these texts are cut into tokens beforehand: what matching alone takes.
    """
    nlp = spacy.blank("en")
    found = PhraseMatcher(nlp.vocab, attr="LOWER")
    for number, phrase in enumerate(phrases):
        found.add(str(number), [nlp.make_doc(" ".join(phrase))])
    docs = {text: nlp.make_doc(text) for text in ready}

    def scan(text: str) -> object:
        return found(docs[text] if ready else nlp.make_doc(text))

    return scan


def one_expression(phrases: Sequence[tuple[str, ...]], _: Rulebook) -> Scan:
    """One regular expression of the standard library with an alternative for each phrase."""
    longest = sorted((re.escape(" ".join(phrase)) for phrase in phrases), key=len, reverse=True)
    compiled = re.compile(rf"\b(?:{'|'.join(longest)})\b")
    return lambda text: compiled.findall(text.lower())


def raced(scans: dict[str, tuple[Scan, Sequence[str]]]) -> dict[str, float]:
    """Microseconds a sentence: of each sentence the least of all passes."""
    best = {name: [9e9] * len(texts) for name, (_, texts) in scans.items()}
    for _ in range(PASSES):
        for name, (scan, texts) in scans.items():
            times = best[name]
            for i, text in enumerate(texts):
                start = time.perf_counter_ns()
                scan(text)
                times[i] = min(times[i], time.perf_counter_ns() - start)
    return {name: sum(times) / len(times) / 1e3 for name, times in best.items()}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--sentences", type=int, default=400)
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    book = rulebook.load()
    chance = random.Random(5)
    dense = [item.text for item in seeds.gold()] + [item.text for item in seeds.written()]
    dense = chance.sample(list(dict.fromkeys(dense)), given.sentences)
    corpora = {"about the war": dense, "everyday": everyday(given.sentences, chance)}
    texts = [text for corpus in corpora.values() for text in corpus]
    known, spelled, left_out = plain(book)
    sets = {"1 ×": list(known), "10 ×": more(known, texts, 10)}
    lines = [
        f"{spelled:,} phrases and names of rules {book.digest} have {len(known):,} plain forms; {left_out:,} "
        "phrases have none (gaps, actors, marks, limits, or too many forms).",
    ]
    made: dict[str, Callable[..., Any]] = {
        "stance, these forms alone": ours,
        "pyahocorasick": corasick,
        "ahocorasick_rs": corasick_rs,
        "spaCy PhraseMatcher with its tokenizer": matcher,
        "spaCy PhraseMatcher, tokens ready": matcher,
        "one regular expression": one_expression,
    }
    figures: dict[tuple[str, str, str], float] = {}
    for size, phrases in sets.items():
        for corpus, sentences in corpora.items():
            scans: dict[str, tuple[Scan, Sequence[str]]] = {}
            for name, make in made.items():
                if make is one_expression:
                    if size == "1 ×":  # a thousand times slower: a few sentences do
                        scans[name] = make(phrases, book), sentences[:FEW]
                elif name.endswith("ready"):
                    scans[name] = matcher(phrases, book, ready=sentences), sentences
                else:
                    scans[name] = make(phrases, book), sentences
            if size == "1 ×":
                scans["stance, the whole rulebook"] = Lexicon(book).scan, sentences
            for scan, some in scans.values():
                for text in some[:FEW]:
                    scan(text)
            for name, value in raced(scans).items():
                figures[name, size, corpus] = value
    names = [*made, "stance, the whole rulebook"]
    columns = [(size, corpus) for size in sets for corpus in corpora]
    lines += ["", "| µs a sentence | " + " | ".join(f"{s}, {c}" for s, c in columns) + " |"]
    lines.append("| --- |" + " ---: |" * len(columns))
    for name in names:
        cells = [figures.get((name, *column)) for column in columns]
        lines.append(f"| {name} | " + " | ".join("–" if v is None else f"{v:,.1f}" for v in cells) + " |")
    lines += ["", "| × stance, these forms alone | " + " | ".join(f"{s}, {c}" for s, c in columns) + " |"]
    lines.append("| --- |" + " ---: |" * len(columns))
    for name in names:
        shown = []
        for column in columns:
            value = figures.get((name, *column))
            base = figures[names[0], *column]
            shown.append("–" if value is None else f"{value / base:.2f}")
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    text = "\n".join(lines) + "\n"
    print(text)
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
