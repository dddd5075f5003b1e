"""Train and measure the bundled English pipeline from Universal Dependencies files.

Nothing here is needed to analyse text: the classifier only loads the finished folder with
``spacy.load``. This module reads CoNLL-U files, checks their digests, trains one small spaCy
pipeline on single sentences and prints what it is worth::

    python -m stance.pipeline_training train --treebank DIR --out DIR
    python -m stance.pipeline_training evaluate --treebank DIR --pipeline DIR [--reference DIR]

The pipeline uses built-in spaCy parts alone, so that ``spacy.load(path)`` needs no code of ours.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import itertools
import json
import random
import re
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stance.errors import StanceError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc
    from spacy.training import Example

_LICENCES = {
    "ewt": "CC BY-SA 4.0",
    "gum": "annotations CC BY 4.0, texts CC BY or public domain",
    "pud": "CC BY-SA 3.0",
}

Progress = Callable[[str], None]

TRAIN_FILES = ("ewt-train", "gum-train")
DEV_FILES = ("ewt-dev", "gum-dev")
TEST_FILES = ("ewt-test", "gum-test", "pud-test")

DIGESTS: dict[str, str] = {
    "ewt-train": "be4c921554942821274405c32fc43fa1cd9c903430aa56cec967cb120283760a",
    "ewt-dev": "f0e94f8d2c857d531c82a20a83b60e0c17ad336e02e9ec76b3fc7a9078c6c3e3",
    "ewt-test": "5ed2d3878806f13cd97e16fe363dc254059f63c59c8f0743b058952ea5340fdc",
    "gum-train": "ea1cb6c599a76bd7b7754d7c568b25f36b63baff6e9ff5d3698694aee9f86545",
    "gum-dev": "25e63ecca69279adb050bbdf3ff78caf71d1e90fd3469c2dde6dec5f2e1314ca",
    "gum-test": "7df8f5ed37abc0201bdafc221ca165d8e87329ffc44d51ff77e3aa5abbb111eb",
    "pud-test": "94f73e16e3949cc9e57b7cf7fee4e6145fca8703bf03af3518b374c5259e0ff3",
}

# Features that a rule may ask for. The rest of the treebanks' features is left out: fewer classes
# make the one softmax that sets them smaller, faster and better.
FEATURES = frozenset(
    [
        "Case",
        "Degree",
        "Mood",
        "Number",
        "Person",
        "Polarity",
        "Poss",
        "PronType",
        "Tense",
        "VerbForm",
        "Voice",
    ]
)


@dataclass(frozen=True, slots=True)
class Word:
    """One syntactic word. ``head`` is an index into the sentence's words, its own for the root;
    ``start`` and ``end`` are character offsets into the sentence's text."""

    form: str
    lemma: str
    upos: str
    feats: str
    head: int
    deprel: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TreebankSentence:
    """A sentence of a treebank with its running text; ``file`` is the name of its file's stem."""

    file: str
    sent_id: str
    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides what the trained pipeline is. ``rows`` are the embedding tables'
    rows for norm, prefix, suffix and shape; ``stop`` ends the run before the learning rate of
    ``steps`` updates has run down. ``silver_share`` is the share of words that come from sentences
    whose trees another parser drew, ``silver_end`` the share in the last fifth of the run."""

    width: int = 96
    depth: int = 4
    rows: tuple[int, int, int, int] = (5000, 1000, 2500, 2500)
    shared_types: bool = False
    encoder: str = "maxout"
    encoder_pieces: int = 3
    window: int = 1
    hidden: int = 64
    pieces: int = 2
    upper: bool = True
    extra_state: bool = False
    min_action_freq: int = 30
    steps: int = 5000
    stop: int | None = None
    batch_words: int = 1000
    learn_rate: float = 0.002
    warmup: int = 300
    decay: bool = True
    dropout: float = 0.2
    tag_every: int = 3
    augment: bool = True
    silver_share: float = 0.0
    silver_end: float = 0.0
    seed: int = 0


REFERENCE = Settings()
SHIPPED = Settings(
    width=72,
    rows=(14000, 1500, 5000, 3000),
    shared_types=True,
    steps=8000,
    dropout=0.1,
    silver_share=0.65,
    silver_end=0.35,
)


# --- reading ---------------------------------------------------------------------------------------


def read_treebank(folder: Path, stems: Sequence[str]) -> list[TreebankSentence]:
    """All sentences of the named files, in order; raises ``StanceError`` when a file is missing or
    is not the file that the card names."""
    sentences: list[TreebankSentence] = []
    for stem in stems:
        path = folder / f"{stem}.conllu"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StanceError(
                f"{path}: the treebank file cannot be read ({error.strerror}); name its folder"
            ) from None
        digest = hashlib.sha256(data).hexdigest()
        if digest != DIGESTS[stem]:
            raise StanceError(
                f"{path}: sha256 is {digest[:12]}…, expected {DIGESTS[stem][:12]}…;"
                " rebuild the file from the commit named in models/pipeline/README.md"
            )
        sentences.extend(read_conllu(data.decode("utf-8"), stem))
    return sentences


def read_conllu(text: str, stem: str) -> Iterator[TreebankSentence]:
    """The sentences of one CoNLL-U text."""
    for block in text.strip().split("\n\n"):
        lines = block.split("\n")
        sent_id = next((line[12:] for line in lines if line.startswith("# sent_id = ")), "")
        rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
        if rows:
            yield _sentence(stem, sent_id, rows)


def _sentence(stem: str, sent_id: str, rows: list[list[str]]) -> TreebankSentence:
    spans: dict[int, tuple[int, int]] = {}
    forms = {int(row[0]): row[1] for row in rows if row[0].isdigit()}
    text = ""
    covered = 0
    for row in rows:
        identifier, form = row[0], row[1]
        if "." in identifier:
            continue
        if "-" in identifier:
            first, last = (int(part) for part in identifier.split("-"))
            members = list(range(first, last + 1))
        elif int(identifier) <= covered:
            continue
        else:
            members = [int(identifier)]
        lengths = _shares(form, [forms[member] for member in members])
        start = len(text)
        for member, length in zip(members, lengths, strict=True):
            spans[member] = (start, start + length)
            start += length
        covered = members[-1]
        text += form + ("" if "SpaceAfter=No" in row[9] else " ")
    words = []
    for row in rows:
        if row[0].isdigit():
            index = int(row[0])
            head = int(row[6])
            words.append(
                Word(
                    row[1],
                    row[2],
                    row[3],
                    _kept_features(row[5]),
                    head - 1 if head else index - 1,
                    row[7],
                    *spans[index],
                )
            )
    return TreebankSentence(stem, sent_id, text.rstrip(), tuple(words))


def _shares(surface: str, forms: list[str]) -> list[int]:
    """How many characters of a surface token each of its words takes ("don't" → do, n't). Where
    the words are not spelt as in the surface, each takes its length as far as it goes."""
    lengths = []
    left = len(surface)
    for position, form in enumerate(forms):
        after = len(forms) - position - 1
        length = max(1, min(len(form), left - after)) if after else left
        lengths.append(length)
        left -= length
    return lengths


def _kept_features(feats: str) -> str:
    return "|".join(part for part in feats.split("|") if part.partition("=")[0] in FEATURES)


# --- augmentation ----------------------------------------------------------------------------------

_SMALL = frozenset("a an the and or but nor of in on at to for by from with as up".split())


def all_caps(sentence: TreebankSentence) -> TreebankSentence:
    """The sentence in capital letters, where that keeps every offset."""
    return _respelt(sentence, [word.form.upper() for word in sentence.words])


def lower(sentence: TreebankSentence) -> TreebankSentence:
    """The sentence in small letters, where that keeps every offset."""
    return _respelt(sentence, [word.form.lower() for word in sentence.words])


def headline(sentence: TreebankSentence) -> TreebankSentence:
    """The sentence in headline case: every word begins with a capital but the small ones
    and those that stand right behind another token."""
    forms = []
    for position, word in enumerate(sentence.words):
        glued = position > 0 and sentence.words[position - 1].end == word.start
        small = glued or (position > 0 and word.form.lower() in _SMALL)
        forms.append(word.form if small else word.form[:1].upper() + word.form[1:])
    return _respelt(sentence, forms)


def curly(sentence: TreebankSentence) -> TreebankSentence:
    """Typographic quotation marks and apostrophes for straight ones."""
    forms, opened = [], False
    for word in sentence.words:
        form = word.form
        if form in ('"', "``", "''"):
            form = "”" if opened else "“"
            opened = not opened
        forms.append(form.replace("'", "’") if len(form) > 1 or form == "'" else form)
    return _respelt(sentence, forms)


def straight(sentence: TreebankSentence) -> TreebankSentence:
    """Straight quotation marks and apostrophes for typographic ones."""
    table = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'"})
    return _respelt(sentence, [word.form.translate(table) for word in sentence.words])


def no_stop(sentence: TreebankSentence) -> TreebankSentence:
    """The sentence without its final stop, as headings and captions have it."""
    words = sentence.words
    last = len(words) - 1
    if last < 1 or words[last].form != "." or any(word.head == last for word in words[:-1]):
        return sentence
    kept = words[:-1]
    return replace(sentence, text=sentence.text[: kept[-1].end], words=kept)


def _respelt(sentence: TreebankSentence, forms: list[str]) -> TreebankSentence:
    """The same tree over other spellings, with the text rebuilt around them."""
    if all(word.form == form for word, form in zip(sentence.words, forms, strict=True)):
        return sentence
    pieces: list[str] = []
    words: list[Word] = []
    length = end = 0
    for word, form in zip(sentence.words, forms, strict=True):
        # A word of a contraction that is not spelt as in the text keeps the text's letters.
        if sentence.text[word.start : word.end] != word.form:
            form = sentence.text[word.start : word.end]
        gap = sentence.text[end : word.start]
        start = length + len(gap)
        pieces += [gap, form]
        length = start + len(form)
        end = word.end
        words.append(replace(word, form=form, start=start, end=length))
    return replace(sentence, text="".join(pieces), words=tuple(words))


VARIANTS: dict[str, Callable[[TreebankSentence], TreebankSentence]] = {
    "all caps": all_caps,
    "headline case": headline,
    "curly quotes": curly,
    "straight quotes": straight,
    "no final stop": no_stop,
}


def augmented(sentence: TreebankSentence, rng: random.Random) -> TreebankSentence:
    """The sentence as it is most of the time, else in another case, with other quotation marks or
    without its stop: news comes in all of these and the treebanks in few."""
    draw = rng.random()
    if draw < 0.05:
        sentence = all_caps(sentence)
    elif draw < 0.12:
        sentence = headline(sentence)
    elif draw < 0.15:
        sentence = lower(sentence)
    if rng.random() < 0.3:
        sentence = curly(sentence)
    if rng.random() < 0.1:
        sentence = no_stop(sentence)
    return sentence


# --- the pipeline ----------------------------------------------------------------------------------


def _tok2vec(settings: Settings) -> dict[str, Any]:
    width = settings.width
    attributes = ["NORM", "PREFIX", "SUFFIX", "SHAPE"]
    embed: dict[str, Any]
    if settings.shared_types:
        # Rows of a batch that are the same word are embedded once: the same numbers, a third of
        # the work. Columns: the spelling that decides sameness, then the four attributes.
        tables = {
            str(column): {
                "@layers": "HashEmbed.v1",
                "nO": width,
                "nV": rows,
                "column": column + 1,
                "seed": 8 + column,
                "dropout": 0.0,
            }
            for column, rows in enumerate(settings.rows)
        }
        mix = {
            "@layers": "chain.v1",
            "*": {
                "tables": {"@layers": "concatenate.v1", "*": tables},
                "mix": {
                    "@layers": "Maxout.v1",
                    "nO": width,
                    "nI": 4 * width,
                    "nP": 3,
                    "normalize": True,
                    "dropout": 0.0,  # there, so that training can set it
                },
            },
        }
        once = {"@layers": "uniqued.v1", "column": 0, "layer": mix}
        embed = {
            "@layers": "chain.v1",
            "*": {
                "read": {"@layers": "spacy.FeatureExtractor.v1", "columns": ["ORTH", *attributes]},
                "join": {"@layers": "list2ragged.v1"},
                "embed": {"@layers": "with_array.v1", "layer": once},
                "part": {"@layers": "ragged2list.v1"},
            },
        }
    else:
        embed = {
            "@architectures": "spacy.MultiHashEmbed.v2",
            "width": width,
            "attrs": attributes,
            "rows": list(settings.rows),
            "include_static_vectors": False,
        }
    encode: dict[str, Any] = {"width": width, "depth": settings.depth, "window_size": settings.window}
    if settings.encoder == "maxout":
        encode |= {"@architectures": "spacy.MaxoutWindowEncoder.v2", "maxout_pieces": settings.encoder_pieces}
    else:
        encode |= {"@architectures": "spacy.MishWindowEncoder.v2"}
    return {"@architectures": "spacy.Tok2Vec.v2", "embed": embed, "encode": encode}


def build(settings: Settings) -> Language:
    """An untrained pipeline: tok2vec, morphologizer, parser, lemmatizer."""
    import spacy
    from spacy.util import compile_infix_regex

    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": settings.width, "upstream": "tok2vec"}
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec", config={"model": _tok2vec(settings)})
    nlp.add_pipe(
        "morphologizer", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}}
    )
    parser_model = {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "parser",
        "extra_state_tokens": settings.extra_state,
        "hidden_width": settings.hidden,
        "maxout_pieces": settings.pieces,
        "use_upper": settings.upper,
        "tok2vec": listener,
    }
    nlp.add_pipe("parser", config={"model": parser_model, "min_action_freq": settings.min_action_freq})
    # The treebanks part "15-year" at its hyphen; spaCy by itself parts letters only.
    infixes = [*(nlp.Defaults.infixes or []), r"(?<=[0-9])[-–](?=[A-Za-z])", r"(?<=[A-Za-z])[-–](?=[0-9])"]
    tokenizer: Any = nlp.tokenizer
    tokenizer.infix_finditer = compile_infix_regex(infixes).finditer
    # Norms by spelling alone: an exception's own norm ("did" in "didn't" is "do") would make the one
    # embedding of equal words depend on which of them a batch holds first.
    norm = nlp.vocab.strings["NORM"]
    tokenizer.rules = {
        text: [{key: value for key, value in piece.items() if key != norm} for piece in pieces]
        for text, pieces in tokenizer.rules.items()
    }
    return nlp


def as_doc(nlp: Language, sentence: TreebankSentence) -> Doc:
    """The treebank's words as an unparsed Doc, read by the tokenizer where it parts them alike, else
    put together from the words."""
    from spacy.tokens import Doc

    doc = nlp.make_doc(sentence.text)
    words = [sentence.text[word.start : word.end] for word in sentence.words]
    if len(doc) == len(words) and all(token.text == word for token, word in zip(doc, words, strict=True)):
        return doc
    ends = [word.end for word in sentence.words]
    starts = [word.start for word in sentence.words[1:]] + [len(sentence.text)]
    return Doc(nlp.vocab, words=words, spaces=[end < start for end, start in zip(ends, starts, strict=True)])


def one_sentence(doc: Doc) -> Doc:
    """The Doc with no sentence start but its first: what callers do before they parse one sentence."""
    for token in doc[1:]:
        token.is_sent_start = False
    return doc


def as_example(nlp: Language, sentence: TreebankSentence) -> Example:
    """The sentence with its gold tree as a training example."""
    from spacy.tokens import Doc
    from spacy.training import Example

    predicted = as_doc(nlp, sentence)
    reference = Doc(
        nlp.vocab,
        words=[token.text for token in predicted],
        spaces=[bool(token.whitespace_) for token in predicted],
        pos=[word.upos for word in sentence.words],
        morphs=[word.feats for word in sentence.words],
        heads=[word.head for word in sentence.words],
        deps=["ROOT" if word.deprel == "root" else word.deprel for word in sentence.words],
    )
    return Example(predicted, reference)


# --- lemmas ----------------------------------------------------------------------------------------

_LEMMA_RULES: dict[str, list[list[str]]] = {
    "noun": [["s", ""], ["ies", "y"], ["ses", "s"], ["xes", "x"], ["zes", "z"], ["ches", "ch"],
             ["shes", "sh"], ["ves", "f"], ["ves", "fe"], ["men", "man"]],
    "verb": [["s", ""], ["ies", "y"], ["es", ""], ["ed", ""], ["ed", "e"], ["ied", "y"],
             ["ing", ""], ["ing", "e"]],
    "adj": [["er", ""], ["er", "e"], ["ier", "y"], ["est", ""], ["est", "e"], ["iest", "y"]],
}  # fmt: skip
_LEMMA_RULES["verb"] += [[2 * letter + end, letter] for letter in "bdgklmnprt" for end in ("ed", "ing")]
_LEMMA_RULES["adj"] += [[2 * letter + end, letter] for letter in "dgnt" for end in ("er", "est")]


def lemma_tables(sentences: Iterable[TreebankSentence]) -> dict[str, dict[str, Any]]:
    """spaCy's three lemma tables (index, exceptions, rules), learnt from the treebank by counting:
    a form whose commonest lemma the suffix rules would miss is an exception."""
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for sentence in sentences:
        for word in sentence.words:
            if word.lemma != "_" and word.upos not in ("PROPN", "PUNCT", "SYM", "X", "NUM"):
                counts[word.upos.lower()][word.form.lower()][word.lemma] += 1
    index: dict[str, list[str]] = {}
    exceptions: dict[str, dict[str, list[str]]] = {}
    rules = dict(_LEMMA_RULES)
    for upos, forms in counts.items():
        # Without a rule spaCy answers with the form as written, capitals and all.
        rules.setdefault(upos, [["", ""]])
        best = {form: lemmas.most_common(1)[0][0] for form, lemmas in forms.items()}
        known = set(best.values()) if upos in _LEMMA_RULES else set()
        exceptions[upos] = {
            form: [lemma] for form, lemma in sorted(best.items()) if _by_rule(form, upos, known) != lemma
        }
        index[upos] = sorted(known)
    return {"lemma_index": index, "lemma_exc": exceptions, "lemma_rules": rules}


def _by_rule(form: str, upos: str, known: set[str]) -> str:
    """What spaCy's rule lemmatizer answers for a form without an exception."""
    found: list[str] = []
    unknown: list[str] = []
    for old, new in _LEMMA_RULES.get(upos, []):
        if form.endswith(old):
            candidate = form[: len(form) - len(old)] + new
            (found if candidate in known or not candidate.isalpha() else unknown).append(candidate)
    return (found or unknown or [form])[0]


# --- training --------------------------------------------------------------------------------------


def train(
    treebank: Path,
    out: Path,
    *,
    steps: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    settings: Settings = SHIPPED,
    silver: Path | None = None,
) -> dict[str, Any]:
    """Train ``settings`` on the train files, keep the best of the checkpoints on the dev files and
    write it to ``out``; returns what happened (settings, the checkpoints' figures, seconds).

    ``steps`` (updates of about ``settings.batch_words`` words, run to the end) and ``seed`` override
    the settings. ``silver`` is a CoNLL-U file of parsed raw text, mixed in as the settings say.
    """
    from thinc.api import fix_random_seed, use_ops

    settings = replace(settings, seed=seed)
    if steps is not None:
        settings = replace(settings, steps=steps, stop=None)
    say = progress or (lambda message: None)
    corpus = read_treebank(treebank, TRAIN_FILES)
    parsed = read_silver(silver) if silver else []
    dev = {stem: read_treebank(treebank, [stem]) for stem in DEV_FILES}
    fix_random_seed(seed)
    # numpy's own matrix product is about twice as fast as the default one on common processors.
    with use_ops("numpy", use_blis=False):
        return _train(corpus, parsed, dev, out, settings, say)


def read_silver(path: Path) -> list[TreebankSentence]:
    """Sentences of raw text with the trees of another parser; raises ``StanceError`` without the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise StanceError(
            f"{path}: the parsed sentences cannot be read ({_reason(error)});"
            " write them with models/pipeline/teacher.py"
        ) from None
    return list(read_conllu(text, "silver"))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _train(
    corpus: list[TreebankSentence],
    silver: list[TreebankSentence],
    dev: dict[str, list[TreebankSentence]],
    out: Path,
    settings: Settings,
    say: Progress,
) -> dict[str, Any]:
    from thinc.api import Adam, Optimizer

    nlp = build(settings)
    plain = [as_example(nlp, sentence) for sentence in corpus]
    nlp.initialize(lambda: plain)
    gc.freeze()  # the collector need not walk the examples again and again
    _add_lemmatizer(nlp, corpus)
    optimizer: Optimizer = Adam(
        learn_rate=settings.learn_rate, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0, use_averages=True
    )
    batches = _mixed(
        _examples(nlp, corpus, plain, settings, random.Random(settings.seed)),
        _examples(nlp, silver, [], settings, random.Random(settings.seed + 1)) if silver else None,
        settings,
    )
    checkpoints: list[dict[str, float]] = []
    best = -1.0
    began = time.perf_counter()
    every = max(1, min(1000, settings.steps // 4))
    last = settings.stop or settings.steps
    for step in range(1, last + 1):
        optimizer.learn_rate = _rate(settings, step)
        losses: dict[str, float] = {}
        # Tags are learnt long before trees: every third batch is enough for them.
        off = [] if step % settings.tag_every == 0 else ["morphologizer"]
        nlp.update(next(batches), sgd=optimizer, drop=settings.dropout, losses=losses, exclude=off)
        if step % every == 0 or step == last:
            with nlp.use_params(optimizer.averages):
                figures = {f"{stem} LAS": _quick_las(nlp, sentences) for stem, sentences in dev.items()}
                mean = sum(figures.values()) / len(figures)
                if mean > best:
                    best = mean
                    nlp.to_disk(out)
            seconds = round(time.perf_counter() - began, 1)
            checkpoints.append({"step": step, **figures, "seconds": seconds})
            shown = ", ".join(f"{name} {100 * value:.2f}" for name, value in figures.items())
            say(f"step {step}: {shown}; loss {losses.get('parser', 0.0):.0f}; {seconds:.0f} s")
    _trim(out)
    record = {
        "settings": asdict(settings),
        "silver sentences": len(silver),
        "checkpoints": checkpoints,
        "best": best,
    }
    describe(out, record)
    return record


def describe(folder: Path, record: dict[str, Any]) -> None:
    """Write into the pipeline's own ``meta.json`` what it is, of which data, under which licence."""
    path = folder / "meta.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    meta |= {
        "name": "ud_news_sm",
        "version": "1.1.0",
        "description": "Universal Dependencies trees, UPOS, features and lemmas for single English sentences",
        "spacy_version": ">=3.8,<3.9",
        "license": "CC BY-SA 4.0",
        "notes": f"Learnt from EWT, GUM and {record['silver sentences']} sentences of raw text with trees"
        " drawn by a larger parser that is not included; none of their text is included either.",
        "sources": [
            {"name": f"UD English-{name.upper()} {stem}", "license": licence, "sha256": DIGESTS[stem]}
            for stem in (*TRAIN_FILES, *DEV_FILES)
            for name, licence in [(stem[:3], _LICENCES[stem[:3]])]
        ],
        "training": {**record, "versions": versions(), "date": time.strftime("%Y-%m-%d", time.gmtime())},
    }
    path.write_text(json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _rate(settings: Settings, step: int) -> float:
    """The learning rate at a step: a rise, then level or falling in a straight line to a tenth."""
    if step <= settings.warmup:
        return settings.learn_rate * step / settings.warmup
    if not settings.decay:
        return settings.learn_rate
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.learn_rate * (1 - 0.95 * done)


def _mixed(
    gold: Iterator[Example], silver: Iterator[Example] | None, settings: Settings
) -> Iterator[list[Example]]:
    """Batches of about ``batch_words`` words; of each, silver takes its share."""
    for step in itertools.count(1):
        late = step > 0.8 * settings.steps
        share = (settings.silver_end if late else settings.silver_share) if silver else 0.0
        batch = _take(gold, (1 - share) * settings.batch_words)
        if silver and share:
            batch += _take(silver, share * settings.batch_words)
        yield batch


def _take(examples: Iterator[Example], words: float) -> list[Example]:
    """The next examples, until they have so many words."""
    taken: list[Example] = []
    while words > 0:
        taken.append(next(examples))
        words -= len(taken[-1].reference)
    return taken


def _examples(
    nlp: Language,
    corpus: list[TreebankSentence],
    plain: list[Example],
    settings: Settings,
    rng: random.Random,
) -> Iterator[Example]:
    """All sentences in a new order again and again. ``plain`` holds those already made into examples."""
    order = list(range(len(corpus)))
    while True:
        rng.shuffle(order)
        for index in order:
            sentence = augmented(corpus[index], rng) if settings.augment else corpus[index]
            yield plain[index] if plain and sentence is corpus[index] else as_example(nlp, sentence)


def _add_lemmatizer(nlp: Language, corpus: list[TreebankSentence]) -> None:
    from spacy.lookups import Lookups

    lookups = Lookups()
    for name, table in lemma_tables(corpus).items():
        lookups.add_table(name, table)
    lemmatizer: Any = nlp.add_pipe("lemmatizer", config={"mode": "rule"})
    lemmatizer.initialize(lookups=lookups)


def _trim(folder: Path) -> None:
    """Leave only the strings that the pipeline itself needs: labels, features and tags, not every
    word met in training (new strings are added as texts are read)."""
    import spacy
    from spacy.strings import StringStore

    nlp: Any = spacy.load(folder)
    needed = {label for name in ("morphologizer", "parser") for label in nlp.get_pipe(name).labels}
    path = folder / "vocab" / "strings.json"
    kept = StringStore()
    for rule in nlp.tokenizer.rules.values():
        for piece in rule:
            for value in piece.values():
                if isinstance(value, str):
                    kept.add(value)
    for label in sorted(needed):
        kept.add(label)
        for part in re.split(r"[|=]|\|\||-", label):
            kept.add(part)
    kept.to_disk(path)


def _quick_las(nlp: Language, sentences: list[TreebankSentence]) -> float:
    """LAS on gold tokens without punctuation: enough to choose a checkpoint by."""
    with nlp.select_pipes(disable=["lemmatizer", "morphologizer"]):
        docs = list(nlp.pipe((one_sentence(as_doc(nlp, each)) for each in sentences), batch_size=256))
    right = total = 0
    for sentence, doc in zip(sentences, docs, strict=True):
        for word, token in zip(sentence.words, doc, strict=True):
            if word.upos != "PUNCT":
                total += 1
                right += token.head.i == word.head and _relation(token.dep_) == word.deprel
    return right / total


def _relation(label: str) -> str:
    return "root" if label == "ROOT" else label


# --- evaluation ------------------------------------------------------------------------------------

PARTS = ("accuracy", "speed")
RELATIONS = (
    "nsubj", "nsubj:pass", "obj", "obl:agent", "ccomp", "xcomp",
    "parataxis", "advcl", "conj", "appos", "nmod:poss", "acl:relcl",
)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """Counts behind a precision and a recall."""

    right: int = 0
    gold: int = 0
    found: int = 0

    def f1(self) -> float | None:
        """F1, or nothing where there was nothing to find."""
        if not self.gold:
            return None
        return 2 * self.right / (self.gold + self.found)


@dataclass(slots=True)
class Scores:
    """Running counts of one evaluation. ``all`` counts punctuation, ``words`` does not."""

    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    relations: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    sentences: int = 0
    single_root: int = 0

    def add(self, sentence: TreebankSentence, doc: Doc) -> None:
        """Count one parsed sentence. Tokens are matched by their offsets; a gold word whose offsets
        no token has counts as missed."""
        words = sentence.words
        gold_at = {(word.start, word.end): index for index, word in enumerate(words)}
        spans = [(token.idx, token.idx + len(token)) for token in doc]
        match = [gold_at.get(span) for span in spans]
        self.sentences += 1
        self.single_root += sum(token.head.i == token.i for token in doc) == 1
        for scope in ("all", "words"):
            for name in ("tokens", "UPOS", "feats", "lemma", "UAS", "LAS"):
                self.tallies[f"{name} {scope}"].gold += sum(
                    scope == "all" or w.upos != "PUNCT" for w in words
                )
        for each in words:
            self.relations[each.deprel].gold += 1
        for token, index in zip(doc, match, strict=True):
            word = words[index] if index is not None else None
            relation = _relation(token.dep_)
            self.relations[relation].found += 1
            head = match[token.head.i]
            attached = word is not None and head == word.head
            hits = {"tokens": word is not None, "UAS": attached}
            if word is not None:
                hits["UPOS"] = token.pos_ == word.upos
                hits["feats"] = str(token.morph) == _sorted_features(word.feats)
                hits["lemma"] = token.lemma_ == word.lemma
                hits["LAS"] = attached and relation == word.deprel
                self.relations[relation].right += hits["LAS"]
            punctuation = word.upos == "PUNCT" if word is not None else token.is_punct
            for scope in ("all", "words"):
                if scope == "words" and punctuation:
                    continue
                for name in ("tokens", "UPOS", "feats", "lemma", "UAS", "LAS"):
                    tally = self.tallies[f"{name} {scope}"]
                    tally.found += 1
                    tally.right += hits.get(name, False)

    def figures(self) -> dict[str, Any]:
        """All F1 values in per cent; on gold tokens F1 is plain accuracy."""
        return {
            **{name: _percent(tally.f1()) for name, tally in self.tallies.items()},
            "single root": _percent(self.single_root / self.sentences) if self.sentences else None,
            "sentences": self.sentences,
        }

    def relation_figures(self) -> dict[str, Any]:
        """For each relation of interest: gold instances and labelled attachment F1 in per cent."""
        return {
            name: {"gold": self.relations[name].gold, "F1": _percent(self.relations[name].f1())}
            for name in RELATIONS
        }


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)


