"""What each rule does on a labelled corpus, counted by hand; and the command that prints it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from stance.cli.root import cli
from stance.gold import Labelled, read
from stance.labels import Label
from stance.rulebook import load
from stance.rulestats import RuleStats, stats

# id, text, frame, article, group
CORPUS = (
    ("a", "The special military operation goes on.", "moscow", "1", "one"),
    ("b", "The special military operation goes on, Peskov said.", "moscow", "2", "one"),
    ("c", "Buses run during the special military operation.", "none", "3", "two"),
    ("d", "The orcs lost a tank in the special military operation.", "kyiv", "3", "two"),
    ("e", "The so-called special military operation drags on.", "kyiv", "4", "two"),
    ("f", "Rain fell in the valley.", "none", "4", "two"),
)


def record(item: tuple[str, str, str, str, str]) -> dict[str, str]:
    name, text, frame, article, group = item
    label = "neutral_report" if frame == "none" else f"pro_{frame}"
    return {"id": name, "text": text, "label": label, "article": article, "outlet_group": group}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "labelled.jsonl"
    path.write_text("".join(json.dumps(record(item)) + "\n" for item in CORPUS))
    return path


@pytest.fixture(scope="module")
def rows(corpus: Path) -> dict[str, RuleStats]:
    labelled: tuple[Labelled, ...] = read(corpus)
    return {row.rule.id: row for row in stats(load(), labelled)}


def test_hits_articles_and_precision_are_counted(rows: dict[str, RuleStats]) -> None:
    row = rows["special-military-operation"]
    assert (row.hits, row.articles, row.groups) == (4, 3, 2)
    assert (row.counted, row.right, row.precision) == (4, 2, 0.5)
    assert row.misses == "precision 0.50, needs 0.7"
    assert [wrong.id for wrong in row.wrong] == ["c", "d"]
    assert row.wrong[0].text[row.wrong[0].start : row.wrong[0].end] == "special military operation"


def test_a_rule_of_the_other_side_in_the_sentence_is_a_conflict(rows: dict[str, RuleStats]) -> None:
    assert rows["special-military-operation"].conflict == 1


def test_voices_add_up_to_the_hits(rows: dict[str, RuleStats]) -> None:
    row = rows["special-military-operation"]
    assert sum(row.voices.values()) == row.hits
    assert row.voices["author"] == 3


def test_every_rule_has_a_row_and_a_silent_one_misses_the_bar(rows: dict[str, RuleStats]) -> None:
    rulebook = load()
    assert len(rows) == len(rulebook.rules)
    silent = [row for row in rows.values() if row.hits == 0 and row.rule.effect == "opinion"]
    assert silent
    assert all(row.precision is None for row in silent)
    assert all(row.misses for row in silent if row.rule.status == "active" and not row.rule.sources)


def test_rules_of_the_codebook_and_on_trial_owe_nothing(rows: dict[str, RuleStats]) -> None:
    assert rows["denazify"].misses is None
    assert all(row.misses is None for row in rows.values() if row.rule.status == "trial")


def test_a_pair_stands_or_falls_together() -> None:
    """One half of a pair in bulk, the other never seen: neither owes anything, a rule alone does."""
    praise = [
        Labelled(
            id=str(n),
            text=f"Company {n} sang Slava Ukraini at dawn.",
            label=Label.PRO_KYIV,
            frame="kyiv",
            article=str(n),
            slices={"outlet_group": f"group {n % 2}"},
        )
        for n in range(6)
    ]
    found = {row.rule.id: row for row in stats(load(), praise)}
    seen, unseen = found["kyiv-formulas"], found["moscow-formulas"]
    assert seen.rule.mirror_partner == unseen.rule.id
    assert seen.hits >= 6
    assert seen.misses is None
    assert unseen.hits == 0
    assert unseen.misses is None
    assert found["side-regime"].misses == "hits in 0 of 3 articles"


def test_a_partner_on_trial_excuses_nobody() -> None:
    """A rule on trial owes nothing, and has shown nothing."""
    book = load()
    rules = tuple(replace(r, status="trial") if r.id == "moscow-formulas" else r for r in book.rules)
    quiet = [Labelled(id="1", text="Rain fell.", label=Label.NEUTRAL_REPORT, frame="none", article="1")]
    found = {row.rule.id: row for row in stats(replace(book, rules=rules), quiet)}
    assert found["moscow-formulas"].misses is None
    assert found["kyiv-formulas"].misses == "hits in 0 of 3 articles"


def test_several_corpora_are_counted_as_one(corpus: Path) -> None:
    once = CliRunner().invoke(cli, ["rules", "stats", str(corpus), "--format", "json"])
    twice = CliRunner().invoke(cli, ["rules", "stats", str(corpus), str(corpus), "--format", "json"])
    first, second = (
        {e["rule"]: (e["hits"], e["articles"]) for e in json.loads(done.stdout)} for done in (once, twice)
    )
    assert first["special-military-operation"] == (4, 3)
    assert second["special-military-operation"] == (8, 3)


def test_table_json_and_csv_say_the_same(corpus: Path) -> None:
    table = CliRunner().invoke(cli, ["rules", "stats", str(corpus)])
    assert table.exit_code == 0, table.output
    assert "special-military-operation" in table.output
    assert "0.50" in table.output
    found = json.loads(CliRunner().invoke(cli, ["rules", "stats", str(corpus), "--format", "json"]).stdout)
    lines = CliRunner().invoke(cli, ["rules", "stats", str(corpus), "--format", "csv"]).stdout
    rows = list(csv.DictReader(io.StringIO(lines)))
    assert [row["rule"] for row in rows] == [entry["rule"] for entry in found]
    (entry,) = (e for e in found if e["rule"] == "special-military-operation")
    assert (entry["hits"], entry["precision"], entry["misses"]) == (4, 0.5, "precision 0.50, needs 0.7")


def test_the_table_is_sorted_on_demand_and_marks_what_counts_less(corpus: Path) -> None:
    arguments = ["rules", "stats", str(corpus), "--format", "json", "--sort"]
    hits = [e["hits"] for e in json.loads(CliRunner().invoke(cli, [*arguments, "hits"]).stdout)]
    assert hits == sorted(hits, reverse=True)
    shares = [e["precision"] for e in json.loads(CliRunner().invoke(cli, [*arguments, "precision"]).stdout)]
    known = [share for share in shares if share is not None]
    assert known == sorted(known)
    assert shares[: len(known)] == known
    table = CliRunner().invoke(cli, ["rules", "stats", str(corpus)]).stdout
    assert any(line.startswith("harm-talk ") and " frame weak " in line for line in table.splitlines())


def test_wrong_hits_of_one_rule_on_demand(corpus: Path) -> None:
    done = CliRunner().invoke(cli, ["rules", "stats", str(corpus), "--wrong", "special-military-operation"])
    assert done.exit_code == 0
    assert "c  frame none  Buses run during the [special military operation]." in done.stdout
    unknown = CliRunner().invoke(cli, ["rules", "stats", str(corpus), "--wrong", "special-operatio"])
    assert unknown.exit_code != 0
    assert "did you mean" in unknown.output


def test_a_corpus_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["rules", "stats", str(tmp_path / "none.jsonl")])
    assert done.exit_code != 0
    assert "cannot be read" in done.output
    assert "Traceback" not in done.output
