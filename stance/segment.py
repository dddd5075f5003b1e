"""From text to sentences and quotations, without a parser.

Three layers, each reading only the one before: lines are joined into paragraphs (`_paragraphs`),
the quotation marks of a paragraph are paired (`_pair`), and the stops that end a sentence are told
from those that do not (`_sentences`). The time is linear in the text: regular expressions are
possessive or bounded, and no rule looks further than a fixed distance or the next mark of its kind.

All offsets are Unicode code points. Between two sentences nothing is lost but white space.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from stance.document import Quotation, Sentence

__all__ = ["MAX_SENTENCE", "quotations", "resplit", "sentence", "split"]

# Characters of the longest stretch that is taken for one sentence. The longest real one seen has 400.
MAX_SENTENCE = 5_000


def split(text: str) -> tuple[Sentence, ...]:
    """Split a document into sentences, each with the quotations that overlap it.

    A quotation that runs on into the next sentence has `continues_after` there and `opens_before`
    in that next sentence, also over a paragraph's end if the next paragraph opens with a mark of
    the same style or holds the closing one. Any other unclosed quotation ends with its paragraph.

    >>> [(s.start, s.text) for s in split("It rained. “I left,” he said.")]
    [(0, 'It rained.'), (11, '“I left,” he said.')]
    """
    found: list[Sentence] = []
    for number, (sentences, spans) in enumerate(_read(text)):
        inside = _Inside(spans)
        for first, last in sentences:
            quoted = tuple([_clipped(span, first, last) for span in inside.of(first, last)])
            found.append(Sentence(text[first:last], first, last, len(found), number, quotations=quoted))
    return tuple(found)


def _read(text: str) -> Iterator[tuple[list[tuple[int, int]], list[_Span]]]:
    """The sentences and the quotations of each paragraph, by offset."""
    paragraphs = list(_paragraphs(text))
    carried: tuple[str, ...] = ()
    for number, (start, end) in enumerate(paragraphs):
        pairing = _pair(text, start, end, carried)
        left_open = pairing.left_open
        following = paragraphs[number + 1 : number + 2]
        carried = _still_open(text, *following[0], left_open) if left_open and following else ()
        found_here = _sentences(text, start, end, pairing.roles)
        sentences = [part for first, last in found_here for part in _parts(text, first, last)]
        yield sentences, pairing.spans(text, sentences, len(carried))


class _Inside:
    """Finds the spans that overlap one stretch after the other, in one pass over both."""

    def __init__(self, spans: Sequence[_Span]) -> None:
        self._spans = spans
        self._upcoming = 0
        self._active: list[_Span] = []

    def of(self, first: int, last: int) -> list[_Span]:
        """The spans that overlap the stretch; no stretch may start before the one asked for last."""
        while self._upcoming < len(self._spans) and self._spans[self._upcoming][0] < last:
            self._active.append(self._spans[self._upcoming])
            self._upcoming += 1
        self._active = [span for span in self._active if span[1] > first]
        return self._active


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence, or parts of one that is longer than any is, cut at white space if there is some."""
    while end - start > MAX_SENTENCE:
        limit = start + MAX_SENTENCE
        cut = max(text.rfind(" ", start + 1, limit), text.rfind("\n", start + 1, limit))
        cut = cut if cut > start else limit
        last = start + len(text[start:cut].rstrip())
        yield start, last
        start = cut
        while start < end and text[start].isspace():
            start += 1
    if start < end:
        yield start, end


def resplit(text: str, bounds: Iterable[tuple[int, int]]) -> tuple[Sentence, ...]:
    """The sentences of a document as somebody else has cut it, each with its quotations and paragraph.

    `bounds` are offsets ``[start, end)`` in order; white space around a sentence is left out, and so is
    a sentence of nothing else. Quotations are paired as `split` pairs them.
    """
    own = list(_read(text))
    ends = [sentences[-1][1] for sentences, _ in own]
    inside = _Inside([span for _, spans in own for span in spans])
    found: list[Sentence] = []
    number = 0
    for start, end in bounds:
        words = text[start:end].strip()
        if not words:
            continue
        first = start + text[start:end].index(words[0])
        last = first + len(words)
        while number < len(own) - 1 and ends[number] <= first:
            number += 1
        quoted = tuple(_joined_up([_clipped(span, first, last) for span in inside.of(first, last)]))
        found.append(Sentence(words, first, last, len(found), number, quotations=quoted))
    return tuple(found)


