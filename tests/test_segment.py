"""The splitter: exact offsets on any text, and the cases of news that go wrong elsewhere."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stance.document import Quotation, Sentence
from stance.segment import MAX_SENTENCE, quotations, sentence, split

SEEDS = Path(__file__).resolve().parent.parent / "seeds"

# ------------------------------------------------------------------------------------ properties

SIGNS = "\"'“”‘’„‟«»‹›‚‛`()[]{}<>.,!?…:;-–—/•#@% \t\n\r\u00a0\u2028\u200b\u200f\u202e\ufeff\ud800\x00\x1c\x85"
GROUPS = "``|''|...|. |.\n|\n\n| “|” | '|' | \"|\" |.” |.\" | ‘|’ |’s |’90s "
WORDS = "The |he said |Mr. |U.S. |No. 5 |A.|war.The |a|B|9|é|Ж|א|語|🇺🇦"
PIECES = st.sampled_from([*SIGNS, *GROUPS.split("|"), *WORDS.split("|")])
TEXTS = st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=60).map("".join))


@settings(max_examples=600, deadline=None)
@given(TEXTS)
@example("“A b. C\n\nD e.” F")
@example('"A "b" c. D')
@example("He called it “war and left. Then she said ‘no’.")
def test_nothing_but_white_space_is_lost(text: str) -> None:
    sentences = split(text)
    position = 0
    for index, found in enumerate(sentences):
        assert found.index == index
        assert found.start < found.end
        assert text[found.start : found.end] == found.text
        assert found.text == found.text.strip()
        assert not text[position : found.start].strip()
        position = found.end
    assert not text[position:].strip()
    paragraphs = [found.paragraph for found in sentences]
    assert paragraphs == sorted(paragraphs)
    assert set(paragraphs) == set(range(len(set(paragraphs))))


@settings(max_examples=600, deadline=None)
@given(TEXTS)
@example("“A b. C\n\nD e.” F")
@example("He called it “war and left. Then she said ‘no’.")
@example('“ "”\n\n\'\' " .” ."')
def test_quotations_of_a_document_are_well_formed(text: str) -> None:
    sentences = split(text)
    for found in sentences:
        assert_well_formed(found.quotations, len(found.text))
    for one, following in itertools.pairwise(sentences):
        goes_on = sum(q.continues_after for q in one.quotations)
        came_in = sum(q.opens_before for q in following.quotations)
        assert goes_on <= came_in  # a mark at the very end of a paragraph opens only the next one's words
    if sentences:
        assert not any(q.opens_before for q in sentences[0].quotations)
        assert not any(q.continues_after for q in sentences[-1].quotations)


@settings(max_examples=600, deadline=None)
@given(TEXTS, st.none() | TEXTS, st.lists(st.sampled_from("\"“„«‹‘'"), max_size=3))
def test_a_given_sentence_is_kept_as_it_is(text: str, prev: str | None, opened: list[str]) -> None:
    found = sentence(text, prev, id="7")
    assert (found.text, found.start, found.end) == (text, 0, len(text))
    assert (found.index, found.paragraph, found.id, found.prev) == (0, 0, "7", prev)
    assert_well_formed(found.quotations, len(text))
    assert_well_formed(quotations(text, tuple(opened)), len(text))


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_the_answer_depends_on_nothing_else(text: str) -> None:
    assert split(text) == split(text)
    assert sentence(text) == sentence(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_a_paragraph_without_marks_around_it_splits_as_it_does_alone(texts: list[str]) -> None:
    plain = [text for text in texts if text.strip() and not set(text) & set("\"'“”‘’„‟«»‹›‚‛`\n\r\x85\u2028")]
    together = [found.text for found in split("\n\n".join(plain))]
    assert together == [found.text for text in plain for found in split(text)]


def assert_well_formed(found: tuple[Quotation, ...], length: int) -> None:
    around: list[Quotation] = []
    assert list(found) == sorted(found, key=lambda q: (q.start, -q.end))
    for quotation in found:
        assert 0 <= quotation.start < quotation.end <= length
        assert not quotation.opens_before or quotation.start <= 20  # only repeated marks go before
        while around and around[-1].end <= quotation.start:
            around.pop()
        assert quotation.level == len(around)
        assert not around or quotation.end <= around[-1].end
        around.append(quotation)


# ----------------------------------------------------------------------------------------- seeds


ENDLESS = ["word " * 4000, "a" * 12_000, "“Well " * 3000, " x" * 9000 + ". Y z."]


@pytest.mark.parametrize("text", ENDLESS, ids=["words", "word", "marks", "then a stop"])
def test_a_stretch_without_end_is_cut(text: str) -> None:
    sentences = split(text)
    assert max(len(s.text) for s in sentences) <= MAX_SENTENCE
    assert "".join("".join(s.text.split()) for s in sentences) == "".join(text.split())
    for found in sentences:
        assert text[found.start : found.end] == found.text == found.text.strip()
        assert_well_formed(found.quotations, len(found.text))


@pytest.mark.skipif(not (SEEDS / "gold.jsonl").exists(), reason="the seed corpus is not there")
def test_the_seeds_are_split_as_labelled() -> None:
    gold: dict[str, set[tuple[int, int]]] = {}
    for line in (SEEDS / "gold.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        gold.setdefault(record["document"], set()).add((record["start"], record["end"]))
    hits = guesses = wanted = 0
    for name, spans in gold.items():
        text = (SEEDS / "documents" / name).read_bytes().decode("utf-8")
        found = {(s.start, s.end) for s in split(text)}
        hits += len(found & spans)
        guesses += len(found)
        wanted += len(spans)
    assert 2 * hits / (guesses + wanted) >= 0.97


# ------------------------------------------------------------------------------------- sentences

# One text a case. It is split at | where it has a space, at ¦ where it has none.
SPLITS = [
    # abbreviations, initials, numbers
    "The U.S. President met J. R. Smith of Acme Inc. in Springfield.|He left.",
    "The U.N. forces left.|No. 5 stayed.|It was 5 p.m. Monday.|It cost $3.5 million.",
    "They met in the U.S.|The talks failed.",
    "He arrived at 5 p.m.|The talks began at 6 p.m. Eastern time.",
    "Gen. A. B. Smith, Lt. Col. Jones and Mr. Brown spoke.|Dr. Grey did not.",
    "So do I.|Smith does not.|Plan B.|That is all.",
    "See Art. 5 of the treaty, pp. 3–7, fig. 2.|It says so, i.e. Article 5.",
    "It happened on Nov. 3 and on Sept. 11.|In Dec. the shops close.",
    "1. First the one.|Then the other.",
    "IV. The end of a war",
    "Smith Jr. Foundation v. Jones was decided.|Etc. etc.",
    # stops of all kinds
    "Well... he said.|And then?|Yes!|What?!|Why…|Because.",
    "He waited. ... |Then he left.",
    "It was (he said so in May. Twice.) true.|(It was. |It is.)|Good.",
    "He said (!) it [...] again.|[...] The rest is known.",
    "“Why?” Smith asked.|“Never!” the crowd shouted.|“We left.”|He stayed.",
    "“We hold.” – Smith said so.|It held.",
    "‘Nonsense!’ Smith slams the plan",
    'He said "yes".|"No."|"Never!"|They left.',
    "He wants peace. ”|She said, “Sure. ”|He left.",
    "He left.|iPhones ring.|#news is a tag.",
    "Great!|🎉 The next one.|Done! 🎉",
    # bullets, datelines, tickers, addresses
    "• One • Two",
    "KYIV, Nov. 3 (Reuters) - The army said so.|It did.",
    "MOSCOW. Nov 3 (Interfax) - It was said.|It was.",
    "SPRINGFIELD, December 8. /TASS/.|The minister spoke.",
    "Shares of Acme (NYSE: ACM.N) fell.|BRK.A rose.",
    "See www.example.gov.ua.|See https://example.org/A.The?q=No.|Write to A.Smith@example.org.|Thanks.",
    # missing and special spaces
    "It cost a million.¦The end.|In 2015.¦It was late.",
    "He left.¦“We stay.”|“They stayed.”¦She left.",
    'He left.¦"We stay," she said.¦"They go."',
    "SMITH: Is it right?¦JONES: Yes.¦(BEGIN VIDEO CLIP) It is.¦- We go, he said.",
    "Example.Com said so.|Mr.Smith did not.",
    "See\u00a0No.\u00a05 of\u00a0Mr.\u00a0Smith.\u00a0|\u2009It\u202fis.",
    "He left.\u200b \u200fThe others stayed.",
    # other scripts
    "Он ушёл. |Все остались.",
]


@pytest.mark.parametrize("case", SPLITS)
def test_sentences(case: str) -> None:
    wanted = [part.strip() for part in re.split("[|¦]", case)]
    text = case.replace("|", " ").replace("¦", "")
    assert [found.text for found in split(text)] == wanted


# ------------------------------------------------------------------------------------ paragraphs


def test_a_line_is_a_paragraph() -> None:
    found = split("A headline without a stop\n\n 12:30 \nWho is it?\r\nThe first. The second.\n")
    assert [(s.text, s.paragraph) for s in found] == [
        ("A headline without a stop", 0),
        ("12:30", 1),
        ("Who is it?", 2),
        ("The first.", 3),
        ("The second.", 3),
    ]


WRAPPED = """\
The ministry said on Monday that the talks would go on until the end of
May. Nobody expected them to end earlier, officials said, and
Smith agreed with that. The other side, which had left the table twice, was
silent.

