"""The scan: what phrases match, where, and that no phrase can make it slow or wrong."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
import slow_lexicon
from hypothesis import given, settings
from hypothesis import strategies as st

from stance import cache, rulebook, seeds
from stance.lexicon import Index, Lexicon, Tokens

SIDES = """
codebook: "4"
sides:
  kyiv: {label: pro_kyiv, name: Kyiv}
  moscow: {label: pro_moscow, name: Moscow}
speakers: [kyiv, moscow, western, other, unknown]
speaker_of_nobody: unknown
speaker_of_others: other
"""
ACTORS = """
actors:
  - {id: ukraine, names: [Ukraine], side: kyiv, speaker: kyiv, kind: country, mirror: russia}
  - {id: russia, names: [Russia], side: moscow, speaker: moscow, kind: country, mirror: ukraine}
  - {id: ukrainian, names: [Ukrainian], side: kyiv, speaker: kyiv, kind: demonym, mirror: russian}
  - {id: russian, names: [Russian], side: moscow, speaker: moscow, kind: demonym, mirror: ukrainian}
  - {id: kyiv, names: [Kyiv, Kiev], side: kyiv, speaker: kyiv, kind: capital, unless: [chicken Kiev]}
"""


def lexicon(folder: Path, phrases: list[str], side: str = "X", unless: list[str] | None = None) -> Lexicon:
    (folder / "actors").mkdir(parents=True)
    (folder / "frame" / "test").mkdir(parents=True)
    (folder / "sides.yaml").write_text(SIDES)
    (folder / "actors" / "all.yaml").write_text(ACTORS)
    quoted = ", ".join(f"'{p}'" for p in phrases)
    silence = ", ".join(f"'{p}'" for p in unless or ())
    rule = f"""
id: probe
kind: lexical
effect: frame
side: {side}
test: B
strength: strong
because: it is a probe
phrases: [{quoted}]
{f"unless: [{silence}]" if unless else ""}
{"" if side == "X" else 'mirror: {none: "a probe"}'}
examples:
  fires: [{{text: "[Russia]", side: moscow}}]
  silent: ["nothing"]
