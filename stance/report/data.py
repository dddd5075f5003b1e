"""Records ``stance/1`` as articles and sentences, small enough to hold a hundred thousand of them.

What is missing, torn or odd in the records is kept as a note for the reader of the report: a report
says what it does not show.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from stance.errors import StanceError
from stance.labels import SCHEMA, Label, Voice
from stance.sinks.text import deciding

NO_OUTLET: Final = "no outlet named"
LONGEST_TITLE: Final = 140
DOUBT: Final = 0.6  # a label less probable than this is called doubtful
# Controls and lone surrogates that no page may hold, and overrides that turn a line of text round.
_UNFIT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202d\u202e\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence; ``start`` and ``end`` are code points in the sentence.

    ``decided`` says that it is among those that made the label.
    """

    rule: str | None
    kind: str
    effect: str
    test: str | None
    side: str | None
    start: int
    end: int
    voice: Voice
    speaker: tuple[str, str] | None
    because: str
    weight: float
    not_counted: str | None
    decided: bool


@dataclass(frozen=True, slots=True)
class Person:
    """What a person decided about a sentence, and when (UTC text)."""

    name: str
    frame: str
    opinion: bool
    voice: str
    made_at: str


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled sentence. ``article`` is a position in ``Gathered.articles``; ``sure`` is the label's
    probability, 0 to 1. ``start`` and ``end`` are code points in the document."""

    article: int
    index: int
    start: int
    end: int
    text: str
    label: Label
    own: Label
    sure: float
    abstained: bool
    opinion: bool
    voice: Voice
    speaker: tuple[str, str] | None
    reason: str
    pieces: tuple[Piece, ...]
    person: Person | None = None

    def starts_paragraph(self, before: Row | None) -> bool:
        """Records do not say it: more than one character of white space lies before it."""
        return before is None or before.article != self.article or self.start - before.end > 1

    @property
    def doubtful(self) -> bool:
        """Whether the answer is so unsure that a person should look."""
        return self.abstained or self.sure < DOUBT


@dataclass(frozen=True, slots=True)
class Article:
    """Where sentences stand. ``day`` is the UTC day of its time, None without one that can be read."""

    name: str
    title: str
    outlet: str
    author: str
    time: str
    day: date | None
    link: str
    single: bool = False  # a sentence handed in on its own


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that a report is made of. ``notes`` say what is missing; ``sample`` says what was drawn."""

    articles: tuple[Article, ...]
    rows: tuple[Row, ...]
    versions: tuple[Mapping[str, str | None], ...]
    engines: tuple[str, ...]
    notes: tuple[str, ...] = ()
    sample: str | None = None

    @property
    def decided(self) -> int:
        """Sentences that a person has decided."""
        return sum(row.person is not None for row in self.rows)

    @property
    def outlets(self) -> tuple[str, ...]:
        """By number of sentences, the largest first; names decide a tie."""
        counts = Counter(self.articles[row.article].outlet for row in self.rows)
        return tuple(sorted(counts, key=lambda name: (-counts[name], name)))