def _joined_up(pieces: Iterable[Quotation]) -> list[Quotation]:
    """The quotations of a sentence that runs over a paragraph's end, where one goes on, in one piece."""
    found: list[Quotation] = []
    open_at: dict[int, int] = {}  # level: which of `found` goes on
    for q in pieces:
        at = open_at.pop(q.level, -1)
        if q.opens_before and at >= 0:
            found[at] = replace(found[at], end=q.end, continues_after=q.continues_after)
        else:
            at = len(found)
            found.append(q)
        if q.continues_after:
            open_at[q.level] = at
    return found


def quotations(text: str, open_before: tuple[str, ...] = ()) -> tuple[Quotation, ...]:
    """The quotations of one sentence, taken as it is.

    `open_before` holds the opening marks still open where the sentence starts, outermost first, for
    example ``("“",)``. Marks that the sentence repeats at its start, as a new paragraph does, are
    left out of the span. A quotation not closed in the sentence has `continues_after`.
    """
    for sign in open_before:
        if sign not in _FAMILY:
            raise ValueError(f"open_before: {sign!r} is not a quotation mark; give an opening one, such as “")
    pairing = _pair(text, 0, len(text), open_before)
    spans = pairing.spans(text, [(0, len(text))], len(pairing.left_open))
    return tuple([Quotation(*span) for span in spans])


def sentence(text: str, prev: str | None = None, id: str | None = None) -> Sentence:
    """One given sentence as a `Sentence`, split no further: its offsets are 0 and its length.

    `prev`, the text of the sentence before, serves only to know whether a quotation is still open
    at its end. A closing mark without an opening one shows that by itself.
    """
    quoted = quotations(text, _open_before(text, prev))
    return Sentence(text, 0, len(text), id=id, prev=prev, quotations=quoted)


# ------------------------------------------------------------------------------------ paragraphs

_BREAK = "\n\r\x0b\x0c\x85\u2028\u2029"
_LINE = re.compile(f"[^{_BREAK}]+")
_ONE_BREAK = re.compile(rf"[^\S{_BREAK}]*+(?:\r\n|[{_BREAK}])[^\S{_BREAK}]*+")
_STOPPED = re.compile(r"[.!?…:;][)\]\"'”’»›]{0,3}\Z")
_BYLINE = re.compile(r"(?:by|from|via)\s+[^\W\d_a-z]")
_BULLET = re.compile(r"[–—•●▪■◦‣·>*+#-]|\(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)]\s", re.I)
_WORD = re.compile(r"\S{1,40}")