"""
    (folder / "frame" / "test" / "probe.yaml").write_text(rule)
    return Lexicon(rulebook.load(folder, cache=False))


def found(scanner: Lexicon, text: str) -> list[tuple[str, str | None]]:
    return [(text[hit.start : hit.end], hit.side) for hit in scanner.scan(text).hits]


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("{X} aggression", "Russian aggression goes on.", [("Russian aggression", "moscow")]),
        ("{X} aggression", "Russia's aggression goes on.", [("Russia's aggression", "moscow")]),
        ("{X} aggression", "Ukraine’s aggression", [("Ukraine’s aggression", "kyiv")]),
        ("{X} aggression", "the aggression of Russia", []),
        ("aggression *3 {X}", "aggression on the part of Russia", []),
        (
            "aggression *4 {X}",
            "aggression on the part of Russia",
            [("aggression on the part of Russia", "moscow")],
        ),
        ("{X} attack~ {Y}", "Russia attacked Ukraine.", [("Russia attacked Ukraine", "moscow")]),
        ("{X} attack~ {Y}", "Russia attacked Russian towns.", []),
        ("{X:country} lies", "Russian lies and Russia lies", [("Russia lies", "moscow")]),
        ("so called {X}", "the “so-called Russian”", [("so-called Russian", "moscow")]),
        ("{X} , alone", "Russia, alone", [("Russia, alone", "moscow")]),
        ("^ {X} wins", "“Russia wins", [("Russia wins", "moscow")]),
        ("^ {X} wins", "If Russia wins", []),
        ("wins {X} $", "Who wins? It wins Russia!”", [("wins Russia", "moscow")]),
        (
            "{X} (truly)? wins",
            "Russia truly wins and Ukraine wins",
            [("Russia truly wins", "moscow"), ("Ukraine wins", "kyiv")],
        ),
    ],
)
def test_phrases(tmp_path: Path, phrase: str, text: str, expected: list[tuple[str, str | None]]) -> None:
    assert found(lexicon(tmp_path, [phrase]), text) == expected


def test_unless_silences_where_it_overlaps_and_nowhere_else(tmp_path: Path) -> None:
    scanner = lexicon(tmp_path, ["{X} aggression"], unless=["alleged {X} aggression"])
    assert found(scanner, "alleged Russian aggression") == []
    assert found(scanner, "alleged crimes; Russian aggression") == [("Russian aggression", "moscow")]


def test_an_ambiguous_name_is_no_mention(tmp_path: Path) -> None:
    scanner = lexicon(tmp_path, ["{X} probe"])
    assert [m.actor.id for m in scanner.scan("We had chicken Kiev in Kiev.").mentions] == ["kyiv"]


def test_exact_case(tmp_path: Path) -> None:
    scanner = lexicon(tmp_path, ["SMO zone", "=Right sector"], side="moscow")
    assert found(scanner, "the SMO zone") == [("SMO zone", None)]
    assert found(scanner, "the smo zone") == []
    assert found(scanner, "the right sector") == []


@given(st.text(st.sampled_from("Russia Ukraine aggression of,.'’“”-—\u0000\u200b😀İ"), max_size=200))
def test_any_text_scans_within_its_bounds(text: str) -> None:
    scanner = _shared()
    scan = scanner.scan(text)
    for item in (*scan.hits, *scan.mentions):
        assert 0 <= item.start < item.end <= len(text)


@given(st.text(max_size=100))
def test_tokens_lie_in_the_text(text: str) -> None:
    tokens = Tokens(text)
    place = 0
    for raw, start, end in zip(tokens.raw, tokens.starts, tokens.ends, strict=True):
        assert text[start:end] == raw
        assert start >= place
        assert not text[place:start].strip()
        place = end


WORDS = st.sampled_from(
    """Russia Ukraine Ukrainian aggression of the so called so-called " - and , — : ; . ? ! “ ” 's ’ wins
    truly by alleged""".split()
)
PHRASES = (
    "{X} *5 aggression *5 {Y}",
    "aggression (of|by) ({X}|the {Y})",
    "^ (so-called)? {X} and",
    "{any} (truly)? wins *2 {X} $",
    "— {X} *2 wins",
    '" {X} aggression',
    ", *3 {X} wins",
    "(the|so called)? {X:demonym} (of {Y})? aggression",
    "{X} wins ?",
    "wins ({Y} and)? {X} (by {Y})?",
)


@settings(deadline=None, max_examples=300)
@given(st.lists(WORDS, max_size=14).map(" ".join))
def test_any_words_are_scanned_as_by_a_slow_scan(text: str) -> None:
    if not _PAIR:
        folder = Path(tempfile.mkdtemp()) / "rules"
        lexicon(folder, list(PHRASES), unless=["alleged {X}", "{X} *2 by"])
        book = rulebook.load(folder, cache=False)
        _PAIR.append((Lexicon(book), _without_shortcuts(book)))
    fast, slow = _PAIR[0]
    one, other = fast.scan(text), slow.scan(text)
    assert (one.hits, one.mentions) == (other.hits, other.mentions)


@given(st.text(max_size=60) | st.text(st.sampled_from("aΣİʼ’'- —\"US.)("), max_size=12))
def test_tokens_are_those_of_the_slow_scan(text: str) -> None:
    one, other = Tokens(text), slow_lexicon.Tokens(text)
    for name in ("words", "raw", "starts", "ends", "positions", "first_word", "last_word"):
        assert getattr(one, name) == getattr(other, name), name


def test_a_text_longer_than_any_sentence_is_scanned_in_pieces() -> None:
    scanner = Lexicon(rulebook.load())
    line = "Rain fell on the harbour, and the Russian aggression went on. "
    scan = scanner.scan(line * 400)
    assert len(scan.mentions) == 400
    for found in (*scan.mentions[::19], *scan.hits[::19]):
        assert scan.tokens.starts[found.first] == found.start
        assert scan.tokens.ends[found.last] == found.end
    assert {scan.tokens.text[m.start : m.end] for m in scan.mentions} == {"Russian"}


@pytest.mark.parametrize("before", ["x" * 6_000 + " ", "İ" * 5_100 + " ", "x" * 4_999 + "Ukrainian-Σ "])
def test_a_word_that_is_cut_between_two_pieces_moves_no_token(before: str) -> None:
    scan = Lexicon(rulebook.load()).scan(before + "Rain fell, and the Russian aggression went on.")
    assert scan.mentions[-1].first == scan.tokens.words.index("russian")
    assert scan.hits
    for found in (*scan.mentions[-1:], *scan.hits):
        assert scan.tokens.starts[found.first] == found.start
        assert scan.tokens.ends[found.last] == found.end


def test_a_kept_index_without_a_part_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    scanner = lexicon(tmp_path / "a", ["{X} aggression"])
    (file,) = (tmp_path / "cache" / "stance").glob("lexicon-*.json")
    assert set(cache.read(file, dict) or {}) == set(Index.__dataclass_fields__)
    cache.write(file, {})
    again = lexicon(tmp_path / "b", ["{X} aggression"])
    for one in (scanner, again):
        assert found(one, "the Russian aggression") == [("Russian aggression", "moscow")]


def test_a_kept_index_gives_the_same_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    book = rulebook.load()
    made, kept = Lexicon(book), Lexicon(book)
    (file,) = (tmp_path / "stance").glob("lexicon-*.json")
    file.write_bytes(file.read_bytes()[:-1])  # damaged: made anew
    again = Lexicon(book)
    for item in seeds.gold()[:60]:
        one, other, third = (scanner.scan(item.text) for scanner in (made, kept, again))
        assert one.hits == other.hits == third.hits
        assert one.mentions == other.mentions == third.mentions


def test_a_changed_phrase_is_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert found(lexicon(tmp_path / "a", ["{X} aggression"]), "Russian aggression, Russian wins") == [
        ("Russian aggression", "moscow")
    ]
    assert found(lexicon(tmp_path / "b", ["{X} wins"]), "Russian aggression, Russian wins") == [
        ("Russian wins", "moscow")
    ]


_PAIR: list[tuple[Lexicon, slow_lexicon.Lexicon]] = []
_SHARED: list[Lexicon] = []


def _shared() -> Lexicon:
    if not _SHARED:
        folder = Path(tempfile.mkdtemp())
        _SHARED.append(lexicon(folder / "rules", ["{X} *5 aggression *5 {Y}", "aggression (of|by) {X}"]))
    return _SHARED[0]


def _without_shortcuts(book: rulebook.Rulebook) -> slow_lexicon.Lexicon:
    """Every phrase that shares a key with a sentence is tried in full."""
    slow = slow_lexicon.Lexicon(book)
    for table in (slow._names, slow._phrases, slow._acted):
        for entries in table.values():
            for place, (_, _, entry) in enumerate(entries):
                for pattern in (entry.pattern, *entry.unless):
                    pattern.steps = slow._steps_of(pattern.elements)
                    pattern.needs = type(pattern.needs)()
                entries[place] = (0, frozenset(), entry)
    return slow


def test_the_scan_finds_what_a_slow_one_finds() -> None:
    """On the seeds, on written and on shuffled sentences."""
    chance = random.Random(11)
    texts = [item.text for item in seeds.gold()] + [item.text for item in seeds.written()][::4]
    for text in chance.sample(texts, 100):
        words = text.split()
        chance.shuffle(words)
        texts.append(" ".join(words))
    fast, slow = Lexicon(rulebook.load()), _without_shortcuts(rulebook.load())
    found = 0
    for text in texts:
        one, other = fast.scan(text), slow.scan(text)
        assert one.hits == other.hits
        assert one.mentions == other.mentions
        assert one.tokens.words == other.tokens.words
        found += len(one.hits)
    assert found > 500
