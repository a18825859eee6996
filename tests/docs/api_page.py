"""Write `docs/reference/api.md` and `docs/reference/testing.md` from the docstrings.

`python -m tests.docs.api_page` writes both; tests hold that they are up to date and
that each public name of `dspex` and `dspex.testing` is explained somewhere.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from types import FunctionType, ModuleType

import dspex
from dspex import testing
from dspex.core.errors import dspy_names
from tests.docs import client_page, optimisers_page
from tests.docs.docstrings import cell, docs_below, first_paragraph, targets
from tests.docs.explained import explained
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/reference/api.md"
TESTING_PAGE = ROOT / "docs/reference/testing.md"
BEGIN, END = "<!-- names -->", "<!-- end of names -->"

HEADINGS = {
    "Signatures and fields": ("core.signature", "core.fields"),
    "Types of fields": ("core.types",),
    "Programs": ("programs", "core.spawner"),
    "Settings": ("programs.settings",),
    "Configuration": ("configuration",),
    "Saving and loading": ("programs.saving",),
    "Streaming": ("programs.streaming",),
    "Histories, usage and callbacks": (
        *("programs.history", "core.history", "programs.trace", "core.callbacks"),
    ),
    "Adapters": ("core.adapters", "programs.two_step"),
    "Examples, predictions and data": (
        *("core.example", "core.prediction", "core.data"),
    ),
    "Evaluation": ("evaluate",),
    "Metrics": ("metrics", "core.metrics", "evaluate.semantic"),
    "The package itself": ("",),
}
"""The headings of the page, and which modules of dspex stand under each.

The longest name that fits decides; a module that nobody names stands under the last.
"""

TESTING_HEADINGS = {
    "The fake provider": ("provider", "_bill", "_service", "rate_limit"),
    "Its faults": ("faults", "_plan", "_rules"),
    "Its answers": ("answers", "_items"),
    "Its latency": ("latency",),
    "Models without a provider": ("",),
}
"""The same for `dspex.testing`."""

CLIENT, OPTIMISERS, ERRORS = "client.md", "optimisers.md", "errors.md"

SAID = {
    "Signature": "What a program has to do: its instructions, and the fields that go "
    "in and come out. Subclass it, or write `dspex.Signature('question -> answer')`.",
    "settings": "What `configure()` and `context()` have set, to be read: "
    "`dspex.settings.lm`.",
    "__version__": "The version of dspex, as text.",
}
"""Names whose values cannot have a docstring of their own."""


def written(page: str) -> str:
    """Return the page of dspex's names as the code has them."""
    return _between(page, _sections())


def testing_written(page: str) -> str:
    """Return the page of the names of `dspex.testing` as the code has them."""
    return _between(page, _testing_sections())


def _between(page: str, sections: Iterator[str]) -> str:
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    text = "\n".join(sections)
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def explained_elsewhere() -> dict[str, str]:
    """Return the names of `dspex` that another page of the reference explains."""
    pages: dict[str, str] = {}
    for name in dspex.__all__:
        value = getattr(dspex, name)
        is_error = isinstance(value, type) and issubclass(value, BaseException)
        if is_error or hasattr(dspy_names, name):
            pages[name] = ERRORS
    on_optimisers = {
        *optimisers_page.OPTIMISERS,
        *optimisers_page.RESULTS,
        *optimisers_page.ALIASES,
        *optimisers_page.APART,
    }
    pages |= dict.fromkeys(on_optimisers & set(dspex.__all__), OPTIMISERS)
    for names in client_page.PUBLIC.values():
        pages |= dict.fromkeys(names, CLIENT)
    return pages


def _sections() -> Iterator[str]:
    elsewhere = explained_elsewhere()
    yield "## Every name\n"
    yield "| name | what it is | all about it |"
    yield "| --- | --- | --- |"
    headings = {name: _heading(dspex, name, HEADINGS) for name in dspex.__all__}
    for name in dspex.__all__:
        page = elsewhere.get(name)
        link = f"[{page}]({page})" if page else "below: " + headings[name]
        yield f"| `dspex.{name}` | {cell(said_of(dspex, name))} | {link} |"
    yield ""
    here = [name for name in dspex.__all__ if name not in elsewhere]
    yield from _explained(dspex, here, HEADINGS)


def _testing_sections() -> Iterator[str]:
    yield from _explained(testing, testing.__all__, TESTING_HEADINGS)


def _explained(
    module: ModuleType, names: list[str], headings: dict[str, tuple[str, ...]]
) -> Iterator[str]:
    of_heading: dict[str, list[str]] = {heading: [] for heading in headings}
    for name in names:
        of_heading[_heading(module, name, headings)].append(name)
    for heading, below in of_heading.items():
        if below:
            yield f"## {heading}\n"
        for name in below:
            value = getattr(module, name)
            if name not in SAID and isinstance(value, type | FunctionType):
                yield from explained(name, value, home=module.__name__)
            else:
                yield f"### `{module.__name__}.{name}`\n"
                yield f"{said_of(module, name)}\n"


def _heading(
    module: ModuleType, name: str, headings: dict[str, tuple[str, ...]]
) -> str:
    home = home_of(module, name).removeprefix(f"{module.__name__}.")
    fitting = {
        begin: heading
        for heading, begins in headings.items()
        for begin in begins
        if not begin or f"{home}.".startswith(f"{begin}.")
    }
    return fitting[max(fitting, key=len)]


def home_of(module: ModuleType, name: str) -> str:
    """Return the module a public name comes from."""
    value = getattr(module, name)
    if isinstance(value, type | FunctionType):
        return value.__module__
    homes: dict[str, str] = getattr(module, "_HOMES", {})
    return homes.get(name) or _imported_from(module).get(name, module.__name__)


def _imported_from(module: ModuleType) -> dict[str, str]:
    """Return where a module's names are imported from, by name."""
    tree = ast.parse(inspect.getsource(module))
    return {
        alias.name: statement.module
        for statement in ast.walk(tree)
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }


def said_of(module: ModuleType, name: str) -> str:
    """Return what a public name is, in the first words of its docstring."""
    if name in SAID:
        return SAID[name]
    value = getattr(module, name)
    if isinstance(value, type | FunctionType):
        return first_paragraph(value.__doc__)
    home = importlib.import_module(home_of(module, name))
    tree = ast.parse(inspect.getsource(home))
    if any(name in targets(statement) for statement in tree.body):
        return docs_below(tree).get(name, "")
    return said_of(home, name) if home is not module else ""


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    TESTING_PAGE.write_text(
        testing_written(TESTING_PAGE.read_text(encoding="utf-8")), encoding="utf-8"
    )