# Programs wrap plain text at 25 to 140 characters. A wrapped line is full: with the next word it
# would reach the width; proportional type and hyphenation leave it this full at least.
_WIDTHS = range(25, 141)
_FULL = 0.85
# A line this long without a stop, followed by a small letter, was broken inside a sentence.
_LONG = 40


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Stretches of text that no sentence crosses, trimmed of white space, in order.

    The end of a line ends a paragraph, as on a web page turned into text, unless the text shows
    that its lines were wrapped by a program (see `_width`). A blank line always does.
    """
    lines = []
    for match in _LINE.finditer(text):
        line = match.group()
        if stripped := line.strip():
            start = match.start() + len(line) - len(line.lstrip())
            lines.append((start, start + len(stripped)))
    if not lines:
        return
    width = _width(text, lines)
    start = lines[0][0]
    for line_, next_ in itertools.pairwise(lines):
        if not _wrapped(text, line_, next_, width):
            yield start, line_[1]
            start = next_[0]
    yield start, lines[-1][1]


def _width(text: str, lines: Sequence[tuple[int, int]]) -> int:
    """The width in characters at which the lines of a text were wrapped; 0 if they were not.

    Evidence is a line that breaks inside a sentence: no stop at its end, a small letter after it.
    The longest such line gives the width. The text is wrapped if nearly all of them are full and
    they are a fair part of all the places where a line follows another without a blank one.
    """
    pairs = itertools.pairwise(lines)
    broken = [(line, next_) for line, next_ in pairs if _ONE_BREAK.fullmatch(text, line[1], next_[0])]
    inside = [(line, next_) for line, next_ in broken if _runs_on(text, line[1], next_[0])]
    width = max((end - start for (start, end), _ in inside), default=0)
    if width not in _WIDTHS or len(inside) < 0.15 * len(broken):
        return 0
    full = sum(_reach(text, line, next_) >= _FULL * width for line, next_ in inside)
    wider = sum(end - start > 1.1 * width for (start, end), _ in broken)
    return width if full >= 0.8 * len(inside) and wider <= 0.1 * len(broken) else 0


def _wrapped(text: str, line: tuple[int, int], following: tuple[int, int], width: int) -> bool:
    """Whether the second line goes on in the paragraph of the first."""
    (start, end), (next_start, _) = line, following
    if not _ONE_BREAK.fullmatch(text, end, next_start):
        return False
    if width and _reach(text, line, following) >= _FULL * width:
        return not _BULLET.match(text, next_start)
    return end - start >= _LONG and _runs_on(text, end, next_start)


def _runs_on(text: str, end: int, next_start: int) -> bool:
    """Whether the words around a line break belong to one sentence, by their look."""
    if not (text[next_start].islower() or text[next_start] in ",;"):
        return False
    return not _STOPPED.search(text, max(0, end - 4), end) and not _BYLINE.match(text, next_start)


def _reach(text: str, line: tuple[int, int], following: tuple[int, int]) -> int:
    """How long a line would be with the first word of the next one."""
    word = _WORD.match(text, *following)
    return line[1] - line[0] + 1 + (len(word.group()) if word else 0)


# ------------------------------------------------------------------------------------ quotations

# A quotation mark, two single ones for a double one, or a rule of three and more, which quotes nothing.
# Single marks inside a word are apostrophes.
# A pattern that starts with a set of characters is ten times as fast as one that starts with a choice.
_MARK = re.compile(
    r"([\"“”„‟«»‹›‚'‘’‛`])(?:\1{2,}+|(?<=`)`|(?<=')['’]|(?<=‘)[‘’]|(?<=’)’|(?<!\w['‘’‛])(?<!`)|(?<!`)(?!\w))"
)
_ELISION = re.compile(
    r"['‘’](?:\d\ds?\b|n['‘’](?!\w)|(?:em|n|til|tis|twas|cause|round|bout|cos)\b(?!['’]))",
    re.IGNORECASE,
)
_ELIDED_END = re.compile(r"(?<!\w)['‘’]n\Z", re.IGNORECASE)
_FAMILY = {
    **dict.fromkeys(('"', "“", "”", "„", "‟", "``", "''", "’’", "‘‘", "‘’", "'’"), "double"),
    **dict.fromkeys(("'", "‘", "’", "‚", "‛"), "single"),
    **dict.fromkeys(("«", "»"), "angle"),
    **dict.fromkeys(("‹", "›"), "small angle"),
}
_OPENS = frozenset(("“", "„", "‟", "``", "«", "‹", "‘", "‚", "‛"))
_CLOSES = frozenset(("”", "»", "›"))
_OPENER_OF = {"”": "“", "»": "«", "›": "‹"}
_STRAIGHT = frozenset(('"', "''", "``", "’’", "‘‘", "‘’", "'’", "'"))
_INVISIBLE = (  # soft hyphen, zero-width signs, marks of direction
    "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
_OPENING_SIDE = frozenset("([{<–—-/“‘«‹„‚\"'`>_*=|" + _INVISIBLE)
_CLOSING_SIDE = frozenset(".,;:!?…)]}–—-/”’»›\"'" + _INVISIBLE)
_UNSEEN = re.compile(rf"[\s{_INVISIBLE}]*+")
_WORDS = re.compile(rf"[(\[“‘«‹„\"'`@#$€£.…—–{_INVISIBLE}-]{{0,4}}\w")
_FARTHEST = 1000  # characters from a single mark that opens to the one that closes
_BLOCK = 500  # marks paired at a time
_DEEPEST = 4  # levels of quotations inside quotations; what opens below is not followed


# Start, end, level, opens before, continues after: a `Quotation` by its offsets in the document.
_Span: TypeAlias = tuple[int, int, int, bool, bool]


class _Mark(NamedTuple):
    """A quotation mark and which way it faces by its look: words on one side, a gap on the other."""

    start: int
    end: int
    sign: str
    family: str
    opens: bool
    closes: bool
    after_stop: bool  # a stop or comma goes before
    speech: bool  # a capital follows where speech may start
    possessive: bool  # an s goes before and a small letter follows: the soldiers' families


class _Open(NamedTuple):
    """A quotation not closed so far."""

    sign: str
    family: str
    start: int
    opens_before: bool


def _marks(text: str, start: int, end: int) -> Iterator[_Mark]:
    """The marks in a stretch that can be quotation marks, in order."""
    for match in _MARK.finditer(text, start, end):
        first, last = match.span()
        sign = match.group()
        if len(sign) > 2:
            continue
        before = text[first - 1] if first > start else " "
        after = text[last] if last < end else " "
        # No quotation starts with these: the mark was torn from the words before it.
        cut_off = after in ",;:)]}" or (after == "." and text[last + 1 : last + 2] != ".")
        spaced = before.isspace()
        looks_open = (spaced or before in _OPENING_SIDE) and not (cut_off or after.isspace())
        looks_closed = (cut_off or not spaced) and (after in _CLOSING_SIDE or after.isspace())
        if not looks_closed and sign in _STRAIGHT and before.isdigit():
            continue  # inches and minutes
        family = _FAMILY[sign]
        speech = possessive = False
        if family == "single":
            if _elided(text, first):
                continue
            speech = after.isupper() and (
                first == start or before in '"“„«`' or text[max(start, first - 2) : first] in (": ", ", ")
            )
            possessive = before in "sSxz" and after == " " and text[last + 1 : last + 2].islower()
        opens, closes = looks_open and not looks_closed, looks_closed and not looks_open
        yield _Mark(first, last, sign, family, opens, closes, before in ".,!?…", speech, possessive)


def _elided(text: str, at: int) -> bool:
    """Whether a single mark at a word's edge stands for left-out letters: '90s, rock 'n' roll."""
    if _ELISION.match(text, at):
        return True
    return _ELIDED_END.search(text, max(0, at - 3), at) is not None


def _passing(text: str, quotation: _Open) -> bool:
    """Whether an open quotation seems to be of a few words in passing: a “war and so on."""
    mark = quotation.start - len(quotation.sign)
    before = text[max(0, mark - 2) : max(0, mark)].rstrip()[-1:]
    words = text[quotation.start : quotation.start + 40].lstrip()
    return not words or (before.isalnum() and words[0].islower() and not quotation.opens_before)


class _Pairing:
    """The quotation marks of one stretch, paired in one pass from left to right.

    `roles` maps the offset of each mark that was used to whether it opens a quotation.
    """

    def __init__(self, opened: list[_Open], roles: dict[int, bool]) -> None:
        self.roles = roles
        self.stray: str | None = None  # the opener of a mark that closes a quotation nobody opened
        self.stray_at = -1
        self._stack = opened
        self._closed: list[tuple[int, int, bool]] = []  # start, end, opens before

    @property
    def left_open(self) -> tuple[str, ...]:
        """The opening marks that were not closed, outermost first."""
        return tuple(entry.sign for entry in self._stack)

    def unfinished(self, text: str) -> bool:
        """Whether the outermost open quotation is speech that may run on."""
        return bool(self._stack) and not _passing(text, self._stack[0])

    def carried_on(self, text: str, end: int) -> int:
        """How many of the quotations carried into the stretch that ends at `end` hold words of it."""
        still_open = [(entry.start, end, entry.opens_before) for entry in self._stack]
        return sum(
            before and bool(text[start:stop].strip()) for start, stop, before in self._closed + still_open
        )

    def read(self, marks: Iterator[_Mark]) -> None:
        """Pair the marks, block by block, so that millions of them do not fill the memory."""
        block = list(itertools.islice(marks, _BLOCK))
        while block:
            following = list(itertools.islice(marks, _BLOCK))
            self._read(block, following)
            block = following

    def _read(self, marks: list[_Mark], following: list[_Mark]) -> None:
        """Pair one block of marks; what a mark does can depend on the next two of its family."""
        ahead: list[tuple[_Mark | None, _Mark | None, int]] = []
        nearest: dict[str, tuple[_Mark | None, _Mark | None]] = {}
        closer = sys.maxsize  # where the next single mark that closes is
        for mark in itertools.chain(reversed(following), reversed(marks)):
            next_, next_but_one = nearest.get(mark.family, (None, None))
            ahead.append((next_, next_but_one, closer))
            nearest[mark.family] = (mark, next_)
            if mark.family == "single" and mark.closes:
                closer = mark.start
        for mark in marks:
            next_, next_but_one, closer = ahead.pop()
            if mark.family == "single":
                self._single(mark, next_, closer)
            else:
                self._double(mark, next_, next_but_one)

    def spans(self, text: str, sentences: Sequence[tuple[int, int]], carried: int) -> list[_Span]:
        """All quotations by offset in `text`, levels set; the outermost `carried` open ones go on."""
        spans = [(start, stop, before, False) for start, stop, before in self._closed]
        for depth, entry in enumerate(self._stack):
            stop = sentences[-1][1]
            if depth >= carried and _passing(text, entry):
                stop = next((stop for _, stop in sentences if stop >= entry.start), stop)
            spans.append((entry.start, stop, entry.opens_before, depth < carried))
        spans.sort(key=lambda span: (span[0], -span[1]))
        found: list[_Span] = []
        around: list[int] = []  # which of `found` the present one is in
        for start, stop, before, after in spans:
            words = text[start:stop].rstrip()
            if not words:
                continue
            end = start + len(words)
            while around and found[around[-1]][1] <= start:
                around.pop()
            for outer in around:  # one left open in passing lasts as long as what is inside it
                if found[outer][1] < end:
                    found[outer] = (found[outer][0], end, *found[outer][2:])
            found.append((start, end, len(around), before, after))
            around.append(len(found) - 1)
        return found

    def _double(self, mark: _Mark, next_: _Mark | None, next_but_one: _Mark | None) -> None:
        inner = self._innermost(mark.family)
        if self._opening(mark, inner, next_):
            if inner is not None and not _nested(mark, self._stack[inner], next_, next_but_one):
                self._close(inner, mark.start)  # its own closing mark is missing
            self._open(mark)
        elif inner is not None:
            self._close(inner, mark.start)
            self.roles[mark.start] = False
        elif self.stray is None and (mark.sign in _CLOSES or mark.after_stop) and not mark.opens:
            self.stray, self.stray_at = _OPENER_OF.get(mark.sign, mark.sign), mark.start

    def _opening(self, mark: _Mark, inner: int | None, next_: _Mark | None) -> bool:
        if mark.sign in _OPENS:  # in „…“ and »…« it closes
            return inner is None or not (mark.closes or self._stack[inner].sign in _CLOSES)
        if mark.sign in _CLOSES:
            return inner is None and mark.opens
        if mark.opens or mark.closes or inner is not None:
            return mark.opens
        # It faces neither way, and nothing is open: with no mark to close it, it was left behind.
        return next_ is not None and not next_.opens

    def _single(self, mark: _Mark, next_: _Mark | None, closer: int) -> None:
        inner = self._innermost("single")
        if mark.opens and mark.sign != "’":
            # Without a closing mark in sight it is an apostrophe, unless speech plainly starts here.
            if closer - mark.start <= _FARTHEST or mark.speech:
                if inner is not None:
                    self._close(inner, mark.start)
                self._open(mark)
        elif inner is not None and mark.closes:
            if mark.possessive and next_ is not None and next_.closes:
                return
            self._close(inner, mark.start)
            self.roles[mark.start] = False
        elif self.stray is None and mark.closes and mark.after_stop:
            self.stray, self.stray_at = "‘" if mark.sign == "’" else mark.sign, mark.start

    def _innermost(self, family: str) -> int | None:
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index].family == family:
                return index
        return None

    def _open(self, mark: _Mark) -> None:
        if len(self._stack) < _DEEPEST:
            self._stack.append(_Open(mark.sign, mark.family, mark.end, False))
            self.roles[mark.start] = True

    def _close(self, index: int, at: int) -> None:
        """Close one quotation and those inside it; an inner single mark was an apostrophe."""
        for depth, entry in enumerate(self._stack[index:]):
            if entry.start < at and (depth == 0 or entry.family != "single"):
                self._closed.append((entry.start, at, entry.opens_before))
        del self._stack[index:]


def _nested(mark: _Mark, outer: _Open, next_: _Mark | None, next_but_one: _Mark | None) -> bool:
    """Whether a mark that opens inside a quotation of its family opens a quotation within it."""
    if (mark.sign in _STRAIGHT) != (outer.sign in _STRAIGHT):
        return True
    return next_ is not None and next_.closes and next_but_one is not None and next_but_one.closes


def _pair(text: str, start: int, end: int, carried: tuple[str, ...]) -> _Pairing:
    """Pair the marks of a stretch that starts inside the quotations `carried`, outermost first."""
    roles: dict[int, bool] = {}
    at = start
    for match in _repeated(text, start, end, carried):
        roles[match.start()] = True
        at = match.end()
    pairing = _Pairing([_Open(sign, _FAMILY[sign], at, True) for sign in carried], roles)
    pairing.read(_marks(text, at, end))
    return pairing


def _repeated(text: str, start: int, end: int, signs: tuple[str, ...]) -> list[re.Match[str]]:
    """The marks at the start of a paragraph that repeat open ones, as news does."""
    found: list[re.Match[str]] = []
    at = start
    for sign in signs:
        at = _unseen(text, at, end)
        match = _MARK.match(text, at, end)
        if match is None or match.group() in _CLOSES or not _alike(match.group(), sign):
            break
        if not _WORDS.match(text, match.end(), end):
            break
        found.append(match)
        at = match.end()
    return found


def _unseen(text: str, start: int, end: int) -> int:
    match = _UNSEEN.match(text, start, end)
    return match.end() if match else start


def _still_open(text: str, start: int, end: int, left_open: tuple[str, ...]) -> tuple[str, ...]:
    """Which of the quotations left open go on in a stretch that follows, judged by its marks.

    They do if it starts by repeating their marks or closes a quotation that it did not open.
    """
    if repeated := _repeated(text, start, end, left_open):
        return _surviving(text, start, end, left_open[: len(repeated)])
    pairing = _pair(text, start, end, ())
    closes = pairing.stray is not None and _alike(pairing.stray, left_open[0])
    if not closes or not text[start : pairing.stray_at].strip():
        return ()
    return _surviving(text, start, end, left_open)


def _surviving(text: str, start: int, end: int, carried: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the quotations carried into a stretch that hold words of it, outermost first."""
    while carried:
        alive = _pair(text, start, end, carried).carried_on(text, end)
        if alive == len(carried):
            break
        carried = carried[:alive]
    return carried


