"""`DummyLM`: DSPy's three ways to write answers down, and no runtime for any."""

from __future__ import annotations

import asyncio
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.core.adapters import Adapter, ChatAdapter, LineAdapter
from dspex.testing import DummyLM
from dspex.testing.dummy_lm import answer_text
from supervisors.testing import living

CAPITAL = "country -> capital"


def test_a_list_is_answered_from_in_order_and_then_there_is_no_more() -> None:
    lm = DummyLM([{"answer": "red"}, {"answer": "blue"}])

    replies = [lm("What color is the sky?")[0] for _ in range(3)]

    assert replies == [
        "[[ ## answer ## ]]\nred",
        "[[ ## answer ## ]]\nblue",
        "[[ ## answer ## ]]\nNo more responses",
    ]


def test_a_mapping_is_answered_from_by_what_the_last_message_contains() -> None:
    lm = DummyLM({"Peru": {"capital": "Lima"}, "Chad": {"capital": "N'Djamena"}})
    program = dspex.Predict(CAPITAL)
    program.demos = [{"country": "Peru", "capital": "Lima"}]

    assert program(country="Chad", lm=lm).capital == "N'Djamena"
    assert lm("Mali?") == ["No more responses"]


def test_an_example_with_the_same_input_is_followed() -> None:
    lm = DummyLM([{"capital": "not used"}], follow_examples=True)
    program = dspex.Predict(CAPITAL)
    program.demos = [
        {"country": "Peru", "capital": "LIMA"},
        {"country": "Chad", "capital": "N'DJAMENA"},
    ]

    assert program(country="Peru", lm=lm).capital == "LIMA"
    assert lm("Mali?") == [""]


def test_of_several_examples_with_the_input_the_last_is_followed() -> None:
    lm = DummyLM([], follow_examples=True)
    program = dspex.Predict(CAPITAL)
    program.demos = [
        {"country": "Peru", "capital": "Cusco"},
        {"country": "Peru", "capital": "Lima"},
    ]

    assert program(country="Peru", lm=lm).capital == "Lima"


def test_a_program_is_answered_without_a_runtime() -> None:
    lm = DummyLM([{"capital": "Lima"}])
    before = living()

    with dspex.context(lm=lm):
        prediction = dspex.Predict(CAPITAL)(country="Peru")

    assert prediction.capital == "Lima"
    assert living() <= before


def test_a_coroutine_is_answered_from_the_same_list() -> None:
    lm = DummyLM([{"answer": "red"}, {"answer": "blue"}])

    async def both() -> list[str]:
        return [*await lm.acall("first"), *await lm.acall("second")]

    assert asyncio.run(both()) == [
        "[[ ## answer ## ]]\nred",
        "[[ ## answer ## ]]\nblue",
    ]


def test_n_completions_take_n_answers() -> None:
    lm = DummyLM([{"capital": "Lima"}, {"capital": "Cusco"}])

    prediction = dspex.Predict(CAPITAL, n=2)(country="Peru", lm=lm)

    assert prediction.completions.capital == ["Lima", "Cusco"]


def test_a_stream_says_what_a_whole_answer_says() -> None:
    lm = DummyLM([{"capital": "Lima"}])

    text = "".join(chunk.text for chunk in lm.stream("Capital of Peru?"))

    assert text == "[[ ## capital ## ]]\nLima"


def test_reasoning_comes_with_each_reply() -> None:
    lm = DummyLM([{"answer": "red"}], reasoning=True)

    reply = lm.complete([dspex.Message("user", "colour?")])

    assert reply.reasoning == ("Some reasoning",)
    assert reply.text == "[[ ## answer ## ]]\nred"


def test_a_caller_by_hand_gets_the_reasoning_as_well() -> None:
    lm = DummyLM([{"answer": "red"}], reasoning=True)

    outputs = lm("colour?")

    text = "[[ ## answer ## ]]\nred"
    assert outputs == [{"text": text, "reasoning_content": "Some reasoning"}]
    assert lm.history[-1]["outputs"] == outputs


