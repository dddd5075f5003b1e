"""The only door to spaCy: sentences in, frozen dependency trees out.

spaCy is imported and the pipeline loaded when the first sentence is parsed, not before; version and
attributes are read from the pipeline's ``meta.json``. Relations and attributes are those of Universal
Dependencies v2.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from stance.errors import StanceError
from stance.phrases import lower
from stance.resources import resource
from stance.rulebook import Rule

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

# Longer texts are labelled without a tree. No sentence of news is as long: in 128,000 real ones the longest
# has 400 characters, in the treebanks 159 words; what is longer is a list, a table or noise.
MAX_CHARS: Final = 2_000
MAX_TOKENS: Final = 300
# Characters parsed together. More are no faster, and the arrays of a batch grow with it.
BATCH_CHARS: Final = 10_000
# Strings that spaCy may keep for good, beyond those of the pipeline. They speed up the tokenizer; once there
# are so many, the strings of a batch are dropped with the batch, so that memory stays flat.
KEPT_STRINGS: Final = 50_000

_COLUMNS: Final[list[int | str]] = ["HEAD", "DEP", "POS", "MORPH", "IDX", "LENGTH"]
ROOT: Final = "root"
LOOSE: Final = "parataxis"
_PIPES: Final = ("tok2vec", "transformer", "morphologizer", "parser")
_TAG_PIPES: Final = ("tagger", "attribute_ruler")

_ONLY_IN_CONTRACTIONS: Final = frozenset(("ca", "wo", "sha"))

# White space other than single spaces between words, and lone surrogates, which spaCy cannot encode.
_UNEVEN: Final = re.compile(r"^\s|\s$|\s\s|[^\S ]")
_SPACE: Final = re.compile(r"\s+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Tree:
    """The dependency tree of one sentence: one root, no white space among its tokens.

    All tuples are parallel, one item for each token. ``starts`` and ``ends`` are offsets in ``text``;
    ``forms`` are in lower case with straight apostrophes; ``heads`` are token indices, its own for the
    root; ``children`` are in order of place. An empty text gives a tree without tokens.
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    forms: tuple[str, ...]
    heads: tuple[int, ...]
    relations: tuple[str, ...]
    upos: tuple[str, ...]
    feats: tuple[str, ...]
    children: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.heads)

    def subtree(self, i: int) -> list[int]:
        """Token ``i`` and all its descendants, in order of place."""
        found = [i]
        for token in found:  # grows while it is walked
            found.extend(self.children[token])
        found.sort()
        return found

    def subtree_span(self, i: int) -> tuple[int, int]:
        """From the first to the last character of the subtree of ``i``."""
        tokens = self.subtree(i)
        return self.starts[tokens[0]], self.ends[tokens[-1]]


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a pipeline can set: relations, parts of speech, and features as ``Name=Value``."""

    relations: frozenset[str]
    upos: frozenset[str]
    feats: frozenset[str]

    def unsupported(self, rule: Rule) -> list[str]:
        """Attributes in the trees of a rule that this pipeline never sets: ``relation nsubj:pass``, …"""
        nodes = [node for tree in rule.trees for node in tree]
        missing: dict[str, None] = {}
        for node in (*nodes, *rule.unless_nodes):
            for relation in node.relation:
                if not self._has_relation(relation):
                    missing[f"relation {relation.removeprefix('=')}"] = None
            for upos in node.upos:
                if upos not in self.upos:
                    missing[f"upos {upos}"] = None
            for name, value in node.feats:
                if f"{name}={value}" not in self.feats:
                    missing[f"feats {name}={value}"] = None
        return list(missing)

    def _has_relation(self, wanted: str) -> bool:
        if wanted.startswith("="):
            return wanted[1:] in self.relations
        return any(label == wanted or label.startswith(wanted + ":") for label in self.relations)


class Parser:
    """Parses sentences with the pipeline in a folder (default: the shipped one).

    Safe to use from several threads: spaCy's vocabulary is shared state, so one thread parses at a time.
    A pickled parser is its path; the copy loads the pipeline anew.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._given = path
        self._lock = RLock()
        self._nlp: Language | None = None
        self._names: dict[int, str] = {}
        self._limit = 0
        self._blas: Callable[[], AbstractContextManager[Any]] = nullcontext

    def __reduce__(self) -> tuple[Any, ...]:
        return Parser, (self._given,)

    @cached_property
    def path(self) -> Path:
        """The pipeline's folder, whether it is there or not."""
        return self._given if self._given is not None else resource("models") / "pipeline" / "en"

    @cached_property
    def version(self) -> str | None:
        """Name, version and eight digits of the digest of all its files; None if there is no pipeline."""
        if not (self.path / "meta.json").is_file():
            return None
        meta = self._meta
        return f"{meta.get('lang')}_{meta.get('name')}-{meta.get('version')}+{self.digest[:8]}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the pipeline's files, in hexadecimal."""
        state = hashlib.sha256()
        try:
            for file in sorted(p for p in self.path.rglob("*") if p.is_file()):
                data = file.read_bytes()
                name = file.relative_to(self.path).as_posix().encode("utf-8", "surrogateescape")
                state.update(b"%d %s %d\n" % (len(name), name, len(data)))
                state.update(data)
        except OSError as error:
            raise self._unusable(error) from None
        return state.hexdigest()

    @cached_property
    def attributes(self) -> Attributes:
        """What the pipeline can set, read from the labels in its ``meta.json``."""
        labels = self._meta.get("labels")
        if not isinstance(labels, dict):
            raise StanceError(f"{self.path}: meta.json names no labels; train or install the pipeline again")
        relations = {ROOT, LOOSE}
        for label in labels.get("parser", ()):
            # Non-projective arcs are learnt under labels such as "nmod||obj".
            relations.add(label.partition("||")[0])
        relations.discard("ROOT")
        upos: set[str] = set()
        feats: set[str] = set()
        for label in labels.get("morphologizer", ()):
            for part in label.split("|"):
                name, _, value = part.partition("=")
                if name == "POS":
                    upos.add(value)
                elif value:
                    feats.update(f"{name}={one}" for one in value.split(","))
        return Attributes(frozenset(relations), frozenset(upos), frozenset(feats))

    def unsupported(self, rule: Rule) -> list[str]:
        """Attributes in the trees of a rule that the pipeline never sets: an error in the rule."""
        return self.attributes.unsupported(rule)

    def parse(self, texts: Sequence[str]) -> list[Tree | None]:
        """A tree for each text, taken as one sentence, in order; None where it is too long to parse.

        The answer for a text does not depend on the others.
        """
        result: list[Tree | None] = [None] * len(texts)
        short = (i for i, text in enumerate(texts) if len(text) <= MAX_CHARS)
        order = sorted(short, key=lambda i: len(texts[i]))
        with self._lock:
            for batch in _batches(order, texts):
                for i, tree in zip(batch, self._parse([texts[i] for i in batch]), strict=True):
                    result[i] = tree
        return result

    def warm(self) -> None:
        """Load the pipeline now, not at the first sentence."""
        with self._lock:
            self._load()

    def tokenize(self, texts: Iterable[str]) -> int:
        """Run the pipeline's tokenizer alone, as a measure of speed; the number of tokens."""
        with self._lock:
            return sum(len(self._load().make_doc(text)) for text in texts)

    # -- inside ----------------------------------------------------------------------------------------

    @cached_property
    def _meta(self) -> dict[str, Any]:
        try:
            meta = json.loads((self.path / "meta.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self._unusable(error) from None
        if not isinstance(meta, dict):
            raise StanceError(f"{self.path}: meta.json is no object; train or install the pipeline again")
        return meta

    def _unusable(self, error: Exception) -> StanceError:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        return StanceError(f"{self.path}: the pipeline cannot be read ({reason}); train or install it again")

    def _load(self) -> Language:
        if self._nlp is None:
            _ = self._meta
            try:
                self._nlp = _load(self.path)
            except (OSError, ValueError, KeyError) as error:
                raise self._unusable(error) from None
            self._limit = len(self._nlp.vocab.strings) + KEPT_STRINGS
            self._blas = _one_thread()
        return self._nlp

    def _parse(self, texts: Sequence[str]) -> list[Tree | None]:
        """One batch."""
        nlp = self._load()
        zone: AbstractContextManager[Any] = nullcontext()
        if len(nlp.vocab.strings) > self._limit:
            zone = nlp.memory_zone()
        trees: list[Tree | None] = []
        with zone, self._blas():
            even = [_even(text) for text in texts]
            docs = [_one_sentence(nlp.make_doc(clean)) for clean, _ in even]
            for _ in nlp.pipe([doc for doc in docs if 0 < len(doc) <= MAX_TOKENS], batch_size=len(docs)):
                pass  # the pipes write into the Docs
            for text, (_, places), doc in zip(texts, even, docs, strict=True):
                trees.append(_tree(text, doc, places, self._names) if len(doc) <= MAX_TOKENS else None)
        return trees


def build(
    text: str,
    spans: Sequence[tuple[int, int]],
    heads: Sequence[int],
    relations: Sequence[str],
    upos: Sequence[str],
    feats: Sequence[str],
) -> Tree:
    """A tree from its columns. ``heads`` are made one tree by `one_tree`."""
    heads, relations = one_tree(heads, relations)
    children: list[list[int]] = [[] for _ in heads]
    for i, head in enumerate(heads):
        if head != i:
            children[head].append(i)
    if text.isascii():
        small = lower(text)
        forms = tuple([small[start:end] for start, end in spans])
    else:  # letters may grow when they are lowered, and a final sigma looks at its neighbours
        forms = tuple([lower(text[start:end]) for start, end in spans])
    return Tree(
        text=text,
        starts=tuple([start for start, _ in spans]),
        ends=tuple([end for _, end in spans]),
        forms=forms,
        heads=tuple(heads),
        relations=tuple(relations),
        upos=tuple(upos),
        feats=tuple(feats),
        children=tuple(map(tuple, children)),
    )


def one_tree(heads: Sequence[int], relations: Sequence[str]) -> tuple[list[int], list[str]]:
    """Heads and relations with one root and no cycle.

    The first root stays; later ones hang on it as ``parataxis``, and so does the first token of a cycle.
    Without any root the first token becomes it.
    """
    new = list(heads)
    names = list(relations)
    root = next((i for i, head in enumerate(new) if head == i), 0)
    # Steps from each token up to one that is known to reach the root; every token is walked once.
    reached = bytearray(len(new))
    for i in range(len(new)):
        if i == root or (new[i] == i):
            new[i], names[i] = (i, ROOT) if i == root else (root, LOOSE)
            reached[i] = 1
    for i in range(len(new)):
        path = []
        token = i
        while not reached[token]:
            reached[token] = 2
            path.append(token)
            token = new[token]
        if reached[token] == 2:  # round in a circle: cut it before its first token
            cut = min(path[path.index(token) :])
            new[cut], names[cut] = root, LOOSE
        for token in path:
            reached[token] = 1
    return new, names


def of_span(span: Doc | Span) -> Tree:
    """The tree of a Doc or Span that another pipeline has parsed with Universal Dependencies labels.

    White-space tokens are left out; what hangs on one hangs on its head instead.
    """
    tokens = list(span)
    origin = tokens[0].idx if tokens else 0
    first = tokens[0].i if tokens else 0
    place = {token.i: n for n, token in enumerate(token for token in tokens if not token.is_space)}
    heads, kept = [], [token for token in tokens if not token.is_space]
    for token in kept:
        head = token.head
        while head.is_space and head.head.i != head.i:
            head = head.head
        inside = first <= head.i < first + len(tokens)
        heads.append(place.get(head.i, place[token.i]) if inside else place[token.i])
    return build(
        span.text,
        [(token.idx - origin, token.idx - origin + len(token)) for token in kept],
        heads,
        [ROOT if token.dep_ == "ROOT" else token.dep_ for token in kept],
        [token.pos_ for token in kept],
        [str(token.morph) for token in kept],
    )


def _load(path: Path) -> Language:
    import spacy
    from spacy.util import load_config
    from thinc.api import use_ops

    components = load_config(path / "config.cfg")["components"]
    kinds = {name: component.get("factory") for name, component in components.items()}
    needed = _PIPES if "morphologizer" in kinds.values() else (*_PIPES, *_TAG_PIPES)
    exclude = [name for name, factory in kinds.items() if factory not in needed]
    with use_ops("numpy"):
        nlp = spacy.load(path, exclude=exclude)
    if "parser" not in nlp.pipe_names:
        raise ValueError("it has no component 'parser'")
    if "uniqued" in str(components):
        _one_norm_a_word(nlp)
    ops = _exact_ops()
    for _, pipe in nlp.pipeline:
        model = getattr(pipe, "model", None)
        for layer in model.walk() if model is not None else ():
            layer.ops = ops
    return nlp


def _one_thread() -> Callable[[], AbstractContextManager[Any]]:
    """A context in which numpy's matrix library stays in one thread; these matrices are too small for two."""
    try:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]
    except ImportError:
        return nullcontext
    controller = ThreadpoolController()
    return lambda: controller.limit(limits=1, user_api="blas")


def _exact_ops() -> Any:
    """Operations of thinc whose matrix product gives a row the same bits whatever other rows stand beside it.

    Rows and weights are rounded to integers so small that float32 holds every product and every sum of
    products exactly: the order of summation, which a matrix library chooses by shape and processor, no
    longer matters, and the fast library of numpy can be used. With an ordinary product the last bits, and
    now and then a tree, depend on the batch. Rounding to about nine bits costs no accuracy that was seen.
    """
    import numpy
    from thinc.api import NumpyOps

    class ExactOps(NumpyOps):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(use_blis=False)
            # By address and shape; the array itself is kept so that its address is not used again.
            self.rounded: dict[tuple[int, tuple[int, ...], bool], tuple[Any, Any, Any, Any]] = {}

        def gemm(self, x: Any, y: Any, *, out: Any = None, trans1: bool = False, trans2: bool = False) -> Any:
            x = x.T if trans1 else x
            whole, scale, limit = self.weights(y, trans2)
            size = numpy.maximum(x.max(axis=1), -x.min(axis=1))
            size[size == 0] = 1
            size = (size / limit)[:, None]
            result = numpy.dot(numpy.rint(x / size), whole)
            result *= scale
            result *= size
            if out is None:
                return result
            out[...] = result
            return out

        def weights(self, y: Any, turned: bool) -> tuple[Any, Any, Any]:
            key = (y.__array_interface__["data"][0], y.shape, turned)
            if key not in self.rounded:
                values = y.T if turned else y
                limit = numpy.float32(int((2**24 / values.shape[0]) ** 0.5))
                scale = numpy.abs(values).max(axis=0) / limit
                scale[scale == 0] = 1
                whole = numpy.ascontiguousarray(numpy.rint(values / scale))
                self.rounded[key] = (whole, scale, limit, y)
            return self.rounded[key][:3]

    return ExactOps()


def _one_norm_a_word(nlp: Language) -> None:
    """Make the norm of a token depend on its spelling alone.

    The tokenizer's exceptions give a spelling several norms: *did* is "do" in *didn't*, *am* is "a.m." in
    *9am*. A pipeline that embeds each spelling once a batch would take the first it meets for all of them,
    and the tree of a sentence would depend on the sentences beside it.
    """
    orth, norm = nlp.vocab.strings["ORTH"], nlp.vocab.strings["NORM"]
    tokenizer: Any = nlp.tokenizer
    norms: dict[str, set[str]] = {}
    rules = {}
    for text, pieces in tokenizer.rules.items():
        rules[text] = [{orth: piece[orth]} for piece in pieces]
        for piece in pieces:
            if norm in piece:
                norms.setdefault(piece[orth], set()).add(piece[norm])
    tokenizer.rules = rules
    for spelling, found in norms.items():
        # Whole words keep the norm that they have on their own; n't and the like have no other.
        if len(found) == 1 and (not spelling.isalpha() or spelling.lower() in _ONLY_IN_CONTRACTIONS):
            nlp.vocab[spelling].norm_ = next(iter(found))


def _batches(order: Iterable[int], texts: Sequence[str]) -> Iterable[list[int]]:
    """Indices in the given order, cut where a batch would hold more than ``BATCH_CHARS``."""
    batch: list[int] = []
    size = 0
    for i in order:
        if batch and size + len(texts[i]) > BATCH_CHARS:
            yield batch
            batch, size = [], 0
        batch.append(i)
        size += len(texts[i])
    if batch:
        yield batch


def _even(text: str) -> tuple[str, list[int] | None]:
    """The text with single spaces, and for each of its characters the place in ``text``.

    A white-space token would change what the parser makes of its neighbours. None for the places where
    nothing has moved.
    """
    clean = _SURROGATE.sub("\ufffd", text)
    if not _UNEVEN.search(clean):
        return clean, None
    pieces: list[str] = []
    places: list[int] = []
    position = 0
    for match in _SPACE.finditer(clean + " "):
        start, end = match.span()
        if start > position:
            if pieces:
                pieces.append(" ")
                places.append(position - 1)
            pieces.append(clean[position:start])
            places.extend(range(position, start))
        position = end
    return "".join(pieces), places


def _one_sentence(doc: Doc) -> Doc:
    """Tell the parser that no token but the first begins a sentence."""
    import numpy

    if not len(doc):
        return doc
    starts: Any = numpy.full((len(doc), 1), -1, dtype="int64")
    starts[0] = 1
    return doc.from_array(["SENT_START"], starts.astype("uint64"))


def _tree(text: str, doc: Doc, places: list[int] | None, names: dict[int, str]) -> Tree:
    """The Doc as a Tree over the text as it was handed in. ``names`` remembers labels by their hash."""
    if not len(doc):
        return Tree(text, (), (), (), (), (), (), (), ())
    steps, deps, tags, morphs, starts, lengths = doc.to_array(_COLUMNS).astype("int64").T.tolist()
    strings = doc.vocab.strings

    def name(key: int) -> str:
        # Hashes are unsigned; the array above is signed for the sake of the heads.
        known = names.get(key)
        if known is None:
            known = strings[key % 2**64]
            known = names[key] = "" if known == "_" else known
        return known

    spans = [(start, start + length) for start, length in zip(starts, lengths, strict=True)]
    if places is not None:
        spans = [(places[start], places[end - 1] + 1) for start, end in spans]
    return build(
        text,
        spans,
        [i + step for i, step in enumerate(steps)],
        [name(dep) for dep in deps],
        [name(tag) for tag in tags],
        [name(morph) for morph in morphs],
    )
