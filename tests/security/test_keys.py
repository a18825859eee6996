"""Keys of two callers at one provider, and keys that foreign code should return."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.client.budget import Budget
from dspex.core import errors
from dspex.runtime.embedder import Embedder
from dspex.testing import FakeProvider, Status
from supervisors import waits
from tests.actors.lab import (
    PATIENT,
    Callers,
    ask,
    echo,
    eventually,
    wait_for_open_calls,
)

CANARY = "CANARY0123456789"
"""A key that must be found nowhere."""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo, api_key="good") as provider:
        yield provider


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as runtime:
        yield runtime


def follow(lm: dspex.LM, question: str, runtime: dspex.Runtime) -> Callers:
    """Ask what somebody else is asking already, and wait until that is known."""
    follower = ask(lm, [question])
    eventually(_waits_for_the_cache, "the follower to wait")
    # Answered after whatever was asked before.
    runtime.cache.statistics()
    return follower


def _waits_for_the_cache() -> bool:
    return any(each.target.endswith("memory") for each in waits().waits)


def test_a_wrong_key_is_told_to_its_own_callers_only(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    wrong, right = (
        dspex.LM("openai/m", api_base=provider.base_url, api_key=key)
        for key in ("bad", "good")
    )
    provider.pause()
    leader = ask(wrong, ["same"])
    provider.wait_for_in_flight(1, PATIENT)
    follower = follow(right, "same", runtime)

    provider.resume()

    (refused,) = leader.outcomes()
    assert type(refused) is errors.LMAuthError
    assert follower.outcomes() == ["re: same"]


def test_a_used_up_budget_is_told_to_its_own_callers_only(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    reach: dict[str, Any] = {"api_base": provider.base_url, "api_key": "good"}
    poor = dspex.LM("openai/m", budget=Budget(calls=1), num_retries=1, **reach)
    rich = dspex.LM("openai/m", **reach)
    provider.misbehave(Status(503, {"Retry-After": "0"}), times=1)
    provider.pause()
    leader = ask(poor, ["same"])
    provider.wait_for_in_flight(1, PATIENT)
    follower = follow(rich, "same", runtime)

    provider.resume()

    (refused,) = leader.outcomes()
    assert type(refused) is errors.BudgetExceededError
    assert follower.outcomes() == ["re: same"]


def test_a_full_queue_is_told_to_its_own_callers_only(provider: FakeProvider) -> None:
    config = dspex.Config(max_queued=1, persist=False)
    with dspex.Runtime(config) as runtime:
        reach: dict[str, Any] = {"api_base": provider.base_url, "max_in_flight": 1}
        full = dspex.LM("openai/m", api_key="good", **reach)
        free = dspex.LM("openai/m", api_key=lambda: "good", **reach)
        provider.pause()
        first = ask(full, ["1"])
        provider.wait_for_in_flight(1, PATIENT)
        second = ask(full, ["2"])
        wait_for_open_calls(runtime, full, 2)
        refused = ask(full, ["same"])
        other = ask(free, ["same"])
        provider.wait_for_in_flight(2, PATIENT)

        provider.resume()

        assert type(refused.outcomes()[0]) is errors.QueueFullError
        assert other.outcomes() == ["re: same"]
        assert first.outcomes() + second.outcomes() == ["re: 1", "re: 2"]


def test_who_follows_a_wrong_key_with_the_same_key_costs_no_request(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    wrong = dspex.LM("openai/m", api_base=provider.base_url, api_key="bad")

    outcomes = ask(wrong, ["same"] * 64).outcomes()

    assert {type(outcome) for outcome in outcomes} == {errors.LMAuthError}
    assert len(provider.bill) <= 4


def test_another_key_each_time_answers_every_caller(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    keys = iter(["stale", "good"])
    lm = dspex.LM("openai/m", api_base=provider.base_url, api_key=lambda: next(keys))

    outcomes = ask(lm, map(str, range(64))).outcomes()

    assert outcomes == [f"re: {number}" for number in range(64)]
    assert [billed.status for billed in provider.bill].count(401) <= 4


def test_a_key_function_that_exits_ends_one_call_and_no_part_of_the_tree(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, api_key=lambda: sys.exit(3))

    (outcome,) = ask(lm, ["hi"]).outcomes()

    assert type(outcome) is errors.LMAuthError
    assert runtime.restarts == 0
    assert len(provider.bill) == 0


HANGS = """
import threading
import dspex

lm = dspex.LM(
    "openai/m",
    api_base="http://127.0.0.1:9",
    api_key=lambda: threading.Event().wait(),
    deadline=0.5,
)
try:
    lm("hi")
except dspex.LMError:
    print("given up")
"""


def test_a_program_ends_though_its_key_function_never_returns() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "given up\n", "")


KEYS = ("apikey", "openai_api_key", "extra_headers", "headers", "auth_token")


@pytest.mark.parametrize("name", KEYS)
def test_a_key_among_the_settings_is_refused_before_it_can_be_written_down(
    name: str, provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    wrong: dict[str, Any] = {name: CANARY}
    lm = dspex.LM("openai/m", api_base=provider.base_url)
    attempts: list[Callable[[], object]] = [
        lambda: dspex.LM("openai/m", api_base=provider.base_url, **wrong),
        lambda: lm.copy(**wrong),
        lambda: lm("hi", **wrong),
        lambda: Embedder("openai/e", api_base=provider.base_url, **wrong),
    ]

    for attempt in attempts:
        with pytest.raises(errors.ConfigurationError, match="no setting") as caught:
            attempt()
        assert CANARY not in str(caught.value)
    assert len(provider.bill) == 0


def test_a_key_among_the_settings_of_a_file_is_dropped_with_a_warning(
    tmp_path: Path,
) -> None:
    program = dspex.Predict("question -> answer")
    program.set_lm(dspex.LM("ollama/m", temperature=0.5))
    program.save(tmp_path / "program.json")
    state = json.loads((tmp_path / "program.json").read_text())
    state["lm"] |= {"openai_api_key": CANARY, "extra_body": {"x": 1}}
    (tmp_path / "program.json").write_text(json.dumps(state))

    loaded = dspex.Predict("question -> answer")
    with pytest.warns(UserWarning, match="where calls go") as told:
        loaded.load(tmp_path / "program.json")

    assert CANARY not in str(told[0].message)
    assert repr(loaded.lm) == "LM('ollama/m', temperature=0.5)"


def test_the_name_of_a_branch_cannot_be_tried_for_its_key() -> None:
    show = "import dspex; print(dspex.LM('openai/m', api_key='sk-1')._place.branch_id)"

    names = {
        subprocess.run(
            [sys.executable, "-c", show], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }

    assert len(names) == 2
