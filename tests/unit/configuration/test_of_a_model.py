"""Model, address, key and settings: which of them are said of one another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import dspex
from dspex.configuration.faults import WrongConfigurationError
from dspex.configuration.files import of_user
from tests.unit.configuration.folder import KEY, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_named_model_takes_no_address_key_or_setting_of_another_one(
    folder: Folder,
) -> None:
    folder.write_own(
        'model = "openai/mine"\napi_base = "https://mine.example/v1"\n'
        'api_key_env = "MINE"\n[settings]\ntemperature = 0\n'
    )
    folder.write('model = "openai/theirs"\n')

    found = folder.read()

    assert found.lm == "openai/theirs"
    assert not found.is_said("api_base")
    assert not found.is_said("api_key_env")
    assert not found.is_said("settings")


def test_what_is_said_of_a_model_above_it_in_the_same_file_is_its_own(
    folder: Folder,
) -> None:
    folder.write(
        'api_key_env = "MINE"\nsettings.seed = 1\n'
        'api_base = "http://127.0.0.1:1/v1"\nmodel = "openai/mine"\n'
    )

    found = folder.read()

    for key in ("model", "api_base", "api_key_env", "settings"):
        assert found.is_said(key)


def test_a_users_folder_that_is_no_whole_path_is_not_looked_into() -> None:
    found = of_user({"HOME": "/home/ada", "XDG_CONFIG_HOME": "here"}, "linux")

    assert found == Path("/home/ada/.config/dspex/dspex.toml")


def test_a_table_in_pieces_stands_where_it_is_first_named(folder: Folder) -> None:
    file = folder.write(
        "[prices.a]\ninput = 1\noutput = 1\n[prices.b]\ninput = 1\noutput = 1\n"
    )

    assert str(folder.read().values["prices"].origin) == f"{file}:1"


def test_lines_of_a_pyproject_are_those_of_its_own_table(folder: Folder) -> None:
    file = folder.write(
        '[tool.a]\nmodel = "a"\n[tool.dspex]\nmodel = "openai/m"\n'
        '[tool.z]\nmodel = "z"\n',
        "pyproject.toml",
    )

    assert str(folder.read().values["model"].origin) == f"{file}:4"


def test_a_projects_file_takes_no_key_to_an_address_of_its_own(folder: Folder) -> None:
    folder.write('api_base = "https://evil.example/v1"\napi_key_env = "MY_KEY"')

    assert "that a key would be taken to" in folder.refusal()


def test_a_users_key_is_taken_to_no_address_of_a_project(folder: Folder) -> None:
    folder.write_own('api_key_env = "MY_KEY"')
    folder.write('api_base = "https://evil.example/v1"')

    assert not folder.read().is_said("api_key_env")


def test_a_user_may_say_that_a_key_goes_to_a_projects_address(folder: Folder) -> None:
    folder.write('api_base = "https://models.example/v1"\n')

    found = folder.read({"DSPEX_API_KEY_ENV": "MY_KEY"})

    assert found.values["api_key_env"].value == "MY_KEY"


def test_a_projects_file_may_name_a_server_of_this_machine_and_its_key(
    folder: Folder,
) -> None:
    folder.write('api_base = "http://127.0.0.1:8000/v1"\napi_key_env = "LOCAL"\n')

    assert folder.read().values["api_key_env"].value == "LOCAL"


def test_the_model_is_made_of_what_is_said(folder: Folder) -> None:
    folder.write('model = "openai/m"\nmax_errors = 3\n[settings]\ntemperature = 0\n')

    found = folder.read({"DSPEX_API_KEY_ENV": "MY_KEY"})
    lm = found.language_model({"MY_KEY": KEY})

    assert repr(lm) == "LM('openai/m', temperature=0)"


def test_a_key_that_is_not_set_is_told_with_the_line_that_names_it(
    folder: Folder,
) -> None:
    file = folder.write('model = "openai/m"\napi_key_env = "NOT_THERE"\n')

    with pytest.raises(WrongConfigurationError) as refused:
        folder.read().language_model({})

    assert str(refused.value).startswith(f"{file}:2: api_key_env: the variable it")


def test_settings_are_what_configure_takes(folder: Folder) -> None:
    folder.write('model = "openai/m"\nmax_errors = 3\n')

    found = folder.read().settings()

    assert found.keys() == {"lm", "max_errors"}
    with dspex.context(**found):
        assert dspex.settings.max_errors == 3


@pytest.mark.skipif(os.name != "posix", reason="there are no numbers of users")
def test_a_user_that_has_no_folder_has_no_file_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import pwd

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)

    assert of_user({}, "linux") == Path("/.config/dspex/dspex.toml")
