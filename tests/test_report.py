"""The report: what it counts, what it embeds, what it says is missing."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fake_classifier import VERSIONS, FakeClassifier
from records import article, evidence, record, write

from stance.cli import cli, loading
from stance.document import Document
from stance.errors import StanceError
from stance.labels import Label
from stance.monitor import Maker, NewItem, Store
from stance.monitor.sketch import digest, sketch
from stance.report import figures, page
from stance.report.data import Gathered, Gatherer, between, clean, day_of, missing, sampled
from stance.report.pack import pack, utf16
from stance.report.read import kind_of

TODAY = date(2026, 3, 20)
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}&lt;\u202eevil"


def gathered(records: list[dict[str, Any]]) -> Gathered:
    gatherer = Gatherer()
    for one in records:
        gatherer.add(one)
    return gatherer.gathered()


def three_outlets() -> list[dict[str, Any]]:
    """North says Moscow's frame itself, South lets it be said, East reports."""
    result = []
    for number in range(12):
        day = f"2026-03-{number + 1:02d}T10:00:00Z"
        own = {"text": "The junta fell.", "frame": "moscow", "words": "junta"}
        said = own | {"voice": "quoted", "speaker": ("Ann", "moscow")}
        plain = {"text": "Rain fell."}
        view = {"text": "It should end.", "opinion": True, "words": "should"}
        expert = view | {"voice": "attributed", "speaker": ("a scholar", "other")}
        for outlet, kinds in (
            ("North", [own, plain, plain, view]),
            ("South", [said, plain, plain, expert]),
            (
                "East",
                [plain, plain, plain, {"text": "The orcs ran.", "frame": "kyiv", "words": "orcs"}][
                    : 3 + number % 2
                ],
            ),
        ):
            result += article(
                f"{outlet}-{number}", kinds, outlet=outlet, time=day, title=f"{outlet} {number}"
            )
    return result


# -- figures ---------------------------------------------------------------------------------------------


def test_own_voice_and_carried_are_counted_apart() -> None:
    found = figures.figures(gathered(three_outlets()), today=TODAY)
    names = found.groups.names
    outlets = {names[o.group]: o for o in found.outlets}
    moscow = Label.PRO_MOSCOW
    assert (outlets["North"].own[moscow].count, outlets["North"].carried[moscow].count) == (12, 12)
    assert (outlets["South"].own[moscow].count, outlets["South"].carried[moscow].count) == (0, 12)
    assert outlets["North"].own[moscow].value == pytest.approx(0.25)
    assert (outlets["North"].opinion_own.count, outlets["North"].opinion_experts.count) == (12, 0)
    assert (outlets["South"].opinion_own.count, outlets["South"].opinion_experts.count) == (0, 12)
    kyiv, moscow_finding = found.findings
    assert names[kyiv.ranking[0][0]] == "East"
    assert names[moscow_finding.ranking[0][0]] == "North"
    assert len(moscow_finding.examples) == 3
    assert moscow_finding.clear  # 25% against nothing


def test_examples_prefer_different_rules_articles_and_words() -> None:
    rows = []
    for number in range(4):
        for rule, words in (("first", "junta"), ("second", "regime")):
            text = f"The {words} fell."
            piece = evidence(text, words, "moscow", rule=rule)
            rows.append(
                record(
                    text,
                    document=f"{rule}{number}",
                    frame="moscow",
                    pieces=[piece],
                    sure=0.9 - number / 10,
                    outlet="North",
                )
            )
    found = gathered([*rows, record("Rain.", document="rain", outlet="South")])
    chosen = [found.rows[at] for at in figures.figures(found, today=TODAY).findings[1].examples]
    assert len({row.pieces[0].rule for row in chosen[:2]}) == 2


