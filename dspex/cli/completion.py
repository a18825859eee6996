"""`dspex completion`: the script that lets a shell complete what is typed."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from dspex.cli.console import show, traceback_option


class BashWords(BashComplete):
    """Bash, with words as its command line has them.

    It ends a word at `:` and `=`, which stand inside of ours: `exact_match:capital`
    would be three words, and its end would be completed as the name of a file. So
    click's function is told whole words, and of what it found only the end is kept.
    """

    source_template = (
        BashComplete.source_template
        + r"""
%(complete_func)s_of_whole_words() {
    local -a whole=("${COMP_WORDS[0]}")
    local at part found open
    for ((at = 1; at <= COMP_CWORD; at++)); do
        part=${COMP_WORDS[at]}
        if [[ $at -gt 1 && -n $part ]] &&
            [[ $part == [:=]* || ${whole[-1]} == *[:=] ]]; then
            whole[-1]+=$part
        else
            whole+=("$part")
        fi
    done
    open=${whole[-1]#--*=}

    local -a COMP_WORDS=("${whole[@]}")
    local COMP_CWORD=$((${#whole[@]} - 1))
    %(complete_func)s "$@"

    found=("${COMPREPLY[@]}") COMPREPLY=()
    for part in "${found[@]}"; do
        if [[ $open == *:* ]]; then
            part=${part#"${open%%:*}:"}
        fi
        [[ -z $part ]] || COMPREPLY+=("$part")
    done
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:/] ]]; then
        compopt -o nospace
    fi
}

complete -o nosort -F %(complete_func)s_of_whole_words %(prog_name)s;
"""
    )


SHELLS: Final = {"bash": BashWords, "zsh": ZshComplete, "fish": FishComplete}
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
