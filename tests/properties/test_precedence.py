"""Flags over variables over the project's file over the user's, for every key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dspex.cli.configured import Options, defaults_of
from dspex.cli.main import main
from dspex.configuration.keys import COMMANDS, PROGRESS, keys
from dspex.configuration.origin import Source
from dspex.configuration.reading import Configuration, configuration

COUNTS = st.integers(1, 10**9)
SECONDS = st.floats(0.5, 10**6, allow_nan=False)
WORDS = st.text("abcdefgh", min_size=1, max_size=8)
TABLES = st.dictionaries(WORDS, COUNTS, min_size=1, max_size=2)
ODD: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "model": WORDS.map(lambda word: f"openai/{word}"),
    "api_base": WORDS.map(lambda word: f"http://127.0.0.1:1/{word}"),
    "api_key_env": WORDS.map(str.upper),
    "settings": TABLES,
    "progress": st.sampled_from(PROGRESS),
    "prices": st.fixed_dictionaries(
        {"openai/m": st.fixed_dictionaries({"input": SECONDS, "output": SECONDS})}
    ),
    "proxies": st.fixed_dictionaries({"http": WORDS.map(lambda w: f"http://{w}:1")}),
    "home": WORDS.map(lambda word: f"/somewhere/{word}"),
}
"""What is drawn for keys that are no plain number and no flag."""
SOURCES: Final = (Source.USER, Source.PROJECT, Source.ENVIRONMENT, Source.FLAG)


def values_of(name: str) -> st.SearchStrategy[Any]:
    """Values that a key takes, as TOML has them."""
    if name in ODD:
        return ODD[name]
    default = keys()[name].default
    if isinstance(default, bool):
        return st.booleans()
    return SECONDS if isinstance(default, float) else COUNTS


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        inside = ", ".join(f'"{key}" = {toml(one)}' for key, one in value.items())
        return f"{{ {inside} }}"
    return json.dumps(value)


class Said:
    """A key said in some places, each with a value of its own."""

    def __init__(self, name: str, said: Mapping[Source, Any]) -> None:
        self.name, self.said = name, said

    def read(self, *, is_pyproject: bool, commands: Options | None = None) -> Any:
        """Read what is said, from real files."""
        with TemporaryDirectory() as folder:
            home, project = Path(folder, "home"), Path(folder, "project")
            (home / ".config/dspex").mkdir(parents=True)
            project.mkdir()
            if Source.USER in self.said:
                own = home / ".config/dspex/dspex.toml"
                own.write_text(self._line(Source.USER), encoding="utf-8")
            if Source.PROJECT in self.said:
                text = self._line(Source.PROJECT)
                if is_pyproject:
                    (project / "pyproject.toml").write_text(f"[tool.dspex]\n{text}")
                else:
                    (project / "dspex.toml").write_text(text, encoding="utf-8")
            return configuration(
                {"HOME": str(home), **self._environ()},
                flags=self._flags(),
                start=project,
                commands=commands,
            )

    def _line(self, source: Source) -> str:
        return f"{self.name} = {toml(self.said[source])}\n"

    def _environ(self) -> dict[str, str]:
        if Source.ENVIRONMENT not in self.said:
            return {}
        value = self.said[Source.ENVIRONMENT]
        text = value if isinstance(value, str) else toml(value)
        return {f"DSPEX_{self.name.upper().replace('.', '_')}": text}

    def _flags(self) -> dict[str, Any]:
        flag = Source.FLAG
        return {self.name: self.said[flag]} if flag in self.said else {}


@pytest.mark.parametrize("name", list(keys()))
@given(data=st.data(), is_pyproject=st.booleans())
@settings(max_examples=10)
def test_the_highest_place_that_says_a_key_wins(
    name: str, data: st.DataObject, is_pyproject: bool
) -> None:
    said = {
        source: data.draw(values_of(name), label=source.name)
        for source in data.draw(st.sets(st.sampled_from(SOURCES)), label="said by")
    }

    found: Configuration = Said(name, said).read(is_pyproject=is_pyproject)

    if not said:
        assert found.values[name].value == keys()[name].default
        assert found.values[name].origin.source is Source.DEFAULT
    else:
        assert found.values[name].origin.source is max(said)
        assert found.values[name].value == keys()[name].read(said[max(said)])
    others = set(keys()) - {name}
    assert not any(map(found.is_said, others))


OPTIONS: Final = [
    (command, option) for command in COMMANDS for option in Options(main).names(command)
]


ODD_OPTIONS: Final[Mapping[str, list[Any]]] = {
    "max_errors": ["10", "5%", "none"],
    "metric_range": [[0, 1], [-1.5, 1.5]],
    "fail_under": ["10", "99.5"],
    "app_dir": [".", "/"],
}
"""What is drawn for options with a sense of their own."""


def values_of_option(option: click.Option) -> st.SearchStrategy[Any]:
    """Values that an option takes, as TOML has them."""
    if option.is_flag:
        return st.booleans()
    if option.name in ODD_OPTIONS:
        return st.sampled_from(ODD_OPTIONS[option.name])
    one: st.SearchStrategy[Any]
    match option.type:
        case click.Choice(choices=choices):
            one = st.sampled_from([str(each) for each in choices])
        case click.types.IntParamType():
            one = st.integers(1, 100)
        case click.types.FloatParamType():
            one = st.floats(1.0, 100.0)
        case _:
            one = st.sampled_from(["10", "1.10", "007", "true", "0x10"])
    if option.multiple:
        return st.lists(one, min_size=1, max_size=2)
    if option.nargs > 1:
        return st.lists(one, min_size=option.nargs, max_size=option.nargs)
    return one


@pytest.mark.parametrize(("command", "name"), OPTIONS)
@given(data=st.data())
@settings(max_examples=5)
def test_an_option_of_a_command_is_as_the_highest_place_says_it(
    command: str, name: str, data: st.DataObject
) -> None:
    group: click.Command = main.commands[command]
    option = next(
        each
        for each in group.params
        if isinstance(each, click.Option) and f"--{name.replace('_', '-')}" in each.opts
    )
    places = st.sets(st.sampled_from(SOURCES[:3]), min_size=1)
    said = {
        source: data.draw(values_of_option(option), label=source.name)
        for source in data.draw(places, label="said by")
    }

    dotted = f"{command}.{name}"
    found: Configuration = Said(dotted, said).read(
        is_pyproject=False, commands=Options(main)
    )

    taken = defaults_of(command, group, found)
    assert taken[str(option.name)] == said[max(said)]
    assert found.values[dotted].origin.source is max(said)
    context = click.Context(group, info_name=command)
    option.type_cast_value(context, taken[str(option.name)])
