"""Write the tables of `docs/reference/cli.md` from the commands themselves.

`python -m tests.docs.cli_page` writes the page; a test holds that it is up to date.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from dspex.cli.main import main
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/reference/cli.md"
BEGIN, END = "<!-- commands -->", "<!-- end of commands -->"


def written(page: str) -> str:
    """Return the page with its tables as the commands have them."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n".join(_tables())
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def _tables() -> Iterator[str]:
    assert isinstance(main, click.Group)
    for name, command in sorted(main.commands.items()):
        if command.hidden:
            continue
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield from _table(name, command)
        if isinstance(command, click.Group):
            for below, one in sorted(command.commands.items()):
                yield from _table(f"{name} {below}", one)


def _table(name: str, command: click.Command) -> Iterator[str]:
    arguments = [
        parameter.make_metavar(click.Context(command))
        for parameter in command.params
        if isinstance(parameter, click.Argument)
    ]
    yield f"## dspex {name}\n"
    yield "```text"
    yield " ".join(["dspex", name, "[OPTIONS]", *arguments])
    yield "```\n"
    yield f"{_paragraph(command.help or '')}\n"
    yield "| option | what it does |"
    yield "| --- | --- |"
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            yield f"| `{_names(parameter)}` | {_cell(parameter.help or '')} |"
    yield ""


def _names(option: click.Option) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag or option.count:
        return names
    if isinstance(option.type, click.Choice):
        return f"{names} {'/'.join(map(str, option.type.choices))}"
    return f"{names} {option.metavar or str(option.type.name).upper()}"


def _paragraph(text: str) -> str:
    """Take the first paragraph; the rest is in `--help`."""
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
