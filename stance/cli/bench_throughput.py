"""``stance bench throughput``: how fast, how much memory, how long until the first label.

Everything is a ratio to peers measured in the same run: VADER, the tokenizer of the pipeline alone, and
the pipeline on every sentence. The corpus is cut into parts and all contestants take each part in turn, so
that a busy machine disturbs them alike; every sentence is new to each of them. Times are CPU time.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import click

from stance.cli import bench, bench_plots
from stance.cli.bench_report import Report, Table, command_line, percent
from stance.cli.root import complain
from stance.document import Document
from stance.errors import StanceError

if TYPE_CHECKING:
    from stance.classifier import Classifier
    from stance.evidence import Verdict
    from stance.rulebook import Node, Rule, Rulebook

PARTS: Final = 5
SINGLE: Final = 400  # sentences timed one by one
STARTS: Final = 5  # processes started for each figure of start-up
_WARM: Final = 60
_DOCUMENT: Final = 20  # sentences of a made document
_LARGE: Final = 5_000_000  # characters of the large document
_TIMES: Final = 10  # so many times as many rules
_ROUNDS: Final = 5
_BASE: Final = 1  # the contestant that the others are compared with

HYBRID: Final = "hybrid"
VADER: Final = "VADER"
TOKENIZER: Final = "spaCy tokenizer alone"
EVERY: Final = "parsing every sentence"

# Everyday news for the bundled mixed feed; the words are filled in at random, no two sentences are alike.
_WHO: Final = (
    "The city council|A regional court|The national library|The football club|The airline|A group of "
    "researchers|The weather service|The orchestra|The retailer|The port authority|A jury|The museum|"
    "The railway|The school board|A start-up|The central bank|The film festival|The hospital|The carmaker|"
    "The tennis federation"
).split("|")
_DID: Final = (
    "approved a plan for|presented the results of|postponed|will open|reviewed|sold its share in|"
    "celebrated|cancelled|expects a record year for|published figures on|signed a contract for|"
    "announced changes to|counted the visitors of|won a prize for|raised the price of|looked into"
).split("|")
_WHAT: Final = (
    "the new concert hall|a bicycle path along the river|the autumn timetable|a study of sleep|organic "
    "vegetables|the under-21 championship|a line of electric vans|the renovation of the old market|cheap "
    "flights to the islands|a vaccine against the flu|digital textbooks|the harvest of apples|a series of "
    "lectures|the swimming pool|a comedy about two brothers|rare butterflies|the lottery|wind turbines"
).split("|")
_WHEN: Final = (
    "on Monday|last week|after months of talks|in the first quarter|for the third time in a row|despite "
    "the rain|in front of a large audience|without giving details|at a meeting that lasted two hours|as "
    "visitors queued outside|before the summer holidays|with the help of volunteers"
).split("|")


def everyday(count: int, chance: random.Random) -> list[str]:
    """Sentences of everyday news about nothing in particular, all different."""
    found: dict[str, None] = {}
    while len(found) < count:
        number = chance.randint(2, 9_999)
        found[
            f"{chance.choice(_WHO)} {chance.choice(_DID)} {chance.choice(_WHAT)} {chance.choice(_WHEN)}, "
            f"{chance.choice(('and', 'while', 'but'))} {number:,} people "
            f"{chance.choice(('signed a list', 'bought tickets', 'took part', 'sent in questions'))}."
        ] = None
    return list(found)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents whose sentences are all different, and how many there are."""

    name: str
    documents: tuple[Document, ...]
    mix: str
    sentences: int = 0
    words: int = 0

    def parts(self) -> list[list[Document]]:
        """The documents in `PARTS` parts, dealt out in turn."""
        return [list(self.documents[part::PARTS]) for part in range(PARTS)]


@dataclass
class Clock:
    """What one contestant did: sentences and CPU seconds."""

    name: str
    run: Callable[[Any], object]
    prepare: Callable[[Sequence[Document]], Any] = list  # not timed
    sentences: int = 0
    seconds: float = 0.0

    def take(self, documents: Sequence[Document], sentences: int) -> None:
        ready = self.prepare(documents)
        start = time.process_time()
        self.run(ready)
        self.seconds += time.process_time() - start
        self.sentences += sentences

    @property
    def rate(self) -> float:
        return self.sentences / self.seconds if self.seconds else 0.0


# -- corpora ---------------------------------------------------------------------------------------------


