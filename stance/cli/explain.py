"""``stance explain``: the whole story of one sentence."""

from __future__ import annotations

import json
import sys

import click

from stance.cli import loading, options
from stance.cli.root import StanceCommand
from stance.errors import StanceError

_MOST = 1_000_000  # bytes of standard input: more is no sentence


@click.command(
    cls=StanceCommand,
    examples=(
        'stance explain "Officials called it an occupation."',
        'stance explain --prev "The minister spoke at length." "He said the vote was a sham."',
        'echo "Officials called it an occupation." | stance explain -',
        'stance explain --format json "Officials called it an occupation."',
    ),
)
@click.argument("sentence", metavar="SENTENCE")
@click.option(
    "--prev", metavar="TEXT", help="The sentence before: it may say who is speaking, and nothing else."
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="A story for people, or the record stance/1.",
)
@options.engine_options
@options.color_options
def command(
    sentence: str,
    prev: str | None,
    form: str,
    engine: str,
    rules: str | None,
    overlay: str | None,
    model: str | None,
    color: str,
    width: int | None,
) -> None:
    """Say how SENTENCE is labelled, and everything that led there. "-" reads it from standard input.

    All three answers, both labels, the probabilities, each piece of evidence with its words marked, whose
    words they are, and what was seen but did not count.
    """
    from stance.document import Sentence

    text = _given(sentence)
    classifier = loading.classifier(engine, rules=rules, overlay=overlay, model=model)
    handed = Sentence(text, 0, len(text), prev=prev)
    record = next(classifier.classify_sentences([handed])).to_dict()
    if form == "json":
        click.echo(json.dumps(record, ensure_ascii=options.stdout_is_terminal(), indent=1))
        return
    from stance.sinks.story import story
    from stance.sinks.text import Paint

    painted = options.wants_color(color, terminal=options.stdout_is_terminal())
    for line in story(record, Paint(painted), options.terminal_width(width)):
        click.echo(line, color=painted)


def _given(sentence: str) -> str:
    """The sentence, from standard input for "-"; line breaks are spaces."""
    if sentence == "-":
        from stance.sources.encoding import decode

        if sys.stdin is None:
            raise StanceError("standard input is closed; give the sentence as an argument")
        sentence = decode(sys.stdin.buffer.read(_MOST)).text
    from stance.sources.encoding import without_surrogates

    text = without_surrogates(" ".join(sentence.split("\n"))).strip()
    if not text:
        raise StanceError("the sentence is empty; give one in quotation marks")
    return text