def test_wilson_is_that_of_the_textbook() -> None:
    assert figures.wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert figures.wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_clustered_articles_widen_the_interval() -> None:
    """The same share in each article says more than all or nothing in each."""

    def width(rows: list[dict[str, Any]]) -> float:
        found = figures.figures(gathered(rows), today=TODAY)
        share = next(o for o in found.outlets if found.groups.names[o.group] == "X").own[Label.PRO_KYIV]
        assert share.low is not None
        assert share.high is not None
        return share.high - share.low

    framed, plain = {"text": "The orcs ran.", "frame": "kyiv", "words": "orcs"}, {"text": "Rain fell."}
    other = article("y", [plain], outlet="Y")
    even = [r for n in range(20) for r in article(f"x{n}", [framed, plain] * 5, outlet="X")]
    torn = [r for n in range(20) for r in article(f"x{n}", [framed if n % 2 else plain] * 10, outlet="X")]
    assert width(torn + other) > 2 * width(even + other)


def test_intervals_cover_the_truth() -> None:
    """Articles with their own tendencies, drawn at random: about 95% of intervals hold the true share."""
    chance = random.Random(5)
    held = 0
    for _ in range(200):
        sums = figures._Sums()
        for _ in range(40):
            p = chance.betavariate(1, 4)
            sums.add(sum(chance.random() < p for _ in range(15)), 15)
        share = figures._share(sums, None, whole=False)
        assert share.low is not None
        assert share.high is not None
        held += share.low <= 0.2 <= share.high
    assert 180 <= held <= 200


def test_one_outlet_is_shown_article_by_article_and_without_intervals() -> None:
    rows = article("a", [{"text": "The orcs ran.", "frame": "kyiv", "words": "orcs"}]) + article(
        "b", [{"text": "Rain fell."}]
    )
    found = figures.figures(gathered(rows), today=TODAY)
    assert found.groups.by_article
    assert len(found.outlets) == 2
    assert all(share.low is None for outlet in found.outlets for share in outlet.own.values())


def test_abstentions_count_in_their_own_total_alone() -> None:
    rows = [
        record("The orcs ran.", frame="kyiv", words="orcs", abstained=True),
        record("Rain fell.", index=1, start=20),
    ]
    found = figures.figures(gathered(rows), today=TODAY)
    assert found.abstained == 1
    assert found.carried == {Label.NEUTRAL_REPORT: 1}
    assert found.doubtful == (0,)


@pytest.mark.parametrize(
    ("last", "unit", "count"),
    [
        ("2026-03-01", "day", 1),
        ("2026-04-20", "day", 51),
        ("2026-12-31", "week", 45),
        ("2030-01-01", "month", 47),
    ],
)
def test_time_is_cut_into_what_fits(last: str, unit: str, count: int) -> None:
    rows = article("a", [{"text": "Rain."}], time="2026-03-01") + article("b", [{"text": "Sun."}], time=last)
    found = figures.figures(gathered(rows), today=date(2031, 1, 1))
    assert (found.unit, len(found.buckets)) == (unit, count)
    assert sum(bucket.total for bucket in found.buckets) == 2


def test_a_time_far_off_does_not_stretch_the_chart_without_end() -> None:
    rows = article("a", [{"text": "Rain."}], time="0001-01-01") + article(
        "b", [{"text": "Sun."}], time="2026-03-01"
    )
    found = figures.figures(gathered(rows), today=TODAY)
    assert len(found.buckets) == figures.BUCKETS
    assert found.earlier == 1


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-01T23:30:00-05:00", date(2026, 3, 2)),
        ("Sun, 01 Mar 2026 23:30:00 GMT", date(2026, 3, 1)),
        ("2026-03-01", date(2026, 3, 1)),
        ("yesterday", None),
        ("", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("Mon, 99 Foo 2026", None),
    ],
)
def test_days(text: str, day: date | None) -> None:
    assert day_of(text) == day


# -- what is missing -------------------------------------------------------------------------------------


