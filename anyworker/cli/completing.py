"""``anyworker completion``."""

import click
from click.shell_completion import get_completion_class

_NAME = "anyworker"
_VARIABLE = "_ANYWORKER_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options, their values and files.

    \b
    bash:  anyworker completion bash > ~/.local/share/bash-completion/completions/anyworker
    zsh:   anyworker completion zsh > ~/.zfunc/_anyworker, a directory of $fpath
    fish:  anyworker completion fish > ~/.config/fish/completions/anyworker.fish

    \b
    Exit status:
      0  printed
      2  the command line is wrong

    Example: anyworker completion bash
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 (click has these three)
    click.echo(kind(context.find_root().command, {}, _NAME, _VARIABLE).source())
