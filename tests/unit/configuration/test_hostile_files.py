"""Files that mean no good, or make no sense: an error that names them, and soon."""

from __future__ import annotations

from pathlib import Path

import pytest

from dspex.configuration.faults import WrongConfigurationError
from dspex.configuration.reading import Configuration, configuration

KEY = "sk-abcdefghijklmnopqrstuv"
"""What looks like a key, and is none."""


def read(folder: Path, **environ: str) -> Configuration:
    return configuration({"HOME": str(folder / "home"), **environ}, start=folder)


def refusal(folder: Path, text: str | bytes = b"", **environ: str) -> str:
    """What is said of a file, and that it is said as a fault."""
    if text:
        raw = text.encode() if isinstance(text, str) else text
        (folder / "dspex.toml").write_bytes(raw)
    with pytest.raises(WrongConfigurationError) as refused:
        read(folder, **environ)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("settings = " + "[" * 100_000, "dspex.toml: this has tables or lists in"),
        ("settings = " + "{a=" * 20_000, "dspex.toml: this has tables or lists in"),
        ("settings = {a=" + "[" * 90 + "]" * 90 + "}", "dspex.toml: this has tables"),
        ("max_in_flight = " + "9" * 5_000, "dspex.toml: this holds a number"),
        ("max_in_flight = 0x" + "f" * 5_000, ":1: max_in_flight: the value does not"),
        ("max_in_flight = 9223372036854775808", "of at most 18 digits"),
        ("cache_ttl = " + "9" * 400, ":1: cache_ttl: the value does not fit"),
        ('home = "~nobody-of-that-name/x"', ":1: home: '~nobody-of-that-name/x' does"),
        ('home = "a\\u0000b"', "expected a path, without a NUL"),
        ("[settings]\ntemperature = nan", "a value that JSON cannot hold"),
        ("[settings]\nstop = [2026-01-01]", "a value that JSON cannot hold"),
        ('api_base = "http:///v1"', "with its scheme"),
        ('api_base = "http://a.example:99999/v1"', "expected a URL"),
    ],
    ids=lambda one: one[:24],
)
def test_what_breaks_readers_is_a_fault_with_its_place(
    text: str, told: str, tmp_path: Path
) -> None:
    assert told in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "raw", ["[" * 100_000, "9" * 5_000, "{a=" * 20_000, "[" * 90 + "]" * 90]
)
def test_a_variable_that_breaks_readers_is_a_fault_of_its_key(
    raw: str, tmp_path: Path
) -> None:
    told = refusal(tmp_path, DSPEX_SETTINGS=raw)

    assert told.startswith("DSPEX_SETTINGS: settings: ")
    assert len(told) < 200


def test_a_line_without_end_is_read_at_once(tmp_path: Path) -> None:
    # One that is tried again from each of its spaces takes days.
    (tmp_path / "dspex.toml").write_bytes(b" " * 999_000 + b"\npersist = false\n")

    assert str(read(tmp_path).values["persist"].origin).endswith("dspex.toml:2")


@pytest.mark.parametrize("mark", ["\u2028", "\u0085"], ids=ascii)
def test_only_what_ends_a_line_of_toml_counts_as_one(mark: str, tmp_path: Path) -> None:
    told = refusal(tmp_path, f"# a{mark}b\npersist = 1\n")

    assert "dspex.toml:2: persist" in told


def test_a_file_of_windows_is_read_with_its_lines(tmp_path: Path) -> None:
    raw = b"\xef\xbb\xbfpersist = true\r\nmax_in_fl = 3\r\n"

    assert "dspex.toml:2: max_in_fl: there is no such key" in refusal(tmp_path, raw)


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "dspex.toml").symlink_to(tmp_path / "not-there.toml")

    assert "dspex.toml: this file cannot be read" in refusal(tmp_path)


def test_a_file_is_read_through_a_link_and_speaks_for_where_the_link_is(
    tmp_path: Path,
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "shared.toml").write_text('home = "kept"\n')
    (project / "dspex.toml").symlink_to(tmp_path / "shared.toml")

    assert read(project).config.home == project / "kept"


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "dspex.toml").mkdir()

    assert "dspex.toml: this file cannot be read: Is a directory" in refusal(tmp_path)


def test_a_users_folder_that_cannot_be_looked_into_is_told(tmp_path: Path) -> None:
    told = refusal(tmp_path, XDG_CONFIG_HOME="/" + "a" * 5_000)

    assert "this file cannot be read: File name too long" in told


def test_a_named_file_of_nobody_is_told_with_the_variable(tmp_path: Path) -> None:
    told = refusal(tmp_path, DSPEX_CONFIG="~nobody-of-that-name/dspex.toml")

    assert told.startswith("DSPEX_CONFIG: '~nobody-of-that-name")


def test_what_is_wrong_in_every_place_is_told_at_once(tmp_path: Path) -> None:
    own = tmp_path / "home/.config/dspex/dspex.toml"
    own.parent.mkdir(parents=True)
    own.write_text("model = \n")

    told = refusal(tmp_path, "persist = 1\n", DSPEX_CACHE_TTL="soon")

    assert [line.split(": ")[0] for line in told.splitlines()] == [
        f"{own}:1",
        f"{tmp_path / 'dspex.toml'}:1",
        "DSPEX_CACHE_TTL",
    ]


@pytest.mark.parametrize(
    "text",
    [
        f'"{KEY}" = 1',
        f'[evaluate]\n"{KEY}" = 1',
        f'["{KEY}"]\na = 1\n["{KEY}"]\nb = 1',
        '[settings]\nuser = { api_key = "canary" }',
        '[settings]\nextra = [{ Authorization = "canary" }]',
        'api_base = "https://models.example/v1?key=canary"',
        'api_base = "https://models.example/v1#canary"',
        'model = "pplx-abcdefghijklmnop-canary"',
        'model = "gsk_abcdefghijklmnopcanary"',
        'model = "github_pat_abcdefghijklmnopcanary"',
        '[settings]\nuser = "bearer abcdefghijklmnopcanary"',
    ],
)
def test_a_key_in_an_odd_place_is_refused_and_not_repeated(
    text: str, tmp_path: Path
) -> None:
    told = refusal(tmp_path, text)

    assert KEY not in told
    assert "canary" not in told


def test_a_pyproject_of_others_may_be_in_any_encoding(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b'[project]\nname = "caf\xe9"\n')

    assert read(tmp_path).read == ()


def test_a_pyproject_that_says_dspex_and_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool]\ndspex = 3\n")

    assert "pyproject.toml:2: tool.dspex: this is no table" in refusal(tmp_path)