def test_what_is_missing_is_said() -> None:
    rows = [
        record("One.", document="torn", index=1, start=5, time="2099-01-01"),
        record("Two.", document="whole", outlet="North"),
        record("Two.", document="whole", outlet="North"),
        record("Three.", document="odd", time="last week"),
    ]
    notes = " ".join(missing(gathered(rows), TODAY))
    assert "1 sentence of 1 article missing" in notes
    assert "1 article dated in the future" in notes
    assert "2 articles without a date (1 with a time that cannot be read)" in notes
    assert "2 articles without the name of an outlet" in notes
    assert "1 sentence came more than once" in notes


def test_days_and_samples() -> None:
    found = gathered(three_outlets())
    days = between(found, date(2026, 3, 2), date(2026, 3, 3))
    assert {a.day for a in days.articles} == {date(2026, 3, 2), date(2026, 3, 3)}
    assert all(days.articles[row.article].title for row in days.rows)
    drawn = sampled(found, 5, seed=1)
    assert len(drawn.articles) == 5
    assert "5 of 36 articles, drawn at random with seed 1" in str(drawn.sample)
    assert sampled(found, 5, seed=1) == drawn
    assert "This is a sample" in page.report(drawn, today=TODAY)
    assert "This is a sample" not in page.report(found, today=TODAY)
    assert sampled(found, 36, seed=1).sample is None


def test_a_record_at_fault_names_what() -> None:
    gatherer = Gatherer()
    good = record("Rain.")
    for change, said in (
        ({"schema": "stance/2"}, "schema"),
        ({"label": "pro_somebody"}, "pro_somebody"),
        ({"meta": None}, "at fault"),
    ):
        with pytest.raises(StanceError, match=said):
            gatherer.add(good | change)
    with pytest.raises(StanceError, match="'probabilities'"):
        gatherer.add({k: v for k, v in good.items() if k != "probabilities"})


# -- the embedded data -----------------------------------------------------------------------------------


def unpacked(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text), -zlib.MAX_WBITS))


def test_the_embedded_sentences_are_those_that_came() -> None:
    text = "🙂 The orcs 🙂 ran."
    rows = article(
        "a", [{"text": text, "frame": "kyiv", "words": "orcs", "voice": "quoted", "speaker": ("Ann", "kyiv")}]
    )
    packed = pack(gathered(rows))
    index, (texts, pieces) = unpacked(packed.index), unpacked(packed.chunks[0])
    assert texts == [text]
    (piece,) = pieces[0]
    units = text.encode("utf-16-le")
    assert units[2 * piece[1] : 2 * piece[2]].decode("utf-16-le") == "orcs"
    assert index["label"] == "1"
    assert index["voice"] == "2"
    assert index["speakers"][index["who"][0]] == ["Ann", "kyiv"]
    assert index["bounds"] == [0, 1]


def test_chunks_hold_whole_articles_and_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stance.report.pack.CHUNK", 5)
    found = gathered(three_outlets())
    packed = pack(found)
    index = unpacked(packed.index)
    texts = [text for chunk in packed.chunks for text in unpacked(chunk)[0]]
    assert texts == [row.text for row in found.rows]
    assert len(packed.chunks) > 10
    assert set(index["starts"]) <= set(index["bounds"])


def test_utf16_positions() -> None:
    assert [utf16("a🙂b", at) for at in range(4)] == [0, 1, 3, 4]


def test_marks_that_meet_are_one() -> None:
    assert list(page.marked("abcdef", [(3, 5), (1, 2), (2, 4), (5, 5)])) == [
        ("a", False),
        ("bcde", True),
        ("f", False),
    ]


def test_controls_become_marks_one_for_one() -> None:
    assert clean("a\x00b\x1b\ud800\u202ec\n") == "a\ufffdb\ufffd\ufffd\ufffdc\n"


# -- the page --------------------------------------------------------------------------------------------


