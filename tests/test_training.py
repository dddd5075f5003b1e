"""Training: symmetric weights, the same bytes twice, a model that follows an overlay without retraining."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from stance import model, rulebook, training
from stance.classifier import Classifier
from stance.cli import cli
from stance.errors import StanceError
from stance.gold import Labelled
from stance.labels import Label

SIDES = ("kyiv", "moscow")


def examples(count: int = 120) -> list[training.Example]:
    """Made-up sentences: the evidence tells the frame, one word tells opinion, the rest is noise."""
    chance = random.Random(3)
    made = []
    for i in range(count):
        frame = chance.choice(("none", "none", "kyiv", "moscow"))
        opinion = chance.random() < 0.4
        first = {f"w:noise{chance.randrange(9)}": 1.0, "bias": 1.0}
        if opinion:
            first["w:perhaps"] = 1.0
        second = {"any:none": 1.0}
        label = Label.ANALYTICAL_OPINION if opinion else Label.NEUTRAL_REPORT
        if frame != "none":
            slot = "{0}" if frame == "kyiv" else "{1}"
            second = {f"ev:{slot}:strong": 1.0, f"any:{slot}:strong": 1.0}
            label = Label.PRO_KYIV if frame == "kyiv" else Label.PRO_MOSCOW
        gold = Labelled(
            f"m{i}", "made up", label, frame, opinion, article=f"a{i % 30}", slices={"batch": "random"}
        )
        made.append(training.Example(gold, first, second, True))
    return made


@pytest.fixture(scope="module")
def trained() -> tuple[training.Weights, dict[str, object]]:
    return training.train(
        examples(), SIDES, engine="hybrid", options=training.Options(), progress=lambda _: None
    )


def test_weights_are_symmetric(trained: tuple[training.Weights, dict[str, object]]) -> None:
    weights, _ = trained
    for name, (none, first, second, opinion) in weights.items():
        twin = weights.get(model.mirror(name))
        assert twin == (none, second, first, opinion)


def test_it_learns_what_there_is_to_learn(trained: tuple[training.Weights, dict[str, object]]) -> None:
    _, card = trained
    figures = card["figures"]
    assert isinstance(figures, dict)
    assert figures["out_of_fold"]["macro_f1"] > 0.9
    assert "large language model" in str(card["labelled_by"])


def test_the_same_data_give_the_same_bytes(
    trained: tuple[training.Weights, dict[str, object]], tmp_path: Path
) -> None:
    again, card = training.train(
        examples(), SIDES, engine="hybrid", options=training.Options(), progress=lambda _: None
    )
    assert model.weights_bytes(again) == model.weights_bytes(trained[0])
    assert card == trained[1]


def test_swapped_sides_swap_what_is_learnt(trained: tuple[training.Weights, dict[str, object]]) -> None:
    weights, card = trained
    linear = model.LinearModel(weights, card, "x")
    for example in examples(40):
        values = {**example.first, **example.second}
        one, two = linear.predict(values, SIDES), linear.predict(model.mirrored(values), SIDES)
        assert one.frames["kyiv"] == pytest.approx(two.frames["moscow"])


def taught(tmp_path: Path, lines: Iterable[object]) -> training.Taught:
    path = tmp_path / "taught.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    classifier = Classifier(rulebook.load(), engine="rules")
    return training.read_taught(classifier, path, lambda _: None)


def lesson(number: int, text: str, kyiv: float, opinion: float) -> dict[str, object]:
    frames = {"none": 1 - kyiv, "kyiv": kyiv, "moscow": 0.0}
    return {"article": f"b{number}", "text": text, "frames": frames, "opinion": opinion}


def lessons() -> list[dict[str, object]]:
    """Zebras go with one side's frame nine times in ten, maple with an opinion."""
    texts = ("The zebra came", "It snowed", "A maple fell", "Zebra and maple")
    return [
        lesson(i, f"{text} on day {i}.", 0.9 * ("ebra" in text), 0.8 * ("maple" in text))
        for i, text in enumerate(texts * 30)
    ]


def test_words_learn_shares_from_a_teacher(tmp_path: Path) -> None:
    weights = training.fit_taught(
        taught(tmp_path, lessons()), [], SIDES, training.Options(taught_l2=0.1), lambda _: None
    )
    none, first, second, _ = weights["w:zebra"]
    assert none < first == second  # no side is named: the word can tell that there is a frame, not whose
    assert none < weights["w:snowed"][0]
    assert weights["w:maple"][3] > 0 > weights["w:snowed"][3]
    for name, (none, first, second, opinion) in weights.items():
        assert weights[model.mirror(name)] == pytest.approx((none, second, first, opinion))


