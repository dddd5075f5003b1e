"""``stance schema``: the contract of a record, for those who read results with other tools."""

from __future__ import annotations

import click

from stance.cli.root import StanceCommand


@click.command(
    cls=StanceCommand,
    examples=("stance schema > record.json",),
)
def command() -> None:
    """Print the JSON Schema of a record stance/1, one of which `classify` writes for each sentence."""
    import json

    from stance.schema import record_schema

    click.echo(json.dumps(record_schema(), indent=1, ensure_ascii=False))
