"""The store against a model of it in plain Python, through whatever happens in whatever order."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="needs the extra stance[dev]")

from fake_classifier import VERSIONS, FakeClassifier
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stance.document import Document
from stance.evidence import Verdict
from stance.monitor import Feed, Maker, NewItem, Store
from stance.monitor.sketch import digest, sketch

NOW = "2024-05-01T10:00:00Z"
FEEDS = ("https://a.example/feed", "https://b.example/feed")
STATES = ("labelled", "waiting", "skipped", "fault")
keys = st.sampled_from((None, "1", "2", "3"))
texts = st.sampled_from(
    (
        "Rain fell.",
        "The orcs came.\nThey should go.",
        "“The junta fell.”",
        "",
        " ".join(f"the talks of day {number} went on and" for number in range(9)),
        " ".join(f"the talks of day {number} went on and" for number in range(10)),
    )
)


@dataclass
class Known:
    """What the model remembers of an item."""

    feed: str
    guid: str | None
    address: str | None
    words: str
    text: str
    state: str
    maker: Maker | None
    labellings: set[str] = field(default_factory=set)  # rules digests that have labelled it


def maker(rules: str) -> Maker:
    return Maker("rules", replace(VERSIONS, rules=rules))


def verdicts(text: str, name: str, rules: str) -> tuple[Verdict, ...]:
    made = FakeClassifier().classify(Document(text, name)).verdicts
    return tuple(replace(v, reason=rules, versions=replace(v.versions, rules=rules)) for v in made)


class StoreMachine(RuleBasedStateMachine):
    """Adds, settles, relabels, decides, fails in the middle, closes and opens again."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.items: list[Known] = []
        self.decisions: list[tuple[int, bool]] = []

    @initialize()
    def opens(self) -> None:
        self.store = Store.open(self.folder / "monitor.db")

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    def feed(self, url: str) -> Feed:
        return self.store.feed(url, NOW)

    def expected(self, url: str, guid: str | None, address: str | None, words: str) -> bool:
        for known in self.items:
            same_feed = known.feed == url
            if guid is not None and same_feed and known.guid == guid:
                return True
            if address is not None and known.address == address:
                return True
            if (guid is None or address is None) and same_feed and known.words == words:
                return True
        return False

    @rule(
        url=st.sampled_from(FEEDS),
        guid=keys,
        address=keys,
        text=texts,
        state=st.sampled_from(STATES),
        breaks=st.booleans(),
    )
    def adds(
        self, url: str, guid: str | None, address: str | None, text: str, state: str, breaks: bool
    ) -> None:
        name = f"n{len(self.items)}"
        new = NewItem(guid, address, digest(text), name, {}, text, state=state, sketch=sketch(text))
        known = self.expected(url, guid, address, new.digest)
        feed = self.feed(url)
        assert (self.store.known(feed, guid, address, new.digest) is not None) == known

        def made() -> list[Verdict]:
            return list(verdicts(text, name, "0")) if state == "labelled" else []

        if breaks and state == "labelled" and not known:

            def broken() -> object:
                yield from made()[:1]
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                self.store.add(feed, new, NOW, maker("0"), broken())  # type: ignore[arg-type]
            return
        added = self.store.add(feed, new, NOW, maker("0"), made())
        assert (added is None) == known
        if added is not None:
            labelled = state == "labelled"
            entry = Known(url, guid, address, new.digest, text, state, maker("0") if labelled else None)
            entry.labellings = {"0"} if labelled else set()
            self.items.append(entry)
            assert added == len(self.items)

    @precondition(lambda self: any(known.state != "labelled" for known in self.items))
    @rule(pick=st.integers(0, 99), rules=st.sampled_from("012"))
    def settles(self, pick: int, rules: str) -> None:
        waiting = [number for number, known in enumerate(self.items) if known.state != "labelled"]
        number = waiting[pick % len(waiting)]
        known = self.items[number]
        name = f"n{number}"
        new = NewItem(None, None, known.words, name, {}, known.text, sketch=sketch(known.text))
        self.store.settle(number + 1, new, NOW, maker(rules), verdicts(known.text, name, rules))
        known.state, known.maker = "labelled", maker(rules)
        known.labellings.add(rules)

    @rule(rules=st.sampled_from("012"))
    def relabels(self, rules: str) -> None:
        last = 0
        while page := self.store.outdated(maker(rules), last):
            last = page[-1].id
            for stored in page:
                known = self.items[stored.id - 1]
                assert known.state == "fault" or known.maker != maker(rules)
                if known.state == "labelled":
                    made = verdicts(stored.text, stored.name, rules)
                    self.store.relabel(stored.id, NOW, maker(rules), made)
                    known.maker = maker(rules)
                    known.labellings.add(rules)
        for known in self.items:
            assert known.state != "labelled" or known.maker == maker(rules)

    @rule(pick=st.integers(0, 99), opinion=st.booleans(), undo=st.booleans())
    def decides(self, pick: int, opinion: bool, undo: bool) -> None:
        sentences = [sentence.id for item in self.store.items(copies=True) for sentence in item.sentences]
        if not sentences:
            return
        made = self.store.decide(
            sentences[pick % len(sentences)], NOW, person="A", frame="none", opinion=opinion, voice="author"
        )
        if undo:
            assert self.store.undo(made.id, NOW)
        self.decisions.append((made.sentence_id, undo))

    @rule()
    def dies_and_comes_back(self) -> None:
        self.store._db.execute("BEGIN IMMEDIATE")  # what was going on when it died is undone
        self.store._db.execute("DELETE FROM verdicts")
        self.store.close()
        self.store = Store.open(self.folder / "monitor.db")

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        if not hasattr(self, "store"):
            return
        assert self.store.count("items") == len(self.items)
        shown = list(self.store.items(copies=True))
        assert [item.id for item in shown] == [
            number for number, known in enumerate(self.items, start=1) if known.state == "labelled"
        ]
        firsts = {item.id for item in shown if item.copy_of is None}
        assert firsts == {item.id for item in self.store.items()}
        for item in shown:
            known = self.items[item.id - 1]
            assert known.maker is not None
            rules = known.maker.versions.rules
            assert [s.record for s in item.sentences] == [
                v.to_dict() for v in verdicts(known.text, item.name, rules)
            ]
            assert item.copy_of is None or item.copy_of in firsts
        lines = [len(verdicts(known.text, "", "0")) for known in self.items]
        assert self.store.count("verdicts") == sum(
            count * len(known.labellings) for count, known in zip(lines, self.items, strict=True)
        )
        held = [(decision.sentence_id, decision.undone_at is not None) for decision in self.store.decisions()]
        assert held == self.decisions


StoreMachine.TestCase.settings = settings(
    max_examples=20, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
TestStore = StoreMachine.TestCase
