"""The JSON Schema of stance/1 accepts what the code writes and refuses what the contract forbids."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import pytest
from fake_classifier import FakeClassifier

from stance.document import Document, Sentence
from stance.schema import record_schema

TEXT = "The orcs came.\n“The junta fell,” he said.\nThey should go.\nThey are not orcs.\nRain fell.\n"
VALIDATOR = jsonschema.Draft202012Validator(record_schema())


def records() -> list[dict[str, Any]]:
    document = Document(TEXT, "a.txt", {"title": "T", "language": "en"})
    return [verdict.to_dict() for verdict in FakeClassifier().classify(document)]


def single() -> dict[str, Any]:
    sentence = Sentence("The orcs came.", 0, 14, id="x1")
    return next(FakeClassifier().classify_sentences([sentence])).to_dict()


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(record_schema())


def test_what_the_code_writes_is_valid() -> None:
    labels = set()
    for record in [*records(), single()]:
        VALIDATOR.validate(record)
        labels.add(record["label"])
    assert len(labels) == 4


def test_the_fields_are_those_of_the_contract() -> None:
    schema = record_schema()
    assert list(schema["properties"]) == [
        "schema",
        "document",
        "index",
        "id",
        "start",
        "end",
        "text",
        "label",
        "own_label",
        "probabilities",
        "abstained",
        "frame",
        "opinion",
        "voice",
        "speaker",
        "reason",
        "evidence",
        "engine",
        "versions",
        "meta",
    ]
    assert set(schema["required"]) == set(schema["properties"]) - {"id"}
    assert list(schema["$defs"]["evidence"]["properties"]) == [
        "rule",
        "kind",
        "effect",
        "test",
        "side",
        "start",
        "end",
        "text",
        "voice",
        "speaker",
        "because",
        "weight",
        "counted",
        "not_counted",
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "stance/2"),
        (("label",), "neutral_report"),
        (("own_label",), "neutral_report"),
        (("label",), "pro_paris"),
        (("speaker",), {"text": "X", "side": "kyiv"}),
        (("voice",), "quoted"),
        (("frame",), "moscow"),
        (("frame",), "none"),
        (("start",), -1),
        (("start",), 0.5),
        (("probabilities", "pro_kyiv"), 1.5),
        (("abstained",), None),
        (("meta", "colour"), "red"),
        (("versions", "rules"), None),
        (("evidence", 0, "rule"), None),
        (("evidence", 0, "test"), "X"),
        (("evidence", 0, "counted"), False),
        (("evidence", 0, "not_counted"), "weak"),
        (("evidence", 0, "side"), "paris"),
        (("more",), 1),
    ],
)
def test_what_the_contract_forbids_is_refused(path: tuple[str | int, ...], value: Any) -> None:
    record: Any = copy.deepcopy(records()[0])
    VALIDATOR.validate(record)
    target = record
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    assert not VALIDATOR.is_valid(record)


@pytest.mark.parametrize("name", record_schema()["required"])
def test_no_field_may_be_missing(name: str) -> None:
    record = records()[0]
    del record[name]
    assert not VALIDATOR.is_valid(record)


def test_an_id_belongs_to_single_sentences_only() -> None:
    record = records()[0]
    assert not VALIDATOR.is_valid({**record, "id": "x"})
    assert VALIDATOR.is_valid({**single(), "id": 7})
