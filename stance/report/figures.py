"""Counts and shares with intervals: everything the charts and tables of a report show.

Sentences of one article resemble each other, so an interval is Wilson's with the number of sentences cut
down by the design effect of whole articles (Kish; Korn and Graubard 1998). Where an outlet has too few
articles to tell its own design effect, that of all outlets together is taken. Abstentions count nowhere
but in their own total.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from stance.labels import Label, Voice
from stance.report.data import Gathered, Piece, Row, sides

Z: Final = 1.959964  # 95%
FEWEST_ARTICLES: Final = 5  # below this an outlet's own design effect says little
FEWEST_SENTENCES: Final = 30  # below this a share is no ranking
BUCKETS: Final = 62
OPINION: Final = Label.ANALYTICAL_OPINION
SHOWN: Final = (*(label for _, _, label in sides()), OPINION)  # in the order of the stacks
ALL: Final = -1  # the group of all groups
SPEAKERS: Final = ("western", "other", "unknown")


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `total` sentences; `low` and `high` bound the share, both None where nothing can be said."""

    count: int
    total: int
    low: float | None = None
    high: float | None = None

    @property
    def value(self) -> float:
        """The share, from 0 to 1."""
        return self.count / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Groups:
    """What is compared: the outlets, or the articles themselves where there is one outlet only.

    `of` gives each article its group, a position in `names`; `places` finds a group in the page.
    """

    by_article: bool
    names: tuple[str, ...]
    places: tuple[str, ...]
    of: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outlet:
    """What one outlet says (`own`), lets be said (`carried`), and judges itself or lets experts judge."""

    group: int
    articles: int
    sentences: int
    own: Mapping[Label, Share]
    carried: Mapping[Label, Share]
    opinion_own: Share
    opinion_experts: Share
    opinion_others: Share


@dataclass(frozen=True, slots=True)
class Quoted:
    """Whose words an outlet passes on: sentences by the speaker's side, framed ones among them, names."""

    group: int
    sentences: int
    total: int
    by_side: Mapping[str, int]
    framed: Mapping[str, int]
    names: tuple[tuple[str, str, int], ...]  # name, side, sentences


@dataclass(frozen=True, slots=True)
class Cues:
    """The rules and the words that decide most often in an outlet: with their side and number."""

    group: int | None  # None: all together
    rules: tuple[tuple[str, str, str, int], ...]  # id, because, side or "opinion", sentences
    words: tuple[tuple[str, str, int], ...]  # words, side or "opinion", sentences