def test_what_a_teacher_said_ends_in_the_one_table(tmp_path: Path) -> None:
    made = [replace(e, first={**e.first, "w:maple": float(bool(e.gold.opinion))}) for e in examples()]
    made = [replace(e, first={n: v for n, v in e.first.items() if n != "w:perhaps"}) for e in made]
    lessons_learnt = training.fit_taught(
        taught(tmp_path, lessons()), [], SIDES, training.Options(), lambda _: None
    )
    for engine in ("hybrid", "model"):
        weights, card = training.train(
            made,
            SIDES,
            engine=engine,
            options=training.Options(),
            progress=lambda _: None,
            taught=lessons_learnt,
        )
        assert "w:snowed" in weights  # known from the teacher alone
        assert weights["w:maple"][3] > 0
        linear = model.LinearModel(weights, card, "x")
        for example in made[:40]:
            values = {**example.first, **(example.second if engine == "hybrid" else {})}
            one, two = linear.predict(values, SIDES), linear.predict(model.mirrored(values), SIDES)
            assert one.frames["kyiv"] == pytest.approx(two.frames["moscow"])


@pytest.mark.parametrize(
    "line",
    [
        {"text": "Rain fell."},
        lesson(1, "Rain fell.", 1.5, 0.0),
        lesson(1, "Rain fell.", 0.5, float("nan")),
        {**lesson(1, "Rain fell.", 0.0, 0.0), "frames": {"none": 0.2, "kyiv": 0.2, "moscow": 0.2}},
        {**lesson(1, "Rain fell.", 0.0, 0.0), "frames": [1, 0, 0]},
        {"frames": {}, "opinion": 0},
        [1],
    ],
)
def test_a_line_that_teaches_nothing_is_named(tmp_path: Path, line: object) -> None:
    with pytest.raises(StanceError, match=r"taught\.jsonl:2: needs "):
        taught(tmp_path, [lesson(0, "Snow fell.", 0.0, 0.0), line])


def test_no_lesson_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StanceError, match="holds no sentence"):
        taught(tmp_path, [])


def test_too_little_to_weigh_is_one_sentence() -> None:
    few = [replace(e, weigh=i < 2) for i, e in enumerate(examples(40))]
    with pytest.raises(StanceError, match="come from 2 articles"):
        training.train(few, SIDES, engine="hybrid", options=training.Options(), progress=lambda _: None)


@pytest.mark.parametrize(
    ("keep", "told"),
    [
        ((Label.NEUTRAL_REPORT, Label.ANALYTICAL_OPINION), "no sentence of the training data is framed"),
        ((Label.NEUTRAL_REPORT,), "no sentence of the training data is framed"),
        ((Label.PRO_KYIV, Label.PRO_MOSCOW), "is without a frame"),
    ],
)
def test_an_answer_that_nobody_gave_is_one_sentence(keep: tuple[Label, ...], told: str) -> None:
    some = [e for e in examples() if e.gold.label in keep]
    with pytest.raises(StanceError, match=told):
        training.train(some, SIDES, engine="hybrid", options=training.Options(), progress=lambda _: None)


def test_reports_alone_beside_frames_are_one_sentence() -> None:
    some = [replace(e, gold=replace(e.gold, opinion=False)) for e in examples()]
    with pytest.raises(StanceError, match="no sentence of the training data is an opinion"):
        training.train(some, SIDES, engine="hybrid", options=training.Options(), progress=lambda _: None)


def test_ten_sentences_are_one_sentence() -> None:
    some = [replace(e, gold=replace(e.gold, article=f"a{i}")) for i, e in enumerate(examples(10))]
    first = next(i for i, e in enumerate(some) if e.gold.label is not Label.ANALYTICAL_OPINION)
    made = [replace(e, gold=replace(e.gold, opinion=i == first)) for i, e in enumerate(some)]
    with pytest.raises(StanceError, match="leaves one answer only"):
        training.train(made, SIDES, engine="hybrid", options=training.Options(), progress=lambda _: None)


def test_a_sentence_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text('{"id": "1", "text": "Rain fell.", "label": "neutral_report"}\n')
    arguments = ["train", "--data", "a.jsonl", "--weigh-on", "b.jsonl", "--out", "m"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = CliRunner().invoke(cli, arguments, prog_name="stance")
    assert result.exit_code == 1
    assert "b.jsonl: 1 ids stand in a.jsonl too (1)" in result.output
    assert not (tmp_path / "m").exists()
