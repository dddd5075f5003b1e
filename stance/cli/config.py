"""``stance config``: which settings hold, and why."""

from __future__ import annotations

from collections.abc import Iterator

import click
from click.core import ParameterSource

from stance.cli.root import COMMANDS, LazyGroup, StanceCommand
from stance.config import FILE_NAME, Settings
from stance.sinks.inert import one_line


@click.command(
    cls=StanceCommand,
    examples=(
        "stance config                   the settings of classify",
        "stance config explain           those of another command",
        "STANCE_ENGINE=rules stance config",
    ),
)
@click.argument("words", nargs=-1, metavar="[COMMAND]")
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the value of every setting of COMMAND (default: classify) and where it comes from.

    The command line wins over environment variables, these over stance.toml, that over the defaults.
    """
    root = ctx.find_root()
    settings = root.obj
    assert isinstance(settings, Settings)
    lines = list(shown(root, words or ("classify",)))
    if settings.path is None:
        click.echo(f"no {FILE_NAME} in the current or the user's configuration folder")
    else:
        click.echo(f"settings from {one_line(str(settings.path))}")
    for line in lines:
        click.echo(line)


def shown(root: click.Context, words: tuple[str, ...]) -> Iterator[str]:
    """A line for each option: its name, its value, why it holds."""
    context = root
    for word in words:
        group = context.command
        found = group.get_command(context, word) if isinstance(group, click.Group) else None
        if found is None:
            raise click.UsageError(f"no command '{' '.join(words)}'; one of {', '.join(COMMANDS)}")
        context = found.make_context(word, [], parent=context, resilient_parsing=True)
    if isinstance(context.command, LazyGroup):
        raise click.UsageError(
            f"'{' '.join(words)}' is a group; name one of {', '.join(context.command.table)}"
        )
    rows = [
        (option.opts[-1], _value(context, option), _why(context, option))
        for option in context.command.params
        if isinstance(option, click.Option) and option.name
    ]
    width = max((len(name) for name, _, _ in rows), default=0)
    widest = max((len(value) for _, value, _ in rows), default=0)
    for name, value, why in rows:
        yield f"  {name:<{width}}  {value:<{widest}}  {why}".rstrip()


def _value(context: click.Context, option: click.Option) -> str:
    value = context.params.get(option.name or "")
    if value is None or value == ():
        return "–"
    return ("yes" if value else "no") if isinstance(value, bool) else one_line(str(value))


def _why(context: click.Context, option: click.Option) -> str:
    source = context.get_parameter_source(option.name or "")
    if source is ParameterSource.ENVIRONMENT:
        return f"environment {_variable(context, option)}"
    if source is ParameterSource.DEFAULT_MAP:
        settings = context.find_root().obj
        return FILE_NAME if settings.path is None else one_line(str(settings.path))
    return "default"


def _variable(context: click.Context, option: click.Option) -> str:
    """The variable that gives the value: the option's own, else the one made of the command's name."""
    import os

    own = option.envvar if isinstance(option.envvar, str) else None
    automatic = f"{context.auto_envvar_prefix}_{(option.name or '').upper()}"
    return own if own and os.environ.get(own) else automatic
