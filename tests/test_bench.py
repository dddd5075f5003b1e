"""``stance bench`` around a small classifier, and once with the real rules on the seeds."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from fake_classifier import FakeClassifier

from stance import rulebook
from stance.cli import bench, bench_impartiality, cli, loading, options
from stance.cli.bench_report import Table, without_folders
from stance.errors import StanceError
from stance.gold import Labelled
from stance.labels import Label

Run = Callable[..., Result]
SENTENCES = (
    ("1", "The orcs came to the secretvillage.", "pro_kyiv", "a"),
    ("2", "The junta fell in the morning.", "pro_moscow", "a"),
    ("3", "They should go home at once.", "analytical_opinion", "b"),
    ("4", "Rain fell on the old town.", "neutral_report", "b"),
    ("5", "The orcs were a rock band then.", "neutral_report", "c"),
)


class Other(FakeClassifier):
    """As the small one, but blind to ``orcs``."""

    def _verdict(self, sentence: Any, document: Any) -> Any:
        from dataclasses import replace

        blind = replace(sentence, text=sentence.text.replace("orcs", "some"))
        return replace(super()._verdict(blind, document), sentence=sentence)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))

    def load(engine: str, **_: Any) -> FakeClassifier:
        return Other() if engine == "model" else FakeClassifier()

    monkeypatch.setattr(loading, "classifier", load)

    def invoke(*args: object) -> Result:
        return CliRunner().invoke(cli, ["bench", *map(str, args)], prog_name="stance")

    return invoke


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return written(tmp_path / "data.jsonl", SENTENCES)


def written(path: Path, rows: tuple[tuple[str, str, str, str], ...]) -> Path:
    names = ("id", "text", "label", "article")
    path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    return path


def test_accuracy_writes_figures_and_no_text(run: Run, data: Path, tmp_path: Path) -> None:
    result = run(
        "accuracy", data, "--engine", "rules", "--json", "out.json", "--markdown", tmp_path / "out.md"
    )
    assert result.exit_code == 0, result.output
    assert "macro-F1" in result.output
    assert "5 sentences only" in result.output
    assert "tf-idf skipped: give labelled sentences with --train" in result.output
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["results"]["data"]["rules"]["accuracy"]["value"] == 0.8
    assert report["versions"]["rules"]["rules"] == "rules0"
    assert report["command"] == (
        "stance bench accuracy data.jsonl --engine rules --json out.json --markdown out.md"
    )
    assert {"python", "cores", "platform"} <= set(report["machine"])
    for name in ("out.json", "out.md"):
        text = (tmp_path / name).read_text()
        assert "secretvillage" not in text
        assert str(tmp_path) not in text
    assert "secretvillage" not in result.output


def test_accuracy_tells_precision_of_rules_and_of_what_abstaining_leaves(
    run: Run, data: Path, tmp_path: Path
) -> None:
    result = run("accuracy", data, "--engine", "rules", "--json", "out.json")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["rules"]["rules"]["rule-orcs"] == {"hits": 2, "right": 1, "wrong": ["5"]}
    curve = report["results"]["data"]["rules"]["coverage"]["every label"]
    assert curve == [
        {"abstain_below": 0.0, "kept": 5, "coverage": 1.0, "precision": 0.8},
        {"abstain_below": 0.72, "kept": 0, "coverage": 0.0, "precision": None},
    ]
    assert "answers left by --abstain-below P" in result.output
    assert "rule-orcs" in result.output


def test_plots_are_drawn_the_same_twice(run: Run, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    many = written(
        tmp_path / "many.jsonl",
        tuple((f"{i}", f"The orcs took hill {i}.", "pro_kyiv", f"a{i}") for i in range(6)),
    )
    for folder in ("one", "two"):
        result = run("accuracy", data, "--engine", "rules", "--engine", "model", "--plots", folder)
        assert result.exit_code == 0, result.output
    assert run("accuracy", many, "--engine", "rules", "--plots", "three").exit_code == 0
    drawn = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert drawn == ["confusion.svg", "precision-coverage.svg", "reliability.svg"]  # no rule hit five times
    assert (tmp_path / "three" / "rules.svg").read_text().count("rule-orcs (6)") == 1
    for name in drawn:
        picture = (tmp_path / "one" / name).read_bytes()
        assert picture == (tmp_path / "two" / name).read_bytes()
        assert picture.startswith(b"<?xml")
        assert b"secretvillage" not in picture
        assert str(tmp_path).encode() not in picture


@pytest.mark.parametrize("measure", ["accuracy", "throughput"])
def test_plots_without_their_library_are_one_sentence(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch, measure: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = run(measure, data, "--engine", "rules", "--plots", "pictures")
    assert result.exit_code == 1
    assert "plots need matplotlib" in result.output


def test_fields_and_labels_are_renamed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "other.tsv"
    path.write_text("sentence\tclass\nRain fell.\tOBJ\nThey should go.\tSUBJ\n")
    names = ("--field", "text=sentence", "--field", "label=class")
    labels = ("--map-label", "OBJ=neutral_report", "--map-label", "SUBJ=analytical_opinion")
    result = run("accuracy", path, "--engine", "rules", *names, *labels)
    assert result.exit_code == 0, result.output
    assert "1.000 [1.000, 1.000]" in result.output
    assert "no sentence is labelled pro_kyiv or pro_moscow" in result.output


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": "1", "text": "Rain.", "label": "rainy"}', "label 'rainy' is not one of"),
        ('{"id": "1", "text": "Rain."}', "field 'label' is missing"),
        ('{"id": "1", "label": "neutral_report"}', "field 'text' is missing"),
        ('{"id": "9", "text": "Rain.", "label": "neutral_report"}\n' * 2, "ids must differ"),
    ],
)
def test_bad_data_are_one_sentence(run: Run, tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "bad.jsonl").write_text(line)
    result = run("accuracy", "bad.jsonl", "--engine", "rules")
    assert result.exit_code == 1
    assert told in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_an_id_in_two_files_is_refused(run: Run, data: Path, tmp_path: Path) -> None:
    again = written(tmp_path / "again.jsonl", SENTENCES[:1])
    result = run("accuracy", data, again, "--engine", "rules")
    assert result.exit_code == 1
    assert "1 ids stand in" in result.output


def test_training_on_the_data_is_refused_or_dropped(run: Run, data: Path, tmp_path: Path) -> None:
    rows = (
        ("x1", "RAIN fell on the old town", "neutral_report", "x"),
        ("x2", "You should stay.", "analytical_opinion", "x"),
        ("x3", "Snow fell.", "neutral_report", "x"),
    )
    train = written(tmp_path / "train.jsonl", rows)
    refused = run("accuracy", data, "--engine", "rules", "--train", train)
    assert refused.exit_code == 1
    assert "x1 = 4" in refused.output
    dropped = run("accuracy", data, "--engine", "rules", "--train", train, "--drop-overlap")
    assert dropped.exit_code == 0, dropped.output
    assert "1 training sentences left out" in dropped.output
    assert "tf-idf" in dropped.output


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("magic", "'magic' is not one of"),
        ("rules:speed=9", "'speed=9' is not KEY=VALUE"),
        ("rules:git=HEAD,rules=r", "not both"),
        ("rules:model=m", "has no model"),
    ],
)
def test_wrong_engines_are_wrong_use(run: Run, spec: str, told: str) -> None:
    result = run("accuracy", "--engine", spec)
    assert result.exit_code == 2
    assert told in result.output


def test_compare_shows_the_flips_and_nothing_else(run: Run, data: Path, tmp_path: Path) -> None:
    result = run("compare", "rules", "model", "--on", data, "--json", "out.json", "--texts")
    assert result.exit_code == 0, result.output
    flips = json.loads((tmp_path / "out.json").read_text())["results"]["flips"]
    assert flips == [
        {"id": "1", "from": "pro_kyiv", "to": "neutral_report", "outcome": "lost", "rules": ["rule-orcs"]},
        {"id": "5", "from": "pro_kyiv", "to": "neutral_report", "outcome": "won", "rules": ["rule-orcs"]},
    ]
    assert "rule-orcs" in result.output
    assert "on a terminal only" in result.output
    assert "secretvillage" not in result.output + (tmp_path / "out.json").read_text()


def test_texts_on_a_terminal(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "stdout_is_terminal", lambda: True)
    output = run("compare", "rules", "model", "--on", data, "--texts").output
    assert "secretvillage" in output
    assert "Rain fell" not in output


def test_a_significant_loss_ends_with_1(run: Run, tmp_path: Path) -> None:
    rows = tuple((f"{i}", f"The orcs took hill {i}.", "pro_kyiv", f"a{i}") for i in range(12))
    path = written(tmp_path / "many.jsonl", rows)
    worse = run("compare", "rules", "model", "--on", path)
    assert worse.exit_code == 1
    assert "B is significantly worse than A: 12 lost, 0 won" in worse.output
    assert run("compare", "model", "rules", "--on", path).exit_code == 0
    assert run("compare", "rules", "rules", "--on", path).exit_code == 0


def test_faithfulness_of_the_small_classifier(run: Run, data: Path, tmp_path: Path) -> None:
    result = run("faithfulness", data, "--engine", "rules", "--json", "out.json")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out.json").read_text())["results"]["rules"]
    assert found["evidence"]["verdicts"] == found["evidence"]["label_changed"] == 3
    assert found["random_words"]["changed_or_dropped"] == 0
    assert "3 framed verdicts only" in result.output


def test_rules_of_a_revision(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    for text in ("one", "two"):
        (rules / "a.yaml").write_text(text)
        git("add", "rules")
        git("commit", "-q", "-m", text)
    out = tmp_path / "out"
    out.mkdir()
    folder = bench.rules_of_revision("HEAD~1", out, checkout=tmp_path)
    assert (folder / "a.yaml").read_text() == "one"
    with pytest.raises(StanceError, match="no git revision '--help'"):
        bench.rules_of_revision("--help", out, checkout=tmp_path)


def test_absolute_paths_lose_their_folders() -> None:
    assert without_folders("/home/me/data.jsonl") == "data.jsonl"
    assert without_folders("hybrid:model=/home/me/m,overlay=/x/o") == "hybrid:model=m,overlay=o"
    assert without_folders("../shared/data.jsonl") == "../shared/data.jsonl"


def test_names_from_the_data_cannot_break_a_table() -> None:
    table = Table("t", ("", "n"), (("a|b\x1b[2J\nc", "1"),))
    assert "\x1b" not in table.terminal() + table.markdown()
    assert "a\\|b" in table.markdown()
    assert len(table.markdown().splitlines()) == 5


def test_the_seeds_with_the_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures on the seeds with the real rules: both ways of counting, voice, and a sane macro-F1."""
    try:
        rulebook.load()
    except StanceError as fault:
        pytest.skip(f"the rules do not load: {fault}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    arguments = ["bench", "accuracy", "--engine", "rules", "--json", "seeds.json"]
    result = CliRunner().invoke(cli, arguments, prog_name="stance")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "seeds.json").read_text())["results"]
    once, longer = (part["rules"] for part in found.values())
    assert once["sentences"] > longer["sentences"] > 100
    assert once["articles"] == 5
    assert once["voice"] > 0.8
    baseline = next(iter(found.values()))["majority"]
    assert once["macro_f1"]["value"] > baseline["macro_f1"]["value"]
    assert "cut elsewhere" not in result.output