def _alike(one: str, other: str) -> bool:
    """Whether two signs are of one style."""
    return _FAMILY.get(one) == _FAMILY[other] and (one in _STRAIGHT) == (other in _STRAIGHT)


def _open_before(text: str, prev: str | None) -> tuple[str, ...]:
    """The marks still open where a given sentence starts, judged by it and the one before."""
    before = _pair(prev, 0, len(prev), ()) if prev else None
    if before is None or not before.left_open:
        pairing = _pair(text, 0, len(text), ())
        # After a quotation that was closed, a mark too many further on is a slip.
        slip = before is not None and before.roles and pairing.roles
        return (pairing.stray,) if pairing.stray and not slip else ()
    left_open = before.left_open
    if still_open := _still_open(text, 0, len(text), left_open):
        return still_open
    if any(_alike(mark.sign, left_open[0]) for mark in _marks(text, 0, len(text))):
        return ()  # it opens its own
    return left_open if before.unfinished(prev or "") else ()


def _clipped(span: _Span, first: int, last: int) -> Quotation:
    """A quotation of the document as part of the sentence from `first` to `last`."""
    start, end, level, before, after = span
    return Quotation(
        max(start - first, 0), min(end, last) - first, level, before or start < first, after or end > last
    )


# ------------------------------------------------------------------------------------- sentences


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Never the last word of a sentence.
_TITLES = _words(
    """Mr Mrs Ms Messrs Mme Mlle Dr Prof Gen Lt Col Maj Capt Cpt Cmdr Comdr Cdr Adm Sgt Cpl Pvt Brig Gov Sen
    Rep Reps Sens Hon Rev Fr St Ste Amb Pres Supt Insp Det Mt Ft mr mrs ms dr prof gen lt col maj capt
    sgt"""
)
_INNER = _words("v vs e.g i.e eg cf viz approx ca incl resp esp")
# Not the last word of a sentence if a number follows.
_NUMBERED = _words(
    """no nos nr art arts p pp vol vols fig figs sec sect ch chap para paras par pt pts ex op cl col st jan
    feb mar apr jun jul aug sep sept oct nov dec c ca"""
)
_MONTHS = _words("Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec")
# The last word of a sentence only if the next word is one that starts sentences.
_ABBREVIATIONS = _words(
    """inc ltd co corp bros llc plc jr sr esq dept univ assn gov't govt intl natl ave blvd rd hwy bldg al est
    cont ed eds trans km kg lb lbs oz sq mln bln trn min max tel ext mon tue tues wed thu thur thurs
    fri ph.d"""
)
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_CLOCK = re.compile(r"[ap]\.m", re.IGNORECASE)
_AFTER_CLOCK = re.compile(
    r"(?:[A-Z]{2,4}|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|\w+ (?:[Tt]ime|Standard|Daylight))\b"
)
_STARTERS = _words(
    """A About Above According Across Add After Again Against All Along Already Also Although Am Among An And
    Another Any Are As Asked At Back Be Because Before Being Below Between Both But By Can Could
    Despite Did Do Does During Each Earlier Either Elsewhere Even Eventually Every Everyone Finally
    First Following For Former From Further Furthermore Given Had Has Have Having He Her Here His How
    However I If In Indeed Instead Is It Its Just Last Later Let Like Many Meanwhile Moreover Most
    Much My Nearly Neither Never Nevertheless Next No Nobody None Nor Not Nothing Now Of Officials On
    Once One Only Or Other Others Our Over Perhaps Please Read Recently Several She Should Similarly
    Since So Some Something Sometimes Soon Speaking Still Subscribe Such Surely Than That The Their
    Them Then There Therefore These They This Those Though Three Through Throughout Thus To Today
    Together Tomorrow Tonight Two Under Unless Unlike Until Up Upon Very Was We Well Were What When
    Whenever Where Whereas Whether Which While Who Why With Within Without Would Yes Yesterday Yet You
    Your It's That's There's He's She's We're They're I'm I've We've You're Don't Didn't It’s That’s
    There’s He’s She’s We’re They’re I’m I’ve We’ve You’re Don’t Didn’t"""
)
_LETTERED = _words(
    """annex appendix article block category class column exhibit figure grade group hepatitis level option
    part phase plan point schedule section series step table team tier type variant vitamin zone"""
)
_SMALL_WORDS = _words("and as at by for from in of on or than the to with")
_REPORTING = (
    "added|admitted|announced|argued|asked|asks|began|called|claimed|complained|continued|cried|declared|demanded"
    "|exclaimed|explained|insisted|joked|noted|replied|said|says|shouted|stated|stressed|told|tweeted|urged|warned"
    "|wondered|wrote"
)

