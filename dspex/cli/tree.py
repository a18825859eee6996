"""`dspex tree`: the supervision trees of a process that runs."""

from __future__ import annotations

import click

from dspex.cli.console import json_option, show, show_json, traceback_option
from dspex.cli.processes import pid_option, the_process


@click.command()
@pid_option
@click.option(
    "--stacks", is_flag=True, help="Also where actors that are busy are in their code."
)
@json_option
@traceback_option
def tree(pid: int | None, stacks: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Show the actors of a process, what they are busy with, and what was restarted.

    No actor is asked, so it works while any of them is stuck.

    \b
      dspex tree
      dspex tree --pid 4711 --json
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    from dspex.control.asking import ask

    process = the_process(pid)
    told = ask(process.path, "tree", {"stacks": stacks})
    if as_json:
        show_json([each["tree"] for each in told["trees"]])
        return
    for each in told["trees"]:
        show(each["text"])
        if stacks:
            for label, stack in _stacks(each["tree"]):
                show(f"\n{label}\n{stack.rstrip()}")


def _stacks(node: dict[str, object]) -> list[tuple[str, str]]:
    """Return the actors of a tree that are busy, and where."""
    found = []
    if isinstance(stack := node["stack"], str):
        found.append((f"{node['name'] or node['id']}, at {node['in_hand']}", stack))
    children = node["children"]
    if isinstance(children, list):
        found += [each for child in children for each in _stacks(child)]
    return found