@dataclass
class Gatherer:
    """Takes records one by one, so that the file they come from never lies in memory as a whole."""

    articles: dict[tuple[str, ...], int] = field(default_factory=dict)
    known: list[Article] = field(default_factory=list)
    rows: dict[tuple[int, int], Row] = field(default_factory=dict)
    versions: dict[tuple[tuple[str, str | None], ...], None] = field(default_factory=dict)
    engines: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    repeated: int = 0
    _shared: dict[Any, Any] = field(default_factory=dict)

    def add(self, record: Mapping[str, Any], person: Person | None = None) -> None:
        """One record, and what a person decided about its sentence.

        Raises:
            StanceError: it is no record of this contract; the message says which field.
        """
        try:
            self._add(record, person)
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            what = fault.args[0] if fault.args else fault
            said = f"has no {what!r}" if isinstance(fault, KeyError) else f"is at fault ({what})"
            raise StanceError(f"the record {said}; label the text again with this version") from None

    def gathered(self) -> Gathered:
        """Everything so far, in order of time; articles without a time come last, as they came."""
        order = sorted(
            range(len(self.known)),
            key=lambda i: (self.known[i].day is None, self.known[i].day or date.min, i),
        )
        place = {old: new for new, old in enumerate(order)}
        rows = [replace(row, article=place[row.article]) for row in self.rows.values()]
        rows.sort(key=lambda row: (row.article, row.index))
        headings = {row.article: row.text for row in rows if row.index == 0}
        articles = tuple(_titled(self.known[old], headings.get(new, "")) for new, old in enumerate(order))
        notes = [*self.notes, *_gaps(articles, rows)]
        if self.repeated:
            notes.append(f"{plural(self.repeated, 'sentence')} came more than once; the last one counts.")
        return Gathered(
            articles,
            tuple(rows),
            tuple(dict(key) for key in self.versions),
            tuple(self.engines),
            tuple(notes),
        )

    def _add(self, record: Mapping[str, Any], person: Person | None) -> None:
        if record.get("schema") != SCHEMA:
            raise ValueError(f"its schema is {record.get('schema')!r}, not {SCHEMA!r}")
        meta = record["meta"]
        single = record["document"] is None
        name = str(record["id"] if single and "id" in record else record["document"] or "")
        key = (name, *(clean(meta.get(part)) for part in ("title", "link", "outlet", "time")))
        if single:
            key = (*key, str(record["index"]), record["text"])
        at = self.articles.setdefault(key, len(self.known))
        if at == len(self.known):
            self.known.append(_article(name, meta, single))
        row = self._row(record, at, person)
        self.repeated += (at, row.index) in self.rows
        self.rows[at, row.index] = row
        self.versions[tuple(record["versions"].items())] = None
        self.engines[str(record["engine"])] = None

    def _row(self, record: Mapping[str, Any], article: int, person: Person | None) -> Row:
        label = Label(record["label"])
        offset = int(record["start"])
        decided = [id(piece) for piece in deciding(record, "carried")]
        return Row(
            article=article,
            index=int(record["index"]),
            start=offset,
            end=int(record["end"]),
            text=clean(record["text"]),
            label=label,
            own=Label(record["own_label"]),
            sure=float(record["probabilities"][label.value]),
            abstained=bool(record["abstained"]),
            opinion=bool(record["opinion"]),
            voice=Voice(record["voice"]),
            speaker=self._speaker(record["speaker"]),
            reason=self._once(clean(record["reason"])),
            pieces=tuple(
                self._piece(piece, offset, id(piece) in decided, len(record["text"]))
                for piece in record["evidence"]
            ),
            person=person,
        )

    def _piece(self, piece: Mapping[str, Any], offset: int, decided: bool, length: int) -> Piece:
        start = min(max(int(piece["start"]) - offset, 0), length)
        return Piece(
            rule=None if piece["rule"] is None else self._once(clean(piece["rule"])),
            kind=self._once(piece["kind"]),
            effect=self._once(piece["effect"]),
            test=self._once(piece["test"]),
            side=self._once(piece["side"]),
            start=start,
            end=min(max(int(piece["end"]) - offset, start), length),
            voice=Voice(piece["voice"]),
            speaker=self._speaker(piece["speaker"]),
            because=self._once(clean(piece["because"])),
            weight=float(piece["weight"]),
            not_counted=None if piece["counted"] else self._once(str(piece["not_counted"])),
            decided=decided,
        )

    def _speaker(self, speaker: Mapping[str, Any] | None) -> tuple[str, str] | None:
        if speaker is None:
            return None
        return self._once((" ".join(clean(speaker["text"]).split()), str(speaker["side"])))  # type: ignore[no-any-return]

    def _once(self, value: Any) -> Any:
        """The same value held once, however often it comes."""
        return self._shared.setdefault(value, value)


def clean(value: object) -> str:
    """Text that a page can hold; each character that it cannot becomes a replacement mark, one for one."""
    return "" if value is None else _UNFIT.sub("\ufffd", str(value))


def day_of(time: str) -> date | None:
    """The UTC day of a time as sources write it: ISO 8601 or the form of mails and feeds."""
    text = time.strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    try:
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
    except (OverflowError, ValueError):
        return None


