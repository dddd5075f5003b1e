"""A person decides: what is shown, what is kept, how agreement is counted; in a pseudo-terminal too."""

from __future__ import annotations

import json
import os
import random
import select
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from fake_classifier import VERSIONS, FakeClassifier
from records import write

from stance import gold
from stance.cli import cli
from stance.document import Document
from stance.errors import StanceError
from stance.labels import Label, Voice
from stance.monitor import Maker, NewItem, Store
from stance.monitor.sketch import digest, sketch
from stance.review import agreement
from stance.review import cases as choose
from stance.review.cases import Answer, Case, Wanted
from stance.review.journal import FileJournal, StoreJournal, labelled
from stance.review.session import Session, frame_keys
from stance.sinks.text import Paint

NOW = "2026-03-01T10:00:00Z"
TEXTS = (
    "The orcs came.\n“The junta fell,” he said.\nThey should go.\nRain fell.\n",
    "The junta spoke.\nSnow fell.\nWind blew.\n",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "monitor.db"
    with Store.open(place) as store:
        feed = store.feed("https://example.org/feed", NOW)
        for number, text in enumerate(TEXTS):
            outlet = ("North", "South")[number]
            meta = {"title": f"T{number}", "outlet": outlet, "time": NOW}
            name = f"https://example.org/{number}"
            new = NewItem(f"g{number}", name, digest(text), name, meta, text, sketch=sketch(text))
            verdicts = FakeClassifier(abstain_below=0.9).classify(Document(text, name, meta)).verdicts
            store.add(feed, new, NOW, Maker("rules", VERSIONS), verdicts)
    return place


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


def case(number: int, label: Label, text: str = "") -> Case:
    frame = label.value.removeprefix("pro_") if label.value.startswith("pro_") else "none"
    answer = Answer(frame, label is Label.ANALYTICAL_OPINION, Voice.AUTHOR)
    return Case(f"s{number}", text or f"Sentence {number}.", "", f"a{number}", "", label, answer)


def sit(cases: list[Case], journal: Any, keys: str, **more: Any) -> tuple[Session, str]:
    lines: list[str] = []
    session = Session(cases, journal, "Ann", iter(keys), lines.append, Paint(False), **more)
    session.run()
    return session, "\n".join(lines)


# -- what is shown ---------------------------------------------------------------------------------------


def test_doubtful_sentences_come_first_and_alone(store: Store) -> None:
    cases = choose.from_store(store)
    assert len(cases) == 7
    assert all(one.abstained for one in cases)
    sure = [one for one in cases if one.label is Label.PRO_MOSCOW]
    assert choose.chosen(cases, Wanted(label=Label.PRO_MOSCOW)) == sure
    assert [one.text for one in choose.chosen(cases, Wanted(label=Label.PRO_MOSCOW, voice=Voice.QUOTED))] == [
        "“The junta fell,” he said."
    ]
    assert {one.place[:5] for one in choose.chosen(cases, Wanted(outlet="sou"))} == {"South"}
    assert [one.text for one in choose.chosen(cases, Wanted(text="wind BLEW"))] == ["Wind blew."]
    assert len(choose.chosen(cases, Wanted(), done=[cases[0].id])) == 6
    assert cases[1].prev == "The orcs came."


def test_only_doubt_counts_without_a_filter() -> None:
    known = case(1, Label.PRO_KYIV)
    unsure = Case("x", "Text.", "", "a", "", Label.PRO_KYIV, known.answer, sure=0.5)
    certain = Case("y", "Text.", "", "a", "", Label.PRO_KYIV, known.answer, sure=0.9)
    assert choose.chosen([certain, unsure, known], Wanted()) == [unsure]
    assert choose.chosen([certain, unsure], Wanted(every=True)) == [unsure, certain]


def test_a_blind_sample_is_stratified_stated_and_steady() -> None:
    sizes = {Label.NEUTRAL_REPORT: 300, Label.PRO_KYIV: 40, Label.PRO_MOSCOW: 6, Label.ANALYTICAL_OPINION: 50}
    cases = [case(n * 1000 + i, label) for n, (label, size) in enumerate(sizes.items()) for i in range(size)]
    sample = choose.drawn(cases, 60, seed=1)
    assert Counter(one.label for one in sample) == {
        Label.NEUTRAL_REPORT: 18,
        Label.PRO_KYIV: 18,
        Label.PRO_MOSCOW: 6,
        Label.ANALYTICAL_OPINION: 18,
    }
    shuffled = random.Random(3).sample(cases, len(cases))
    assert choose.drawn(shuffled, 60, seed=1) == sample
    assert {one.id for one in choose.drawn(cases, 60, seed=2)} != {one.id for one in sample}
    assert len({one.label for one in sample[:12]}) > 2  # in no order that tells the label
    assert len(choose.drawn(cases, 10_000, seed=1)) == len(cases)


def test_the_bundled_labels_can_be_checked() -> None:
    cases = choose.from_labelled(None)
    assert len(cases) > 1900
    assert len({one.id for one in cases}) == len(cases)


# -- deciding --------------------------------------------------------------------------------------------


def test_keys_of_the_sides_come_from_their_names() -> None:
    keys = frame_keys()
    assert keys["n"] == keys["0"] == "none"
    assert [keys["1"], keys["2"]] == [
        label.value.removeprefix("pro_") for label in Label if "pro_" in label.value
    ]


def test_decisions_stand_beside_the_verdict_and_never_overwrite(store: Store) -> None:
    before = store._rows("SELECT * FROM verdicts")
    cases = choose.from_store(store)[:3]
    journal = StoreJournal(store)
    session, shown = sit(cases, journal, "2ai\ruknpa\rs1oq\r")
    assert store._rows("SELECT * FROM verdicts") == before
    decisions = store.decisions()
    assert [(d.frame, d.opinion, d.voice, bool(d.undone_at)) for d in decisions] == [
        ("moscow", False, "attributed", True),
        ("none", False, "author", False),
        ("kyiv", True, "quoted", False),
    ]
    assert {d.person for d in decisions} == {"Ann"}
    assert all(d.made_at.endswith("Z") for d in decisions)
    assert session.skipped == {cases[1].id}
    assert "undone; it stays in the record" in shown
    assert "labelled pro-kyiv" in shown


def test_why_tells_the_whole_story_and_a_note_is_kept(store: Store) -> None:
    cases = choose.from_store(store)[:1]
    _, shown = sit(cases, StoreJournal(store), "weplaim\x7fn words\r\r")
    assert "rule rule-orcs" in shown
    assert store.decisions()[0].note == "plain words"
    sit(cases, StoreJournal(store), "x")
    assert len(store.decisions()) == 1


def test_blind_hides_every_verdict_and_wants_every_answer(store: Store) -> None:
    cases = choose.from_store(store)
    _, shown = sit(cases[:2], StoreJournal(store), "w\r1\ro\ra\rx", blind=True)
    for word in ("pro-", "labelled", "rule", "% sure", "North", "T0"):
        assert word not in shown.replace("saved: pro-kyiv", "")
    assert "frame? Answer it" in shown
    assert "opinion? Answer it" in shown
    assert "voice? Answer it" in shown
    assert "hidden: this check is blind" in shown
    assert len(store.decisions()) == 1


def test_hostile_text_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    hostile = Case(
        "x",
        "\x1b[2JHello\x07 \u202eworld",
        "\x1b]0;title\x07",
        "a",
        "\x1b[31mOutlet",
        Label.NEUTRAL_REPORT,
        Answer("none", False, Voice.AUTHOR),
    )
    _, shown = sit([hostile], FileJournal(tmp_path / "d", {}), "x")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2JHello" in shown


# -- the file of decisions -------------------------------------------------------------------------------


def test_a_file_of_decisions_survives_kills_and_other_data(tmp_path: Path) -> None:
    place = tmp_path / "d.jsonl"
    cases = [case(n, Label.NEUTRAL_REPORT) for n in range(3)]
    texts = {one.id: one.text for one in cases}
    journal = FileJournal(place, texts)
    sit(cases, journal, "\r\ru2\r\r")
    assert [held.answer.frame for held in FileJournal(place, texts).holding()] == ["none", "moscow", "none"]
    whole = place.read_bytes()
    place.write_bytes(whole[:-10])  # killed in the middle of the last line
    again = FileJournal(place, texts)
    assert len(again.holding()) == 2
    again.add(cases[2], cases[2].answer, "Ben", None)
    assert [held.person for held in FileJournal(place, texts).holding()] == ["Ann", "Ann", "Ben"]
    assert FileJournal(place, {"s0": "Other words."}).holding() == []
    place.write_text("not a decision\n", encoding="utf-8")
    with pytest.raises(StanceError, match=r"d\.jsonl:1: no decision"):
        FileJournal(place, texts)


def test_exported_decisions_are_read_as_labelled_data(store: Store, tmp_path: Path) -> None:
    cases = choose.from_store(store)
    sit(cases[:3], StoreJournal(store), "2npi\r1oq\rnpa\r")
    rows = labelled(cases, StoreJournal(store).holding())
    found = gold.read(write(tmp_path / "out.jsonl", rows))
    assert [(one.label, one.voice, one.prev) for one in found] == [
        (Label.NEUTRAL_REPORT, Voice.ATTRIBUTED, None),
        (Label.PRO_KYIV, Voice.QUOTED, "The orcs came."),
        (Label.NEUTRAL_REPORT, Voice.AUTHOR, "“The junta fell,” he said."),
    ]
    assert {row["labelled_by"] for row in rows} == {"person"}


# -- agreement -------------------------------------------------------------------------------------------


def test_kappa_by_hand() -> None:
    assert agreement.kappa(np.array([[20.0, 5.0], [10.0, 15.0]])) == pytest.approx(0.4)
    assert agreement.kappa(np.array([[7.0, 0.0], [0.0, 3.0]])) == pytest.approx(1.0)
    assert agreement.kappa(np.array([[9.0, 0.0], [0.0, 0.0]])) is None
    assert agreement.kappa(np.zeros((2, 2))) is None


def test_kappa_as_another_library_counts_it() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    chance = random.Random(4)
    cases = [case(n, chance.choice(list(Label))) for n in range(200)]
    judged = [
        (one, one.answer if chance.random() < 0.7 else case(0, chance.choice(list(Label))).answer)
        for one in cases
    ]
    found = agreement.compare(judged, Counter(one.label for one in cases))
    person = [answer.label.value for _, answer in judged]
    tool = [one.label.value for one in cases]
    assert found.label.value == pytest.approx(metrics.cohen_kappa_score(person, tool))
    assert found.weighted == pytest.approx(found.label.value)  # every stratum was taken whole
    assert found.label.low is not None
    assert found.label.low < found.label.value < (found.label.high or 0)
    expected = metrics.confusion_matrix(person, tool, labels=[label.value for label in Label])
    assert found.confusion == tuple(tuple(int(n) for n in row) for row in expected)
    assert len(found.differ) == sum(p != t for p, t in zip(person, tool, strict=True))


def test_weights_bring_back_how_often_labels_occur() -> None:
    """In the sample one framed sentence of two is doubted; in all sentences framed ones are rare."""
    plain, framed = case(1, Label.NEUTRAL_REPORT), case(2, Label.PRO_KYIV)
    judged = [(plain, plain.answer), (plain, plain.answer), (framed, framed.answer), (framed, plain.answer)]
    found = agreement.compare(judged, {Label.NEUTRAL_REPORT: 98, Label.PRO_KYIV: 2})
    table = np.array([[98.0, 1.0], [0.0, 1.0]])
    assert found.weighted == pytest.approx(agreement.kappa(table))


# -- the command, in a terminal --------------------------------------------------------------------------


class Terminal:
    """A pseudo-terminal with the command in it; `until` gives what it shows from there up to some words."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        import pty

        self.shown, self.at = "", 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:  # the child
            os.chdir(cwd)
            os.environ.update(COLUMNS="100", TERM="xterm", NO_COLOR="1", STANCE_CONFIG="")
            os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
            os.execv(sys.executable, [sys.executable, "-m", "stance", "review", *arguments])

    def until(self, words: str, seconds: float = 90) -> str:
        end = time.monotonic() + seconds
        while words not in self.shown[self.at :]:
            ready = select.select([self.fd], [], [], max(0.0, end - time.monotonic()))[0]
            assert ready, f"waited in vain for {words!r}; the screen: {self.shown[-2000:]}"
            read = self._read()
            assert read, f"ended before {words!r}; the screen: {self.shown[-2000:]}"
        before, self.at = self.at, self.shown.index(words, self.at) + len(words)
        return self.shown[before : self.at]

    def _read(self) -> bytes:
        try:
            read = os.read(self.fd, 65536)
        except OSError:  # the terminal is closed
            return b""
        self.shown += read.decode("utf-8", "replace")
        return read

    def send(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def close(self) -> int:
        while self._read():
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


needs_pty = pytest.mark.skipif(not hasattr(os, "fork"), reason="no pseudo-terminals here")


@needs_pty
def test_a_review_in_a_terminal(path: Path, tmp_path: Path) -> None:
    terminal = Terminal("monitor.db", "--person", "Ann", "--label", "pro_moscow", cwd=tmp_path)
    assert "2 sentences to decide, as Ann" in terminal.until("? help")
    terminal.send("w")
    assert "rule rule-junta" in terminal.until("? help")
    terminal.send("\x1b[A")  # an arrow is no key of ours
    terminal.send("np\n")
    terminal.until("saved: report")
    terminal.until("? help")
    terminal.send("u")
    terminal.until("undone")
    terminal.until("? help")
    terminal.send("npa\n")
    terminal.until("saved: report")
    terminal.until("? help")
    terminal.send("x")
    assert terminal.close() == 0
    assert "1 decided, 0 skipped" in terminal.shown
    with Store.open(path, readonly=True) as store:
        assert [bool(d.undone_at) for d in store.decisions()] == [True, False]
    runner = CliRunner()
    result = runner.invoke(cli, ["review", str(path), "--export", str(tmp_path / "out.jsonl")])
    assert result.exit_code == 0, result.stderr
    (found,) = gold.read(tmp_path / "out.jsonl")
    assert found.label is Label.NEUTRAL_REPORT


@needs_pty
def test_a_blind_check_in_a_terminal(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"{label.value}-{n}",
            "text": f"Sentence {n} of kind {number}.",
            "label": label.value,
            "voice": "author",
        }
        for number, label in enumerate(Label)
        for n in range(5)
    ]
    write(tmp_path / "gold.jsonl", rows)
    answers = {0: "npa", 1: "1pa", 2: "2pa", 3: "noa"}
    command = ("gold.jsonl", "--blind", "8", "--seed", "3", "--person", "Ann", "--json", "check.json")
    terminal = Terminal(*command, cwd=tmp_path)
    for number in range(5):
        screen = terminal.until("? help").partition("── ")[2]
        kind = int(screen.partition(" of kind ")[2][0])
        assert "pro" not in screen
        if number < 4:
            terminal.send(answers[kind] + "\n")
            terminal.until("saved")
    terminal.send("\x04")  # the rest another time
    assert terminal.close() == 0
    assert "4 of 8 sentences, seed 3" in terminal.shown
    terminal = Terminal(*command, cwd=tmp_path)
    for _ in range(4):
        screen = terminal.until("? help")
        kind = int(screen.partition(" of kind ")[2][0])
        terminal.send(answers[kind] + "\n")
        terminal.until("saved")
    assert terminal.close() == 0
    assert "(4 decided before)" in terminal.shown
    assert "label    1.000 [1.00, 1.00], 8 of 8 agree" in terminal.shown
    assert "person (down), labels (across)" in terminal.shown
    facts = json.loads((tmp_path / "check.json").read_text(encoding="utf-8"))
    assert facts["confusion"] == [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 2]]
    assert facts["seed"] == 3
    assert "Sentence" not in json.dumps(facts)


def test_wrong_use_is_a_sentence(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def invoke(*arguments: str) -> tuple[int, str]:
        result = runner.invoke(cli, ["review", *arguments])
        return result.exit_code, result.stderr

    for arguments, code, words in (
        ((), 2, "name a store or labelled data"),
        (("monitor.db",), 2, "needs a terminal"),
        (("monitor.db", "--json", "x"), 2, "blind"),
        (("monitor.db", "--decisions", "x"), 2, "a store keeps its own"),
        (("monitor.db", "--export", "out.jsonl"), 1, "nothing has been decided"),
        (("missing.db",), 1, "no such store"),
        (("missing.jsonl", "--blind", "3"), 1, "cannot be read"),
        (("monitor.db", "--blind", "0"), 2, "0"),
    ):
        found = invoke(*arguments)
        assert found[0] == code, found
        assert words in found[1], found