def bundled() -> list[Corpus]:
    """The seeds, which are all about the war, and a feed in which one sentence of five is."""
    from stance import seeds

    texts = dict.fromkeys([item.text for item in seeds.gold()] + [item.text for item in seeds.written()])
    chance = random.Random(8)
    dense = list(texts)
    chance.shuffle(dense)
    other = everyday(4 * len(dense), chance)
    mixed = dense + other
    chance.shuffle(mixed)
    return [
        _corpus("seeds", _documents(dense), "seed articles and written sentences, all about the war"),
        _corpus("mixed", _documents(mixed), "four sentences in five about other things, made from a grammar"),
    ]


def given(path: Path) -> Corpus:
    """A JSONL file of documents (``id``, ``text``); sentences that stand twice are dropped."""
    from stance import segment
    from stance.sources import read
    from stance.sources.items import ReadOptions

    seen: set[str] = set()
    documents = []
    for item in read([str(path)], ReadOptions(any_language=True)):
        if not isinstance(item, Document):
            raise StanceError(f"{path}: {getattr(item, 'message', 'cannot be read')}")
        kept = []
        for sentence in segment.split(item.text):
            if sentence.text not in seen:
                seen.add(sentence.text)
                kept.append(" ".join(sentence.text.split()))
        if kept:
            documents.append(Document("\n".join(kept), item.name))
    if not documents:
        raise StanceError(f"{path}: holds no sentence; give documents as JSONL with 'id' and 'text'")
    return _corpus(path.stem, documents, "as given")


def _documents(texts: Sequence[str]) -> list[Document]:
    rest = iter(texts)
    return [Document("\n".join(part)) for part in iter(lambda: list(islice(rest, _DOCUMENT)), [])]


def _corpus(name: str, documents: Sequence[Document], mix: str) -> Corpus:
    from stance import segment

    found = [s.text for document in documents for s in segment.split(document.text)]
    return Corpus(name, tuple(documents), mix, len(found), sum(len(text.split()) for text in found))


def _first(corpus: Corpus, sentences: int | None) -> Corpus:
    if sentences is None or corpus.sentences <= sentences:
        return corpus
    kept, count = [], 0
    for document in corpus.documents:
        if count >= sentences:
            break
        kept.append(document)
        count += document.text.count("\n") + 1
    return _corpus(corpus.name, kept, corpus.mix)


# -- contestants -----------------------------------------------------------------------------------------


def contestants(classifiers: Sequence[tuple[bench.Version, Classifier]], report: Report) -> list[Clock]:
    """Peers, engines and floors, each ready to run. Peers get ready sentences, engines whole documents."""
    from stance import segment
    from stance.syntax import Parser

    def texts(documents: Sequence[Document]) -> list[str]:
        return [sentence.text for document in documents for sentence in segment.split(document.text)]

    found = []
    try:
        scores = _vader()
        found.append(Clock(VADER, lambda ready: [scores(text) for text in ready], texts))
    except StanceError as fault:
        report.note(f"{VADER} left out: {fault}")
    tokenizer, every = Parser(), Parser()
    for parser in (tokenizer, every):
        parser.warm()  # loading is start-up, not throughput
    for _, classifier in classifiers:
        classifier.warm()
    found.append(Clock(TOKENIZER, tokenizer.tokenize, texts))
    found.append(Clock(EVERY, every.parse, texts))
    for entry, classifier in classifiers:
        found.append(Clock(entry.name, partial(_labelled, classifier)))
    hybrid = next((c for entry, c in classifiers if entry.spec == HYBRID), None)
    if hybrid is not None:
        found.append(
            Clock("hybrid, sentence by sentence", lambda r: list(hybrid.classify_sentences(r)), texts)
        )
        found.append(Clock("hybrid, JSON written", partial(_written, hybrid)))
        found += _floors(hybrid)
    return found


def _vader() -> Callable[[str], Any]:
    from stance import baselines

    return baselines.vader()


def _labelled(classifier: Classifier, documents: Sequence[Document]) -> None:
    for _ in classifier.stream(documents):
        pass


def _written(classifier: Classifier, documents: Sequence[Document]) -> None:
    for analysis in classifier.stream(documents):
        for verdict in analysis:
            json.dumps(verdict.to_dict(), ensure_ascii=False)


def _floors(classifier: Classifier) -> list[Clock]:
    """What no way of arranging the work could save: the scan, the trees that are needed, the writing."""
    from stance import segment

    def scan(documents: Sequence[Document]) -> None:
        for document in documents:
            for sentence in segment.split(document.text):
                classifier.gatherer.scan(sentence.text)

    def needed(documents: Sequence[Document]) -> list[str]:
        return [seen.sentence.text for seen in classifier.surfaces(documents) if seen.wants_tree]

    def verdicts(documents: Sequence[Document]) -> list[Verdict]:
        return [verdict for analysis in classifier.stream(documents) for verdict in analysis]

    def dump(ready: Sequence[Verdict]) -> None:
        for verdict in ready:
            json.dumps(verdict.to_dict(), ensure_ascii=False)

    return [
        Clock("floor: splitter and scan", scan),
        Clock("floor: parser on what needs it", _parse_of(classifier), needed),
        Clock("floor: JSON", dump, verdicts),
    ]


