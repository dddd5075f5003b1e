"""The values keep what they are given and cannot be changed."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from stance.document import Document, Quotation, Sentence


def test_meta_is_a_copy_and_read_only() -> None:
    given: dict[str, str | None] = {"title": "A title", "author": None}
    document = Document("Text.", "a.txt", given)
    given["title"] = "Another"
    assert document.meta["title"] == "A title"
    assert document.meta["author"] is None
    with pytest.raises(TypeError):
        document.meta["title"] = "Third"  # type: ignore[index]


def test_values_are_frozen() -> None:
    sentence = Sentence("Text.", 0, 5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        sentence.start = 1  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Quotation(0, 1).level = 1  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Document("Text.").text = ""  # type: ignore[misc]


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_values_travel_between_processes(clone) -> None:  # type: ignore[no-untyped-def]
    document = Document("Text.", None, {"outlet": "x"})
    sentence = Sentence("“Yes", 3, 7, 1, 2, "id", "No.", (Quotation(1, 4, continues_after=True),))
    for value in (document, sentence):
        assert clone(value) == value
        assert type(clone(value)) is type(value)


def test_meta_counts_for_equality_but_not_for_the_hash() -> None:
    plain, described = Document("Text."), Document("Text.", meta={"link": "x"})
    assert plain != described
    assert hash(plain) == hash(described)
    assert described.meta == {"link": "x"}
    assert dict(plain.meta) == {}
