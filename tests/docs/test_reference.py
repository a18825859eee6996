"""The reference pages name everything there is, and nothing that is not."""

from __future__ import annotations

import importlib
import re

import click
import pytest

import dspex
import supervisors
from dspex import teleprompt, testing
from dspex.cli.main import main
from dspex.core import events
from dspex.core.errors import dspy_names
from dspex.evaluate.results.outcome import OutcomeKind
from tests.docs import (
    api_page,
    cli_page,
    client_page,
    events_page,
    optimisers_page,
    supervisors_page,
)
from tests.docs.pages import ROOT, name_of, pages
from tests.test_layers import LAYERS, Layer

REFERENCE = ROOT / "docs/reference"


def code_words(page: str) -> set[str]:
    """Return what stands between backticks on a page of the reference."""
    return set(re.findall(r"`([^`\n]+)`", (REFERENCE / page).read_text("utf-8")))


def error_classes(base: type[Exception] = dspex.DspexError) -> set[str]:
    """Return the names of all public errors, wherever they are defined."""
    found = {base.__name__}
    for error in base.__subclasses__():
        found |= error_classes(error)
    return {name for name in found if not name.startswith("_")}


@pytest.fixture
def known_errors() -> set[str]:
    for name in dspex.__all__:  # loads the modules that define errors of their own
        getattr(dspex, name)
    importlib.import_module("dspex.testing")  # which has one too
    return {*error_classes(), "EvaluationInterrupted"}


def test_the_page_of_errors_names_each_error(known_errors: set[str]) -> None:
    assert known_errors - code_words("errors.md") == set()


def test_the_page_of_errors_names_no_error_that_is_not(known_errors: set[str]) -> None:
    named = {
        word for word in code_words("errors.md") if re.fullmatch(r"[A-Z]\w+Error", word)
    }

    aliases = {name for name in named if hasattr(dspy_names, name)}
    assert named - known_errors - aliases == {"ValueError"}


def test_the_page_of_errors_says_which_class_each_name_of_dspy_means() -> None:
    page = (REFERENCE / "errors.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.*`) \| `(\w+)`", page, re.MULTILINE)
    meant = {
        alias: target
        for aliases, target in rows
        for alias in re.findall(r"`(\w+)`", aliases)
    }

    aliases = {
        name: value.__name__
        for name, value in vars(dspy_names).items()
        if isinstance(value, type) and value.__name__ != name
    }
    assert aliases.items() <= meant.items()
    assert len(aliases) == 6


def test_the_page_of_evaluation_names_each_outcome() -> None:
    text = (ROOT / "docs/explanation/evaluation.md").read_text("utf-8")

    assert [kind.value for kind in OutcomeKind if f"`{kind.value}`" not in text] == []


def test_the_page_of_the_command_line_is_what_the_commands_say() -> None:
    page = cli_page.PAGE.read_text(encoding="utf-8")

    assert cli_page.written(page) == page, (
        "docs/reference/cli.md is behind the commands; write it again: "
        "python -m tests.docs.cli_page"
    )


def test_the_page_of_a_call_is_what_the_docstrings_say() -> None:
    page = client_page.PAGE.read_text(encoding="utf-8")

    assert client_page.written(page) == page, (
        "docs/reference/client.md is behind the code; write it again: "
        "python -m tests.docs.client_page"
    )


def test_each_name_on_the_page_of_a_call_is_explained() -> None:
    page = client_page.PAGE.read_text(encoding="utf-8")

    assert re.findall(r"^\| .*\|  \|$| at 0x", page, re.MULTILINE) == []


def homes_of_a_call() -> set[str]:
    """Where the public names around a call live."""
    layers = ("dspex.client", "dspex.cache", "dspex.runtime", "dspex.core.lm")
    return {
        name
        for name in dspex.__all__
        if getattr(getattr(dspex, name), "__module__", "").startswith(layers)
        and name not in error_classes()
    }


def test_the_page_of_a_call_names_every_public_name_around_it() -> None:
    named = {name for names in client_page.PUBLIC.values() for name in names}

    assert homes_of_a_call() - named == set()


def test_the_pages_of_all_names_are_what_the_docstrings_say() -> None:
    page = api_page.PAGE.read_text(encoding="utf-8")
    of_testing = api_page.TESTING_PAGE.read_text(encoding="utf-8")

    behind = "is behind the code; write it again: python -m tests.docs.api_page"
    assert api_page.written(page) == page, f"docs/reference/api.md {behind}"
    assert api_page.testing_written(of_testing) == of_testing, (
        f"docs/reference/testing.md {behind}"
    )


@pytest.mark.parametrize("page", ["api.md", "testing.md"])
def test_each_name_of_these_pages_is_explained(page: str) -> None:
    text = (REFERENCE / page).read_text(encoding="utf-8")

    assert re.findall(r"^\| .*\|  \|| at 0x", text, re.MULTILINE) == []
    assert re.findall(r"^### .*\n\n\n", text, re.MULTILINE) == []