@dataclass(frozen=True, slots=True)
class Bucket:
    """A day, week, month or year: sentences, and of them those with each label."""

    start: date
    name: str
    total: int
    own: Mapping[Label, int]
    carried: Mapping[Label, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """Where one side's frame stands most in an outlet's own voice."""

    side: str
    label: Label
    ranking: tuple[tuple[int, Share], ...]  # groups by share, the highest first, at most three
    most: tuple[int, Share] | None  # by number, where that is another group
    clear: bool  # the first interval lies above the second
    examples: tuple[int, ...]  # positions in Gathered.rows


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a report."""

    sentences: int
    abstained: int
    articles: int
    first: date | None
    last: date | None
    carried: Mapping[Label, int]
    own: Mapping[Label, int]
    voices: Mapping[Voice, int]
    groups: Groups
    outlets: tuple[Outlet, ...]  # all of them, the one with most sentences first
    unit: str
    buckets: tuple[Bucket, ...]
    by_outlet: Mapping[int, tuple[Bucket, ...]]
    earlier: int
    quoted: tuple[Quoted, ...]
    cues: tuple[Cues, ...]
    findings: tuple[Finding, ...]
    doubtful: tuple[int, ...]  # positions in Gathered.rows, the least certain first


@dataclass
class _Sums:
    """Sums over articles from which a share and its design effect follow."""

    x: int = 0
    n: int = 0
    xx: int = 0
    xn: int = 0
    nn: int = 0
    m: int = 0

    def add(self, x: int, n: int) -> None:
        self.x += x
        self.n += n
        self.xx += x * x
        self.xn += x * n
        self.nn += n * n
        self.m += 1

    def effect(self) -> float | None:
        """How much more the share varies than it would over single sentences; None if it cannot be told."""
        if self.m < 2 or not 0 < self.x < self.n:
            return None
        p = self.x / self.n
        spread = self.xx - 2 * p * self.xn + p * p * self.nn
        return max(1.0, self.m / (self.m - 1) * spread / (self.n * p * (1 - p)))


def wilson(count: int, total: float, share: float | None = None) -> tuple[float, float]:
    """Wilson's 95% interval of `count` among `total` (which may be an effective, broken number)."""
    p = count / total if share is None else share
    middle = p + Z * Z / (2 * total)
    reach = Z * math.sqrt(p * (1 - p) / total + Z * Z / (4 * total * total))
    scale = 1 + Z * Z / total
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def figures(gathered: Gathered, *, today: date, most: int = 24) -> Figures:
    """All figures; `most` bounds how many groups get tables of their own."""
    rows = [row for row in gathered.rows if not row.abstained]
    days = [a.day for a in gathered.articles if a.day is not None and a.day <= today + timedelta(days=1)]
    groups = group(gathered)
    outlets = _outlets(groups, rows)
    large = [outlet.group for outlet in outlets[:most]]
    unit, buckets, by_outlet, earlier = _times(gathered, groups, rows, days, large)
    return Figures(
        sentences=len(gathered.rows),
        abstained=len(gathered.rows) - len(rows),
        articles=len(gathered.articles),
        first=min(days, default=None),
        last=max(days, default=None),
        carried=Counter(row.label for row in rows),
        own=Counter(row.own for row in rows),
        voices=Counter(row.voice for row in rows),
        groups=groups,
        outlets=outlets,
        unit=unit,
        buckets=buckets,
        by_outlet=by_outlet,
        earlier=earlier,
        quoted=_quoted(groups, rows, large),
        cues=_cues(groups, rows, large),
        findings=tuple(_finding(gathered, groups, outlets, side) for side in sides()),
        doubtful=_doubtful(gathered.rows),
    )


def group(gathered: Gathered) -> Groups:
    """The outlets, or the articles where one outlet is all there is."""
    names = gathered.outlets
    if len(names) != 1:
        place = {name: number for number, name in enumerate(names)}
        return Groups(
            False,
            names,
            tuple(f"outlet={number}" for number in range(len(names))),
            tuple(place.get(article.outlet, 0) for article in gathered.articles),
        )
    count = len(gathered.articles)
    return Groups(
        True,
        tuple(article.title or article.name or "text" for article in gathered.articles),
        tuple(f"article={number}" for number in range(count)),
        tuple(range(count)),
    )


# -- outlets ---------------------------------------------------------------------------------------------


_Test = Callable[[Row], bool]


def _tests() -> dict[str, _Test]:
    """What is counted of each outlet, by name."""
    tests: dict[str, _Test] = {}
    for label in SHOWN:
        tests[f"own {label}"] = lambda row, label=label: row.own is label  # type: ignore[misc]
        tests[f"carried {label}"] = lambda row, label=label: row.label is label  # type: ignore[misc]
    tests["opinion own"] = lambda row: row.opinion and row.voice is Voice.AUTHOR
    tests["opinion experts"] = lambda row: row.opinion and speaker_side(row) == "other"
    tests["opinion others"] = lambda row: row.opinion and speaker_side(row) not in ("", "other")
    return tests


def speaker_side(row: Row) -> str:
    """The side of whoever speaks; "" where it is the author."""
    if row.voice is Voice.AUTHOR:
        return ""
    return row.speaker[1] if row.speaker else "unknown"


def _outlets(groups: Groups, rows: Sequence[Row]) -> tuple[Outlet, ...]:
    tests = _tests()
    by_article: dict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts = by_article[row.article]
        counts["total"] += 1
        for name, test in tests.items():
            if test(row):
                counts[name] += 1
    sums: dict[int, dict[str, _Sums]] = defaultdict(lambda: {name: _Sums() for name in tests})
    every = {name: _Sums() for name in tests}
    for article, counts in by_article.items():
        for name in tests:
            sums[groups.of[article]][name].add(counts[name], counts["total"])
            every[name].add(counts[name], counts["total"])
    pooled = {name: found.effect() for name, found in every.items()}

    def outlet(number: int, found: Mapping[str, _Sums]) -> Outlet:
        shares = {test: _share(found[test], pooled[test], whole=groups.by_article) for test in tests}
        some = next(iter(found.values()))
        return Outlet(
            group=number,
            articles=some.m,
            sentences=some.n,
            own={label: shares[f"own {label}"] for label in SHOWN},
            carried={label: shares[f"carried {label}"] for label in SHOWN},
            opinion_own=shares["opinion own"],
            opinion_experts=shares["opinion experts"],
            opinion_others=shares["opinion others"],
        )

    made = [outlet(number, found) for number, found in sums.items()]
    return tuple(sorted(made, key=lambda o: (-o.sentences, o.group)))


def _share(sums: _Sums, pooled: float | None, *, whole: bool) -> Share:
    """No interval where the group is one article: it is there as a whole, and it tells of no other."""
    if whole or (sums.m == 1 and pooled is None):
        return Share(sums.x, sums.n)
    own = sums.effect() if sums.m >= FEWEST_ARTICLES else None
    effect = own or pooled or 1.0
    low, high = wilson(sums.x, max(sums.n / effect, 1.0), sums.x / sums.n)
    return Share(sums.x, sums.n, low, high)


def _finding(
    gathered: Gathered, groups: Groups, outlets: Sequence[Outlet], side: tuple[str, str, Label]
) -> Finding:
    name, _, label = side
    big = [o for o in outlets if o.sentences >= FEWEST_SENTENCES or groups.by_article]
    if not any(o.own[label].count for o in big):
        big = list(outlets)
    ranked = sorted(big, key=lambda o: (-o.own[label].value, -o.sentences, o.group))
    ranking = tuple((o.group, o.own[label]) for o in ranked[:3] if o.own[label].count)
    first = max(outlets, key=lambda o: (o.own[label].count, o.sentences), default=None)
    most = None
    if first is not None and ranking and first.group != ranking[0][0]:
        most = (first.group, first.own[label])
    clear = len(ranked) > 1 and bool(ranking) and (ranking[0][1].low or 0) > (ranked[1].own[label].high or 1)
    shown = _examples(gathered, groups, ranking[0][0], label) if ranking else ()
    return Finding(name, label, ranking, most, clear, shown)


def _examples(
    gathered: Gathered, groups: Groups, wanted: int, label: Label, number: int = 3
) -> tuple[int, ...]:
    """The surest sentences of that label in the group's own voice: decided by different rules, from
    different articles and in different words as far as possible."""
    found = [
        at
        for at, row in enumerate(gathered.rows)
        if row.own is label and not row.abstained and groups.of[row.article] == wanted
    ]
    found.sort(key=lambda at: (-gathered.rows[at].sure, at))
    chosen: list[int] = []
    keys: tuple[Callable[[Row], Hashable], ...] = (
        _rules_of,
        lambda row: row.article,
        lambda row: row.text,
        lambda row: (row.article, row.index),
    )
    for key in keys:
        seen = {key(gathered.rows[at]) for at in chosen}
        for at in found:
            mark = key(gathered.rows[at])
            if mark not in seen and at not in chosen and len(chosen) < number:
                seen.add(mark)
                chosen.append(at)
    return tuple(chosen)


def _rules_of(row: Row) -> Hashable:
    """What decided: no rule, no word of its own."""
    first = next((piece for piece in row.pieces if piece.decided), None)
    return None if first is None else first.rule or shown_words(row.text, first)


# -- time ------------------------------------------------------------------------------------------------


def _times(
    gathered: Gathered, groups: Groups, rows: Sequence[Row], days: Sequence[date], large: Sequence[int]
) -> tuple[str, tuple[Bucket, ...], dict[int, tuple[Bucket, ...]], int]:
    if not days:
        return "day", (), {}, 0
    first, last = min(days), max(days)
    unit = next((u for u in UNITS if _distance(u, first, last) < BUCKETS), "year")
    starts = _starts(unit, first, last)[-BUCKETS:]
    wanted = set(large)
    totals: Counter[tuple[int, date]] = Counter()
    own: Counter[tuple[int, date, Label]] = Counter()
    carried: Counter[tuple[int, date, Label]] = Counter()
    earlier = 0
    for row in rows:
        article = gathered.articles[row.article]
        if article.day is None or article.day > last:
            continue
        start = floor(unit, article.day)
        if start < starts[0]:
            earlier += 1
            continue
        number = groups.of[row.article]
        for name in (ALL, number) if number in wanted else (ALL,):
            totals[name, start] += 1
            own[name, start, row.own] += 1
            carried[name, start, row.label] += 1

    def series(name: int) -> tuple[Bucket, ...]:
        return tuple(
            Bucket(
                start,
                bucket_name(unit, start),
                totals[name, start],
                {label: own[name, start, label] for label in SHOWN},
                {label: carried[name, start, label] for label in SHOWN},
            )
            for start in starts
        )

    return unit, series(ALL), {number: series(number) for number in large}, earlier


UNITS: Final = ("day", "week", "month", "year")


def floor(unit: str, day: date) -> date:
    """The first day of the day's week (Monday), month or year."""
    if unit == "week":
        return day - timedelta(days=min(day.weekday(), (day - date.min).days))
    if unit == "month":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if unit == "year" else day


def bucket_name(unit: str, start: date) -> str:
    """How a week, month or year is called on an axis."""
    if unit == "week":
        return f"week from {start.isoformat()}"
    return start.isoformat()[: {"month": 7, "year": 4}.get(unit, 10)]


def _distance(unit: str, first: date, last: date) -> int:
    if unit == "month":
        return (last.year - first.year) * 12 + last.month - first.month
    if unit == "year":
        return last.year - first.year
    return (last - first).days // (7 if unit == "week" else 1)


def _starts(unit: str, first: date, last: date) -> list[date]:
    start, result = floor(unit, first), []
    while start <= last:
        result.append(start)
        try:
            if unit == "month":
                start = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
            elif unit == "year":
                start = start.replace(year=start.year + 1)
            else:
                start += timedelta(days=7 if unit == "week" else 1)
        except (ValueError, OverflowError):  # the end of the calendar
            break
    return result


# -- who speaks, and what decides ------------------------------------------------------------------------


def _quoted(groups: Groups, rows: Sequence[Row], large: Sequence[int]) -> tuple[Quoted, ...]:
    total: Counter[int] = Counter()
    by_side: dict[int, Counter[str]] = defaultdict(Counter)
    framed: dict[int, Counter[str]] = defaultdict(Counter)
    names: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in rows:
        number = groups.of[row.article]
        total[number] += 1
        side = speaker_side(row)
        if not side:
            continue
        by_side[number][side] += 1
        framed[number][side] += row.label is not row.own
        if row.speaker and row.speaker[0]:
            names[number][row.speaker] += 1
    return tuple(
        Quoted(
            number,
            sum(by_side[number].values()),
            total[number],
            by_side[number],
            framed[number],
            tuple((who, side, count) for (who, side), count in _top(names[number], 6)),
        )
        for number in large
    )


def _cues(groups: Groups, rows: Sequence[Row], large: Sequence[int]) -> tuple[Cues, ...]:
    rules: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
    words: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
    because: dict[tuple[str, str], str] = {}
    wanted = set(large)
    for row in rows:
        number = groups.of[row.article]
        names = (ALL, number) if number in wanted else (ALL,)
        fired = {(piece.rule, kind_of(piece)): piece.because for piece in row.pieces if piece.decided}
        seen = {
            (shown_words(row.text, piece), kind_of(piece))
            for piece in row.pieces
            if piece.decided and (piece.rule or piece.end - piece.start > 3)
        }
        for name in names:
            words[name].update(seen)
            rules[name].update((rule, kind) for rule, kind in fired if rule)
        because |= {(rule, kind): why for (rule, kind), why in fired.items() if rule}
    order = [ALL, *large] if len(groups.names) > 1 else list(large)
    return tuple(
        Cues(
            None if number == ALL else number,
            tuple((rule, because[rule, kind], kind, n) for (rule, kind), n in _top(rules[number], 8)),
            tuple((text, kind, n) for (text, kind), n in _top(words[number], 12)),
        )
        for number in order
    )


def kind_of(piece: Piece) -> str:
    """The side of a frame, else "opinion"."""
    return piece.side if piece.effect == "frame" and piece.side else "opinion"


def shown_words(text: str, piece: Piece, length: int = 60) -> str:
    """The words of a piece as a list shows them: in small letters, on one line, not too long."""
    words = " ".join(text[piece.start : piece.end].lower().split())
    return words if len(words) <= length else words[: length - 1] + "…"


def _top(counts: Counter[tuple[str, str]], number: int) -> Iterable[tuple[tuple[str, str], int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:number]


def _doubtful(rows: Sequence[Row]) -> tuple[int, ...]:
    found = [at for at, row in enumerate(rows) if row.doubtful]
    return tuple(sorted(found, key=lambda at: (rows[at].sure, at)))