def hostile_rows() -> list[dict[str, Any]]:
    pieces = [evidence(f"The orcs {HOSTILE} ran.", "orcs", "kyiv", because=HOSTILE, rule=HOSTILE)]
    rows = article(
        HOSTILE,
        [
            {
                "text": f"The orcs {HOSTILE} ran.",
                "frame": "kyiv",
                "pieces": pieces,
                "voice": "quoted",
                "speaker": (HOSTILE, "kyiv"),
            }
        ],
        outlet=HOSTILE,
        title=HOSTILE,
        author=HOSTILE,
        link="javascript:alert(3)",
        time="2026-03-01",
    )
    return rows + article("b", [{"text": "Rain fell."}], outlet="Other")


@pytest.mark.parametrize("make", [page.report, page.article])
def test_hostile_words_stay_words(make: Any) -> None:
    html = make(gathered(hostile_rows()), title=HOSTILE, today=TODAY)
    assert "<script>alert(1)" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html
    assert "{{ 7*7 }}" in html
    assert "\u202e" not in html


@pytest.mark.parametrize("make", [page.report, page.article])
def test_nothing_is_loaded_from_elsewhere(make: Any) -> None:
    html = make(gathered(three_outlets()), today=TODAY)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    rules = policy[1].replace("&#39;", "'")
    assert rules.startswith("default-src 'none'")
    assert "unsafe" not in rules
    assert not re.search(r"\b(?:src|srcset|data|poster|background)\s*=", html.partition("<script")[0])
    assert "<link" not in html
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert "fetch(" not in html
    assert "style=" not in re.sub(r"<style>.*?</style>", "", html, flags=re.S).partition("<script")[0]


def test_the_warning_the_versions_and_the_codebook_are_there() -> None:
    for html in (
        page.report(gathered(three_outlets()), today=TODAY),
        page.article(gathered(three_outlets()[:4]), today=TODAY),
    ):
        assert "Labels by rules and a model, not by people" in html.partition("<main")[0]
        assert "rules rules0" in html
        assert "codebook 4" in html


def test_the_first_screen_stands_without_script() -> None:
    html = page.report(gathered(three_outlets()), today=TODAY).partition("<script")[0]
    for words in ("North", "South", "East", "25%", "Most in", "<rect", "The junta"):
        assert words in html.replace("<mark>", "").replace("</mark>", ""), words


def test_no_text_at_all_says_so() -> None:
    html = page.report(gathered([]), today=TODAY)
    assert "There is nothing to report" in html


def test_ten_thousand_outlets() -> None:
    rows = [
        record("Rain fell.", document=f"{n}", outlet=f"Outlet {n}", time="2026-03-01") for n in range(10_000)
    ]
    html = page.report(gathered(rows), today=TODAY)
    assert "10,000 outlets" in html
    assert "9,976 outlets more" in html
    assert len(html) < 1_500_000


# -- the command -----------------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "classifier", lambda *_, **__: FakeClassifier())

    def invoke(*arguments: str, **more: Any) -> Result:
        return CliRunner().invoke(cli, ["report", *arguments], **more)

    return invoke


def test_report_of_results(run: Any, tmp_path: Path) -> None:
    write(tmp_path / "r.jsonl", three_outlets())
    result = run("r.jsonl", "-o", "r.html", "--title", "Our week")
    assert result.exit_code == 0, result.stderr
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<title>Our week</title>" in html
    assert "3 outlets" in html
    assert [p.name for p in tmp_path.iterdir()] == ["r.jsonl", "r.html"] or len(list(tmp_path.iterdir())) == 2


