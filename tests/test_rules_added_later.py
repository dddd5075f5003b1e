"""A rule that the model has never met counts in the hybrid, without retraining."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

import stance
from stance.cli import cli
from stance.errors import StanceError
from stance.labels import Label

SENTENCE = "The flower commissars met in the old town on Monday."
RULE = """\
id: flower-commissars
kind: lexical
effect: frame
side: {side}
test: N
strength: strong
because: a name that only one side uses
rationale: nobody says this, so no model can have learnt it
phrases: [flower commissars]
mirror: {{none: "made up for a test"}}
examples:
  fires:
    - {{text: "The [flower commissars] met.", side: {side}, voice: author}}
  silent: ["The flowers met."]
"""


@pytest.fixture(params=["kyiv", "moscow"])
def overlay(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    folder = tmp_path / "overlay"
    path = folder / "frame" / "naming" / "flower-commissars.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(RULE.format(side=request.param))
    return folder, request.param


@pytest.fixture(scope="module")
def plain() -> stance.Classifier:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return stance.load("hybrid")
    except StanceError as fault:
        pytest.skip(f"the rules or the model do not load: {fault}")


def test_an_overlay_rule_flips_its_example_in_the_hybrid(
    plain: stance.Classifier, overlay: tuple[Path, str]
) -> None:
    folder, side = overlay
    before = next(iter(plain.classify_sentences([SENTENCE])))
    assert before.label is Label.NEUTRAL_REPORT
    with pytest.warns(UserWarning, match="the model was trained with rules") as told:
        changed = stance.load("hybrid", overlay=folder)
    assert len(told) == 1
    after = next(iter(changed.classify_sentences([SENTENCE])))
    assert after.label is (Label.PRO_KYIV if side == "kyiv" else Label.PRO_MOSCOW)
    found = [e.rule for e in after.evidence if e.counted and e.effect == "frame" and e.kind != "model"]
    assert found == ["flower-commissars"]
    assert after.versions.model == before.versions.model
    assert after.versions.rules != before.versions.rules


def test_other_rules_than_the_models_are_told_once(
    plain: stance.Classifier, overlay: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"{SENTENCE} {SENTENCE}\n")
    files = [str(tmp_path / name) for name in ("a.txt", "b.txt")]
    result = CliRunner().invoke(
        cli, ["classify", *files, "--overlay", str(overlay[0]), "--format", "jsonl"], prog_name="stance"
    )
    assert result.exit_code == 0, result.output
    assert result.stderr.count("the model was trained with rules") == 1
    assert result.stdout.count(f'"label": "pro_{overlay[1]}"') == 4
