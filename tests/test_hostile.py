"""Hostile inputs: nothing falls over, hangs or acts, and the good input beside it is labelled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import make

import stance
from stance.classifier import Classifier
from stance.document import Document
from stance.errors import StanceError
from stance.labels import Label
from stance.monitor import Maker, NewItem, Store
from stance.monitor.sketch import digest, sketch
from stance.rulebook import load as load_rulebook
from stance.sinks.inert import visible
from stance.sources import Fault, ReadOptions, Single, read

MARKUP = (".xml", ".html")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return stance.load("rules")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for _ in make.write(folder):
        pass
    return folder


@pytest.mark.parametrize("name", [name for name in make.FILES if not name.endswith(MARKUP)])
def test_every_file_is_labelled_or_named(corpus: Path, classifier: Classifier, name: str) -> None:
    framed = 0
    items = list(read([str(corpus / name)], ReadOptions(any_language=True)))
    assert items
    for item in items:
        if isinstance(item, Document):
            framed += check(classifier, item)
        else:
            assert isinstance(item, Fault)
            assert 0 < len(str(item)) < 1000
    if make.CLAIM.encode() in (corpus / name).read_bytes():
        assert framed, "the plain claim in it was not found"


def check(classifier: Classifier, document: Document) -> int:
    """Offsets hold and the records can be written; how many sentences are framed."""
    framed = 0
    for verdict in classifier.classify(document):
        sentence = verdict.sentence
        assert document.text[sentence.start : sentence.end] == sentence.text
        record = json.dumps(verdict.to_dict(), ensure_ascii=False, allow_nan=False)
        record.encode("utf-8")
        framed += verdict.label is Label.PRO_KYIV
    return framed


@pytest.mark.parametrize("name", ["numbers.jsonl", "surrogates.jsonl", "nuls.jsonl", "deep.jsonl"])
def test_single_sentences_keep_ids_that_can_be_written(corpus: Path, name: str) -> None:
    items = list(read([str(corpus / name)], ReadOptions(unit="sentence")))
    for item in items:
        assert isinstance(item, Single | Fault)
        if isinstance(item, Single):
            json.dumps([item.id, dict(item.meta)], allow_nan=False).encode("utf-8")
    assert any(isinstance(item, Single) for item in items)


@pytest.mark.parametrize("name", [name for name in make.FILES if name.endswith(MARKUP)])
def test_markup_is_given_up_within_its_limits(corpus: Path, name: str) -> None:
    pytest.importorskip("trafilatura")
    pytest.importorskip("fastfeedparser")
    items = list(read([str(corpus / name)], ReadOptions(any_language=True, timeout=30)))
    assert items
    for item in items:
        assert isinstance(item, Document | Fault)
        if isinstance(item, Document):
            assert len(item.text) <= 2_000_000


@pytest.mark.parametrize("name", list(make.RULES))
def test_hostile_rules_are_refused_with_a_place(tmp_path: Path, name: str) -> None:
    folder = next(path for path in make.rule_folders(tmp_path) if path.name == name)
    for place in ({"path": folder}, {"overlay": folder}):
        with pytest.raises(StanceError) as caught:
            load_rulebook(cache=False, **place)
        lines = str(caught.value).splitlines()
        assert any("a.yaml:" in line for line in lines)
        assert all(len(line) < 1000 for line in lines)
    assert not Path("pwned").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_links_in_circles_and_pipes_stop_nothing(tmp_path: Path) -> None:
    make.links(tmp_path / "folder")
    items = list(read([str(tmp_path / "folder")]))
    texts = [item.text for item in items if isinstance(item, Document)]
    assert texts == [make.CLAIM] * 3  # good, the one with a broken name, the deep one
    faults = [item for item in items if isinstance(item, Fault)]
    assert all("/dev/zero" not in str(fault) for fault in faults)
    (named,) = read([str(tmp_path / "folder" / "self.txt")])
    assert isinstance(named, Fault)


def test_what_is_shown_never_acts() -> None:
    for name in ("controls.txt", "bidirectional.txt", "line-ends.txt"):
        shown = visible(make.FILES[name]().decode(), keep="\n")
        assert not set(shown) & set("\x1b\x07\x08\x9b\u202e\u2066\x85\u2028\r")


def test_a_word_with_a_foreign_letter_is_another_word(classifier: Classifier) -> None:
    """Documented, not hidden: look-alikes are other words to the rules, as they are to a search."""
    plain = classifier.classify("The occupiers fled in panic.").verdicts[0]
    alike = classifier.classify("The оccupiers fled in panic.").verdicts[0]  # Cyrillic о
    assert plain.label is Label.PRO_KYIV
    assert all("ccupiers" not in piece.text for piece in alike.evidence)


# -- the command line as strangers use it ---------------------------------------------------------------


def command(*arguments: str, **more: object) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(stance.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-m", "stance", *arguments],
        env=environment,
        capture_output=True,
        check=False,
        timeout=300,
        **more,  # type: ignore[call-overload]
    )


def test_a_closed_output_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(make.CLAIM * 50, encoding="utf-8")
    line = f'"{sys.executable}" -m stance classify --engine rules --format jsonl "{path}" >&-; echo $? >&2'
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=300, check=False, cwd=_root())
    assert b"Traceback" not in done.stderr
    assert done.stderr.split()[-1] in (b"0", b"1")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(make.CLAIM * 50, encoding="utf-8")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "stance", "classify", "--engine", "rules", "--format", "jsonl", str(path)],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=300,
            check=False,
            cwd=_root(),
        )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"No space left" in done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs the rights of root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_an_output_that_does_not_fit_is_absent(small_disk: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text((make.CLAIM + "\n") * 200, encoding="utf-8")
    target = small_disk / "out.jsonl"
    done = command("classify", "--engine", "rules", "--output", str(target), str(path))
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"No space left" in done.stderr
    assert not target.exists()


def test_a_report_that_does_not_fit_names_its_file(small_disk: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text((make.CLAIM + "\n") * 300, encoding="utf-8")
    target = small_disk / "report.html"
    (small_disk / "ballast").write_bytes(b"x" * 220_000)
    done = command("report", "--engine", "rules", str(path), "-o", str(target))
    assert done.returncode == 1
    assert done.stderr.decode().strip() == (
        f"{target}: No space left on device; check the disk and the permissions"
    )
    assert [found.name for found in small_disk.iterdir()] == ["ballast"]


def test_a_job_that_filled_the_disk_goes_on_when_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [json.dumps({"id": i, "text": (make.CLAIM + "\n") * (i % 9 + 1)}) for i in range(60)]
    path.write_text("\n".join(rows), encoding="utf-8")
    call = ("classify", "--engine", "rules", str(path), "--output")
    assert command(*call, str(tmp_path / "alone.jsonl")).returncode == 0
    target = small_disk / "out.jsonl"
    stopped = command(*call, str(target))
    assert stopped.returncode == 1
    assert b"the same command with --resume goes on" in stopped.stderr
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True, capture_output=True)
    assert command(*call, str(target), "--resume").returncode == 0
    assert target.read_bytes() == (tmp_path / "alone.jsonl").read_bytes()
    assert [found.name for found in small_disk.iterdir()] == ["out.jsonl"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no limits of this kind on this system")
def test_an_output_beyond_the_limit_of_files_is_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text((make.CLAIM + "\n") * 200, encoding="utf-8")
    target = tmp_path / "out.jsonl"
    shell = f'ulimit -f 64; exec "{sys.executable}" -m stance "$@"'
    done = subprocess.run(
        ["sh", "-c", shell, "sh", "classify", "--engine", "rules", "--output", str(target), str(path)],
        capture_output=True,
        timeout=300,
        check=False,
        cwd=_root(),
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"File too large" in done.stderr
    assert not target.exists()


def _root() -> Path:
    return Path(stance.__file__).parents[1]


# -- the store ------------------------------------------------------------------------------------------


def new_item(number: int, text: str) -> NewItem:
    return NewItem(
        guid=f"g{number}",
        address=f"https://example.org/{number}",
        digest=digest(text),
        name=f"n{number}",
        meta={"title": "T"},
        text=text,
        sketch=sketch(text),
    )


def fill(store: Store, classifier: Classifier, count: int, now: str = "2024-05-01T10:00:00Z") -> int:
    """Put labelled items into the store; how many were taken."""
    feed = store.feed("https://example.org/feed", now)
    maker = Maker("rules", classifier.versions)
    taken = 0
    for number in range(count):
        text = f"{make.CLAIM} It was report {number}. " * 5
        verdicts = classifier.classify(Document(text, f"n{number}")).verdicts
        taken += store.add(feed, new_item(number, text), now, maker, verdicts) is not None
    return taken


def test_a_store_on_a_full_disk_keeps_what_it_has(small_disk: Path, classifier: Classifier) -> None:
    path = small_disk / "monitor.db"
    with pytest.raises(StanceError, match=r"disk is full|does not answer"), Store.open(path) as store:
        fill(store, classifier, 500)
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True, capture_output=True)
    with Store.open(path) as store:
        items = list(store.items(copies=True))
        assert items
        assert len(items) == store.count("items")
        for item in items:  # an item is in with all of its sentences, or not at all
            assert len(item.sentences) == len(classifier.classify(item.text).verdicts)
        assert fill(store, classifier, len(items) + 2) == 2


def test_a_store_bears_a_clock_that_jumps(tmp_path: Path, classifier: Classifier) -> None:
    with Store.open(tmp_path / "monitor.db") as store:
        assert fill(store, classifier, 2, "2031-01-01T00:00:00Z") == 2
        assert fill(store, classifier, 3, "1970-01-01T00:00:00Z") == 1
        assert fill(store, classifier, 3, "2031-01-01T00:00:00Z") == 0
        assert [item.name for item in store.items(copies=True)] == ["n0", "n1", "n2"]
