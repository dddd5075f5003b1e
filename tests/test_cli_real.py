"""The command line with the real rules and pipeline: the contract on all seeds."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from stance import seeds
from stance.cli import cli
from stance.schema import record_schema


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, prog_name="stance")
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in invoke("classify", "--engine", "rules", "--format", "jsonl").splitlines()
    ]


def test_every_record_keeps_the_contract(records: list[dict[str, Any]]) -> None:
    validator = jsonschema.Draft202012Validator(record_schema())
    texts = {document.name: document.text for document in seeds.documents()}
    assert {record["document"] for record in records} == set(texts)
    for record in records:
        validator.validate(record)
        text = texts[record["document"]]
        assert text[record["start"] : record["end"]] == record["text"]
        assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        for piece in record["evidence"]:
            assert text[piece["start"] : piece["end"]] == piece["text"]


def test_sentences_are_numbered_in_order(records: list[dict[str, Any]]) -> None:
    last: dict[str, int] = {}
    for record in records:
        assert record["index"] == last.get(record["document"], -1) + 1
        last[record["document"]] = record["index"]


def test_a_settled_claim_is_found_in_the_authors_voice(records: list[dict[str, Any]]) -> None:
    (found,) = [record for record in records if "which joined Russia in 2014" in record["text"]]
    assert (found["label"], found["own_label"], found["voice"]) == ("pro_moscow", "pro_moscow", "author")
    assert any(
        piece["rule"] and "joined Russia" in piece["text"] for piece in found["evidence"] if piece["counted"]
    )


def test_explain_tells_the_story_of_a_real_sentence() -> None:
    story = invoke(
        "explain", "--engine", "rules", "Crimea, which joined Russia in 2014, has two million people."
    )
    assert "pro_moscow" in story
    assert "test Q (settled)" in story


def test_rules_are_listed_and_shown() -> None:
    rows = [json.loads(line) for line in invoke("rules", "list", "--format", "jsonl").splitlines()]
    assert len(rows) > 100
    effects = {row["effect"]: row["id"] for row in rows}
    assert set(effects) == {"frame", "opinion", "voice", "cancel"}
    for rule in effects.values():
        page = invoke("rules", "show", rule)
        assert page.startswith(rule)
        for part in ("because", "must fire", "must stay silent"):
            assert part in page


def test_a_mistyped_rule_gets_a_suggestion() -> None:
    some = json.loads(invoke("rules", "list", "--format", "jsonl").splitlines()[0])["id"]
    result = CliRunner().invoke(cli, ["rules", "show", some + "x"], prog_name="stance")
    assert result.exit_code == 1
    assert f"did you mean '{some}'?" in result.stderr


def test_the_schema_of_rules_is_json() -> None:
    assert json.loads(invoke("rules", "schema"))
