"""The root command, and how every command behaves: settings, faults, closed pipes, interruption."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from stance.errors import StanceError
from stance.version import __version__

# name: (module, what `stance --help` says). A command stands here only when it works.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "classify": ("stance.cli.classify", "Label every sentence of texts, tables, pages and feeds."),
    "watch": ("stance.cli.watch", "Follow feeds: label what is new, keep it, nothing twice."),
    "export": ("stance.cli.export", "Write what a store holds as JSONL, CSV, Parquet or DocBin."),
    "report": ("stance.cli.report", "Make one HTML file of labelled articles, for people."),
    "review": ("stance.cli.review", "Let a person decide sentences, or check labels blindly."),
    "explain": ("stance.cli.explain", "Tell the whole story of one sentence."),
    "rules": ("stance.cli.rules", "Read and check the rules."),
    "mirror": ("stance.cli.mirror", "Swap the sides of a sentence, for measuring."),
    "train": ("stance.cli.train", "Fit the weights of an engine and write them with their card."),
    "bench": ("stance.cli.bench", "Measure engines on labelled sentences, and compare versions."),
    "pipeline": ("stance.cli.pipeline", "Train and measure the English pipeline."),
    "schema": ("stance.cli.schema", "Print the JSON Schema of a record stance/1."),
    "config": ("stance.cli.config", "Show which settings hold, and why."),
    "completion": ("stance.cli.completion", "Print the script that completes commands in a shell."),
}
INTERRUPTED: Final = 130


class ClosedPipe(Exception):
    """Whoever read our output has gone."""


class StanceCommand(click.Command):
    """A command that takes its defaults from the settings and lists examples at the end of its help."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if "default_map" not in extra:
            extra["default_map"] = defaults(self, info_name or "", parent)
        return super().make_context(info_name, args, parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(" " * formatter.current_indent + example + "\n")
        super().format_epilog(ctx, formatter)


class LazyGroup(click.Group):
    """A group whose commands stand in a table and are imported when called."""

    command_class = StanceCommand

    def __init__(
        self,
        *args: Any,
        table: Mapping[str, tuple[str, str]] | None = None,
        examples: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.table = table or {}
        self.examples = tuple(examples)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.table, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return super().get_command(ctx, cmd_name)
        found = getattr(importlib.import_module(self.table[cmd_name][0]), "command")  # noqa: B009
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, help_text) for name, (_, help_text) in self.table.items()]
        own = ((name, super(LazyGroup, self).get_command(ctx, name)) for name in super().list_commands(ctx))
        rows += [(name, command.get_short_help_str(90)) for name, command in own if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(" " * formatter.current_indent + example + "\n")
        super().format_epilog(ctx, formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as fault:
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not near or "Did you mean" in fault.message:
                raise
            raise click.UsageError(f"{fault.message} Did you mean '{near[0]}'?", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Keep closed pipes and Ctrl-C from click, which would end with 1 and an empty line."""
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:
            raise ClosedPipe from None
        except KeyboardInterrupt:
            raise click.Abort from None
        return result

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and end as a well-behaved command does: 0, 1 for faults, 2 for wrong use, 130 when stopped."""
        if not standalone_mode:
            return super().main(args, prog_name, standalone_mode=False, **extra)
        try:
            result = super().main(args, prog_name, standalone_mode=False, **extra)
        except click.exceptions.Exit as leaving:
            sys.exit(leaving.exit_code)
        except click.ClickException as fault:
            fault.show()
            sys.exit(fault.exit_code)
        except click.Abort:
            complain("stopped")
            sys.exit(INTERRUPTED)
        except ClosedPipe:
            _leave_quietly()
        except StanceError as fault:
            complain(str(fault))
            sys.exit(1)
        except OSError as fault:
            place = f"{fault.filename}: " if fault.filename else ""
            complain(f"{place}{fault.strerror or fault}; check the disk and the permissions")
            sys.exit(1)
        sys.exit(result if isinstance(result, int) else 0)


def complain(message: str) -> None:
    """A sentence on standard error; whatever it quotes cannot act on the terminal."""
    from stance.sinks.inert import visible

    click.echo(visible(message, keep="\n"), err=True)


def defaults(command: click.Command, name: str, parent: click.Context | None) -> dict[str, Any]:
    """What the settings say for a command, its own paths made to count from the settings' folder."""
    if parent is None:
        return {}
    from stance import config

    root = parent.find_root()
    if not isinstance(root.obj, config.Settings):
        return {}
    settings = root.obj
    path = [*parent.command_path.split()[1:], name]
    options = {option.name: option for option in command.params if option.name}
    # As on the command line, too: `format`, where the function's argument is called otherwise; but what all
    # commands share means the same in each: one engine for `classify` is not the engines of a bench.
    spelled = {
        long.removeprefix("--").replace("-", "_"): name
        for name, option in options.items()
        for long in option.opts
        if long.startswith("--")
    }
    spelled = {key: name for key, name in spelled.items() if key == name or key not in config.SHARED}
    found = settings.of(path, {*options, *spelled})
    values = {spelled.get(key, key): value for key, value in found.items()}
    for key, value in values.items():
        option = options[key]
        try:
            option.type_cast_value(root, value)
        except click.UsageError as fault:
            raise click.UsageError(f"{settings.path}: '{key}': {fault.format_message()}") from None
        if isinstance(option.type, click.Path) and isinstance(value, str):
            values[key] = settings.placed(value)
    return values


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "STANCE",
        "max_content_width": 100,
    },
    examples=(
        "stance classify                          the bundled seed articles",
        "stance classify article.txt              one article, in colour",
        "stance classify news/ -o labels.jsonl    a folder, one record a sentence",
        "stance COMMAND --help                    options and examples of a command",
    ),
)
@click.version_option(__version__, "-V", "--version", prog_name="stance", message="%(prog)s %(version)s")
@click.option(
    "--config", "config_path", metavar="FILE", envvar="STANCE_CONFIG", help="Settings instead of stance.toml."
)
@click.pass_context
def cli(ctx: click.Context, config_path: str | None) -> None:
    """Label the sentences of English news on the war by frame, voice and opinion, and say why."""
    from stance import config

    path = Path(config_path) if config_path else config.find(Path.cwd(), os.environ)
    ctx.obj = config.read(path, COMMANDS)


def _leave_quietly() -> NoReturn:
    """Whoever read our output has gone: that is no error, and nothing more can be written to it."""
    try:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
    except (OSError, ValueError):
        pass
    sys.exit(0)