def test_the_history_tells_what_was_asked() -> None:
    lm = DummyLM([{"answer": "red"}])
    lm("colour?", temperature=0.5)

    messages, outputs = lm.get_convo(-1)

    assert messages == [{"role": "user", "content": "colour?"}]
    assert outputs == ["[[ ## answer ## ]]\nred"]
    assert lm.history[0]["kwargs"]["temperature"] == 0.5


def test_callbacks_hear_of_each_call() -> None:
    class Listener(dspex.BaseCallback):
        def __init__(self) -> None:
            self.heard: list[object] = []

        def on_lm_start(self, call_id: str, instance: object, inputs: object) -> None:
            self.heard.append(instance)

        def on_lm_end(
            self, call_id: str, outputs: object, exception: object = None
        ) -> None:
            self.heard.append(outputs)

    listener = Listener()
    lm = DummyLM([{"answer": "red"}, {"answer": "blue"}])
    with dspex.context(callbacks=[listener]):
        lm("colour?")
        asyncio.run(lm.acall("colour?"))

    red, blue = "[[ ## answer ## ]]\nred", "[[ ## answer ## ]]\nblue"
    assert listener.heard == [lm, [red], lm, [blue]]


def test_the_history_is_printed_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    lm = DummyLM([{"answer": "red"}])
    lm("What colour?")

    lm.inspect_history()

    printed = capsys.readouterr().out
    assert "What colour?" in printed
    assert "red" in printed


def test_a_copy_has_its_own_history_and_takes_from_the_same_answers() -> None:
    lm = DummyLM([{"answer": "red"}, {"answer": "blue"}])
    lm("first")

    twin = lm.copy(temperature=1.0)

    assert twin("second") == ["[[ ## answer ## ]]\nblue"]
    assert len(lm.history) == len(twin.history) == 1
    assert copy.deepcopy(lm) is lm


def test_a_text_is_the_whole_reply() -> None:
    program = dspex.Predict("country -> population: int")

    with pytest.raises(dspex.AdapterParseError):
        program(country="Peru", lm=DummyLM(["[[ ## population ## ]]\nmany"]))


def test_a_program_uses_the_adapter_the_answers_are_written_for() -> None:
    lm = DummyLM([{"capital": "Lima"}], adapter=LineAdapter())

    prediction = dspex.Predict(CAPITAL)(country="Peru", lm=lm)

    assert prediction.capital == "Lima"
    assert lm.get_convo(0)[1] == ["Lima"]


def test_a_nameless_adapter_of_ones_own_is_left_to_the_program_to_choose() -> None:
    class Shouting(ChatAdapter):
        pass

    assert DummyLM([], adapter=Shouting()).adapter is None


def test_a_rehearsal_uses_no_answer_up() -> None:
    lm = DummyLM([{"capital": "Lima"}])
    program = dspex.Predict(CAPITAL)
    example = dspex.Example(country="Peru").with_inputs("country")
    with dspex.context(lm=lm), dspex.Runtime(dspex.Config(persist=False)):
        dspex.dry_run(program, [example])

        assert program(country="Peru").capital == "Lima"


@pytest.mark.parametrize(
    "adapter", [ChatAdapter(), LineAdapter()], ids=lambda a: a.name
)
@given(
    number=st.integers(),
    words=st.lists(st.text("abc déf,;'\"", min_size=1), min_size=1),
    nothing=st.none() | st.booleans(),
)
def test_any_answer_is_read_back(
    adapter: Adapter, number: int, words: list[str], nothing: bool | None
) -> None:
    answer = {"number": number, "words": words, "nothing": nothing}
    program = dspex.Predict("x -> number: int, words: list[str], nothing: bool | None")
    lm = DummyLM([answer], adapter=adapter)

    assert dict(program(x="?", lm=lm)) == answer


def test_an_answer_without_outputs_is_an_empty_reply() -> None:
    assert answer_text(ChatAdapter(), {}) == ""
    assert answer_text(ChatAdapter(), {"question": 1}) == "[[ ## question ## ]]\n1"
