"""``stance schema``: the contracts of records and stores, for those who read them with other tools."""

from __future__ import annotations

import click

from stance.cli.root import StanceCommand


@click.command(
    cls=StanceCommand,
    examples=(
        "stance schema > record.json    the record that is written for each sentence",
        "stance schema --store          the tables in which `stance watch` keeps them",
    ),
)
@click.option("--store", is_flag=True, help="Print the tables of a store instead, with what they mean.")
def command(store: bool) -> None:
    """Print the JSON Schema of a record stance/1, one of which `classify` writes for each sentence."""
    import json

    if store:
        from stance.monitor.schema import SQL

        click.echo(SQL.strip())
        return

    from stance.schema import record_schema

    click.echo(json.dumps(record_schema(), indent=1, ensure_ascii=False))