def _sorted_features(feats: str) -> str:
    """Features in the order in which spaCy writes them."""
    return "|".join(sorted(feats.split("|"), key=str.lower)) if feats else ""


def score(nlp: Language, sentences: Sequence[TreebankSentence], *, gold_tokens: bool) -> Scores:
    """Parse the sentences, one Doc each, and count. With ``gold_tokens`` the treebank's words are
    given; else spaCy's tokenizer finds its own in the sentence's text."""
    scores = Scores()
    docs = (as_doc(nlp, sentence) if gold_tokens else nlp.make_doc(sentence.text) for sentence in sentences)
    parsed = nlp.pipe((one_sentence(doc) for doc in docs), batch_size=256)
    for sentence, doc in zip(sentences, parsed, strict=True):
        scores.add(sentence, doc)
    return scores


def evaluate(
    pipeline: Path, treebank: Path, reference: Path | None = None, *, parts: Sequence[str] = PARTS
) -> dict[str, Any]:
    """Everything the card says about a pipeline, and the same for a reference, measured in one run:
    accuracy on the three test files, the relations rules need most, robustness, size and speed.
    ``parts`` leaves out what is not asked for."""
    names = {"shipped": pipeline} | ({"reference": reference} if reference else {})
    loaded = {name: _load(path) for name, path in names.items()}
    tests = {stem: read_treebank(treebank, [stem]) for stem in TEST_FILES}
    report: dict[str, Any] = {"versions": versions(), "pipelines": {name: {} for name in names}}
    if "accuracy" in parts:
        for name, nlp in loaded.items():
            size = sum(file.stat().st_size for file in names[name].rglob("*") if file.is_file())
            report["pipelines"][name] = {"bytes": size, **_accuracy(nlp, tests)}
    if "speed" in parts:
        report["speed"] = measure_speed(names, tests["pud-test"])
    return report


