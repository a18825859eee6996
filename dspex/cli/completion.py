"""`dspex completion`: the script that lets a shell complete what is typed."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from dspex.cli.console import show, traceback_option


class BashWords(BashComplete):
    """Bash, with words as its command line has them.

    It ends a word at `:` and `=`, which stand inside of ours: `exact_match:capital`
    would be three words, and its end would be completed as the name of a file.
    """

    source_template = r"""
%(complete_func)s() {
    local IFS=$'\n'
    local response type value word index
    local -a words=()

    for ((index = 0; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if [[ $index -gt 1 && -n $word ]] &&
            [[ $word == [:=]* || ${words[-1]} == *[:=] ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
    word=${words[-1]}

    response=$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) \
        %(complete_var)s=bash_complete $1)

    for completion in $response; do
        IFS=',' read type value <<< "$completion"

        if [[ $type == 'dir' ]]; then
            COMPREPLY=()
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            COMPREPLY=()
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=($value)
        fi
    done

    word=${word#--*=}
    if [[ $word == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%%"${word##*:}"}"}")
    fi
    if [[ ${#COMPREPLY[@]} -eq 1 && -z ${COMPREPLY[0]} ]]; then
        COMPREPLY=()
    elif [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:/] ]]; then
        compopt -o nospace
    fi

    return 0
}

%(complete_func)s_setup() {
    complete -o nosort -F %(complete_func)s %(prog_name)s
}

%(complete_func)s_setup;
"""


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