def test_one_article_is_shown_alone(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The orcs came.\nThey should go.\nThey are not orcs.\n", encoding="utf-8")
    result = run("a.txt", "-o", "a.html")
    assert result.exit_code == 0, result.stderr
    html = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert 'class="one"' in html
    assert "<mark>orcs</mark>" in html
    assert re.search(r"</b>\s+“<bdi>", html)
    assert not re.search(r"</(b|bdi)>\.?“<bdi>", html)


def test_no_space_before_a_comma(run: Any, tmp_path: Path) -> None:
    for name in "ab":  # without an outlet: articles, whose shares have no interval
        (tmp_path / f"{name}.txt").write_text("The orcs came.\nThey should go.\n", encoding="utf-8")
    assert run("a.txt", "b.txt", "-o", "r.html").exit_code == 0
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "of its sentences" in html
    assert "of its sentences ," not in html


def test_the_seeds_when_nothing_is_named(run: Any, tmp_path: Path) -> None:
    assert run("-o", "seeds.html").exit_code == 0
    assert "5 articles" in (tmp_path / "seeds.html").read_text(encoding="utf-8")


def test_results_from_a_pipe_to_a_pipe(run: Any) -> None:
    lines = "".join(json.dumps(r) + "\n" for r in three_outlets())
    result = run("-", input=lines)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("<!doctype html>")


def test_a_file_cut_in_the_middle_gives_a_report_that_says_so(run: Any, tmp_path: Path) -> None:
    whole = write(tmp_path / "r.jsonl", three_outlets()).read_bytes()
    (tmp_path / "cut.jsonl").write_bytes(whole[: len(whole) // 2])
    result = run("cut.jsonl", "-o", "cut.html")
    assert result.exit_code == 1
    assert "ends in the middle of this line" in result.stderr
    assert "cut.jsonl is cut off" in (tmp_path / "cut.html").read_text(encoding="utf-8")


def test_a_packed_file_cut_in_the_middle(run: Any, tmp_path: Path) -> None:
    packed = gzip.compress(write(tmp_path / "r.jsonl", three_outlets()).read_bytes())
    (tmp_path / "r.jsonl.gz").write_bytes(packed[: len(packed) - 200])
    result = run("r.jsonl.gz", "-o", "cut.html")
    assert result.exit_code == 1
    assert "cut" in result.stderr
    assert "is cut off" in (tmp_path / "cut.html").read_text(encoding="utf-8")


def test_a_broken_line_in_the_middle_is_left_out_and_counted(run: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", three_outlets())
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[1] = '{"schema": "stance/1", broken\n'
    lines[5] = "[1, 2]\n"
    path.write_text("".join(lines), encoding="utf-8")
    result = run("r.jsonl", "-o", "r.html")
    assert result.exit_code == 1
    assert "r.jsonl:2: not JSON" in result.stderr
    assert "r.jsonl:6: not a record" in result.stderr
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "2 lines of r.jsonl could not be read" in html
    assert "2 sentences of 2 articles missing" in html


def test_records_of_another_contract_are_refused_with_the_cure(run: Any, tmp_path: Path) -> None:
    write(tmp_path / "r.jsonl", [record("Rain.") | {"schema": "stance/9"}])
    result = run("r.jsonl", "-o", "r.html")
    assert result.exit_code == 1
    assert "label the text again" in result.stderr
    assert not (tmp_path / "r.html").exists()


def test_faults_name_place_and_cure(run: Any, tmp_path: Path) -> None:
    assert "no such" in run("missing.jsonl", "-o", "r.html").stderr.lower()
    write(tmp_path / "r.jsonl", three_outlets())
    assert "make it first" in run("r.jsonl", "-o", "nowhere/r.html").stderr
    swapped = run("r.jsonl", "-o", "r.html", "--since", "2026-03-02", "--until", "2026-03-01")
    assert swapped.exit_code == 2
    result = run("r.jsonl", "-o", "r.html", "--since", "2027-01-01")
    assert result.exit_code == 0
    assert "no labelled sentence" in result.stderr
    assert "There is nothing to report" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_what_a_file_holds_is_seen_by_its_first_bytes(tmp_path: Path) -> None:
    assert kind_of(str(write(tmp_path / "r", [record("Rain.")]))) == "results"
    (tmp_path / "t.jsonl").write_text('{"text": "Rain fell."}\n', encoding="utf-8")
    assert kind_of(str(tmp_path / "t.jsonl")) == "texts"
    (tmp_path / "d").write_bytes(b"SQLite format 3\x00rest")
    assert kind_of(str(tmp_path / "d")) == "store"
    assert kind_of("https://example.org/feed") == "texts"


# -- a store ---------------------------------------------------------------------------------------------


def filled(place: Path) -> None:
    """Two feeds; the second repeats the first's text, and gives neither outlet nor time."""
    now = "2026-03-01T10:00:00Z"
    text = "The orcs came.\n" + "\n".join(f"Plain sentence {n} of the story." for n in range(12))
    with Store.open(place) as store:
        for number, meta in enumerate(({"outlet": "North", "time": now}, {}, {})):
            feed = store.feed(f"https://feed{number}.example/rss", now)
            words = text if number < 2 else "The junta fell.\nRain fell.\n"
            name = f"https://feed{number}.example/1"
            new = NewItem(f"g{number}", name, digest(words), name, meta, words, sketch=sketch(words))
            verdicts = FakeClassifier().classify(Document(words, name, meta)).verdicts
            store.add(feed, new, now, Maker("rules", VERSIONS), verdicts)


def test_a_store_is_reported_with_copies_once_and_decisions(run: Any, tmp_path: Path) -> None:
    filled(tmp_path / "m.db")
    with Store.open(tmp_path / "m.db") as store:
        item = list(store.items())[-1]
        store.decide(
            item.sentences[0].id,
            "2026-03-02T00:00:00Z",
            person="Ann",
            frame="none",
            opinion=False,
            voice="author",
        )
        undone = store.decide(
            item.sentences[1].id,
            "2026-03-02T00:00:00Z",
            person="Ann",
            frame="none",
            opinion=True,
            voice="author",
        )
        store.undo(undone.id, "2026-03-02T00:00:01Z")
    result = run("m.db", "-o", "m.html")
    assert result.exit_code == 0, result.stderr
    html = (tmp_path / "m.html").read_text(encoding="utf-8")
    assert "2 outlets" in html
    assert "2 articles · 15 sentences" in re.sub(r"\s+", " ", html)
    assert "1 item left out that nearly repeat" in html
    assert "feed2.example" in html
    assert "1 article without a date of its own" in html
    assert "People have decided 1 sentence of these" in html
    index = unpacked(re.search(r'id="index">([^<]*)<', html)[1])  # type: ignore[index]
    assert list(index["people"].values()) == [["Ann", "none", False, "author", "2026-03-02"]]
    assert run("m.db", "--copies", "-o", "all.html").exit_code == 0
    assert "3 articles" in (tmp_path / "all.html").read_text(encoding="utf-8")


def test_an_empty_store_says_what_is_missing(run: Any, tmp_path: Path) -> None:
    Store.open(tmp_path / "m.db").close()
    result = run("m.db", "-o", "m.html")
    assert result.exit_code == 0
    assert "no labelled sentence" in result.stderr
    assert "There is nothing to report" in (tmp_path / "m.html").read_text(encoding="utf-8")


def test_stores_of_other_versions_and_other_databases_are_refused(run: Any, tmp_path: Path) -> None:
    filled(tmp_path / "m.db")
    with Store.open(tmp_path / "m.db") as store:
        store._db.execute("PRAGMA user_version = 99")
    result = run("m.db", "-o", "m.html")
    assert result.exit_code == 1
    assert "newer stance" in result.stderr
    with Store.open(tmp_path / "old.db") as store:
        store._db.execute("PRAGMA user_version = 0")
    result = run("old.db", "-o", "m.html")
    assert result.exit_code == 1
    assert "older stance" in result.stderr
    assert not (tmp_path / "m.html").exists()