def _accuracy(nlp: Language, tests: dict[str, list[TreebankSentence]]) -> dict[str, Any]:
    pud = tests["pud-test"]
    groups = {
        **tests,
        "pud-test news": [sentence for sentence in pud if sentence.sent_id.startswith("n")],
        "pud-test with quotation marks": [sentence for sentence in pud if _quotes(sentence)],
        "ewt-test + gum-test": tests["ewt-test"] + tests["gum-test"],
    }
    result: dict[str, Any] = {"accuracy": {}, "relations": {}, "robustness": {}}
    for group, sentences in groups.items():
        for kind, gold in (("gold tokens", True), ("predicted tokens", False)):
            scores = score(nlp, sentences, gold_tokens=gold)
            result["accuracy"].setdefault(group, {})[kind] = scores.figures()
            result["relations"].setdefault(group, {})[kind] = scores.relation_figures()
    for name, change in {"as written": lambda sentence: sentence, **VARIANTS}.items():
        figures = score(nlp, [change(sentence) for sentence in pud], gold_tokens=False).figures()
        result["robustness"][name] = {key: figures[key] for key in ("UPOS words", "UAS words", "LAS words")}
    return result


def _quotes(sentence: TreebankSentence) -> bool:
    return any(mark in sentence.text for mark in '"“”«»„')


