"""Options that several commands share, each with its environment variable."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from stance.labels import ENGINES, POLICIES

Function = TypeVar("Function", bound=Callable[..., Any])


def engine_options(function: Function) -> Function:
    """--engine, --rules, --overlay, --model."""
    for option in reversed(
        (
            click.option(
                "--engine",
                type=click.Choice(ENGINES),
                default="hybrid",
                envvar="STANCE_ENGINE",
                show_default=True,
                help="Rules alone, a model of the words alone, or both together.",
            ),
            *rule_options(),
            click.option(
                "--model",
                type=click.Path(),
                metavar="DIR",
                envvar="STANCE_MODEL",
                help="A trained model instead of the bundled one.",
            ),
        )
    ):
        function = option(function)
    return function


def rule_folder_options(function: Function) -> Function:
    """--rules and --overlay, for commands that need no engine."""
    for option in reversed(rule_options()):
        function = option(function)
    return function


def rule_options() -> tuple[Callable[[Function], Function], Callable[[Function], Function]]:
    """--rules and --overlay."""
    return (
        click.option(
            "--rules",
            type=click.Path(),
            metavar="DIR",
            envvar="STANCE_RULES",
            help="A rule folder instead of the bundled one.",
        ),
        click.option(
            "--overlay",
            type=click.Path(),
            metavar="DIR",
            envvar="STANCE_OVERLAY",
            help="A folder that adds, changes or switches off single rules.",
        ),
    )


def store_option(function: Function) -> Function:
    return click.option(
        "--store",
        type=click.Path(dir_okay=False),
        default="monitor.db",
        envvar="STANCE_STORE",
        show_default=True,
        metavar="FILE",
        help="The store of `stance watch`: an SQLite database.",
    )(function)


def fetching_options(function: Function) -> Function:
    """--any-language, --allow-private and --timeout, for commands that read what others publish."""
    for option in reversed(
        (
            click.option("--any-language", is_flag=True, help="Label what does not look English as well."),
            click.option(
                "--allow-private", is_flag=True, help="Fetch from loopback and private addresses as well."
            ),
            click.option(
                "--timeout",
                type=click.FloatRange(0.1, 3600),
                default=20.0,
                show_default=True,
                metavar="SECONDS",
                help="Give up fetching or parsing one page or feed after this long.",
            ),
        )
    ):
        function = option(function)
    return function


def abstain_option(function: Function) -> Function:
    return click.option(
        "--abstain-below",
        type=click.FloatRange(0, 1),
        default=0.0,
        metavar="P",
        help="Mark verdicts whose label is less probable than this.",
    )(function)


def progress_option(function: Function) -> Function:
    return click.option(
        "--progress/--no-progress", default=None, help="A progress line (default: on a terminal)."
    )(function)


def policy_option(function: Function) -> Function:
    return click.option(
        "--policy",
        type=click.Choice(POLICIES),
        default="carried",
        envvar="STANCE_POLICY",
        show_default=True,
        help="Which label text and summaries show: what the words carry, or the text's own voice alone. "
        "Records hold both.",
    )(function)


def color_options(function: Function) -> Function:
    """--color and --width."""
    function = click.option(
        "--width",
        type=click.IntRange(30, 1000),
        envvar="STANCE_WIDTH",
        help="Cells a line (default: the terminal's).",
    )(function)
    return click.option(
        "--color",
        type=click.Choice(("auto", "always", "never")),
        default="auto",
        envvar="STANCE_COLOR",
        show_default=True,
        help="Colours and underlines; auto: on a terminal, unless NO_COLOR is set.",
    )(function)


def wants_color(choice: str, *, terminal: bool) -> bool:
    """Whether escape sequences may be written."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return terminal or bool(os.environ.get("FORCE_COLOR"))


def terminal_width(chosen: int | None) -> int:
    return chosen or max(30, shutil.get_terminal_size((100, 24)).columns)


def stdout_is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
