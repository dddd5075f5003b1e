"""One function for each door that strangers' bytes come through: it takes bytes and must return.

A target may meet a ``StanceError``, which is an answer; anything else it raises is a fault. ``run.py`` drives
the targets with a coverage-guided fuzzer, ``tests/test_fuzz.py`` replays seeds and all that was ever found.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from stance import model as models
from stance.document import Document, Quotation, Sentence
from stance.errors import StanceError
from stance.gather import Gatherer
from stance.resources import resource
from stance.rulebook import Rulebook, Snapshot
from stance.rulefiles import build
from stance.segment import quotations, sentence, split
from stance.sources import encoding, formats, jsonl, table, text
from stance.sources.items import Fault, Item, ReadOptions, Single
from stance.sources.raw import Raw, unpacked

# One sign a byte, so that a mutated byte is a mutated sign and not a broken character.
_SIGNS = (
    "\"'“”‘’„‟«»‹›‚‛`()[]{}<>.,!?…:;-–—/•#@% \t\n\r\u00a0\u2028\u200b\u200f\u202e\ufeff\ud800\x00\x1c\x85"
    "ABCDEGILMNPRSTUWabcdefghijlmnoprstuvwy0123459éЖА語😀İßǅ\u0301"
)
_GROUPS = (
    "``", "''", "...", ". ", ".\n", "\n\n", " “", "” ", " '", "' ", ' "', '" ', ".” ", '."', " ‘", "’ ",
    "’s ", "’90s ", "The ", "he said ", "Mr. ", "U.S. ", "No. 5 ", "A.", "war.The ", ", ", ": ", " – ", "1. ",
)  # fmt: skip
_PIECES = (*_SIGNS, *_GROUPS)


def as_text(data: bytes) -> str:
    """Text that is rich in what the splitter looks at, or, for every other first byte, UTF-8."""
    if data[:1] and data[0] % 2:
        return data[1:].decode("utf-8", "surrogateescape")
    return "".join([_PIECES[byte % len(_PIECES)] for byte in data[1:]])


# -- the splitter and the quotations -------------------------------------------------------------------


def splitter(data: bytes) -> None:
    """Nothing but white space is lost, offsets are exact, quotations nest and carry over."""
    whole = as_text(data)
    found = split(whole)
    position = 0
    for index, one in enumerate(found):
        assert one.index == index
        assert position <= one.start < one.end
        assert whole[one.start : one.end] == one.text == one.text.strip()
        assert not whole[position : one.start].strip()
        position = one.end
        well_formed(one.quotations, len(one.text))
    assert not whole[position:].strip()
    for one, after in itertools.pairwise(found):
        assert one.paragraph <= after.paragraph <= one.paragraph + 1
        assert sum(q.continues_after for q in one.quotations) <= sum(q.opens_before for q in after.quotations)
    if found:
        assert not any(q.opens_before for q in found[0].quotations)
        assert not any(q.continues_after for q in found[-1].quotations)


_OPENED = ((), ("“",), ("“", "‘"), ('"', "'", "«"))


def quotation(data: bytes) -> None:
    """The quotations of a given sentence are well formed, whatever goes before it."""
    whole = as_text(data)
    previous, _, own = whole.rpartition("\x00")
    found = sentence(own, previous or None, id="7")
    assert (found.text, found.start, found.end, found.id) == (own, 0, len(own), "7")
    well_formed(found.quotations, len(own))
    well_formed(quotations(own, _OPENED[len(own) % len(_OPENED)]), len(own))


def well_formed(found: tuple[Quotation, ...], length: int) -> None:
    """Quotations lie within the sentence, in order, one inside another or apart, levels counted."""
    around: list[Quotation] = []
    assert list(found) == sorted(found, key=lambda q: (q.start, -q.end))
    for one in found:
        assert 0 <= one.start < one.end <= length
        while around and around[-1].end <= one.start:
            around.pop()
        assert one.level == len(around)
        assert not around or one.end <= around[-1].end
        around.append(one)


# -- rules ---------------------------------------------------------------------------------------------

_PLACES = (
    "frame/x/a.yaml", "opinion/x/a.yaml", "voice/x/a.yaml", "cancel/x/a.yaml", "actors/a.yaml",
    "lists/a.yaml", "lists/irregular.yaml", "sides.yaml",
)  # fmt: skip
_BASE = {
    "sides.yaml": b"""codebook: "4"
sides:
  kyiv:   {label: pro_kyiv, name: Kyiv}
  moscow: {label: pro_moscow, name: Moscow}
