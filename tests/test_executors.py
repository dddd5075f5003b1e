"""One process, many processes: the same records in the same order, whoever dies meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stance import executors
from stance.document import Document, Sentence
from stance.errors import StanceError
from stance.executors import Batch, Quarantined, Setup
from tests.killers import Killer

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers of these tests are forks")
SETUP = Setup("rules")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "BATCH_ITEMS", 50)
    monkeypatch.setattr(executors, "WORTHWHILE_CHARS", 100)
    # Threads that other tests leave behind: with them workers would be no forks, and not of this classifier.
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def sentences(count: int, **special: str) -> list[Sentence]:
    """Numbered sentences; ``special`` replaces the texts of some (``_12="…"``)."""
    texts = [f"Sentence {i} about orcs." if i % 7 == 0 else f"Sentence {i}." for i in range(count)]
    for place, text in special.items():
        texts[int(place[1:])] = text
    return [Sentence(text, 0, len(text), id=f"s{i}") for i, text in enumerate(texts)]


def run(items: list[Sentence] | list[Document], **how: Any) -> list[executors.Done]:
    found = list(executors.run(items, Killer(), SETUP, **how))  # type: ignore[arg-type]
    return list(zip(items, (records for _, records in found), strict=True))


def test_two_processes_give_what_one_gives() -> None:
    items = sentences(1_000)
    assert run(items, jobs=2) == run(items)
    documents = [Document(f"First {i}.\nThe orcs fled {i}.\nLast.", f"d{i}") for i in range(300)]
    assert run(documents, jobs=3) == run(documents)


def test_the_index_counts_over_all_batches() -> None:
    found = [records[0]["index"] for _, records in run(sentences(260), jobs=2) if isinstance(records, list)]
    assert found == list(range(260))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_goes_on_counts_on(jobs: int) -> None:
    whole = [records for _, records in run(sentences(260))]
    rest = [records for _, records in run(sentences(260)[101:], jobs=jobs, first=101)]
    assert rest == whole[101:]


def test_short_work_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "WORTHWHILE_CHARS", 1_000_000)
    monkeypatch.setattr(executors, "_Pool", None)
    assert len(run(sentences(100), jobs=8)) == 100


def test_a_killed_worker_costs_its_batch_a_retry(tmp_path: Path) -> None:
    marker = tmp_path / "killed"
    items = sentences(600, _333=f"Here it dies. ONCE:{marker}")
    found = run(items, jobs=2)
    assert marker.exists()
    assert found == run(items)


def test_the_record_that_kills_each_time_is_named_and_all_others_come_out() -> None:
    items = sentences(700, _0="POISON at the start.", _345="POISON inside.", _699="POISON at the end.")
    found = run(items, jobs=2)
    assert [item for item, _ in found] == items
    bad = {i: records for i, (_, records) in enumerate(found) if isinstance(records, Quarantined)}
    assert {i: q.name for i, q in bad.items()} == {0: "s0", 345: "s345", 699: "s699"}
    assert all("died" in q.message for q in bad.values())
    clean = run(sentences(700))
    assert all(found[i] == clean[i] for i in range(700) if i not in bad)


def test_a_worker_killed_from_outside(tmp_path: Path) -> None:
    items = sentences(4_000)
    stream = executors.run(items, Killer(), SETUP, jobs=2)  # type: ignore[arg-type]
    found = [next(stream)]
    victims = [p for p in multiprocessing.active_children() if p.name == "stance-worker"]
    assert len(victims) == 2
    os.kill(victims[0].pid or 0, signal.SIGKILL)
    found += stream
    assert [records for _, records in found] == [records for _, records in run(items)]


def test_nothing_is_left_running() -> None:
    stream = executors.run(sentences(4_000), Killer(), SETUP, jobs=2)  # type: ignore[arg-type]
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not [p for p in multiprocessing.active_children() if p.name == "stance-worker"]


def test_no_more_than_a_window_is_read_ahead() -> None:
    taken = 0

    def endless() -> Iterator[Sentence]:
        nonlocal taken
        while True:
            taken += 1
            yield Sentence("One more sentence.", 0, 18)

    stream = executors.run(endless(), Killer(), SETUP, jobs=2)  # type: ignore[arg-type]
    for _ in range(500):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert taken <= 500 + (2 * executors.WINDOW + 2) * executors.BATCH_ITEMS


def test_large_batches_both_ways_do_not_block() -> None:
    items = [Document("The orcs came.\n" * 6_000, f"d{i}") for i in range(4)]
    assert run(items, jobs=2) == run(items)


def test_a_fault_in_a_worker_is_the_fault_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise StanceError("rules/x.yaml:3: wrong")

    monkeypatch.setattr(executors, "label", broken)
    with pytest.raises(StanceError, match=r"x\.yaml:3: wrong"):
        run(sentences(500), jobs=2)


def test_other_versions_are_refused() -> None:
    with pytest.raises(StanceError, match=r"a worker has stance .*, this process 0\.0\.0; install the same"):
        executors._load(Setup("rules", versions=(("stance", "0.0.0"),)))


def test_a_batch_is_tried_again_then_halved_then_given_up() -> None:
    items = tuple(sentences(3))
    (again,) = Batch(5, items).after_death()
    left, right = again.after_death()
    assert (left.start, left.items, right.start, right.items) == (5, items[:1], 6, items[1:])
    assert left.after_death() == []
    assert len(right.after_death()) == 2


def test_stopping_the_parent_stops_the_workers(tmp_path: Path) -> None:
    """Ctrl-C: exit 130, no traceback, no process left; also when the parent is killed outright."""
    code = textwrap.dedent(
        """
        import multiprocessing, signal, sys
        from stance import executors
        from stance.document import Sentence
        from tests.killers import Killer
        executors.WORTHWHILE_CHARS = 100
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
        def endless():
            while True:
                yield Sentence("One more.", 0, 9)
        shown = False
        for _ in executors.run(endless(), Killer(), executors.Setup("rules"), jobs=2):
            if not shown:
                shown = True
                print(*(p.pid for p in multiprocessing.active_children()), flush=True)
        """
    )
    for sign in (signal.SIGINT, signal.SIGKILL):
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            assert child.stdout is not None
            workers = [int(pid) for pid in child.stdout.readline().split()]
            assert len(workers) == 2
            child.send_signal(sign)
            child.wait(30)
            deadline = time.monotonic() + 30
            while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert not any(_alive(pid) for pid in workers)
        finally:
            child.kill()


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_child_gives_what_this_process_gives_and_other_versions_are_told() -> None:
    items = sentences(30)
    assert executors.label_apart(SETUP, items, 5) == executors.label_batch(SETUP, items, 5)
    other = Setup("rules", versions=(("stance", "0.0.0"),))
    assert "this process 0.0.0; install the same" in (executors.fault_of(other) or "")
    assert all(child.setup != SETUP for child in executors._CHILDREN)  # of an earlier run: ended