def _parse_of(classifier: Classifier) -> Callable[[Sequence[str]], object]:
    from stance.syntax import Parser

    parser = Parser(classifier.parser.path)
    parser.warm()
    return parser.parse


# -- one corpus ------------------------------------------------------------------------------------------


def raced(corpus: Corpus, clocks: Sequence[Clock]) -> None:
    """Every contestant takes every part of the corpus, part by part."""
    from stance import segment

    for clock in clocks:
        clock.sentences, clock.seconds = 0, 0.0
    for part in corpus.parts():
        count = sum(len(segment.split(document.text)) for document in part)
        for clock in clocks:
            clock.take(part, count)


def singles(corpus: Corpus, classifier: Classifier) -> list[float]:
    """CPU milliseconds of single calls, sorted."""
    from stance import segment

    texts = (s.text for document in corpus.documents for s in segment.split(document.text))
    found = []
    for text in islice(texts, SINGLE):
        start = time.thread_time()
        for _ in classifier.classify_sentences([text]):
            pass
        found.append(1e3 * (time.thread_time() - start))
    return sorted(found)


def race_table(corpus: Corpus, clocks: Sequence[Clock], results: dict[str, Any]) -> Table:
    """Rates and ratios of all contestants on one corpus; `results` gets them as figures."""
    rates = {clock.name: clock.rate for clock in clocks}
    words = corpus.words / max(1, corpus.sentences)
    rows = []
    for clock in clocks:
        ratios = [clock.rate / rates[peer] if rates.get(peer) else None for peer in (VADER, TOKENIZER, EVERY)]
        results[clock.name] = {
            "sentences_per_second": round(clock.rate, 1),
            "words_per_second": round(clock.rate * words, 1),
            "of_vader": ratios[0],
            "of_tokenizer": ratios[1],
            "of_parsing_every_sentence": ratios[2],
        }
        rows.append(
            (clock.name, f"{clock.rate:,.0f}", f"{clock.rate * words:,.0f}", *(_times(r) for r in ratios))
        )
    head = ("", "sentences/s", "words/s", f"× {VADER}", "× tokenizer", "× parse every")
    return Table(f"{corpus.name}: {corpus.mix}", head, tuple(rows))


def _times(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}"


# -- start-up and memory: other processes ----------------------------------------------------------------

_PASS: Final = "python -c pass"
_SPACY: Final = "import spacy"
_PIPELINE: Final = "import spacy, load the pipeline"
_LABEL: Final = "import stance; list(stance.load().classify_sentences([{text!r}]))"
_NO_TREE: Final = "Rain is expected on Monday."
# name, arguments of Python, the peer, and the ratio to it that is wanted
_STARTS: Final = (
    (_PASS, ("-c", "pass"), None, None),
    (_SPACY, ("-c", "import spacy"), None, None),
    (_PIPELINE, ("-c", "from stance.syntax import Parser; Parser().warm()"), None, None),
    ("stance --version", ("-m", "stance", "--version"), _SPACY, 0.12),
    ("stance --help", ("-m", "stance", "--help"), _SPACY, 0.12),
    ("import stance", ("-c", "import stance"), _SPACY, 0.15),
    ("first label, no tree", ("-c", _LABEL.format(text=_NO_TREE)), _SPACY, 0.4),
    ("first label, with a tree", ("-c", ""), _PIPELINE, 1.5),
)


def starts(treed: str) -> tuple[Table, dict[str, Any]]:
    """CPU time from the start of a process to its end; the median of a few, in turn."""
    taken: dict[str, list[float]] = {name: [] for name, *_ in _STARTS}
    for _ in range(STARTS + 1):
        for name, arguments, *_ in _STARTS:
            if not arguments[-1]:
                arguments = ("-c", _LABEL.format(text=treed))
            taken[name].append(_cpu([sys.executable, *arguments]))
    best = {name: median(times[1:]) for name, times in taken.items()}  # the first fills the disk's cache
    rows = []
    results = {}
    for name, _, peer, wanted in _STARTS:
        ratio = best[name] / best[peer] if peer else None
        results[name] = {"cpu_seconds": round(best[name], 4), "peer": peer, "ratio": ratio, "wanted": wanted}
        rows.append((name, f"{1e3 * best[name]:,.0f}", peer or "", _times(ratio), _times(wanted)))
    return Table("start-up, CPU time", ("", "ms", "peer", "ratio", "at most"), tuple(rows)), results


