"""`dspex completion`: the script that lets a shell complete what is typed."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from dspex.cli.console import show, traceback_option

SHELLS: Final = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
"""The shells that there is a script for."""

VARIABLE: Final = "_DSPEX_COMPLETE"
"""How the script asks this program what there is to complete."""


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@traceback_option
def completion(shell: str) -> None:
    """Print the script with which SHELL completes commands, options, runs, models.

    Have your shell read it when it starts:

    \b
      echo 'eval "$(dspex completion bash)"' >> ~/.bashrc
      echo 'eval "$(dspex completion zsh)"' >> ~/.zshrc
      dspex completion fish > ~/.config/fish/completions/dspex.fish
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    group = click.get_current_context().find_root().command
    words = SHELLS[shell](group, {}, "dspex", VARIABLE)
    show(words.source_template % words.source_vars())
