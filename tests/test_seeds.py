"""The bundled seeds are whole, typed and agree with each other and with the codebook's table."""

from __future__ import annotations

from pathlib import Path

import pytest

from stance import seeds
from stance.errors import StanceError
from stance.labels import NO_FRAME, Label, Voice


def test_gold_sentences_stand_where_they_say() -> None:
    texts = {document.name: document.text for document in seeds.documents()}
    assert len(texts) == 5
    gold = seeds.gold()
    assert len(gold) == 154
    for sentence in gold:
        assert texts[sentence.document][sentence.start : sentence.end] == sentence.text


def test_gold_is_in_reading_order_without_overlap() -> None:
    last: dict[str, int] = {}
    for sentence in seeds.gold():
        assert sentence.start >= last.get(sentence.document, 0)
        last[sentence.document] = sentence.end


def test_written_sentences_by_file() -> None:
    counts: dict[str, int] = {}
    for sentence in seeds.written():
        counts[sentence.file] = counts.get(sentence.file, 0) + 1
    assert counts == {
        "agencies": 450,
        "minimal-pairs": 440,
        "russian-registers": 450,
        "swap-pairs": 120,
        "ukrainian-registers": 450,
    }


def test_ids_are_unique() -> None:
    ids = [sentence.id for sentence in (*seeds.gold(), *seeds.written())]
    assert len(ids) == len(set(ids))


def test_labels_follow_the_table_of_the_codebook() -> None:
    for sentence in (*seeds.gold(), *seeds.written()):
        answers = sentence.answers
        if answers.frame != NO_FRAME:
            assert answers.label.value == f"pro_{answers.frame}"
        else:
            assert answers.label is (Label.ANALYTICAL_OPINION if answers.opinion else Label.NEUTRAL_REPORT)
        assert bool(answers.tests) == (answers.frame != NO_FRAME)
        assert answers.source is None or answers.voice is not Voice.AUTHOR


def test_sixteen_seed_sentences_are_framed() -> None:
    assert sum(sentence.answers.frame != NO_FRAME for sentence in seeds.gold()) == 16


def test_pairs_have_partners() -> None:
    members: dict[str, int] = {}
    for sentence in seeds.written():
        if sentence.file in ("minimal-pairs", "swap-pairs"):
            assert sentence.pair is not None
            members[sentence.pair] = members.get(sentence.pair, 0) + 1
    assert min(members.values()) >= 2


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "gold.jsonl").write_text('{"id": \n')
    with pytest.raises(StanceError, match=r"gold\.jsonl:1: not a JSON object"):
        seeds.gold(tmp_path)