def digests_of(folder: Path) -> dict[str, str]:
    """The sha256 of every file of a pipeline by its path inside the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def versions() -> dict[str, str]:
    """The versions of what trains and runs the pipeline."""
    import platform
    from importlib.metadata import version

    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("spacy", "thinc", "numpy")},
    }


def _load(path: Path, *, use_blis: bool = True) -> Language:
    import spacy
    from thinc.api import use_ops

    if not (path / "meta.json").exists():
        raise StanceError(f"{path}: no pipeline there; train one with 'stance pipeline train --out {path}'")
    with use_ops("numpy", use_blis=use_blis):
        return spacy.load(path)


def measure_speed(
    names: dict[str, Path], sentences: Sequence[TreebankSentence], *, rounds: int = 3
) -> dict[str, Any]:
    """Sentences a second of processor time, the pipelines taking turns in one process; the best of
    ``rounds``. Ways: from text with all pipes but the lemmatizer, from ready Docs with and without
    the morphologizer, with spaCy's default matrix product and with numpy's."""
    texts = [sentence.text for sentence in sentences]
    best: dict[str, dict[str, float]] = defaultdict(dict)
    for use_blis, product in ((True, "default product"), (False, "numpy product")):
        loaded = {name: _load(path, use_blis=use_blis) for name, path in names.items()}
        for _ in range(rounds):
            for way, off in _WAYS.items():
                for name, nlp in loaded.items():
                    with nlp.select_pipes(disable=off):
                        items: list[Any] = list(texts)
                        if way.startswith("Docs"):
                            items = [one_sentence(nlp.make_doc(text)) for text in texts]
                        began = time.process_time()
                        deque(nlp.pipe(items, batch_size=256), maxlen=0)
                        rate = len(texts) / (time.process_time() - began)
                    row = best[f"{way}, {product}"]
                    row[name] = max(row.get(name, 0.0), rate)
    words = sum(len(sentence.words) for sentence in sentences)
    rows = {way: {name: round(rate) for name, rate in rates.items()} for way, rates in best.items()}
    for way, rates in best.items():
        if "reference" in rates:
            rows[way]["ratio"] = round(rates["shipped"] / rates["reference"], 2)  # type: ignore[assignment]
    return {"sentences a second": rows, "sentences": len(texts), "words": words}


_WAYS: dict[str, list[str]] = {
    "text, all pipes": [],
    "text, no lemmas": ["lemmatizer"],
    "Docs, no lemmas": ["lemmatizer"],
    "Docs, parser only": ["lemmatizer", "morphologizer"],
    "Docs, tok2vec only": ["lemmatizer", "morphologizer", "parser"],
}


# --- the command -----------------------------------------------------------------------------------


def report_lines(report: dict[str, Any]) -> Iterator[str]:
    """An evaluation as a table that a person can read, line by line."""
    pipelines = report["pipelines"]
    names = list(pipelines)
    if "accuracy" in pipelines[names[0]]:
        yield from _accuracy_lines(pipelines, names)
    if "speed" in report:
        speed = report["speed"]
        yield f"sentences a second of processor time ({speed['words'] / speed['sentences']:.1f} words each)"
        for way, rates in speed["sentences a second"].items():
            ratio = f"   ratio {rates['ratio']:.2f}" if "ratio" in rates else ""
            yield f"  {way:44}" + "".join(f"{rates[name]:>12}" for name in names) + ratio


def _accuracy_lines(pipelines: dict[str, Any], names: list[str]) -> Iterator[str]:
    yield f"{'':46}" + "".join(f"{name:>12}" for name in names)
    yield f"{'bytes':46}" + "".join(f"{pipelines[name]['bytes']:>12,}" for name in names)
    first = pipelines[names[0]]
    for group, kinds in first["accuracy"].items():
        for kind, figures in kinds.items():
            yield f"{group}, {kind} ({figures['sentences']} sentences)"
            for key in figures:
                if key != "sentences":
                    cells = (pipelines[name]["accuracy"][group][kind][key] for name in names)
                    yield f"  {key:44}" + "".join(f"{cell:>12.2f}" for cell in cells)
    for group, kinds in first["relations"].items():
        for kind, relations in kinds.items():
            yield f"relations: {group}, {kind} (labelled attachment F1)"
            for relation, figures in relations.items():
                values = [pipelines[name]["relations"][group][kind][relation]["F1"] for name in names]
                shown = "".join(f"{'–' if value is None else format(value, '.2f'):>12}" for value in values)
                yield f"  {relation:36}{figures['gold']:>8}{shown}"
    yield "robustness: pud-test, predicted tokens, without punctuation"
    for variant, figures in first["robustness"].items():
        for key in figures:
            cells = (pipelines[name]["robustness"][variant][key] for name in names)
            yield f"  {variant + ' ' + key:44}" + "".join(f"{cell:>12.2f}" for cell in cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m stance.pipeline_training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train the shipped configuration or the reference")
    training.add_argument("--treebank", type=Path, required=True, help="folder of the .conllu files")
    training.add_argument("--out", type=Path, required=True, help="folder to write the pipeline to")
    training.add_argument("--steps", type=int, default=None, help="updates (default: as configured)")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--reference", action="store_true", help="train the reference instead")
    training.add_argument("--silver", type=Path, default=None, help="raw text parsed by the teacher")
    measuring = commands.add_parser("evaluate", help="measure a pipeline on the test files")
    measuring.add_argument("--treebank", type=Path, required=True, help="folder of the .conllu files")
    measuring.add_argument("--pipeline", type=Path, required=True, help="folder of the pipeline")
    measuring.add_argument(
        "--reference", type=Path, default=None, help="folder of a pipeline to compare with"
    )
    measuring.add_argument("--only", choices=PARTS, default=None, help="one part of the measurement")
    measuring.add_argument("--json", type=Path, default=None, help="file for all figures")
    options = parser.parse_args(arguments)
    try:
        if options.command == "train":
            settings = REFERENCE if options.reference else SHIPPED
            train(
                options.treebank,
                options.out,
                steps=options.steps,
                seed=options.seed,
                progress=lambda message: print(message, flush=True),
                settings=settings,
                silver=options.silver,
            )
        else:
            parts = [options.only] if options.only else PARTS
            report = evaluate(options.pipeline, options.treebank, options.reference, parts=parts)
            if options.json:
                options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
            for line in report_lines(report):
                print(line)
    except StanceError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
