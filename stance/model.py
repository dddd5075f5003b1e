"""The model that weighs: features of one sentence, a linear model over them, and its file.

Prediction needs the standard library alone. A feature is a name with a value; names of things that
belong to a side hold a slot, ``{0}`` or ``{1}``, and ``mirror`` swaps the slots. The weights are
symmetric under ``mirror``, so that swapping the sides in the features swaps the answer exactly.
Training, and scikit-learn, stand in ``stance.training``.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from stance import cache
from stance.errors import StanceError
from stance.evidence import Evidence, Speaker
from stance.gather import Gathered
from stance.labels import NO_FRAME
from stance.lexicon import Hit, Tokens

SCHEMA: Final = "stance-model/1"
# Learnt weights lie within ±20; beyond this a sum could overflow.
MAX_WEIGHT: Final = 1e6
_WINDOW: Final = 5
# Families of smoothed words: all words, and those after and before an actor of each side.
SMOOTH_KEYS: Final = ("e", "ea:{0}", "ea:{1}", "eb:{0}", "eb:{1}")
_FIRST: Final = frozenset("i we my our us me".split())
_QUOTES: Final = frozenset('"“”«»„')
_KEPT_MARKS: Final = frozenset("?!:—–…")
# A headline: of more than three words more than this share begins with a capital, so it has more than a few.
_HEADLINE: Final = 0.6
_FEW_CAPITALS: Final = 2
_CAPITALS: Final = bytes(range(ord("A"), ord("Z") + 1))


def mirror(name: str) -> str:
    """The feature with the sides swapped; ``mirror(mirror(name)) == name``.

    >>> mirror("after:{0} attack")
    'after:{1} attack'
    """
    if "{1}" not in name:
        return name.replace("{0}", "{1}")
    return "{1}".join([part.replace("{1}", "{0}") for part in name.split("{0}")])


def slots(sides: Sequence[str]) -> dict[str, str]:
    """Side id to slot, in the fixed order of the sides."""
    return {side: f"{{{index}}}" for index, side in enumerate(sides)}


Masked = tuple[str, int, int]


def masked(gathered: Gathered, slot: Mapping[str, str], *, cues: bool = True) -> list[Masked]:
    """Lower-cased words with actors replaced by side and kind, and numbers by ``#``; with the first and
    last token of each. Without ``cues`` the words of `paired_cues` are left out."""
    covered = _covered(gathered, slot, cues=cues)
    words: list[Masked] = []
    for i, word in enumerate(gathered.seen.scan.tokens.words):
        if i in covered:
            name, last = covered[i]
            if name:
                words.append((name, i, last))
        elif name := _written(word):
            words.append((name, i, i))
    return words


def masked_words(gathered: Gathered, slot: Mapping[str, str], *, cues: bool = True) -> list[str]:
    """The words of `masked` without their places."""
    covered = _covered(gathered, slot, cues=cues)
    found = []
    for i, word in enumerate(gathered.seen.scan.tokens.words):
        if covered and i in covered:
            word = covered[i][0]
        elif word == "an" or not word.isalpha():
            word = _written(word)
        if word:
            found.append(word)
    return found


def _covered(gathered: Gathered, slot: Mapping[str, str], *, cues: bool) -> dict[int, tuple[str, int]]:
    """What is written for tokens that are no words of their own, with the last token of each: a side and kind
    for the first token of an actor, nothing for others."""
    scan = gathered.seen.scan
    covered: dict[int, tuple[str, int]] = {}
    for mention in scan.mentions:
        actor = mention.actor
        # Where something is stays a word, unless one camp alone counts it its own.
        if actor.kind == "role" or (actor.kind == "place" and actor.side is None):
            continue
        name = slot.get(actor.side or "", "other-actor")
        covered[mention.first] = (f"{name}{'ally' if actor.ally else actor.kind}", mention.last)
        for i in range(mention.first + 1, mention.last + 1):
            covered[i] = ("", i)
    if not cues and scan.hits:
        for hit in paired_cues(gathered, slot):
            covered |= {i: ("", i) for i in range(hit.first, hit.last + 1)}
    return covered


def _written(word: str) -> str:
    """A token as features have it; nothing for most marks."""
    first = word[0]
    if first.isalpha() or first in _KEPT_MARKS:
        return "a" if word == "an" else word  # which of the two hangs on the name behind
    if first.isdigit():
        return "#"
    if word in _QUOTES:
        return '"'
    return word if first.isalnum() else ""


def locate(words: Sequence[Masked], tokens: Tokens, name: str) -> tuple[int, int] | None:
    """Where in the sentence the words of a word feature stand, as ``[start, end)``."""
    family, _, rest = name.partition(":")
    parts = rest.split(" ")
    target = parts[-1]
    for i, (word, first, last) in enumerate(words):
        if family == "ww":
            if i + 1 < len(words) and word == parts[0] and words[i + 1][0] == target:
                return tokens.starts[first], tokens.ends[words[i + 1][2]]
        elif word == target:
            return tokens.starts[first], tokens.ends[last]
    return None


class _Group(NamedTuple):
    """Features ``prefix + key`` for every key, all of one value: names are joined only where one is shown.

    ``smooth``: shares of words, whose weights are smoothed over words of like use.
    """

    prefix: str
    keys: Collection[str]
    value: float = 1.0
    smooth: bool = False


def word_groups(masked_words: Sequence[Masked]) -> list[_Group]:
    """Words, word pairs, and words near an actor, with actors as sides: each present or absent. Beside them
    the same words as shares, whose weights are smoothed: what a rare word may still tell."""
    words = [word for word, _, _ in masked_words]
    plain = dict.fromkeys(words)
    pairs = dict.fromkeys([f"{left} {right}" for left, right in pairwise(words)])
    return [
        _Group("w:", plain),
        _Group("ww:", pairs),
        _Group("e ", plain, _share(plain), smooth=True),
        *_near_groups(words),
    ]


def _near_groups(words: Sequence[str]) -> list[_Group]:
    """Words near an actor of a side, and the same as shares."""
    near: dict[str, dict[str, None]] = {}
    for i, word in enumerate(words):
        if word[0] == "{" and word[3:] != "place":
            actor = word[:3]
            for side, others in (
                ("after", words[i + 1 : i + 1 + _WINDOW]),
                ("before", words[max(0, i - _WINDOW) : i]),
            ):
                near.setdefault(f"{side}:{actor} ", {}).update(dict.fromkeys(others))
    groups = []
    for prefix, found in near.items():
        if found:
            groups.append(_Group(prefix, found))
            groups.append(_Group(f"e{prefix[0]}:{prefix[-4:]}", found, _share(found), smooth=True))
    return groups


def _share(words: Collection[str]) -> float:
    return 1.0 / math.sqrt(max(3, len(words)))


def word_features(gathered: Gathered, slot: Mapping[str, str]) -> dict[str, float]:
    """The features of `word_groups` by name."""
    return _by_name(word_groups(masked(gathered, slot)))


def other_word_features(gathered: Gathered, slot: Mapping[str, str]) -> dict[str, float]:
    """The same of the words that stand in no cue with a partner."""
    return _by_name(word_groups(masked(gathered, slot, cues=False)))


def _by_name(groups: Iterable[_Group]) -> dict[str, float]:
    return {group.prefix + key: group.value for group in groups for key in group.keys}


def paired_cues(gathered: Gathered, slot: Mapping[str, str]) -> list[Hit]:
    """Cues of one side's vocabulary for which a mirrored text has the other side's: what their words tell
    must be told by the evidence, which has a side, and not by the words, which have none."""
    return [
        hit
        for hit in gathered.seen.scan.hits
        if hit.rule.effect == "frame"
        and hit.rule.side in slot
        and hit.rule.strength != "weak"
        and hit.rule.mirror_partner is not None
    ]


def surface_features(gathered: Gathered, slot: Mapping[str, str]) -> dict[str, float]:
    """Voice, speaker's side, quotation and shape: nothing that needs a tree, and nothing of the shape that
    hangs on how long or how capital the name of a side is."""
    seen = gathered.seen
    voices = seen.voices
    text = seen.sentence.text
    tokens = seen.scan.tokens
    features = {"bias": 1.0, f"voice:{voices.main}": 1.0}
    if voices.speaker is not None:
        side = _speaker(gathered, voices.speaker, slot)
        features[f"speaker:{side}"] = 1.0
        features[f"voice:{voices.main}:{side}"] = 1.0
        if voices.expert:
            features["speaker:expert"] = 1.0
    cues = paired_cues(gathered, slot) if seen.scan.hits else []
    named = [
        m
        for m in seen.scan.mentions
        if m.actor.side is not None and not any(c.start < m.end and m.start < c.end for c in cues)
    ]
    changed = {i for m in named for i in range(m.first, m.last + 1)}
    changed.update(i for cue in cues for i in range(cue.first, cue.last + 1))
    count = len(tokens) - len(changed) + len(named)
    features[f"length:{min(6, int(math.log2(count + 1)))}"] = 1.0
    if _is_headline(tokens, changed):
        features["shape:headline"] = 1.0
    if text and text.rstrip()[-1:] not in ".!?\"”'’…":
        features["shape:no-stop"] = 1.0
    if not _FIRST.isdisjoint(tokens.present) and _first_person(tokens):
        features["first-person"] = 1.0
    if seen.sentence.quotations:
        features["quotation"] = 1.0
    for mention in named:
        features[f"names:{slot[mention.actor.side or '']}"] = 1.0
    return features


def _is_headline(tokens: Tokens, changed: Collection[int]) -> bool:
    """Do most words but ``changed`` begin with a capital, and are they more than three?"""
    text = tokens.text
    if text.isascii() and len(text) - len(text.encode().translate(None, _CAPITALS)) <= _FEW_CAPITALS:
        return False
    initials = [text[start] for i, start in enumerate(tokens.starts) if i not in changed]
    initials = [letter for letter in initials if letter.isalpha()]
    return len(initials) > 3 and sum(map(str.isupper, initials)) / len(initials) > _HEADLINE


def _first_person(tokens: Tokens) -> bool:
    """Is there a pronoun, and not only a name in capitals that reads like one?"""
    words = zip(tokens.words, tokens.raw, strict=True)
    return any(word in _FIRST and (len(raw) == 1 or not raw.isupper()) for word, raw in words)


def _speaker(gathered: Gathered, speaker: Speaker, slot: Mapping[str, str]) -> str:
    """The class of a speaker: a party, an ally by the camp, or the side that the voice stage gives.

    The codebook has a side for the allies of one party only. Their mirror images are the other party's
    allies, so here both are told by their camp.
    """
    if speaker.side in slot or speaker.text is None:
        return slot.get(speaker.side, speaker.side)
    for mention in gathered.seen.scan.mentions:
        actor = mention.actor
        named = actor.side is not None and actor.speaker == speaker.side
        if named and gathered.seen.sentence.text[mention.start : mention.end] in speaker.text:
            return f"{slot[actor.side or '']}ally"
    return speaker.side


def rule_features(gathered: Gathered, slot: Mapping[str, str]) -> dict[str, float]:
    """Evidence by rule, and by test, side, strength and voice, to which a rule that the model has not met
    backs off."""
    if not gathered.evidence:
        return {"any:none": 1.0, "op:none": 1.0}
    features: dict[str, float] = {}

    def add(name: str, value: float = 1.0) -> None:
        features[name] = min(3.0, features.get(name, 0.0) + value)

    hints = gathered.hints
    frames = [e for e in gathered.evidence if e.effect == "frame" and e.side is not None]
    sided = _distinct(e for e in frames if e.rule not in hints)
    for piece in frames:
        # A hint tells that there is a frame, and other features whose.
        if piece.rule in hints and piece.counted and not any(_overlap(piece, e) for e in sided if e.counted):
            add("hint")
            add(f"hint:{piece.rule}")
    pairs = {hit.rule.id: hit.rule.mirror_partner or hit.rule.id for hit in gathered.seen.scan.hits}
    for piece in sided:
        side = slot[piece.side or ""]
        if not piece.counted:
            add(f"seen:{side}:{piece.not_counted}")
            continue
        for name in evidence_names(piece, slot):
            add(name)
        # Partners are of equal strength: they share one weight.
        rule = piece.rule or ""
        features[f"r:{side}:{min(rule, pairs.get(rule, rule))}"] = 1.0
    for side in slot.values():
        strong = features.get(f"ev:{side}:strong", 0.0)
        weak = features.get(f"ev:{side}:weak", 0.0)
        if strong:
            features[f"any:{side}:strong"] = 1.0
        elif weak:
            features[f"any:{side}:weak"] = 1.0
    if not any(name.startswith("any:") for name in features):
        features["any:none"] = 1.0
    opinions = [e for e in gathered.evidence if e.effect == "opinion"]
    for piece in opinions:
        state = "counted" if piece.counted else str(piece.not_counted)
        add(f"op:{piece.strength}:{state}")
        add(f"op:{piece.strength}:{state}:{piece.voice.value}")
        if piece.counted:
            features[f"r:opinion:{piece.rule}"] = 1.0
    if not any(e.counted for e in opinions):
        features["op:none"] = 1.0
    return features


def evidence_names(piece: Evidence, slot: Mapping[str, str]) -> tuple[str, ...]:
    """Features of one counted piece of frame evidence, from the most to the least general."""
    side = slot[piece.side or ""]
    voice = piece.voice.value
    return (
        f"ev:{side}:{piece.strength}",
        f"ev:{side}:{piece.strength}:{voice}",
        f"ev:{side}:{piece.test}:{piece.strength}",
        f"ev:{side}:{piece.test}:{piece.strength}:{voice}",
        f"ev:{side}:{piece.kind}",
    )


def _distinct(pieces: Iterable[Evidence]) -> list[Evidence]:
    """Of overlapping pieces for the same side and test, only the first: no word counts twice."""
    kept: list[Evidence] = []
    for piece in sorted(pieces, key=lambda e: (not e.counted, e.strength, e.start, -e.end, e.rule or "")):
        if not any(k.side == piece.side and k.test == piece.test and _overlap(k, piece) for k in kept):
            kept.append(piece)
    return kept


def _overlap(one: Evidence, two: Evidence) -> bool:
    return one.start < two.end and two.start < one.end


FAMILIES: Final = {
    "words": word_features,
    "other words": other_word_features,
    "surface": surface_features,
    "rules": rule_features,
}
WORD_FAMILIES: Final = {"words": True, "other words": False}  # with the words of paired cues?
ENGINE_FAMILIES: Final = {"model": ("words", "surface"), "hybrid": ("other words", "surface", "rules")}


def features(gathered: Gathered, sides: Sequence[str], families: Sequence[str]) -> dict[str, float]:
    """All features of one sentence for the named families."""
    slot = slots(sides)
    result: dict[str, float] = {}
    for family in families:
        result |= FAMILIES[family](gathered, slot)
    return result


def mirrored(values: Mapping[str, float]) -> dict[str, float]:
    """The same sentence with its sides swapped, as features."""
    return {mirror(name): value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Prediction:
    """Calibrated probabilities of the two questions, and what each feature gave."""

    frames: Mapping[str, float]
    p_opinion: float
    frame: str
    opinion: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What a card decides with the sums of the weights: calibration and thresholds."""

    frame_scale: float
    frame_shift: float
    opinion_scale: float
    opinion_shift: float
    frame_threshold: float
    opinion_threshold: float

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> Decision:
        """The decision of a model's card."""
        return cls(*[float(card["decision"][field.name]) for field in fields(cls)])

    def answer(self, sums: Sequence[float], sides: Sequence[str]) -> Prediction:
        """Probabilities and answers from the sums for no frame, each side, and opinion."""
        logits = [
            self.frame_scale * sums[0] + self.frame_shift,
            self.frame_scale * sums[1],
            self.frame_scale * sums[2],
        ]
        top = max(logits)
        odds = [math.exp(v - top) for v in logits]
        whole = math.fsum(odds)
        frames = {NO_FRAME: odds[0] / whole, sides[0]: odds[1] / whole, sides[1]: odds[2] / whole}
        z = self.opinion_scale * sums[3] + self.opinion_shift
        p_opinion = 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, z))))
        framed = 1.0 - frames[NO_FRAME]
        first, second = frames[sides[0]], frames[sides[1]]
        frame = NO_FRAME
        if framed >= self.frame_threshold and first != second:
            frame = sides[0] if first > second else sides[1]
        return Prediction(frames, p_opinion, frame, p_opinion >= self.opinion_threshold)


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Weights per feature: log-odds of no frame, of each side, and of opinion; symmetric under ``mirror``.

    ``weights[name]`` is ``(none, side 0, side 1, opinion)``.
    """

    weights: Mapping[str, tuple[float, float, float, float]]
    card: Mapping[str, Any]
    digest: str

    @property
    def families(self) -> tuple[str, ...]:
        """The families of features that it weighs, as in ``FAMILIES``."""
        return tuple(self.card["families"])

    @property
    def rules_digest(self) -> str | None:
        """The digest of the rules that it was trained with; None where its card names none."""
        value = self.card.get("rules")
        return None if value is None else str(value)

    def predict(self, values: Mapping[str, float], sides: Sequence[str]) -> Prediction:
        """Probabilities for one sentence. Sums are exact, so that order never matters."""
        totals: dict[float, int] = {}
        for name, value in values.items():
            row = self.weights.get(name)
            if row is not None:
                _put(totals, value, _packed_row(row))
        return Decision.of(self.card).answer(_sums(totals), sides)

    def support(self, name: str, value: float, target: int) -> float:
        """What a feature gave to side ``target`` (0 or 1) against no frame, in log-odds."""
        row = self.weights.get(name)
        if row is None:
            return 0.0
        return float(self.card["decision"]["frame_scale"]) * value * (row[1 + target] - row[0])


# -- exact sums ------------------------------------------------------------------------------------------

# The four weights of a feature, as whole numbers of 2 ** -32, in one integer: one addition adds all four,
# exactly. A lane holds the sum of more rows than a text has words, each of the largest weight.
_LANE: Final = 80
_UNIT: Final = 2.0**-32
_MASK: Final = (1 << _LANE) - 1
_HALF: Final = 1 << _LANE - 1
_ABOVE: Final = sum(_HALF << _LANE * lane for lane in range(4))  # makes the lanes of a sum positive
_FOUR: Final = 4 * _LANE


def _packed_row(row: Sequence[float]) -> int:
    none, first, second, opinion = (round(weight / _UNIT) for weight in row)
    return none + (first << _LANE) + (second << 2 * _LANE) + (opinion << 3 * _LANE)


def _lanes(total: int) -> tuple[float, float, float, float]:
    """The four sums that one integer holds."""
    total += _ABOVE
    return (
        _UNIT * ((total & _MASK) - _HALF),
        _UNIT * ((total >> _LANE & _MASK) - _HALF),
        _UNIT * ((total >> 2 * _LANE & _MASK) - _HALF),
        _UNIT * ((total >> 3 * _LANE) - _HALF),
    )


def _put(totals: dict[float, int], value: float, packed: int) -> None:
    """Add features of one value: what they give so many times, or where that is no whole number, beside."""
    if value.is_integer():
        packed *= int(value)
        value = 1.0
    totals[value] = totals.get(value, 0) + packed


def _sums(totals: Mapping[float, int]) -> list[float]:
    """The sum of all, for each of the four: the same in whatever order they came."""
    parts = []
    for value, total in totals.items():
        none, first, second, opinion = _lanes(total)
        parts.append((value * none, value * first, value * second, value * opinion))
    return [math.fsum(column) for column in zip(*parts, strict=True)] or [0.0] * 4


class _Packed(dict[str, int]):
    """The weights of features by name, packed when first asked for; only for names that the model knows."""

    def __init__(self, weights: Mapping[str, tuple[float, float, float, float]]) -> None:
        super().__init__()
        self._weights = weights

    def __missing__(self, name: str) -> int:
        packed = self[name] = _packed_row(self._weights[name])
        return packed


# So many words, of so many letters at most, of which it is kept that the model does not know them.
_MAX_UNKNOWN: Final = 50_000
_MAX_LETTERS: Final = 40


class _Words(dict[str, int]):
    """For every word the weights of ``w:word`` and, above them, those of ``e word``; 0 where it is new."""

    def __init__(self, weights: Mapping[str, tuple[float, float, float, float]]) -> None:
        super().__init__()
        self._weights = weights
        self._unknown = 0

    def __missing__(self, word: str) -> int:
        own, smooth = self._weights.get(f"w:{word}"), self._weights.get(f"e {word}")
        packed = 0 if own is None else _packed_row(own)
        if smooth is not None:
            packed += _packed_row(smooth) << _FOUR
        if own is not None or smooth is not None:
            self[word] = packed
        elif self._unknown < _MAX_UNKNOWN and len(word) <= _MAX_LETTERS:
            self._unknown += 1
            self[word] = 0
        return packed


class Scorer:
    """A model made ready for many sentences: what it has for a word is looked up once for all.

    The answers are those of ``LinearModel.predict`` on the same features, to the last bit.
    """

    def __init__(self, model: LinearModel) -> None:
        self.model = model
        self._decision = Decision.of(model.card)
        self._known = model.weights.keys()
        self._packed = _Packed(model.weights)
        self._words = _Words(model.weights)

    def predict(self, words: Sequence[str], others: Mapping[str, float], sides: Sequence[str]) -> Prediction:
        """Probabilities from the words of `masked_words` and from other features by name."""
        known, row = self._known, self._packed.__getitem__
        plain = set(words)
        both = sum(map(self._words.__getitem__, plain))
        smooth = both + _ABOVE >> _FOUR  # what lies below, made positive, borrows nothing
        totals = {
            1.0: both
            - (smooth << _FOUR)
            + sum(map(row, known & {f"ww:{left} {right}" for left, right in pairwise(words)})),
            _share(plain): smooth,
        }
        for name, value in others.items():
            if name in known:
                _put(totals, value, row(name))
        for prefix, keys, value, _ in _near_groups(words):
            _put(totals, value, sum(map(row, known & {prefix + key for key in keys})))
        return self._decision.answer(_sums(totals), sides)

    def supports(self, groups: Iterable[_Group], target: int | None, least: float) -> list[tuple[float, str]]:
        """Word features that gave ``least`` or more, with what they gave: to side ``target`` (0 or 1) against
        no frame, or to an opinion where it is None. In no order."""
        given = []
        weights, scale = self.model.weights, self._decision.frame_scale
        for group in groups:
            if group.smooth:
                continue
            for name in self._known & {group.prefix + key for key in group.keys}:
                row = weights[name]
                support = row[3] if target is None else scale * (row[1 + target] - row[0])
                if support >= least:
                    given.append((support, name))
        return given


# -- the file --------------------------------------------------------------------------------------------


def weights_bytes(weights: Mapping[str, tuple[float, float, float, float]]) -> bytes:
    """The weights as they are stored: one feature of each mirrored pair, sorted, one line each."""
    lines = []
    for name in sorted(weights):
        if name <= mirror(name):
            lines.append(json.dumps([name, *weights[name]], ensure_ascii=False))
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def digest_of(weights: Mapping[str, tuple[float, float, float, float]]) -> str:
    """The digest that verdicts name, of weights that lie in no file yet."""
    return hashlib.sha256(weights_bytes(weights)).hexdigest()[:16]


def save(
    folder: Path, weights: Mapping[str, tuple[float, float, float, float]], card: Mapping[str, Any]
) -> None:
    """Write ``weights.json`` and ``card.json``; the card names the digest of the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    data = weights_bytes(weights)
    full = {
        "schema": SCHEMA,
        **card,
        "weights_sha256": hashlib.sha256(data).hexdigest(),
        "features": len(weights),
    }
    full["answers_sha256"] = _answers_digest(full)
    for name, content in (
        ("weights.json", data),
        ("card.json", (json.dumps(full, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()),
    ):
        temporary = folder / f".{name}.tmp"
        temporary.write_bytes(content)
        temporary.replace(folder / name)


def _answers_digest(card: Mapping[str, Any]) -> str:
    """Digest of all that shapes an answer: the weights, and what the card decides with them."""
    shaping = [card.get(name) for name in ("weights_sha256", "families", "decision", "rules")]
    return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()


def load(folder: Path) -> LinearModel:
    """Read a model; a wrong digest, another schema or a broken file is refused with a sentence."""
    try:
        found = (folder / "card.json").read_bytes(), (folder / "weights.json").read_bytes()
    except OSError as error:
        raise _unreadable(folder, error) from None
    return parse(*found, folder, keep=True)


def _unreadable(folder: Path, error: Exception) -> StanceError:
    return StanceError(f"{folder}: no readable model here ({error}); train one with `stance train`")


def parse(written: bytes, data: bytes, folder: Path, *, keep: bool = False) -> LinearModel:
    """The model of the bytes of its card and its weights; ``folder`` is named in what is refused.

    ``keep``: write the checked weights into the user's cache folder, from where they are read five times as
    fast.
    """
    card_path, weights_path = folder / "card.json", folder / "weights.json"
    try:
        card = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise _unreadable(folder, error) from None
    if not isinstance(card, dict) or card.get("schema") != SCHEMA:
        found = card.get("schema") if isinstance(card, dict) else None
        raise StanceError(
            f"{card_path}: schema is {found!r}, this version reads {SCHEMA!r}; train the model again"
        )
    digest = hashlib.sha256(data).hexdigest()
    if digest != card.get("weights_sha256"):
        raise StanceError(
            f"{weights_path}: its digest is not the one in card.json: the file is damaged or was edited; "
            "restore it or train the model again"
        )
    try:
        weights = _kept_weights(data, digest) if keep else _weights(json.loads(data))
        _check_card(card)
        known = "answers_sha256" in card  # models of before it have the digest of their weights alone
        answers = _answers_digest(card) if known else digest
        model = LinearModel(weights, card, answers[:16])
        model.predict({}, ("0", "1"))  # a card without its numbers fails here
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, AttributeError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise StanceError(f"{folder}: not a model of this package ({reason}); train it again") from None
    if known and answers != card["answers_sha256"]:
        raise StanceError(
            f"{card_path}: its decision, families or rules are not those that the model was stored with: "
            "the card was edited; restore it or train the model again"
        )
    return model


def _kept_weights(data: bytes, digest: str) -> dict[str, tuple[float, float, float, float]]:
    """The table of weights of a file with this digest, checked when it was first read."""
    place = cache.place("weights", digest, ("model",))
    known = None if place is None else cache.read(place, _unpacked)
    if known is None:
        known = _weights(json.loads(data))
        if place is not None and not any("\n" in name for name in known):
            cache.write(place, _packed(known))
    return known


def _packed(weights: Mapping[str, tuple[float, float, float, float]]) -> list[str]:
    """Names, one a line, and weights in hexadecimal, little-endian: two strings that JSON reads at once."""
    values = array("d", chain.from_iterable(weights.values()))
    if sys.byteorder == "big":
        values.byteswap()
    return ["\n".join(weights), values.tobytes().hex()]


def _unpacked(packed: Sequence[str]) -> dict[str, tuple[float, float, float, float]]:
    names, weights = packed
    values = array("d", bytes.fromhex(weights))
    if sys.byteorder == "big":
        values.byteswap()
    numbers = iter(values)
    return dict(zip(names.split("\n"), zip(numbers, numbers, numbers, numbers, strict=True), strict=True))


def _weights(rows: Any) -> dict[str, tuple[float, float, float, float]]:
    """The table of weights with the mirrored half filled in; `ValueError` where it cannot be one."""
    weights: dict[str, tuple[float, float, float, float]] = {}
    for name, none, first, second, opinion in rows:
        # Each comparison is false for NaN too.
        if not (
            -MAX_WEIGHT <= none <= MAX_WEIGHT
            and -MAX_WEIGHT <= first <= MAX_WEIGHT
            and -MAX_WEIGHT <= second <= MAX_WEIGHT
            and -MAX_WEIGHT <= opinion <= MAX_WEIGHT
        ):
            raise ValueError(f"feature {name[:60]!r} has a weight that is no number within ±{MAX_WEIGHT:g}")
        weights[name] = (none, first, second, opinion)
        twin = mirror(name) if "{" in name else name
        if twin != name:
            weights[twin] = (none, second, first, opinion)
        elif abs(first - second) > 1e-6:
            raise ValueError(f"feature {name[:60]!r} belongs to neither side and favours one")
    return weights


def _check_card(card: Mapping[str, Any]) -> None:
    """`ValueError` or its like where the card asks for what this package has not."""
    for family in card["families"]:
        if family not in FAMILIES:
            raise ValueError(f"family {str(family)[:60]!r} is none of {', '.join(FAMILIES)}")
    for name, value in card["decision"].items():
        if not abs(float(value)) <= MAX_WEIGHT:
            raise ValueError(f"{str(name)[:60]!r} of the decision is no number within ±{MAX_WEIGHT:g}")