def _cpu(command: Sequence[str]) -> float:
    before = os.times()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)  # noqa: S603
    after = os.times()
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise StanceError(f"a process that was to be timed failed: {''.join(last)}")
    return after.children_user + after.children_system - before.children_user - before.children_system


# Linux hands a parent's peak down to its child in ru_maxrss; VmHWM is the child's own.
_PEAK: Final = (
    "import json, resource, sys, stance\n"
    "from stance.document import Document\n"
    "c = stance.load({engine!r})\n"
    "for a in c.stream(Document(json.loads(line)) for line in sys.stdin):\n"
    "    for v in a: json.dumps(v.to_dict())\n"
    "try:\n"
    "    lines = open('/proc/self/status').read().splitlines()\n"
    "    print(next(line.split()[1] for line in lines if line.startswith('VmHWM:')))\n"
    "except (OSError, StopIteration):\n"
    "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
)


def peak(engine: str, corpus: Corpus) -> float:
    """Peak memory in MB of a process that labels the corpus and writes JSON."""
    lines = "\n".join(json.dumps(document.text) for document in corpus.documents)
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "ignore", "-c", _PEAK.format(engine=engine)],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    )
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return int(done.stdout) / unit


# -- growth ----------------------------------------------------------------------------------------------


def growth(classifier: Classifier, corpus: Corpus) -> tuple[Table, dict[str, Any]]:
    """Cost of a sentence when there are more sentences, longer documents, more rules."""
    from stance.classifier import Classifier as Built

    few = _first(corpus, max(200, corpus.sentences // 4))
    whole = "\n".join(document.text for document in corpus.documents)
    long = Document((whole + "\n") * (_LARGE // (len(whole) + 1) + 1))
    long = Document(long.text[:_LARGE])
    many = Built(
        _more_rules(classifier.rulebook),
        engine=classifier.engine,
        model=classifier.model,
        parser=classifier.parser,
    )
    many.warm()
    contestants = {
        "a quarter of the corpus": (classifier, few.documents),
        "the corpus": (classifier, corpus.documents),
        f"{_TIMES} times as many rules": (many, corpus.documents),
        "one document of 5 MB": (classifier, [long]),
    }
    # In turn, and the medians of a few: what disturbs one round disturbs all of it.
    rounds = [[_cost(*contestant) for contestant in contestants.values()] for _ in range(_ROUNDS)]
    rows, results = [], {}
    for place, name in enumerate(contestants):
        cost = median(costs[place] for costs in rounds)
        ratio = median(costs[place] / costs[_BASE] for costs in rounds)
        rows.append((name, f"{1e6 * cost:,.0f}", _times(ratio)))
        results[name] = {"microseconds": round(1e6 * cost, 1), "ratio": ratio}
    return Table("growth: CPU time of a sentence", ("", "µs", "× corpus"), tuple(rows)), results


def _cost(classifier: Classifier, documents: Sequence[Document]) -> float:
    count = 0
    start = time.process_time()
    for analysis in classifier.stream(documents):
        count += len(analysis)
    return (time.process_time() - start) / max(1, count)


def _more_rules(rulebook: Rulebook) -> Rulebook:
    """The rulebook with copies of all its rules whose longer words no text holds."""
    rules = list(rulebook.rules)
    for copy in range(1, _TIMES):
        rules += [_copy(rule, copy) for rule in rulebook.rules]
    return replace(rulebook, rules=tuple(sorted(rules, key=lambda rule: rule.id)), digest=rulebook.digest)


_OWN_WORD: Final = re.compile(r"<[^<>]*>|\{[^{}]*\}|(?<![\w=|])[a-z]{5,}(?!\w)")  # or a list, a slot


def _copy(rule: Rule, copy: int) -> Rule:
    """Grammar words stay, so that the copies are looked up as often as a real rule of other words."""

    def other(phrase: str) -> str:
        return _OWN_WORD.sub(
            lambda match: match.group() if match.group()[0] in "<{" else f"{match.group()}q{copy}", phrase
        )

    def node(old: Node) -> Node:
        return replace(old, lemma=tuple(map(other, old.lemma)), form=tuple(map(other, old.form)))

    return replace(
        rule,
        id=f"{rule.id}-{copy}",
        phrases=tuple(p for p in map(other, rule.phrases) if p not in rule.phrases),
        unless_phrases=tuple(map(other, rule.unless_phrases)),
        trees=tuple(tuple(map(node, tree)) for tree in rule.trees),
    )


# -- the command -----------------------------------------------------------------------------------------


@click.command(
    "throughput",
    cls=bench.BenchCommand,
    examples=(
        "stance bench throughput",
        "stance bench throughput mixed.jsonl news.jsonl --growth --json speed.json",
    ),
)
@click.argument("data", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@bench.engines_option
@click.option("--sentences", type=click.IntRange(100), metavar="N", help="Only so many of each corpus.")
@click.option("--start-up/--no-start-up", default=True, help="Time fresh processes too.  [default: on]")
@click.option("--memory/--no-memory", default=True, help="Measure peak memory too.  [default: on]")
@click.option("--growth", "grow", is_flag=True, help="Measure growth with sentences, length and rules too.")
@click.option(
    "--plots",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Draw sentences a second beside VADER, as SVG.",
)
@bench.output_options
@click.pass_context
def command(
    ctx: click.Context,
    data: tuple[Path, ...],
    engines: tuple[bench.Version, ...],
    sentences: int | None,
    start_up: bool,
    memory: bool,
    grow: bool,
    plots: Path | None,
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """How fast, beside VADER, the tokenizer alone and parsing every sentence, in the same run.

    DATA are JSONL files of documents with 'id' and 'text', a corpus each; without any, the bundled seeds
    and a mixed feed made from them and a grammar. One process, one core, CPU time; all sentences of a
    corpus differ, and nothing is remembered from one to the next.
    """
    if plots is not None:
        bench_plots.check_available()
    report = Report("throughput", command_line(ctx.command_path, ctx.meta[bench.ARGUMENTS]))
    corpora = [_first(c, sentences) for c in ([given(path) for path in data] if data else bundled())]
    classifiers = bench.chosen(engines, report)
    for entry, classifier in classifiers:
        report.versions[entry.name] = classifier.versions.to_dict()
    clocks = contestants(classifiers, report)
    main = next((c for entry, c in classifiers if entry.spec == HYBRID), classifiers[0][1])
    for clock in clocks:
        clock.take(_documents(everyday(_WARM, random.Random(1))), _WARM)
    rates: dict[str, dict[str, float]] = {}
    for corpus in corpora:
        complain(f"{corpus.name}: {corpus.sentences} sentences")
        report.data.append({"name": corpus.name, "sentences": corpus.sentences, "mix": corpus.mix})
        raced(corpus, clocks)
        rates[corpus.name] = {clock.name: clock.rate for clock in clocks}
        results: dict[str, Any] = {}
        table = race_table(corpus, clocks, results)
        wanted = sum(seen.wants_tree for seen in main.surfaces(corpus.documents)) / corpus.sentences
        times = singles(corpus, main)
        middle, slow = times[len(times) // 2], times[int(0.99 * (len(times) - 1))]
        report.results[corpus.name] = results | {
            "parsed": wanted,
            "single_ms": {"p50": round(middle, 3), "p99": round(slow, 3)},
        }
        title = (
            f"{table.title}; {corpus.sentences:,} sentences, {percent(wanted)} parsed, "
            f"one by one p50 {middle:.2f} ms, p99 {slow:.2f} ms"
        )
        report.tables.append(replace(table, title=title))
        if memory:
            report.results[corpus.name]["peak_mb"] = _peaks(corpus, classifiers, report)
    if start_up:
        complain("start-up")
        table, report.results["start_up"] = starts(_sentence_with_tree(corpora, main))
        report.tables.append(table)
    if grow:
        complain("growth")
        table, report.results["growth"] = growth(main, corpora[-1])
        report.tables.append(table)
    if plots is not None:
        for path in bench_plots.speed(plots, rates, (VADER, TOKENIZER)):
            complain(f"drew {path}")
    click.echo(report.terminal())
    report.write(json_file, markdown_file)


def _peaks(
    corpus: Corpus, classifiers: Sequence[tuple[bench.Version, Classifier]], report: Report
) -> dict[str, float]:
    peaks = {entry.name: round(peak(entry.engine, corpus), 1) for entry, _ in classifiers}
    shown = tuple((name, f"{value:,.0f}") for name, value in peaks.items())
    report.tables.append(Table(f"{corpus.name}: peak memory", ("", "MB"), shown))
    return peaks


def _sentence_with_tree(corpora: Sequence[Corpus], classifier: Classifier) -> str:
    """The first sentence that needs a tree."""
    for corpus in corpora:
        for seen in classifier.surfaces(corpus.documents):
            if seen.wants_tree:
                return seen.sentence.text
    raise StanceError("no sentence of the data needs a tree; give other data or --no-start-up")
