"""The spaCy component: whose sentences and trees, attributes, serialising, batches."""

from __future__ import annotations

from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, DocBin

import stance
from stance import component, seeds, syntax
from stance.errors import StanceError
from stance.resources import resource

TEXT = (
    "The occupiers fled in panic.\n\n"
    "“It was a sham vote at gunpoint,” Kuleba said. Rain is expected on Monday."
)
RULES = {"engine": "rules"}


@pytest.fixture(scope="module")
def blank() -> Any:
    nlp = spacy.blank("en")
    nlp.add_pipe("stance", config=RULES)
    return nlp


@pytest.fixture(scope="module")
def universal() -> Any:
    """A host whose parser has Universal Dependencies labels: the shipped pipeline itself."""
    nlp = spacy.load(resource("models") / "pipeline" / "en")
    nlp.add_pipe("stance", config=RULES)
    return nlp


def labels(doc: Doc) -> list[str]:
    return [verdict.label.value for verdict in doc._.stance]


def test_a_pipeline_without_sentences_gets_our_own(blank: Any) -> None:
    doc = blank(TEXT)
    assert doc._.stance_uses == {"sentences": "own", "trees": "own"}
    expected = stance.load("rules").classify(TEXT)
    assert [v.to_dict() for v in doc._.stance] == [v.to_dict() for v in expected]
    assert [span.text for span in doc.spans["stance"]] == [v.sentence.text for v in expected]
    assert [span.label_ for span in doc.spans["stance"]] == labels(doc)


def test_a_span_has_the_verdict_of_its_sentence(blank: Any) -> None:
    doc = blank(TEXT)
    assert doc[0:2]._.stance.label is stance.Label.PRO_KYIV
    assert doc[len(doc) - 2 :]._.stance.label is stance.Label.NEUTRAL_REPORT
    quoted = next(span for span in doc.spans["stance"] if "sham" in span.text)
    assert (quoted._.stance.voice.value, quoted._.stance.speaker.side) == ("quoted", "kyiv")
    for span in doc.spans["stance"]:
        for piece in span._.stance.evidence:
            assert doc.text[piece.start : piece.end] == piece.text


def test_before_the_component_there_is_nothing() -> None:
    doc = spacy.blank("en")("A sentence.")
    assert doc._.stance is None
    assert doc._.stance_uses is None
    assert doc[0:1]._.stance is None


def test_the_hosts_sentences_are_kept() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer", config={"punct_chars": [";"]})
    nlp.add_pipe("stance", config=RULES)
    doc = nlp("The occupiers fled;  Rain fell. It was cold.\n")
    assert doc._.stance_uses == {"sentences": "host", "trees": "own"}
    assert [v.sentence.text for v in doc._.stance] == ["The occupiers fled;", "Rain fell. It was cold."]
    assert labels(doc) == ["pro_kyiv", "neutral_report"]


def test_a_quotation_runs_over_the_hosts_sentences() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("stance", config=RULES)
    doc = nlp("“Rain fell. The occupiers fled in panic. Snow fell,” he said.")
    voices = [verdict.voice.value for verdict in doc._.stance]
    assert voices[0] == voices[1] == "quoted"


def test_the_hosts_universal_tree_is_used(universal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    pipe = universal.get_pipe("stance")

    def of_span(span: Any) -> Any:
        asked.append(span.text)
        return syntax.of_span(span)

    def never(_: Any) -> Any:
        raise AssertionError("our own parser was asked")

    monkeypatch.setattr(component, "of_span", of_span)
    monkeypatch.setattr(pipe.classifier.parser, "parse", never)
    text = "Russian troops murdered the mayor."
    doc = universal(text)
    assert doc._.stance_uses == {"sentences": "host", "trees": "host"}
    assert asked == [text]
    assert labels(doc) == ["pro_kyiv"]


def test_other_labels_are_not_universal() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("stance", config=RULES)
    words = ["Russian", "troops", "terrorised", "the", "town", "."]
    doc = Doc(
        nlp.vocab,
        words=words,
        spaces=[True] * 4 + [False] * 2,
        heads=[1, 2, 2, 4, 2, 2],
        deps=["amod", "nsubj", "ROOT", "det", "dobj", "punct"],
        pos=["ADJ", "NOUN", "VERB", "DET", "NOUN", "PUNCT"],
    )
    doc = nlp(doc)
    assert doc._.stance_uses == {"sentences": "host", "trees": "own"}
    assert labels(doc) == ["pro_kyiv"]


def test_the_hosts_tree_can_be_demanded_or_declined(universal: Any) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("stance", config={**RULES, "trees": "host"})
    with pytest.raises(StanceError, match="no tree with Universal Dependencies labels"):
        nlp("A sentence.")
    pipe = universal.get_pipe("stance")
    own = component.StanceComponent(universal, pipe.classifier, trees="own")
    doc = own(universal("Russian troops terrorised the town."))
    assert doc._.stance_uses == {"sentences": "host", "trees": "own"}
    with pytest.raises(StanceError, match="trees 'x' is not one of auto, host, own"):
        component.StanceComponent(universal, pipe.classifier, trees="x")


def test_batches_and_single_docs_agree(blank: Any) -> None:
    texts = [document.text for document in seeds.documents()[:2]] + [TEXT, "", "  \n "]
    together = [doc.user_data["stance"] for doc in blank.pipe(texts, batch_size=3)]
    assert together == [blank(text).user_data["stance"] for text in texts]


def test_a_doc_keeps_its_verdicts_on_disk_and_between_processes(blank: Any) -> None:
    doc = blank(TEXT)
    expected = [verdict.to_dict() for verdict in doc._.stance]
    again = Doc(blank.vocab).from_bytes(doc.to_bytes())
    assert [verdict.to_dict() for verdict in again._.stance] == expected
    packed = DocBin(store_user_data=True, docs=[doc]).to_bytes()
    (unpacked,) = DocBin(store_user_data=True).from_bytes(packed).get_docs(blank.vocab)
    assert unpacked[0:2]._.stance.to_dict() == expected[0]


@pytest.mark.parametrize("host", ["blank", "universal"])
def test_two_processes_label_as_one(host: str, request: pytest.FixtureRequest) -> None:
    nlp = request.getfixturevalue(host)
    texts = [f"{TEXT} It was report {i}." for i in range(6)]
    sent = [doc.user_data["stance"] for doc in nlp.pipe(texts, n_process=2, batch_size=2)]
    assert sent == [nlp(text).user_data["stance"] for text in texts]


def test_a_saved_pipeline_comes_back_with_its_settings(tmp_path: Any, blank: Any) -> None:
    blank.to_disk(tmp_path / "nlp")
    again = spacy.load(tmp_path / "nlp")
    assert again.get_pipe("stance").classifier.engine == "rules"
    assert labels(again(TEXT)) == labels(blank(TEXT))


STRANGE = ["", " ", "\n\n", "\u200b", "“", "'", "😀", "A" * 3000, "a\u00a0 b.\r\n\r\n“c", "\x00 d \x1c e"]


@pytest.mark.parametrize("text", STRANGE, ids=ascii)
def test_strange_text_is_labelled_or_left_alone(universal: Any, blank: Any, text: str) -> None:
    for nlp in (universal, blank):
        doc = nlp(text)
        for verdict in doc._.stance:
            assert text[verdict.sentence.start : verdict.sentence.end] == verdict.sentence.text
