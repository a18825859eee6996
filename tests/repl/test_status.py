"""`dspex.status()` starts nothing, tells what runs, and does not wait for the stuck."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import dspex
from dspex.client.gate import GateState
from dspex.testing import OVERLOADED, FakeProvider, chat_answer
from supervisors.testing import living

PATIENCE = 60.0


def test_to_look_starts_nothing() -> None:
    before = living()

    with dspex.Runtime().use():
        status = dspex.status()

    assert status.state == "not started"
    assert repr(status) == "<dspex.Status nothing runs>"
    assert living() == before


def test_it_tells_of_providers_cache_and_tree() -> None:
    with FakeProvider(answer=lambda _: chat_answer(capital="Lima")) as provider:
        lm = dspex.LM("openai/fake", api_base=provider.base_url, api_key="sk-canary")
        with dspex.Runtime(), dspex.context(lm=lm):
            dspex.Predict("country -> capital")(country="Peru")

            status = dspex.status(PATIENCE)

    [looked_at] = status.providers
    assert looked_at.view is not None
    assert [lane.model for lane in looked_at.view.lanes] == ["fake"]
    assert status.cache is not None
    assert status.cache.misses == 1
    assert status.silent == ()
    assert repr(status) == "<dspex.Status running, 0 restarts, 1 provider>"
    assert "fake: breaker closed" in str(status)
    assert "canary" not in str(status)


def test_a_lane_tells_only_what_holds_it() -> None:
    with FakeProvider(answer=lambda _: chat_answer(capital="Lima")) as provider:
        lm = dspex.LM(
            "openai/fake",
            api_base=provider.base_url,
            api_key="sk-1",
            num_retries=0,
            cache=False,
        )

        def told() -> str:
            lines = str(dspex.status(PATIENCE)).splitlines()
            [lane] = [line for line in lines if line.startswith("  fake: ")]
            return lane.removeprefix("  fake: ")

        with dspex.Runtime():
            lm("one")
            calm = told()
            provider.misbehave(OVERLOADED)
            with pytest.raises(dspex.LMError):
                lm("two")
            after_a_failure = told()
            lm.client().set_circuit("fake", GateState.OPEN)
            held = told()

    assert calm == "breaker closed"
    assert after_a_failure == "breaker closed, 1 failure in a row"
    assert held.startswith("breaker open, held open by hand")


def test_whoever_is_stuck_is_named_and_the_rest_is_told() -> None:
    with dspex.Runtime() as runtime:
        memory = runtime.start().registry.resolve("cache.memory")
        memory.suspend(PATIENCE)

        status = dspex.status(0.05)
        memory.resume()

    assert status.silent == ("cache.memory",)
    assert status.cache is None
    assert repr(status).endswith(" 1 silent>")
    assert "no answer from: cache.memory" in str(status)
    assert "├─ providers" in str(status)


def test_runs_that_go_on_are_listed() -> None:
    began, may_end = threading.Event(), threading.Event()

    def slow(n: int) -> int:
        began.set()
        may_end.wait(PATIENCE)
        return n

    rows = dspex.load([{"n": 1}], inputs=["n"])
    evaluate = dspex.Evaluate(devset=rows, metric=lambda *_: 1.0, persist=False)
    with dspex.Runtime(), evaluate.start(slow) as run:
        began.wait(PATIENCE)

        status = dspex.status(PATIENCE)
        may_end.set()
        run.result(PATIENCE)

    [listed] = status.runs
    assert (listed.name, listed.kind, listed.state) == (
        run.name,
        "evaluation",
        "running",
    )
    assert run.name in str(status)


def test_as_html_and_for_rich_a_status_is_text(tmp_path: Path) -> None:
    from rich.text import Text

    config = dspex.Config(home=tmp_path / "[b]<script>\x1b[2J")
    with dspex.Runtime(config):
        status = dspex.status(PATIENCE)

    assert "<script>" not in status._repr_html_()
    assert "\x1b" not in str(status)
    shown = status.__rich__()
    assert isinstance(shown, Text)
    assert "[b]<script>\\x1b[2J" in shown.plain