_STOP = re.compile(r"[.!?…。！？‽][.!?…。！？‽]*+(?:[ \xa0]?[.…]++)*+[)\]}\"'”’»›“‘«.!?…]*+")
_NEXT = re.compile(r"(?P<space>\s*+)(?P<lead>[^\w]{0,12}+)(?P<word>[\w'’-]{0,40}+)")
_TOKEN = re.compile(r"(?:.*[\s\"“„‘'’(\[{/–—-])?(.*)", re.DOTALL)
_MIXED_CASE = re.compile(r"[a-z]{1,2}(?:-|l-)?[A-Z]")
_ROMAN = re.compile(r"[IVXLivxl]{1,5}")
_JOINED = re.compile(r"([\"“„«‘(\[]{0,2}|[–—-]\s)(?:([IA])\s|([^\W\d_][^\W\d_]+)(:?))")
_LINK = re.compile(r"://|www\.|@", re.IGNORECASE)
_DOMAINS = _words("com net org info html")
_BRACKETED = re.compile(r"[(\[][^()\[\]]{0,500}+[)\]]")
_CREDITED = re.compile(rf"(?:[^\W\d_a-z][\w.'’-]*\s+){{1,5}}(?:{_REPORTING})\b(?!\s+that\b)")
_QUOTES = frozenset("\"”’»›“'")
_NEVER_STARTS = (")", "]", "}", ",", ";", ":", "%")


