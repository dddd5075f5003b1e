"""``stance mirror``: the same sentence with its sides swapped, for measuring."""

from __future__ import annotations

import sys

import click

from stance.cli import loading, options
from stance.cli.root import StanceCommand, complain


@click.command(
    cls=StanceCommand,
    examples=(
        'stance mirror "Officials in the capital spoke of aggression."',
        "cat sentences.txt | stance mirror",
    ),
)
@click.argument("sentence", metavar="[SENTENCE]", required=False)
@click.option("--why", is_flag=True, help="Say on standard error why a sentence stayed as it was.")
@options.rule_folder_options
def command(sentence: str | None, why: bool, rules: str | None, overlay: str | None) -> None:
    """Swap the sides of SENTENCE, or of each line of standard input; one line out for each.

    A sentence in which one name or cue has no partner comes back unchanged.
    """
    from stance.mirroring import Mirror

    mirror = Mirror(loading.rulebook(rules, overlay))
    lines = (
        [sentence]
        if sentence is not None and sentence != "-"
        else (line.rstrip("\r\n") for line in sys.stdin)
    )
    for line in lines:
        mirrored = mirror(line)
        click.echo(mirrored.text)
        if why and mirrored.why:
            complain(f"unchanged: {mirrored.why}")
