"""Flags, environment and files: who wins, what is refused, where it stands."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

import dspex
from dspex.configuration.faults import WrongConfigurationError
from dspex.configuration.keys import keys
from dspex.configuration.origin import Source
from dspex.configuration.reading import checked_file, configuration
from dspex.core import defaults
from tests.unit.configuration.folder import KEY, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_every_field_of_a_runtimes_configuration_is_a_key() -> None:
    of_runtime = {name for name, key in keys().items() if key.of_runtime}

    assert of_runtime == {field.name for field in fields(dspex.Config)}


def test_nothing_said_is_every_default(folder: Folder) -> None:
    found = folder.read()

    assert found.config == dspex.Config()
    assert found.lm is None
    assert found.values["concurrency"].value == defaults.CONCURRENCY
    assert found.settings() == {}
    assert not any(map(found.is_said, found.values))


def test_flags_win_over_variables_these_over_the_project_that_over_the_user(
    folder: Folder,
) -> None:
    folder.write_own("max_in_flight = 1\nmax_queued = 1\ncache_entries = 1\nmodel='a'")
    project = folder.write("max_in_flight = 2\nmax_queued = 2\ncache_entries = 2\n")

    found = folder.read(
        {"DSPEX_MAX_IN_FLIGHT": "3", "DSPEX_MAX_QUEUED": "3"}, {"max_in_flight": 4}
    )

    assert {
        name: (found.values[name].value, str(found.values[name].origin))
        for name in ("max_in_flight", "max_queued", "cache_entries", "persist")
    } == {
        "max_in_flight": (4, "--max-in-flight"),
        "max_queued": (3, "DSPEX_MAX_QUEUED"),
        "cache_entries": (2, f"{project}:3"),
        "persist": (True, "default"),
    }
    assert found.values["model"].origin.source is Source.USER
    assert (found.config.max_in_flight, found.config.cache_entries) == (4, 2)


def test_an_empty_variable_says_nothing(folder: Folder) -> None:
    found = folder.read({"DSPEX_MODEL": "", "DSPEX_PERSIST": ""})

    assert not found.is_said("model")
    assert not found.is_said("persist")


def test_variables_are_read_with_tomls_types(folder: Folder) -> None:
    found = folder.read(
        {
            "DSPEX_MODEL": "openai/m",
            "DSPEX_PERSIST": "false",
            "DSPEX_CACHE_TTL": "1_000",
            "DSPEX_SETTINGS": '{ temperature = 0.5, stop = ["end"] }',
            "DSPEX_PRICES": '{ "openai/m" = { input = 1, output = 2.5 } }',
            "DSPEX_HOME": "/srv/dspex",
        }
    )

    assert found.lm == "openai/m"
    assert found.values["settings"].value == {"temperature": 0.5, "stop": ["end"]}
    assert found.config == dspex.Config(
        persist=False,
        cache_ttl=1000.0,
        prices={"openai/m": dspex.Price(input=1.0, output=2.5)},
        home=Path("/srv/dspex"),
    )


def test_a_file_says_prices_proxies_and_a_home_beside_itself(folder: Folder) -> None:
    folder.write(
        'home = "kept"\n'
        '[prices."openai/my-model"]\n'
        "input = 1.0\n"
        "output = 4.0\n"
        "long_prompt = { above = 200_000, input = 2.0, output = 8.0 }\n"
        "[proxies]\n"
        'https = "http://proxy.example:3128"\n'
        'exceptions = [".corp.example"]\n'
    )

    found = folder.read().config

    assert found.home == folder.project / "kept"
    assert found.prices["openai/my-model"].long_prompt == dspex.LongPrompt(
        above=200_000, price=dspex.Price(input=2.0, output=8.0)
    )
    assert found.proxies == dspex.Proxies(
        https="http://proxy.example:3128", exceptions=(".corp.example",)
    )


def test_a_project_may_speak_in_its_pyproject(folder: Folder) -> None:
    file = folder.write('[tool.dspex]\n\nmodel = "openai/m"\n', "pyproject.toml")

    found = folder.read()

    assert found.lm == "openai/m"
    assert str(found.values["model"].origin) == f"{file}:3"
    assert found.read == (file,)


def test_a_pyproject_of_others_is_not_read_into(folder: Folder) -> None:
    folder.write('[project]\nname = "theirs"\n', "pyproject.toml")

    assert folder.read().read == ()


def test_two_files_of_a_project_that_both_speak_are_refused(folder: Folder) -> None:
    folder.write('[tool.dspex]\nmodel = "openai/m"\n', "pyproject.toml")
    folder.write('model = "openai/other"\n')

    assert "Move everything into one" in folder.refusal()


def test_a_variable_names_a_file_in_place_of_the_projects(
    folder: Folder, tmp_path: Path
) -> None:
    folder.write('model = "openai/here"\n')
    other = tmp_path / "service.toml"
    other.write_text('model = "openai/there"\n')

    found = folder.read({"DSPEX_CONFIG": str(other)})

    assert (found.lm, found.read) == ("openai/there", (other,))


def test_a_named_file_that_is_not_there_is_an_error(folder: Folder) -> None:
    told = folder.refusal({"DSPEX_CONFIG": "/nowhere/service.toml"})

    assert told.startswith("/nowhere/service.toml: this file cannot be read")


@pytest.mark.parametrize(
    ("text", "line", "key", "told"),
    [
        ("\nmax_in_fligth = 3", 2, "max_in_fligth", "did you mean 'max_in_flight'?"),
        ("num_threads = 3", 1, "num_threads", "here it is concurrency."),
        ("persist = 'no'", 1, "persist", "expected true or false"),
        ("persist = 1", 1, "persist", "expected true or false"),
        ("max_in_flight = true", 1, "max_in_flight", "expected a whole number"),
        ("max_in_flight = 0", 1, "max_in_flight", "it must be above zero"),
        ("cache_ttl = nan", 1, "cache_ttl", "expected a number"),
        ("cache_ttl = '7d'", 1, "cache_ttl", "expected a number"),
        ("concurrency = 0", 1, "concurrency", "from 1 on"),
        ("progress = 'loud'", 1, "progress", "expected one of 'auto'"),
        ("model = ''", 1, "model", "not an empty one"),
        ("api_base = 'localhost:1'", 1, "api_base", "with its scheme"),
        ("api_base = 'http://[::1'", 1, "api_base", "expected a URL"),
        ("settings = 3", 1, "settings", "expected a table"),
        ("[settings]\nheaders = {a = '1'}", 1, "settings", "is not sent to a model"),
        ("[prices.m]\ninput = 1", 1, "prices", "missing"),
        ("[prices.m]\ninput = 1\noutput = '2'", 1, "prices", "expected a number"),
        ("[prices.m]\ninput = 1\noutput = -2", 1, "prices", "at least 0"),
        ("[prices.m]\ninput = 1\nper = 2", 1, "prices", "'per' is not part of it"),
        ("[proxies]\nhttp = 3", 1, "proxies", "a text in quotes"),
        ("[proxies]\nexceptions = 'a'", 1, "proxies", "a list of texts"),
        ("evaluate = 3", 1, "evaluate", "Write [evaluate]"),
        ("[evaluat]\ntrials = 3", 1, "evaluat", "did you mean 'evaluate'?"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_key(
    text: str, line: int, key: str, told: str, folder: Folder
) -> None:
    file = folder.write(text)

    with pytest.raises(WrongConfigurationError) as refused:
        folder.read()

    [fault] = refused.value.faults
    assert str(refused.value).startswith(f"{file}:{line}: {key}: ")
    assert (fault.origin.line, fault.key) == (line, key)
    assert told in fault.text


def test_all_that_is_wrong_is_told_at_once(folder: Folder) -> None:
    file = folder.write("persist = 1\nmax_que = 3\n")

    told = folder.refusal({"DSPEX_CACHE_TTL": "soon"}).splitlines()

    assert [line.split(": ")[0] for line in told] == [
        f"{file}:1",
        f"{file}:2",
        "DSPEX_CACHE_TTL",
    ]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"model = \n", ":1: this is no TOML"),
        (b"persist = true\nmodel = 'a\n", ":2: this is no TOML"),
        (b"# caf\xe9\n", ":1: this is not UTF-8"),
        (b"a = 1\n# caf\xe9\n", ":2: this is not UTF-8"),
        (b"\0", ":1: this is no TOML"),
        (b"#" * 1_000_001, "longer than 1,000,000 bytes"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(
    raw: bytes, told: str, folder: Folder
) -> None:
    (folder.project / "dspex.toml").write_bytes(raw)

    assert told in folder.refusal()


@pytest.mark.parametrize(
    "text",
    [
        f'api_key = "{KEY}"',
        f'openai_api_key = "{KEY}"',
        f'model = "{KEY}"',
        f'api_key_env = "{KEY}"',
        f'[settings]\napi_key = "{KEY}"',
        f'[settings]\nuser = "{KEY}"',
        f'[evaluate]\nmetric = "{KEY}"',
        'api_base = "https://me:very-secret@models.example/v1"',
        '[proxies]\nhttps = "http://me:very-secret@proxy.example"',
    ],
)
def test_a_key_in_clear_text_is_refused_and_not_repeated(
    text: str, folder: Folder
) -> None:
    folder.write(text)

    told = folder.refusal()

    assert "api_key_env" in told
    assert KEY not in told
    assert "very-secret" not in told


def test_a_key_in_a_variable_of_dspex_is_refused_and_not_repeated(
    folder: Folder,
) -> None:
    told = folder.refusal({"DSPEX_API_KEY": KEY})

    assert "DSPEX_API_KEY_ENV=MY_KEY" in told
    assert KEY not in told


def test_a_variable_that_is_nearly_one_is_refused_and_a_strangers_is_not(
    folder: Folder,
) -> None:
    assert "did you mean DSPEX_MAX_IN_FLIGHT?" in folder.refusal(
        {"DSPEX_MAX_INFLIGHT": "3"}
    )
    assert (
        folder.read({"DSPEX_PORT": "tcp://10.0.0.1:80", "DSPEX_EXAMPLES": "9"}).read
        == ()
    )


class Trials:
    """Knows one option of one command."""

    def names(self, command: str) -> tuple[str, ...]:
        return ("trials",) if command == "evaluate" else ()

    def is_text(self, command: str, option: str) -> bool:
        return False

    def fault(self, command: str, option: str, value: object) -> str | None:
        if option not in self.names(command):
            return f"{command} has no such option"
        return None if isinstance(value, int) else f"{value!r} is no number"


def test_options_of_a_command_are_checked_by_whoever_knows_them(
    folder: Folder,
) -> None:
    file = folder.write("[evaluate]\ntrials = 3\ntrails = 3\n")

    with pytest.raises(WrongConfigurationError) as refused:
        checked_file(file, Trials())

    assert str(refused.value) == (
        f"{file}:3: evaluate.trails: evaluate has no such option"
    )
    assert folder.read().values["evaluate.trials"].value == 3


def test_a_variable_says_an_option_of_a_command(folder: Folder) -> None:
    folder.write("[evaluate]\ntrials = 3\n")
    environ = {"HOME": str(folder.home), "DSPEX_EVALUATE_TRIALS": "5"}

    found = configuration(environ, start=folder.project, commands=Trials())

    assert found.values["evaluate.trials"].value == 5
    assert str(found.values["evaluate.trials"].origin) == "DSPEX_EVALUATE_TRIALS"


def test_what_kubernetes_says_of_a_service_is_no_option(folder: Folder) -> None:
    environ = {"HOME": "/nobody", "DSPEX_EVALUATE_TRIALS": "tcp://10.0.0.1:80"}

    found = configuration(environ, start=folder.project, commands=Trials())

    assert "evaluate.trials" not in found.values


def test_lines_are_found_through_quoted_names_and_dotted_ones(folder: Folder) -> None:
    file = folder.write(
        '# a remark\nsettings.temperature = 0\n\n[prices."openai/m"] # dear\n'
        "input = 1\noutput = 2\n"
    )

    found = folder.read()

    assert str(found.values["prices"].origin) == f"{file}:4"
    assert str(found.values["settings"].origin) == f"{file}:2"


def test_a_program_asks_for_what_the_command_line_would_take(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write('model = "openai/m"\nmax_in_flight = 3\n')
    monkeypatch.setenv("DSPEX_MAX_QUEUED", "7")
    monkeypatch.delenv("DSPEX_HOME")

    found = dspex.load_configuration(start=folder.project, persist=False)

    assert found.lm == "openai/m"
    assert found.config == dspex.Config(max_in_flight=3, max_queued=7, persist=False)