def _sentences(text: str, start: int, end: int, roles: dict[int, bool]) -> Iterator[tuple[int, int]]:
    """The sentences of one paragraph as offsets, trimmed of white space.

    `roles` tells for the offset of each paired quotation mark whether it opens.
    """
    brackets = (match.span() for match in _BRACKETED.finditer(text, start, end))
    opening, closing = next(brackets, (end, end))
    first = start
    for match in _STOP.finditer(text, start, end):
        at = match.start()
        last = _end(text, first, match, end, roles)
        if last < 0:
            continue
        while closing <= at < end:
            opening, closing = next(brackets, (end, end))
        if first < opening < at and last < closing:
            continue  # inside a bracket that the sentence holds
        yield first, last
        first = _after_space(text, last, end)
    if first < end:
        yield first, end


def _after_space(text: str, at: int, end: int) -> int:
    while at < end and text[at].isspace():
        at += 1
    return at


def _end(text: str, first: int, match: re.Match[str], end: int, roles: dict[int, bool]) -> int:
    """Where the sentence that starts at `first` ends if this stop ends it before `end`; else -1."""
    at, last = match.span()
    if roles:
        last = next((i for i in range(at, last) if roles.get(i)), last)
    if last >= end:
        return -1
    if not text[last].isspace():
        return last if _joined(text, first, at, last, end) else -1
    next_ = _next(text, last, end)
    closing = next_.end("space")
    stray = text[closing : closing + 1] in _CLOSES and text[closing + 1 : closing + 2].isspace()
    if roles.get(closing) is False or stray:  # a closing mark set apart from its stop
        last = closing + 1
        next_ = _next(text, last, end)
        if not next_.group("space"):
            return -1
    lead, word = next_.group("lead"), next_.group("word")
    if not word or lead[:1] in _NEVER_STARTS or "/" in lead:
        return -1
    if word[0].islower() and "#" not in lead and not _MIXED_CASE.match(word):
        return -1
    tail = text[at:last]
    if at > first and text[at - 1] in "([<" and (tail[0] not in ".…" or at == first + 1):
        return -1  # (!), or [...] at the start of a sentence
    if tail[0] == "." and not tail.startswith("..") and _abbreviated(text, first, at, next_):
        return -1
    if not _QUOTES.isdisjoint(tail) and _credited(text, next_, tail, end):
        return -1
    return last