def test_every_measure_is_listed() -> None:
    assert isinstance(bench.command, click.Group)
    names = set(bench.command.list_commands(click.Context(bench.command)))
    assert names == {"accuracy", "compare", "impartiality", "faithfulness", "throughput"}


def test_impartiality_counts_mirrors_and_pairs(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small classifier calls nobody by name, so a mirrored sentence keeps its label: consistent only
    where the label has no side."""
    try:
        rules = rulebook.load()
    except StanceError as fault:
        pytest.skip(f"the rules do not load: {fault}")

    class WithRules(FakeClassifier):
        rulebook = rules

    monkeypatch.setattr(loading, "classifier", lambda engine, **_: WithRules())
    named = (
        ("6", "Russia said that talks will go on.", "neutral_report", "d"),
        ("7", "Russia should leave.", "analytical_opinion", "d"),
        ("8", "Russia named a band of orcs, a rock group.", "neutral_report", "d"),
    )
    path = written(tmp_path / "named.jsonl", (*SENTENCES[3:4], *named))
    pairs = tmp_path / "pairs.jsonl"
    rows = [("p1", "p", "The orcs fled.", "pro_kyiv"), ("p2", "p", "The junta fled.", "pro_moscow")]
    rows += [("q1", "q", "The orcs ran.", "pro_kyiv"), ("q2", "q", "The thugs ran.", "pro_moscow")]
    names = ("id", "pair", "text", "label")
    pairs.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    result = run("impartiality", path, "--engine", "rules", "--pairs", pairs, "--json", "out.json")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out.json").read_text())["results"]["rules"]
    assert (found["pairs"], found["pairs_both_right"]) == (2, 1)
    assert 2 <= found["name_a_side"] <= 3
    broken = found["inconsistent"]
    assert found["mirrored"] - found["consistent"] == len(broken)
    assert {row["id"] for row in broken} <= {"8"}
    assert all(row["rules"] == ["rule-orcs"] for row in broken)
    assert found["consistent"] >= 2


def test_exceptions_are_ids_and_rules_the_first_twenty_shown() -> None:
    from stance.impartiality import Break

    gold = [
        Labelled(id=f"t{i}", text="secretvillage", label=Label.PRO_KYIV, frame="kyiv", article="a")
        for i in range(30)
    ]
    broken = [
        Break(i, Label.PRO_KYIV, Label.NEUTRAL_REPORT, ("rule-orcs",), ("rule-junta",)) for i in range(3, 24)
    ]
    table = bench_impartiality._exceptions("rules", gold, broken)
    assert len(table.rows) == 20
    assert table.rows[0] == ("t3", "pro_kyiv", "neutral_report", "rule-orcs, rule-junta (in the mirror)")
    assert "21 whose mirror" in table.title
    assert "the first 20" in table.title
    assert bench_impartiality._exceptions("rules", gold, broken[:20]).title.endswith("label")
    assert bench_impartiality._exception("t3", broken[0]) == {
        "id": "t3",
        "label": "pro_kyiv",
        "mirror_label": "neutral_report",
        "rules": ["rule-orcs"],
        "mirror_rules": ["rule-junta"],
    }


def test_settings_for_every_command_do_not_reach_engines(run: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "stance.toml").write_text('engine = "hybrid"\n')
    result = run("accuracy", data, "--engine", "rules")
    assert result.exit_code == 0, result.output


def test_bench_alone_measures_the_seeds(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench._ON_SEEDS == ("accuracy", "impartiality", "faithfulness")
    monkeypatch.setattr(bench, "_ON_SEEDS", ("accuracy", "faithfulness"))  # the small one has no rulebook
    done = run()
    assert done.exit_code == 0, done.output
    for name in ("accuracy", "faithfulness"):
        assert f"== stance bench {name}" in done.stdout