speakers: [kyiv, moscow, western, other, unknown]
speaker_of_nobody: unknown
speaker_of_others: other
""",
    "actors/few.yaml": b"""actors:
  - {id: one-land, names: [Oneland], side: kyiv, kind: country, mirror: two-land}
  - {id: two-land, names: [Twoland], side: moscow, kind: country, mirror: one-land}
""",
    "lists/saying.yaml": b"words: [say~, put it]\n",
    "lists/irregular.yaml": b"verbs: {say: [says, said, saying]}\nnouns: {man: [men]}\n",
}


@cache
def base() -> Rulebook:
    """The smallest rulebook that a rule can be laid over."""
    return build(Snapshot(Path("base"), dict(_BASE)))


def rules(data: bytes) -> None:
    """A rule file is refused with faults that name their lines, or loads and can be run."""
    rulebook = rulebook_of(data)
    if rulebook is None:
        return
    gatherer = Gatherer(rulebook, trial=True)
    gatherer.complete(gatherer.surface(_SENTENCE, context()), None)


_SENTENCE = sentence("Oneland said “Twoland put it so”: no.")


def rulebook_of(data: bytes) -> Rulebook | None:
    """The rulebook with the file in it, None if that was refused."""
    place = _PLACES[data[0] % len(_PLACES)] if data else _PLACES[0]
    content = data[1:]
    try:
        if data[:1] and data[0] >= 0xE0:  # a folder of its own
            return build(Snapshot(Path("own"), {**_BASE, place: content}))
        return build(Snapshot(Path("overlay"), {place: content}), base=base())
    except StanceError as error:
        assert str(error).strip()
        assert all(len(line) < 2000 for line in str(error).splitlines())
        return None


def context() -> object:
    """What is known before the first sentence."""
    from stance.voice import Context

    return Context()


# -- the model -----------------------------------------------------------------------------------------

_CARD = {
    "schema": models.SCHEMA,
    "families": ["words", "surface", "rules"],
    "decision": {
        "frame_scale": 1.0, "frame_shift": 0.0, "frame_threshold": 0.5,
        "opinion_scale": 1.0, "opinion_shift": 0.0, "opinion_threshold": 0.5,
    },
}  # fmt: skip
_VALUES = {"w:a": 1.0, "after:{0} a": 1.0, "bias": 1.0, "e a": 0.3}


def model(data: bytes) -> None:
    """A model is refused with a sentence, or its probabilities are probabilities."""
    kind = data[0] % 4 if data else 0
    first, _, second = data[1:].partition(b"\x00")
    card: object = dict(_CARD)
    weights = first
    if kind == 1:  # numbers of the card are foreign too
        try:
            card = json.loads(first)
        except (ValueError, RecursionError):
            card = first.decode("latin-1")
        weights = second or b'[["w:a", 1, 0, 0, 0]]'
    if kind != 2 and isinstance(card, dict):
        card["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    try:
        written = first if kind == 3 else json.dumps(card).encode()
        loaded = models.parse(written, weights, Path("model"))
    except StanceError as error:
        assert str(error).strip()
        assert len(str(error)) < 2000
        return
    for values in ({}, _VALUES, dict.fromkeys(itertools.islice(loaded.weights, 50), 1.0)):
        found = loaded.predict(values, ("0", "1"))
        assert math.isclose(math.fsum(found.frames.values()), 1.0, abs_tol=1e-9)
        assert all(0.0 <= share <= 1.0 for share in (*found.frames.values(), found.p_opinion))
        swapped = loaded.predict(models.mirrored(values), ("1", "0"))
        assert all(math.isclose(swapped.frames[s], p, abs_tol=1e-3) for s, p in found.frames.items())
    assert all(family in models.FAMILIES for family in loaded.families)


# -- our own readers -----------------------------------------------------------------------------------

_OPTIONS = ReadOptions(any_language=True, max_document=1 << 20, max_line=1 << 14)
_SENTENCES = ReadOptions(any_language=True, unit="sentence", max_document=1 << 20, max_line=1 << 14)
_ENCODINGS = (None, None, None, "utf-8", "utf-16", "cp1252", "utf-8-sig", "utf-32-be")
_READERS: Mapping[str, Callable[[Raw, ReadOptions], Iterator[Item]]] = {
    "text": text.read_text,
    "markdown": text.read_markdown,
    "jsonl": jsonl.read_lines,
    "json": jsonl.read_list,
    "csv": table.read_table,
    "tsv": table.read_table,
}


def readers(data: bytes) -> None:
    """Text, Markdown, JSONL, JSON, CSV, TSV, gzip over any of them: items or faults, nothing else."""
    kind = data[0] if data else 0
    names = [*_READERS, "recognised", "gzip"]
    chosen = names[kind % len(names)]
    body = data[2:]
    options = _SENTENCES if kind & 0x40 else _OPTIONS
    if chosen == "gzip":
        chosen = "jsonl"
        body = body if kind & 0x80 else gzip.compress(body, 0, mtime=0)
    elif kind & 0x80:
        body = encoding.REPLACEMENT.encode() + body
    try:
        raw = unpacked(Raw("fuzz", io.BufferedReader(io.BytesIO(body)), "fuzz.txt"))  # type: ignore[arg-type]
        if chosen == "recognised":
            chosen = formats.recognise("fuzz", None, body[:8192])
            encoding.binary(body[:8192])
        reader = _READERS.get(chosen, text.read_text)
        given = _ENCODINGS[data[1] % len(_ENCODINGS)] if len(data) > 1 else None
        from dataclasses import replace

        for item in reader(raw, replace(options, format=chosen, encoding=given)):
            check(item)
    except StanceError as error:
        assert str(error).strip()


def check(item: Item) -> None:
    """What a reader gives can be split, labelled and written."""
    if isinstance(item, Document):
        item.text.encode("utf-8")
        assert all(isinstance(value, str) for value in item.meta.values())
        str(item.name).encode("utf-8")
    elif isinstance(item, Single):
        item.sentence.text.encode("utf-8")
        assert isinstance(item.sentence, Sentence)
        json.dumps(item.id)
    elif isinstance(item, Fault):
        assert item.message.strip()
        assert len(item.message) < 2000


# -- doors to libraries --------------------------------------------------------------------------------


def feed(data: bytes) -> None:
    """Feeds through the task of the child process: a result or a fault, never a crash."""
    _task("feed", data)


def page(data: bytes) -> None:
    """Pages through the task of the child process."""
    _task("page", data)


def _task(name: str, data: bytes) -> None:
    from stance.sources import worker

    try:
        found = worker.TASKS[name](data)
    except worker.TaskError as fault:
        assert str(fault).strip()
        return
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError):
        return  # the library's own; the child answers with a fault
    json.dumps(found)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "splitter": splitter,
    "quotation": quotation,
    "rules": rules,
    "model": model,
    "readers": readers,
    "feed": feed,
    "page": page,
}


# -- where to begin ------------------------------------------------------------------------------------


def seeds(name: str) -> Iterator[bytes]:
    """Inputs from which the fuzzer starts: small pieces of what ships with the package."""
    if name in ("splitter", "quotation"):
        yield from (bytes([0]) + bytes(range(i, i + 24)) for i in range(0, 232, 24))
        yield b"\x01\xe2\x80\x9cA b. C\n\nD e.\xe2\x80\x9d F \"g 'h' i\" j. He\xe2\x80\x99s \xc2\xabk\xc2\xbb."
        yield "\x01“A b. C.\x00D e.” F said.".encode()
    elif name == "rules":
        yield from _rule_seeds()
    elif name == "model":
        lines = b'[["bias", 0.1, -0.2, -0.2, 1.5], ["after:{0} a", 1, 2.5e-3, 0, -1], ["w:a", 0, 0, 0, 2]]'
        yield b"\x00" + lines
        yield b"\x01" + json.dumps(_CARD).encode() + b"\x00" + lines
        yield b"\x02" + lines
        yield b"\x03" + json.dumps({**_CARD, "weights_sha256": "0" * 64}).encode()
    elif name == "readers":
        for kind in range(8):
            for flags in (0, 0x40, 0x80):
                for body in _READER_SEEDS:
                    yield bytes([kind | flags, 0]) + body.encode()
    elif name == "feed":
        yield _RSS.encode()
        yield _ATOM.encode()
        yield _JSON_FEED.encode()
    elif name == "page":
        yield _PAGE.encode()


def _rule_seeds() -> Iterator[bytes]:
    for index, place in enumerate(_PLACES):
        for seed in _RULE_SEEDS.get(place.partition("/")[0], ()):
            if place.startswith("lists/") and (place == "lists/irregular.yaml") != seed.startswith("verbs"):
                continue
            yield bytes([index]) + seed.encode()
    yield bytes([0xE0 + _PLACES.index("sides.yaml")]) + _BASE["sides.yaml"]
    for index, place in enumerate(_PLACES):  # longer ones, cut anywhere
        files = sorted((resource("rules") / place.partition("/")[0]).glob("**/*.yaml"))
        for path in sorted(files, key=lambda p: (p.stat().st_size, p))[:3]:
            yield bytes([index]) + path.read_bytes()[:700]


# Each loads over the base, so that what the fuzzer changes in it is the only fault.
_RULE_SEEDS = {
    "frame": (
        """id: a