A heading
  1. The first item of a list stands on a line of its own here.
  2. So does the second.
"""


def test_wrapped_lines_are_joined() -> None:
    assert [found.text for found in split(WRAPPED)] == [
        "The ministry said on Monday that the talks would go on until the end of\nMay.",
        "Nobody expected them to end earlier, officials said, and\nSmith agreed with that.",
        "The other side, which had left the table twice, was\nsilent.",
        "A heading",
        "1. The first item of a list stands on a line of its own here.",
        "2. So does the second.",
    ]


def test_long_lines_are_not_wrapped_ones() -> None:
    menu = "home\nnews\nsport\n" + "This line is much longer than all the lines of the menu above it. " * 3
    assert [found.text for found in split(menu)][:3] == ["home", "news", "sport"]


def test_a_line_broken_inside_a_sentence_is_joined() -> None:
    text = "The minister, who came to the town on Monday,\nsaid nothing.\nThe end"
    assert [found.text for found in split(text)] == [text[:-8], "The end"]


# ------------------------------------------------------------------------------------ quotations


def quoted(found: Sentence) -> list[str]:
    """The quotations of a sentence, with < and > where they come in open or go on."""
    return [
        "<" * q.opens_before + found.text[q.start : q.end] + ">" * q.continues_after for q in found.quotations
    ]


# A text of one sentence, and its quotations.
STYLES = [
    ('He said "we go" and left.', ["we go"]),
    ("He said “we go” and left.", ["we go"]),
    ("He said 'we go' and left.", ["we go"]),
    ("He said ‘we go’ and left.", ["we go"]),
    ("„Wir gehen“, sagte er.", ["Wir gehen"]),
    ("„Idziemy”, he said.", ["Idziemy"]),
    ("«Идём», he said.", ["Идём"]),
    ("»So nicht«, he said, ›never‹.", ["So nicht", "never"]),
    ("‹Well›, he said.", ["Well"]),
    ("``We go,'' he said.", ["We go,"]),
    ("He said ‘’we go.'’", ["we go."]),
    ("”We go,” he said.", ["We go,"]),
    ('He called it “a war", she said.', ["a war"]),
    ("“He told me ‘go home’ twice,” she said.", ["He told me ‘go home’ twice,", "go home"]),
    ('"He told me "go home" twice," she said.', ['He told me "go home" twice,', "go home"]),
    ("«Он сказал «да» вчера», he said.", ["Он сказал «да» вчера", "да"]),
    ('"And," he said, "we go."', ["And,", "we go."]),
    ('It is an "operation"-like "act".', ["operation", "act"]),
    ('("We go," he said.)', ["We go,"]),
    ("We go, he said: “Now", ["Now>"]),
    # apostrophes, inches and minutes
    ("The soldiers' families don't know; the '90s are over.", []),
    ("Rock 'n' roll's king and the players' coach.", []),
    ("’Tis the soldiers’ day, ’cause it’s theirs.", []),
    ("'The soldiers' families left,' he said.", ["The soldiers' families left,"]),
    ("‘The soldiers’ families left,’ he said.", ["The soldiers’ families left,"]),
    ('A 6" pipe and a 5\'10" man at 50°27\'00".', []),
    ('He said "" and "  ".', []),
    ('""" He said so. """', []),
]


@pytest.mark.parametrize(("text", "wanted"), STYLES)
def test_styles_of_quotation_marks(text: str, wanted: list[str]) -> None:
    assert quoted(sentence(text)) == wanted


def document(text: str) -> list[tuple[str, list[str]]]:
    return [(found.text, quoted(found)) for found in split(text)]


@pytest.mark.parametrize("marks", ['""', "“”", "«»", "„“", "''", "‘’"])
def test_a_quotation_runs_over_sentences(marks: str) -> None:
    opening, closing = marks
    text = f"He said: {opening}We go. They stay. All is well{closing}, and left. So be it."
    assert document(text) == [
        (f"He said: {opening}We go.", ["We go.>"]),
        ("They stay.", ["<They stay.>"]),
        (f"All is well{closing}, and left.", ["<All is well"]),
        ("So be it.", []),
    ]


@pytest.mark.parametrize("marks", ['""', "“”", "«»", "‘’"])
def test_a_quotation_runs_over_paragraphs_that_repeat_its_mark(marks: str) -> None:
    opening, closing = marks
    paragraphs = (
        f"He said: {opening}We go. They stay.",
        f"{opening}All is well.",
        f"{opening}Good.{closing}",
        "No.",
    )
    found = [inner for _, inner in document("\n\n".join(paragraphs))]
    assert found == [["We go.>"], ["<They stay.>"], ["<All is well.>"], ["<Good."], []]


def test_a_quotation_runs_over_a_paragraph_that_only_closes_it() -> None:
    found = document("“We go.\n\nThey stay,” he said.\n\nSo be it.")
    assert [inner for _, inner in found] == [["We go.>"], ["<They stay,"], []]


def test_an_inner_quotation_goes_on_only_if_its_mark_is_repeated() -> None:
    found = document("“He said: ‘We go.\n\n“‘They stay,’ he said.”\n\n“Who?”")
    assert [inner for _, inner in found] == [
        ["He said: ‘We go.>", "We go.>"],
        ["<They stay,’ he said.", "<They stay,"],
        ["Who?"],
    ]
    found = document("“He said: ‘We go.\n\n“They stay,” he said.")
    assert [inner for _, inner in found] == [["He said: ‘We go.>", "We go."], ["<They stay,"]]


@pytest.mark.parametrize("mark", ['"', "“", "«", "„"])
def test_an_unclosed_quotation_ends_with_its_paragraph(mark: str) -> None:
    found = document(f"{mark}We go. They stay.\n\nSo be it. It was.\n\n{mark}No{mark} end.")
    assert [inner for _, inner in found][:4] == [["We go.>"], ["<They stay."], [], []]


def test_words_quoted_in_passing_end_with_their_sentence() -> None:
    assert [inner for _, inner in document("He called it a “war and left. They stayed.")] == [
        ["war and left."],
        [],
    ]


def test_a_missing_closing_mark_does_not_turn_the_others_round() -> None:
    assert document('"We go, he said. "They lost," she said. So be it.') == [
        ('"We go, he said.', ["We go, he said."]),
        ('"They lost," she said.', ["They lost,"]),
        ("So be it.", []),
    ]


def test_thousands_of_marks_are_paired_alike() -> None:
    found = sentence('"a "b" c" ' * 1000).quotations
    assert [q.level for q in found] == [0, 1] * 1000
    assert not any(q.continues_after for q in found)


# Previous sentence, sentence, its quotations.
ALONE = [
    ("He said: “We go.", "They stay.", ["<They stay.>"]),
    ("He said: “We go.", "They stay,” she said.", ["<They stay,"]),
    ("He said: “We go.", "“They stay,” she said.", ["<They stay,"]),
    ("He said: “We go.", "He says “maybe”.", ["maybe"]),
    ("He said: “We go.", "He says ‘maybe’.", ["<He says ‘maybe’.>", "maybe"]),
    ('He said: "We go.', "They stay.", ["<They stay.>"]),
    ('He said: "We go.', 'They stay," she said.', ["<They stay,"]),
    ('He said: "We go.', '" She said: "They stay.', ["They stay.>"]),
    ("He said: «We go.", "They stay», she said.", ["<They stay"]),
    ("‘We go.", "They stay,’ she said.", ["<They stay,"]),
    ("He said “we go”.", "They stay.", []),
    ("He calls it a “war now.", "They stay.", []),
    ("He calls it a “war now.", "They stay,” he said.", ["<They stay,"]),
    ('"', "They stay.", []),
    ("The soldiers' families left.", "They stay.", []),
    (None, "They stay,” she said.", ["<They stay,"]),
    (None, 'They stay," she said.', ["<They stay,"]),
    (None, "The so-called “peace” is war,” she said.", ["<The so-called “peace” is war,", "peace"]),
    ("“We go,” he said.", 'They brought "food" to the town," she said.', ["food"]),
    ("", "They stay.", []),
]


@pytest.mark.parametrize(("prev", "text", "wanted"), ALONE)
def test_a_sentence_alone_is_inside_a_quotation_left_open(
    prev: str | None, text: str, wanted: list[str]
) -> None:
    assert quoted(sentence(text, prev)) == wanted


def test_marks_still_open_can_be_given() -> None:
    text = "We go,’ he said,” she told them."
    assert [(q.level, text[q.start : q.end]) for q in quotations(text, ("“", "‘"))] == [
        (0, "We go,’ he said,"),
        (1, "We go,"),
    ]
    assert quotations("“We go", ("“",)) == (Quotation(1, 6, 0, True, True),)
    with pytest.raises(ValueError, match="'x' is not a quotation mark"):
        quotations("We go", ("x",))


# ------------------------------------------------------------------------------------- bad input

HOSTILE = {
    "a line of a million characters": "word " * 200_000,
    "brackets": "(" * 100_000,
    "brackets with stops": "(A. " * 50_000,
    "quotation marks": '"' * 100_000,
    "curly marks": "“" * 100_000,
    "marks and words": "“A. ‘b " * 30_000,
    "apostrophes": "'a " * 50_000,
    "stops": "." * 100_000,
    "spaced stops": ". " * 50_000,
    "stops and brackets": ".)" * 50_000,
    "emoji": "😀🇺🇦" * 30_000,
    "control characters": "\x00\x01\x1b. " * 30_000,
    "right-to-left marks": "\u202e\u200fא. " * 30_000,
    "lone surrogates": "\ud800. " * 30_000,
    "line ends": "\r\n\n\u2028" * 30_000,
    "gaps": ("a\n" + " " * 1000) * 100,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_split(name: str) -> None:
    text = HOSTILE[name]
    found = split(text)
    assert "".join(s.text for s in found).replace(" ", "") == "".join(text.split()) or name == "gaps"
    assert max((len(s.quotations) for s in found), default=0) <= len(text)


def test_texts_of_nothing() -> None:
    for text in ("", " ", "\n\r\n", "\u00a0\u2003"):
        assert split(text) == ()
    assert sentence("").quotations == ()


def test_importing_is_light() -> None:
    code = "import sys, stance.segment; print({'spacy', 'numpy', 'yaml', 'sklearn'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