def headed(page: str) -> set[str]:
    """Return the names that a page of the reference explains below a heading."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    return set(re.findall(r"^### `[\w.]*?(\w+)(?:\(.*)?`$", text, re.MULTILINE))


def test_every_public_name_of_dspex_is_explained_on_the_page_it_is_said_to_be() -> None:
    errors = {
        word.rpartition(".")[2].partition("(")[0] for word in code_words("errors.md")
    }
    pages_of_names = {
        page: headed(page) for page in ("api.md", "client.md", "optimisers.md")
    }
    explained = {**pages_of_names, "errors.md": errors}
    elsewhere = api_page.explained_elsewhere()

    assert [
        name
        for name in dspex.__all__
        if name not in explained[elsewhere.get(name, "api.md")]
        and name not in optimisers_page.ALIASES
    ] == []
    assert set(dspex.__all__) <= {
        word.removeprefix("dspex.") for word in code_words("api.md")
    }


def test_every_public_name_of_the_kit_for_tests_is_explained() -> None:
    assert set(testing.__all__) - headed("testing.md") == set()


def command_names(command: click.Command, above: str = "dspex") -> set[str]:
    """Return each command line that runs something, without its arguments."""
    if not isinstance(command, click.Group):
        return {above}
    below = {
        line
        for name, one in command.commands.items()
        if not one.hidden
        for line in command_names(one, f"{above} {name}")
    }
    return below | ({above} if command.invoke_without_command else set())


def test_every_command_has_a_heading_on_the_page_of_the_command_line() -> None:
    page = cli_page.PAGE.read_text(encoding="utf-8")
    headings = set(re.findall(r"^## (dspex .*)$", page, re.MULTILINE))

    assert command_names(main) - {"dspex"} == headings


def test_the_page_of_optimisers_is_what_the_docstrings_say() -> None:
    page = optimisers_page.PAGE.read_text(encoding="utf-8")

    assert optimisers_page.written(page) == page, (
        "docs/reference/optimisers.md is behind the code; write it again: "
        "python -m tests.docs.optimisers_page"
    )
    assert re.findall(r"^\| .*\|  \|$| at 0x", page, re.MULTILINE) == []


def test_the_page_of_optimisers_names_every_public_name() -> None:
    named = {*optimisers_page.OPTIMISERS, *optimisers_page.RESULTS}
    named |= optimisers_page.APART | optimisers_page.ALIASES.keys()

    assert set(teleprompt.__all__) - named == set()


def test_the_page_of_supervisors_is_what_the_docstrings_say() -> None:
    page = supervisors_page.PAGE.read_text(encoding="utf-8")

    assert supervisors_page.written(page) == page, (
        "docs/reference/supervisors.md is behind the code; write it again: "
        "python -m tests.docs.supervisors_page"
    )


def test_the_page_of_supervisors_names_every_public_name() -> None:
    named = {word.partition("(")[0] for word in code_words("supervisors.md")}
    public = {*supervisors.__all__, *supervisors_page.names_of_testing()}

    assert public - named == set()


def test_each_name_on_the_page_of_supervisors_is_explained() -> None:
    rows = [
        line
        for line in supervisors_page.PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]

    assert [row for row in rows if row.endswith("|  |")] == []
    assert [row for row in rows if " at 0x" in row] == []


def test_the_page_on_dspy_names_only_what_is_there() -> None:
    names = {
        word.removeprefix("dspex.")
        for word in code_words("dspy.md")
        if re.fullmatch(r"dspex\.\w+", word)
    }

    assert {name for name in names if not hasattr(dspex, name)} == set()


def layer_rows() -> list[Layer]:
    """Read the table of the layers back from its page."""
    rows = []
    text = (ROOT / "docs/explanation/layers.md").read_text("utf-8")
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `") or len(cells) != 4:
            continue
        path, packages, not_these, _ = cells
        names = re.findall(r"`([\w.]+)`( in functions)?", packages)
        rows.append(
            Layer(
                path=path.strip("`").rstrip("/"),
                third_party=tuple(name for name, optional in names if not optional),
                optional=tuple(name for name, optional in names if optional),
                not_these=tuple(re.findall(r"`([\w/.]+?)/?`", not_these)),
                is_face="the public names" in cells[3],
            )
        )
    return rows


def test_the_page_of_the_layers_has_the_table_the_code_is_held_to() -> None:
    assert layer_rows() == list(LAYERS)


@pytest.mark.parametrize(
    "page",
    [
        page
        for page in pages()
        if page.is_relative_to(ROOT / "docs")
        and page.name != "index.md"
        and "decisions" not in page.parts
    ],
    ids=name_of,
)
def test_a_page_says_what_its_reader_will_have_at_its_end(page: object) -> None:
    text = (ROOT / str(page)).read_text(encoding="utf-8")
    opening = text.split("\n## ")[0]

    assert "At the end of this page you " in opening


def test_the_page_of_events_is_what_the_constants_say() -> None:
    page = events_page.PAGE.read_text(encoding="utf-8")

    assert events_page.written(page) == page, (
        "docs/reference/supervisors-events.md is behind supervisors/events.py; write "
        "it again: python -m tests.docs.events_page"
    )
    assert len(list(events_page.rows())) >= 11


def test_the_page_of_events_is_what_their_constants_say() -> None:
    page = events_page.DSPEX_PAGE.read_text(encoding="utf-8")

    assert events_page.written(page, events_page.DSPEX_SOURCE) == page, (
        "docs/reference/events.md is behind dspex/core/events.py; write it again: "
        "python -m tests.docs.events_page"
    )
    told = {name for name in vars(events) if name.isupper()}
    rows = "".join(events_page.rows(events_page.DSPEX_SOURCE))
    assert told == {name for name in told if f"| `{name}` |" in rows}
