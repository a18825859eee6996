"""The list of survivors is complete and true to the source, and a run is held to it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.mutation import __main__ as command
from tests.mutation import engine, survivors
from tests.mutation.engine import MutmutError, Outcome
from tests.mutation.mutation import Mutation, function_of, read_diff
from tests.mutation.survivors import Survivor
from tests.mutation.targets import ROOT, TARGETS

ONE = Mutation("_intensity", "RestartLog.allow", "a = 1", "a = 2")
TWO = Mutation("_intensity", "RestartLog.allow", "b = 1", "b = None")
KNOWN = Survivor(mutation=ONE, reason="nobody reads a")


def outcome(**fates: tuple[Mutation, ...]) -> Outcome:
    nothing: dict[str, Any] = {"timed_out": (), "survived": (), "undecided": ()}
    return Outcome(killed=3, **(nothing | fates))


# The list as it is


def functions(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from functions(node, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{owner}{node.name}", node


def lines_of(module: str, function: str) -> list[str]:
    files = {target.module: target.file for target in TARGETS}
    source = (ROOT / files[module]).read_text(encoding="utf-8")
    node = dict(functions(ast.parse(source))).get(function)
    text = (node and ast.get_source_segment(source, node)) or ""
    return [line.strip() for line in text.splitlines()]


@pytest.mark.parametrize(
    "survivor",
    survivors.read(survivors.FILE.read_text(encoding="utf-8")),
    ids=lambda survivor: survivor.mutation.function,
)
def test_each_entry_is_about_lines_that_are_there(survivor: Survivor) -> None:
    mutation = survivor.mutation

    there = lines_of(mutation.module, mutation.function)

    assert set(mutation.before.splitlines()) <= set(there)


def test_no_two_modules_share_a_name() -> None:
    modules = [target.module for target in TARGETS]

    assert len(modules) == len(set(modules))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.module)
def test_each_module_is_there_and_has_tests(target: Any) -> None:
    assert (ROOT / target.file).exists()
    assert target.test_files()


def test_every_module_of_decisions_is_mutated() -> None:
    modules = {path.stem for path in (ROOT / "supervisors").glob("_decide*.py")}

    assert modules <= {target.module for target in TARGETS}


@pytest.mark.parametrize(
    "text",
    [
        "[[survivor]]\nmodule = '_decide'\nreason = 'because'",
        (
            "[[survivor]]\nmodule = 'm'\nfunction = 'f'\nbefore = 'a'\nafter = 'b'\n"
            "reason = ' '"
        ),
    ],
)
def test_an_entry_that_does_not_say_all_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a reason that is not empty"):
        survivors.read(text)


# A run beside the list


def test_a_survivor_in_the_list_is_explained() -> None:
    verdict = survivors.compare("_intensity", outcome(survived=(ONE,)), [KNOWN])

    assert verdict.holds
    assert verdict.listed == (ONE,)


def test_a_survivor_that_is_not_in_the_list_fails_the_run() -> None:
    verdict = survivors.compare("_intensity", outcome(survived=(ONE, TWO)), [KNOWN])

    assert not verdict.holds
    assert verdict.unlisted == (TWO,)


def test_two_equal_survivors_need_two_entries() -> None:
    run = outcome(survived=(ONE, ONE))

    once = survivors.compare("_intensity", run, [KNOWN])
    twice = survivors.compare("_intensity", run, [KNOWN, KNOWN])

    assert once.unlisted == (ONE,)
    assert twice.holds


def test_an_entry_whose_mutant_was_killed_is_stale() -> None:
    verdict = survivors.compare("_intensity", outcome(), [KNOWN])

    assert not verdict.holds
    assert verdict.stale == (ONE,)


def test_an_entry_whose_mutant_hung_or_that_is_about_another_module_is_not_stale() -> (
    None
):
    run = outcome(timed_out=(ONE,))

    assert survivors.compare("_intensity", run, [KNOWN]).holds
    assert survivors.compare("_decide", outcome(), [KNOWN]).holds


def test_a_mutant_that_no_test_reaches_fails_the_run() -> None:
    run = outcome(undecided=(TWO,))

    assert not survivors.compare("_intensity", run, []).holds


# What mutmut says


def test_a_diff_is_read_without_its_place() -> None:
    diff = (
        "--- supervisors/_intensity.py\n+++ supervisors/_intensity.py\n"
        "@@ -3,4 +3,3 @@\n     def f(self):\n-        return g(\n-            1, 2\n"
        "-        )\n+        return g(1, )\n"
    )

    found = read_diff("_intensity", "supervisors._intensity.xǁAǁf__mutmut_12", diff)

    assert found == Mutation("_intensity", "A.f", "return g(\n1, 2\n)", "return g(1, )")


def test_a_name_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected module\.x_function__mutmut_N"):
        function_of("supervisors._intensity.RestartLog.allow")


# The command


@pytest.fixture
def run_gives(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_up(given: Outcome) -> None:
        monkeypatch.setattr(engine, "run", lambda _target: given)

    return set_up


def test_the_command_prints_an_unlisted_survivor_and_fails(
    run_gives: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run_gives(outcome(survived=(TWO,)))

    status = command.main(["--module", "_intensity"])

    printed = capsys.readouterr().out
    assert status == 1
    assert "_intensity, RestartLog.allow\n  - b = 1\n  + b = None" in printed
    assert printed.splitlines()[-1] == (
        "_intensity: 4 mutants, 3 killed, 0 timed out, 0 survived listed, "
        "1 survived unlisted, 0 undecided, 0 stale"
    )


def test_the_command_prints_json_alone_and_succeeds_when_all_were_noticed(
    run_gives: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run_gives(outcome(timed_out=(TWO,)))

    status = command.main(["--module", "_intensity", "--json"])

    (told,) = json.loads(capsys.readouterr().out)
    assert status == 0
    assert (told["mutants"], told["killed"], told["timed_out"]) == (4, 3, 1)
    assert told["mutants_timed_out"][0]["after"] == "b = None"


def test_the_command_says_so_when_mutmut_does_not_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_target: Any) -> Outcome:
        raise MutmutError("not installed")

    monkeypatch.setattr(engine, "run", fail)

    assert command.main(["--module", "_intensity"]) == 2
    assert capsys.readouterr().err == "not installed\n"