def _next(text: str, at: int, end: int) -> re.Match[str]:
    match = _NEXT.match(text, at, end)
    if match is None:  # not possible: every part of the pattern may be empty
        raise AssertionError(_NEXT.pattern)
    return match


def _credited(text: str, next_: re.Match[str], tail: str, end: int) -> bool:
    """Whether a quotation that ends in a stop is followed by its speaker: “Why?” Smith asked."""
    lead, word = next_.group("lead"), next_.group("word")
    if lead[:1] in "–—-" and lead:
        return True
    if lead or word in _STARTERS:
        return False
    if tail[0] != "." and not _STOPPED.search(text, max(0, end - 4), end):
        return True  # a headline
    return tail[0] != "." and _CREDITED.match(text, next_.start("word"), end) is not None


def _abbreviated(text: str, first: int, at: int, next_: re.Match[str]) -> bool:
    """Whether the full stop at `at` belongs to an abbreviation or number within the sentence."""
    lead, word = next_.group("lead"), next_.group("word")
    token = _token(text, first, at)
    if not token:
        return False
    starts = at - len(token) == first
    small = token.lower()
    if starts and len(token) <= 5 and (token.isdigit() or _ROMAN.fullmatch(token)):
        return True  # the number of a list item or heading
    if token in _TITLES or small in _INNER or (small in _NUMBERED and word[0].isdigit()):
        return True
    if len(token) == 1 and token.isalpha():
        return _initial(text, first, at, token, word)
    if starts and token.isupper() and word[:3] in _MONTHS:
        return True  # a dateline
    if _CLOCK.fullmatch(token):
        return word[0].isdigit() or _AFTER_CLOCK.match(text, next_.start("word")) is not None
    if small in _ABBREVIATIONS or token in _MONTHS or _DOTTED.fullmatch(token):
        return word not in _STARTERS and _QUOTES.isdisjoint(lead)
    return False


