"""The measure of speed: what it counts and prints. No figure is asserted: how fast it is, benchmarks say."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from stance.cli import bench_plots, cli
from stance.cli.bench_throughput import bundled, everyday


def test_everyday_sentences_differ_and_are_the_same_in_every_run() -> None:
    texts = everyday(500, random.Random(3))
    assert len(set(texts)) == 500
    assert texts == everyday(500, random.Random(3))


def test_the_bundled_feed_is_one_fifth_about_the_war() -> None:
    dense, mixed = bundled()
    assert mixed.sentences == pytest.approx(5 * dense.sentences, rel=0.02)
    lines = [line for document in mixed.documents for line in document.text.split("\n")]
    assert len(set(lines)) == len(lines)


def test_every_contestant_gets_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    lines = [json.dumps({"id": str(i), "text": t}) for i, t in enumerate(everyday(120, random.Random(5)))]
    lines += [json.dumps({"id": "again", "text": everyday(1, random.Random(5))[0]})]
    (tmp_path / "feed.jsonl").write_text("\n".join(lines))
    options = [
        "--engine",
        "rules",
        "--sentences",
        "100",
        "--no-start-up",
        "--no-memory",
        "--json",
        "out.json",
    ]
    result = CliRunner().invoke(cli, ["bench", "throughput", "feed.jsonl", *options], prog_name="stance")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out.json").read_text())["results"]["feed"]
    assert {"rules", "spaCy tokenizer alone", "parsing every sentence"} <= found.keys()
    assert found["parsing every sentence"]["of_parsing_every_sentence"] == 1
    assert 0 <= found["parsed"] <= 1
    assert 0 < found["single_ms"]["p50"] <= found["single_ms"]["p99"]


def test_speed_is_drawn_beside_the_first_peer_that_took_part(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rates = {
        "news": {"VADER": 8000.0, "spaCy tokenizer alone": 4000.0, "rules": 1000.0, "floor: JSON": 16000.0},
        "mixed": {"spaCy tokenizer alone": 4000.0, "rules": 1000.0, "none": 0.0},
        "empty": {},
    }
    peers = ("VADER", "spaCy tokenizer alone")
    (path,) = bench_plots.speed(tmp_path / "one", rates, peers)
    (again,) = bench_plots.speed(tmp_path / "two", rates, peers)
    picture = path.read_text()
    assert picture == again.read_text()
    for text in ("VADER = 1", "spaCy tokenizer alone = 1", ">0.125<", ">0.25<", ">2<", ">floor: JSON<"):
        assert text in picture
    assert "none" not in re.findall(r">([^<>]+)</text>", picture)
    assert bench_plots.speed(tmp_path / "three", {"empty": {}}, peers) == []


def test_data_without_a_sentence_are_one_sentence_of_complaint(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    result = CliRunner().invoke(cli, ["bench", "throughput", str(tmp_path / "empty.jsonl")])
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "empty.jsonl" in result.output