def between(gathered: Gathered, since: date | None, until: date | None) -> Gathered:
    """The articles of these days alone, both ends included; those without a date fall out, with a note."""
    if since is None and until is None:
        return gathered
    kept = [
        article.day is not None
        and (since is None or article.day >= since)
        and (until is None or article.day <= until)
        for article in gathered.articles
    ]
    undated = sum(article.day is None for article in gathered.articles)
    left = _only(gathered, kept)
    if not undated:
        return left
    note = f"{plural(undated, 'article')} without a date left out, because days were asked for."
    return replace(left, notes=(*left.notes, note))


def sampled(gathered: Gathered, articles: int, seed: int) -> Gathered:
    """That many whole articles, drawn at random with `seed`; all of them where there are no more."""
    total = len(gathered.articles)
    if articles >= total:
        return gathered
    drawn = set(random.Random(seed).sample(range(total), articles))
    left = _only(gathered, [number in drawn for number in range(total)])
    text = f"{articles:,} of {total:,} articles, drawn at random with seed {seed}"
    return replace(left, sample=text)


def plural(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def sides() -> tuple[tuple[str, str, Label], ...]:
    """The two sides in the order of the labels: id, name for people, label."""
    names = [label.value.removeprefix("pro_") for label in Label if label.value.startswith("pro_")]
    return tuple((name, name.capitalize(), Label(f"pro_{name}")) for name in names)


def _only(gathered: Gathered, kept: list[bool]) -> Gathered:
    place = {old: new for new, old in enumerate(number for number, keep in enumerate(kept) if keep)}
    return replace(
        gathered,
        articles=tuple(a for a, keep in zip(gathered.articles, kept, strict=True) if keep),
        rows=tuple(replace(r, article=place[r.article]) for r in gathered.rows if r.article in place),
    )


def _article(name: str, meta: Mapping[str, Any], single: bool) -> Article:
    time = clean(meta.get("time")).strip()
    return Article(
        name=clean(name),
        title=" ".join(clean(meta.get("title")).split()),
        outlet=" ".join(clean(meta.get("outlet")).split()) or NO_OUTLET,
        author=" ".join(clean(meta.get("author")).split()),
        time=time,
        day=day_of(time),
        link=clean(meta.get("link")).strip(),
        single=single,
    )


def _gaps(articles: tuple[Article, ...], rows: Iterable[Row]) -> list[str]:
    """Articles in which sentences are missing: numbering starts at 0 and leaves nothing out."""
    count: Counter[int] = Counter()
    last: Counter[int] = Counter()
    for row in rows:
        if not articles[row.article].single:
            count[row.article] += 1
            last[row.article] = max(last[row.article], row.index)
    torn = [article for article in count if count[article] != last[article] + 1]
    if not torn:
        return []
    missing = sum(last[article] + 1 - count[article] for article in torn)
    return [f"{plural(missing, 'sentence')} of {plural(len(torn), 'article')} missing in the records."]


def _titled(article: Article, first: str) -> Article:
    """An article that came without a title gets its first line, if that can be one, else its file's name."""
    if article.title or article.single:
        return article
    first = " ".join(first.split())
    return replace(
        article, title=first if 0 < len(first) <= LONGEST_TITLE else article.name.rpartition("/")[2]
    )


def missing(gathered: Gathered, today: date) -> tuple[str, ...]:
    """All that a report on `gathered` cannot show, for its reader."""
    articles = gathered.articles
    notes = list(gathered.notes)
    undated = sum(article.day is None for article in articles)
    unread = sum(article.day is None and bool(article.time) for article in articles)
    future = sum(article.day is not None and article.day > today + timedelta(days=1) for article in articles)
    if articles and undated == len(articles):
        notes.append("No article has a date that can be read: there is nothing to show over time.")
    elif undated:
        unreadable = f" ({unread:,} with a time that cannot be read)" if unread else ""
        notes.append(f"{plural(undated, 'article')} without a date{unreadable}, left out over time.")
    if future:
        notes.append(f"{plural(future, 'article')} dated in the future, left out over time.")
    if any(article.outlet == NO_OUTLET for article in articles):
        number = sum(article.outlet == NO_OUTLET for article in articles)
        notes.append(f"{plural(number, 'article')} without the name of an outlet.")
    return tuple(notes)