def _token(text: str, first: int, at: int) -> str:
    """The word that ends at `at`, without what is joined to it by a dash or slash."""
    match = _TOKEN.match(text[max(first, at - 30) : at])
    return match.group(1) if match else ""


def _initial(text: str, first: int, at: int, letter: str, word: str) -> bool:
    """Whether a single letter before a full stop is an initial or the number of a list item."""
    before = text[max(first, at - 40) : at - 1].split()
    if not before:
        return True
    previous = before[-1].lower()
    if word in _STARTERS or previous in _LETTERED:
        return False
    return letter.isupper() and (letter != "I" or not before[-1].islower() or previous in _SMALL_WORDS)


def _joined(text: str, first: int, at: int, last: int, end: int) -> bool:
    """Whether a sentence ends at a stop without a space after it: “the war.The talks”."""
    match = _JOINED.match(text, last, end)
    before = text[at - 1 : at]
    if match is None or not (before.islower() or before.isdigit() or before in ')%]"”’»'):
        return False
    lead, _, word, turn = match.groups("")
    if word and not (word[0].isupper() and word[1].islower()) and not (word.isupper() and (turn or lead)):
        return False  # capitals only in a turn of an interview (“right?SMITH: Yes”) or a bracket
    token = _token(text, first, at)
    if text[at:last] == "." and not lead:  # what may be an address or an abbreviation
        if token in _TITLES or token in _MONTHS or (len(token) < 2 and not token.isdigit()):
            return False
        if word and (word.lower() in _DOMAINS or (len(word) <= 3 and word not in _STARTERS)):
            return False
    around = text[max(first, at - 40) : last + 40].split()
    return not any(_LINK.search(part) for part in around)
