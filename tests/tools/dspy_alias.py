"""Runs somebody's DSPy tests against dspex: the word is replaced, the tests are kept.

    python -m tests.tools.dspy_alias PATH... [pytest's options]

`import dspy` and `import dspy.a.b` give modules that hold nothing: each attribute is
looked up, by its name alone, in `dspex`, `dspex.teleprompt` and `dspex.testing`. A name
that is in none of them is an `AttributeError` that says so. A real DSPy is never
imported. At the end stands what failed, by cause.

The conftest files of the tests are not loaded, because they reach into DSPy's insides.
"""

from __future__ import annotations

import asyncio
import importlib.abc
import importlib.machinery
import inspect
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dspex
import dspex.teleprompt
import dspex.testing
from tests.tools import dspy_names

MODULES = frozenset(dspy_names.read()["modules"])
"""The modules that DSPy has; no other can be imported from it."""

HOMES = (dspex, dspex.teleprompt, dspex.testing)
"""Where a name is looked up."""

missing: dict[str, set[str]] = {}
"""The names that were asked for and are not there, with the tests that asked."""


def find(name: str) -> Any:
    """Return what dspex calls by that name.

    Raises:
        AttributeError: When none of the `HOMES` has it.
    """
    for home in HOMES:
        if hasattr(home, name):
            return getattr(home, name)
    asking = os.environ.get("PYTEST_CURRENT_TEST", "on import").partition(" ")[0]
    missing.setdefault(name, set()).add(asking)
    raise AttributeError(f"neither dspex, its teleprompt nor its testing has {name!r}")


class AliasModule(ModuleType):
    """A module of DSPy's by name, and a view of dspex in truth."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        inside = f"{self.__name__}.{name}"
        value = None if name == "testing" else getattr(dspex, name, None)
        if inside in MODULES and (value is None or inspect.ismodule(value)):
            return importlib.import_module(inside)
        return find(name)

    def __setattr__(self, name: str, value: object) -> None:
        # The import system hangs each submodule into its parent. Where dspex has an
        # object of that name (`dspy.dsp.utils.settings`), the object is what is meant.
        if not isinstance(value, AliasModule):
            super().__setattr__(name, value)


class AliasFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers every import of `dspy`, so that no real one is ever found."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Return an alias for a module that DSPy has."""
        if fullname.split(".")[0] != "dspy":
            return None
        if fullname not in MODULES:
            raise ModuleNotFoundError(f"DSPy has no module {fullname!r}", name=fullname)
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the empty view."""
        return AliasModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the view has no code."""


def install() -> None:
    """Let `dspy` mean dspex in this process.

    Raises:
        RuntimeError: When a real DSPy is loaded already.
    """
    loaded = sys.modules.get("dspy")
    if loaded is not None and not isinstance(loaded, AliasModule):
        raise RuntimeError("a real dspy is loaded; run the alias in a fresh process")
    if not any(isinstance(finder, AliasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, AliasFinder())


def uninstall() -> None:
    """Take the alias out of this process again."""
    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, AliasFinder)]
    for name in [name for name in sys.modules if name.split(".")[0] == "dspy"]:
        del sys.modules[name]


class AliasPlugin:
    """What the run needs of pytest: fresh settings, coroutines, and the causes."""

    def __init__(self) -> None:
        self.causes: Counter[str] = Counter()
        self.passed = 0

    @pytest.fixture(autouse=True)
    def _fresh_settings(self) -> Iterator[None]:
        before = dspex.settings.copy()
        yield
        dspex.configure(**before)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run an asynchronous test on a loop of its own."""
        if not inspect.iscoroutinefunction(pyfuncitem.obj):
            return None
        wanted = inspect.signature(pyfuncitem.obj).parameters
        arguments = {n: v for n, v in pyfuncitem.funcargs.items() if n in wanted}
        asyncio.run(pyfuncitem.obj(**arguments))
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Any:
        """Count why a test failed."""
        report = yield
        if report.failed and call.excinfo is not None:
            self.causes[cause(call.excinfo.value)] += 1
        elif report.passed and report.when == "call":
            self.passed += 1
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count files that cannot be imported."""
        if report.failed:
            last = (
                report.longreprtext.strip().splitlines()[-1].removeprefix("E").strip()
            )
            self.causes[f"whole file: {last[:150]}"] += 1

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """Say what is missing, and what failed otherwise."""
        write = terminalreporter.write_line
        write(f"\n{self.passed} passed, {sum(self.causes.values())} not, by cause:")
        for text, times in self.causes.most_common():
            write(f"{times:5}  {text}")
        if missing:
            write("\nnames asked for that are in none of them:")
            by_count = sorted(missing.items(), key=lambda item: -len(item[1]))
            write(", ".join(f"{name} ({len(tests)})" for name, tests in by_count))


def cause(error: BaseException) -> str:
    """Return one line that is the same for failures of one kind."""
    if isinstance(error, AssertionError):
        return "AssertionError: what came is not what was expected"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:150]}"


def main(arguments: list[str]) -> int:
    """Run the tests; the exit code is pytest's."""
    if not arguments:
        sys.stderr.write(
            "python -m tests.tools.dspy_alias PATH... [pytest's options]\n"
        )
        return 2
    install()
    tops = [Path(one) for one in arguments if not one.startswith("-")]
    top = next((one for one in tops if one.exists()), Path())
    options = [
        "--noconftest",
        "--import-mode=importlib",
        f"--rootdir={top if top.is_dir() else top.parent}",
        "--config-file=/dev/null",
        "--override-ini=markers=asyncio\nanyio\nextra\nllm_call\nreliability\ndeno",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:doctest",
        "--tb=short",
    ]
    return int(pytest.main([*options, *arguments], plugins=[AliasPlugin()]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
