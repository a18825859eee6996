"""Whatever files and variables hold: a configuration, or an error that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dspex.configuration.faults import WrongConfigurationError
from dspex.configuration.files import read
from dspex.configuration.keys import COMMANDS, keys
from dspex.configuration.origin import Source
from dspex.configuration.reading import Configuration, configuration
from dspex.runtime.config import Config

NAMES = st.sampled_from([*keys(), *COMMANDS, "api_key", "max_in_fligth", "x"])
SCALARS = (
    st.integers()
    | st.floats()
    | st.booleans()
    | st.text(max_size=12)
    | st.sampled_from(["http://[", "~", "sk-abcdefghijklmnop", "never", "A_KEY"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner)
    ),
    max_leaves=4,
)


def read_or_refused(
    environ: dict[str, str], flags: dict[str, Any]
) -> tuple[Configuration | None, WrongConfigurationError | None]:
    try:
        found = configuration(
            {"HOME": "/nobody", **environ}, flags=flags, start=Path("/nobody")
        )
    except WrongConfigurationError as error:
        return None, error
    return found, None


@given(flags=st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_value_makes_a_configuration_or_names_its_key(
    flags: dict[str, Any],
) -> None:
    found, refused = read_or_refused({}, flags)

    if refused is None:
        assert found is not None
        assert isinstance(found.config, Config)
        assert {name for name in flags if found.is_said(name)} == flags.keys()
    else:
        assert {fault.key for fault in refused.faults} <= flags.keys()
        assert "sk-abcdefghijklmnop" not in str(refused)


@given(environ=st.dictionaries(NAMES, st.text(max_size=20), max_size=4))
def test_any_variable_makes_a_configuration_or_is_named(
    environ: dict[str, str],
) -> None:
    variables = {f"DSPEX_{name.upper()}": text for name, text in environ.items()}

    _, refused = read_or_refused(variables, {})

    places = {fault.origin.place for fault in refused.faults} if refused else set()
    assert places <= variables.keys()


@given(names=st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=5))
def test_each_key_is_found_in_its_line(names: list[str], tmp_path_factory: Any) -> None:
    lines = [f"{_quoted(name)} = {number}" for number, name in enumerate(names)]
    path = tmp_path_factory.mktemp("lines") / "dspex.toml"
    path.write_text("\n".join(lines), encoding="utf-8")

    found = read(path, Source.PROJECT)

    lines_found = [found.origin(name).line for name in names]
    assert lines_found == list(range(1, len(names) + 1))


def _quoted(name: str) -> str:
    escaped = "".join(f"\\U{ord(character):08x}" for character in name)
    return f'"{escaped}"'
