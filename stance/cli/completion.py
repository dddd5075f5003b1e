"""``stance completion``: the script with which a shell completes commands and options."""

from __future__ import annotations

import click

from stance.cli.root import StanceCommand


@click.command(
    cls=StanceCommand,
    examples=(
        'eval "$(stance completion bash)"      in ~/.bashrc',
        'eval "$(stance completion zsh)"       in ~/.zshrc',
        "stance completion fish > ~/.config/fish/completions/stance.fish",
    ),
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL."""
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(ctx.find_root().command, {}, "stance", "_STANCE_COMPLETE").source())