kind: lexical
effect: frame
side: X
test: N
strength: strong
because: says so
phrases: ["(a|b~) of {X:country} *4 put it", "^ {X} <saying> (the)? Big $"]
unless: ["put (by|from)", "1943"]
examples:
  fires: [{text: "A of [Oneland put it].", side: kyiv, voice: author}]
  silent: ["No."]
""",
        """# who violates
defaults: {kind: dependency, effect: frame, test: L, side: other(X), strength: weak}
rules:
  - id: breaks
    status: trial
    because: says so
    trees:
      - verb: {lemma: say|put, upos: VERB}
        agent: {under: verb, relation: =nsubj|obl, side: X}
    unless: [{under: verb, lemma: not|never}]
    marks: [verb]
    examples: {fires: [{text: "[Oneland says] so.", side: moscow}], silent: ["Rain."]}
""",
    ),
    "opinion": (
        "id: a\nkind: lexical\neffect: opinion\ncue: motive\nstrength: strong\nbecause: says what ought to be\n"
        "phrases: ['(must|should) put']\nexamples: {fires: [{text: 'It [should put] it.'}], silent: ['It rained.']}\n",
    ),
    "voice": (
        "defaults: {kind: lexical, effect: voice, voice: attributed}\nrules:\n  - id: colon\n    because: a source\n"
        "    covers: after\n    speaker: inside\n    phrases: ['^ {any} :', '— *5 {any} $']\n"
        "    examples: {fires: [{text: 'Oneland[: it rains]', speaker: one-land}], silent: ['It rains.']}\n",
    ),
    "cancel": (
        "id: a\nkind: dependency\neffect: cancel\ncancels: [B, V]\nreason: negated\nbecause: reports a denial\n"
        "scope: claim\ntrees:\n  - verb: {lemma: deny, upos: VERB}\n    claim: {under: verb, relation: obj|ccomp}\n"
        "examples: {fires: [{text: 'Oneland denied [it all].'}], silent: ['No.']}\n",
    ),
    "actors": (
        "actors:\n  - {id: three, names: [Three, =THR, Three's Town], side: kyiv, kind: leader, speaker: kyiv, "
        "unless: [Three Towns]}\n  - {id: four, names: [Four], side: moscow, kind: org, mirror: five}\n"
        "  - {id: five, names: [Five], side: kyiv, kind: org, mirror: four}\n",
        "actors:\n  - {id: one-land, status: off}\n",
    ),
    "lists": (
        "words: [say~, put it, \"it 's\"]\n",
        "verbs: {put: [puts, putting], say: [said]}\nnouns: {man: [men]}\n",
    ),
}
_READER_SEEDS = (
    "A line.\nAnother “line”.\n\nA third.",
    "---\ntitle: A b\ndate: 2024-01-02\n---\n# Head\n\n* [a](b) **c** `d` <!-- e -->\n> f\n```\ng\n```\n![h](i)\n",
    '{"text": "A b.", "id": 7, "prev": null, "title": ["x", {"name": "y"}]}\n\n{"text": 1}\n[]\n{"id": true}\n',
    '[{"text": "A b.", "date": "2024"}, {"sentence": "c"}, 3]',
    'id,text,title\n1,"A ""b"", c.",d\n2,,\n3,x,y,z\n',
    "text\tid\nA b.\t1\n\nc\t2\n",
    "sentence;id\nA b.;1\n",
)
_RSS = (
    '<?xml version="1.0"?><rss version="2.0"><channel><title>T</title><language>en</language><item><title>A'
    "</title><link>http://a/b</link><description>&lt;p&gt;B &amp;amp; c&lt;/p&gt;</description><pubDate>Mon, 01 "
    "Jan 2024 00:00:00 GMT</pubDate><guid>1</guid></item></channel></rss>"
)
_ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><id>1</id><title type="html">A</title>'
    '<content type="xhtml"><div>b</div></content><updated>2024-01-01T00:00:00Z</updated></entry></feed>'
)
_JSON_FEED = (
    '{"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": [{"id": "1", "content_html": '
    '"<p>A</p>", "title": "B", "date_published": "2024-01-01T00:00:00Z"}]}'
)
_PAGE = (
    '<!doctype html><html lang="en"><head><title>T</title><meta property="og:site_name" content="S"></head>'
    "<body><nav>n</nav><article><h1>T</h1><p>A long paragraph of text, so that it counts as an article, with "
    "some words more.</p><p>Another one, as long as the first, with a <a href='x'>link</a> and <b>bold</b>.</p>"
    "</article><script>s</script></body></html>"
)
