from __future__ import annotations

import asyncio
import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dspex.core.adapters import ChatAdapter, LineAdapter
from dspex.core.errors import (
    AdapterParseError,
    ConfigurationError,
    DataError,
    LMServerError,
    MissingInputError,
    SignatureError,
)
from dspex.core.example import Example
from dspex.core.lm import Reply, Usage
from dspex.core.signature import InputField, OutputField, make_signature
from dspex.programs import (
    ChainOfThought,
    Predict,
    UnexpectedInputError,
    configure,
    context,
    settings,
    track_usage,
)
from tests.unit.programs.fakes import FakeLM, chat


def test_it_asks_and_answers() -> None:
    lm = FakeLM(chat(capital="Lima"))
    configure(lm=lm)

    prediction = Predict("country -> capital")(country="Peru")

    assert prediction.capital == "Lima"
    assert prediction.completions.signature.signature == "country -> capital"
    assert "Peru" in lm.calls[0][0][-1].content
    assert lm.calls[0][1] == {}


def test_a_program_runs_without_inputs() -> None:
    configure(lm=FakeLM(chat(joke="ha")))

    assert Predict("-> joke")().joke == "ha"


def test_positional_arguments_show_the_call_to_write() -> None:
    with pytest.raises(ValueError, match=r"predict\(question=\.\.\., k=\.\.\.\)"):
        Predict("question, k: int -> answer")("What?")


def test_a_missing_input_is_named_before_any_call() -> None:
    lm = FakeLM(chat(answer="x"))
    configure(lm=lm)

    with pytest.raises(MissingInputError, match="lacks 'k'") as caught:
        Predict("question, k: int -> answer")(question="What?")

    assert caught.value.missing == ("k",)
    assert lm.calls == []


def test_an_unexpected_input_is_named_with_a_suggestion() -> None:
    lm = FakeLM(chat(answer="x"))
    configure(lm=lm)

    with pytest.raises(UnexpectedInputError, match="Did you mean 'question'") as caught:
        Predict("question -> answer")(question="What?", questoin="What?")

    assert caught.value.unexpected == ("questoin",)
    assert caught.value.known == ("question",)
    assert lm.calls == []


def test_defaults_fill_in_for_inputs() -> None:
    lm = FakeLM(chat(b="x"))
    signature = make_signature(
        {"a": (int, InputField(default=7)), "c": InputField(), "b": OutputField()}
    )

    with context(lm=lm, trace=[]) as _:
        Predict(signature)(c="y")

    assert "[[ ## a ## ]]\n7" in lm.calls[0][0][-1].content


def test_without_a_model_the_line_to_write_is_shown() -> None:
    with pytest.raises(ConfigurationError, match=r'configure\(lm=dspex\.LM\("openai'):
        Predict("a -> b")(a="x")


def test_a_thread_without_a_model_is_told_how_it_gets_that_of_the_block() -> None:
    with context(lm=FakeLM(chat(b="x"))), ThreadPoolExecutor(1) as pool:
        asked = pool.submit(Predict("a -> b"), a="x")

        with pytest.raises(ConfigurationError, match=r"dspex\.in_context\(function\)"):
            asked.result()


def test_a_model_given_as_text_is_refused() -> None:
    lm: Any = "openai/gpt-4o-mini"

    with pytest.raises(ConfigurationError, match=r"dspex\.LM\('openai/gpt-4o-mini'\)"):
        Predict("a -> b")(a="x", lm=lm)


def test_the_nearest_model_answers() -> None:
    configured, own, given = (FakeLM(chat(b=text)) for text in "123")
    configure(lm=configured)
    predict = Predict("a -> b")

    assert predict(a="x").b == "1"
    predict.lm = own
    assert predict(a="x").b == "2"
    assert predict(a="x", lm=given).b == "3"


def test_signature_demos_and_config_may_be_given_for_one_call() -> None:
    lm = FakeLM(chat(b="x", c="y"))
    predict = Predict("a -> b", temperature=0.5, seed=1)
    predict.demos = [{"a": "old", "b": "old"}]

    prediction = predict(
        a="x",
        signature="a -> b, c",
        demos=[{"a": "new", "b": "new", "c": "new"}],
        config={"temperature": 0.9},
        lm=lm,
    )

    messages, settings = lm.calls[0]
    assert prediction.c == "y"
    assert settings == {"temperature": 0.9, "seed": 1}
    assert "new" in messages[1].content
    assert not any("old" in message.content for message in messages)
    assert predict.signature.signature == "a -> b"


def test_several_completions_are_columns() -> None:
    lm = FakeLM(chat(b="1"), chat(b="2"))

    prediction = Predict("a -> b: int", n=2)(a="x", lm=lm)

    assert prediction.b == 1
    assert prediction.completions.b == [1, 2]


def test_a_reply_that_does_not_fit_is_an_error_and_no_second_call() -> None:
    lm = FakeLM("no markers at all")

    with pytest.raises(AdapterParseError), track_usage() as tracker:
        Predict("a -> b")(a="x", lm=lm)

    assert len(lm.calls) == 1
    # It was paid for all the same.
    assert tracker.get_total_tokens()["fake/model"]["total_tokens"] == 5


def test_errors_of_the_model_come_through() -> None:
    class Down(FakeLM):
        def complete(self, messages: Any, settings: Any) -> Reply:
            raise LMServerError("down", status=503)

    with pytest.raises(LMServerError, match="down"):
        Predict("a -> b")(a="x", lm=Down(""))


def test_each_call_is_a_step_of_the_trace() -> None:
    trace: list[Any] = []
    predict = Predict("a -> b")

    with context(lm=FakeLM(chat(b="y")), trace=trace):
        prediction = predict(a="x")

    assert trace == [(predict, {"a": "x"}, prediction)]
    assert trace[0][2] is prediction


def test_usage_is_on_the_prediction() -> None:
    prediction = Predict("a -> b")(a="x", lm=FakeLM(chat(b="y")))

    assert prediction.get_lm_usage() == {
        "fake/model": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    }


WITHOUT_WORDS = {
    "instructions": {},
    "fields": [{"prefix": "A:", "description": "a"}] * 2,
}
"""The texts of a signature in a file that somebody has edited."""


class TestAdapters:
    def test_the_model_chooses_the_user_overrules(self) -> None:
        line = FakeLM("Lima", adapter="line")
        told = FakeLM(chat(capital="Lima"), adapter="line")
        predict = Predict("country -> capital")

        assert predict(country="Peru", lm=line).capital == "Lima"
        with context(adapter="chat"):
            assert predict(country="Peru", lm=told).capital == "Lima"
        with context(adapter=LineAdapter()):
            assert predict(country="Peru", lm=FakeLM("Lima")).capital == "Lima"

    def test_that_of_a_call_wins_and_none_is_that_of_the_settings(self) -> None:
        predict = Predict("country -> capital")
        predict.adapter = "json"

        def answer(text: str, **adapter: Any) -> str:
            with context(adapter="chat"):
                asked = predict(country="Peru", lm=FakeLM(text), **adapter)
            return str(asked.capital)

        assert answer('{"capital": "Lima"}') == "Lima"
        assert answer("Lima", adapter=LineAdapter()) == "Lima"
        assert answer(chat(capital="Lima"), adapter=None) == "Lima"

    def test_an_input_may_be_called_adapter(self) -> None:
        model = FakeLM(chat(plug="C"))

        Predict("adapter -> plug")(adapter="travel kit", lm=model)

        assert "travel kit" in model.calls[0][0][-1].text

    @pytest.mark.parametrize("is_async", [False, True])
    def test_one_that_makes_the_call_gets_its_parts_by_name(
        self, *, is_async: bool
    ) -> None:
        given: list[dict[str, Any]] = []

        class Spy(ChatAdapter):
            def __call__(self, *args: Any, **kwargs: Any) -> Any:
                given.append(kwargs)
                return super().__call__(*args, **kwargs)

            async def acall(self, *args: Any, **kwargs: Any) -> Any:
                given.append(kwargs)
                return await super().acall(*args, **kwargs)

        predict = Predict("a -> b", n=1)
        with context(lm=FakeLM(chat(b="y")), adapter=Spy()):
            answer = asyncio.run(predict.acall(a="x")) if is_async else predict(a="x")

        assert answer.b == "y"
        [parts] = given
        assert parts["inputs"] == {"a": "x"}
        assert parts["lm_kwargs"] == {"n": 1}
        assert (parts["signature"], parts["demos"]) == (predict.signature, [])

    def test_its_settings_give_way_to_the_models_and_the_users(self) -> None:
        plain = FakeLM("x", adapter="line")
        tuned = FakeLM("x", adapter="line", max_tokens=7)

        Predict("a -> b")(a="x", lm=plain)
        Predict("a -> b")(a="x", lm=tuned)
        Predict("a -> b", stop=["!"])(a="x", lm=tuned)

        assert plain.calls[0][1] == {"stop": ["\n"], "max_tokens": 48}
        assert tuned.calls[0][1] == {"stop": ["\n"]}
        assert tuned.calls[1][1] == {"stop": ["!"]}


class TestState:
    def test_config_can_be_read_and_added_to(self) -> None:
        predict = Predict("a -> b", n=2)

        predict.update_config(temperature=1.0)

        assert predict.get_config() == {"n": 2, "temperature": 1.0}

    def test_reset_forgets_all_but_signature_and_config(self) -> None:
        predict = Predict("a -> b", n=2)
        predict.lm = FakeLM("x")
        predict.demos = [{"a": "1"}]
        predict.traces = predict.train = ["t"]

        predict.reset()

        assert (predict.demos, predict.traces, predict.train) == ([], [], [])
        assert predict.get_lm() is None
        assert predict.config == {"n": 2}

    def test_the_state_has_dspys_shape(self) -> None:
        predict = Predict(make_signature("a -> b", "Do."))
        predict.lm = FakeLM("x", temperature=0.3)
        predict.demos = [Example(augmented=True, a="1", b="2"), {"a": 3, "b": {4}}]

        assert predict.dump_state() == {
            "traces": [],
            "train": [],
            "demos": [{"augmented": True, "a": "1", "b": "2"}, {"a": 3, "b": [4]}],
            "signature": {
                "instructions": "Do.",
                "fields": [
                    {"prefix": "A:", "description": "${a}"},
                    {"prefix": "B:", "description": "${b}"},
                ],
            },
            "lm": {"model": "fake/model", "temperature": 0.3},
        }

    def test_loading_returns_the_predictor_with_instructions_and_demos(self) -> None:
        old = Predict(make_signature("a -> b", "Old."))
        old.demos = [{"a": "1", "b": "2"}]

        new = Predict("a -> b").load_state(old.dump_state())

        assert new.signature.instructions == "Old."
        assert new.demos == old.demos
        assert new.lm is None

    @pytest.mark.parametrize(
        "broken",
        [
            {},
            {"demos": []},
            {"demos": 3, "signature": {}},
            {"signature": 5},
            {**Predict("a -> b").dump_state(), "signature": WITHOUT_WORDS},
        ],
    )
    def test_what_is_no_state_is_refused_whole(self, broken: dict[str, Any]) -> None:
        predict = Predict("a -> b")
        predict.demos = ["kept"]

        with pytest.raises(DataError, match="no state of a predictor"):
            predict.load_state(broken)

        assert predict.demos == ["kept"]

    def test_a_state_of_other_fields_is_refused(self) -> None:
        with pytest.raises(SignatureError, match="2 fields"):
            Predict("a, b -> c").load_state(Predict("a -> b").dump_state())

    @pytest.mark.parametrize("value", [object(), float("nan"), b"\xff"])
    def test_a_demo_json_cannot_hold_is_named(self, value: Any) -> None:
        predict = Predict("a -> b")
        predict.demos = [{"a": "x", "b": "y"}, {"a": "x", "b": value}]

        with pytest.raises(DataError, match="demo 1, field 'b' cannot be saved"):
            predict.dump_state()

    def test_copies_share_the_model_and_nothing_else(self) -> None:
        predict = Predict("a -> b")
        predict.lm = FakeLM("x")
        predict.demos = [{"a": "1"}]

        twin = predict.deepcopy()
        twin.demos[0]["a"] = "2"
        fresh = predict.reset_copy()

        assert twin.lm is predict.lm
        assert predict.demos == [{"a": "1"}]
        assert (fresh.demos, fresh.lm) == ([], None)
        assert twin.signature is predict.signature
        assert copy.deepcopy(fresh).signature is predict.signature

    def test_repr_is_one_line(self) -> None:
        assert repr(Predict("a, b -> c")) == "Predict(a, b -> c)"


class TestChainOfThought:
    def test_reasoning_comes_first(self) -> None:
        program = ChainOfThought("question -> answer: int", temperature=0.0)
        lm = FakeLM(chat(reasoning="because", answer="4"))

        prediction = program(question="2+2", lm=lm)

        assert list(program.predict.signature.output_fields) == ["reasoning", "answer"]
        assert (prediction.reasoning, prediction.answer) == ("because", 4)
        assert lm.calls[0][1] == {"temperature": 0.0}
        assert [name for name, _ in program.named_predictors()] == ["predict"]

    def test_the_reasoning_field_can_be_ones_own(self) -> None:
        program = ChainOfThought(
            "a -> b",
            rationale_field=OutputField(desc="Steps."),
            rationale_field_type=int,
        )

        field = program.predict.signature.output_fields["reasoning"]
        assert field.annotation is int
        assert field.json_schema_extra is not None

    def test_inputs_go_by_name(self) -> None:
        with pytest.raises(ValueError, match=r"predict\(question=\.\.\.\)"):
            ChainOfThought("question -> answer")("2+2")


@pytest.mark.parametrize(
    ("config", "own", "sent"),
    [
        ({"n": 2}, {}, 0.7),
        ({"n": 2, "temperature": 0.1}, {}, 0.7),
        ({"n": 2, "temperature": 0.0}, {}, 0.7),
        ({"n": 2, "temperature": 0.5}, {}, 0.5),
        ({"n": 2}, {"temperature": 0.9}, None),
        ({"n": 2}, {"temperature": 0.1}, 0.7),
        ({"n": 1, "temperature": 0.1}, {}, 0.1),
        ({}, {"n": 2}, 0.7),
        ({}, {"num_generations": 2}, 0.7),
        ({}, {}, None),
    ],
)
def test_several_completions_are_asked_for_warmly_enough_to_differ(
    config: dict[str, Any], own: dict[str, Any], sent: float | None
) -> None:
    lm: Any = FakeLM(chat(b="x"))
    lm.settings = own

    Predict("a -> b", **config)(a="x", lm=lm)

    assert lm.calls[0][1].get("temperature") == sent


def test_a_predicted_output_goes_to_the_model() -> None:
    lm = FakeLM(chat(b="x"))
    predicted = {"type": "content", "content": "x"}

    Predict("a -> b")(a="x", prediction=predicted, lm=lm)
    Predict("a, prediction -> b")(a="x", prediction="y", lm=lm)

    assert lm.calls[0][1]["prediction"] == predicted
    assert "prediction" not in lm.calls[1][1]


def test_an_input_called_prediction_is_an_input_whatever_it_holds() -> None:
    lm = FakeLM(chat(b="x"))

    Predict("prediction: dict -> b")(
        prediction={"type": "content", "content": "y"}, lm=lm
    )

    assert "prediction" not in lm.calls[0][1]
    assert '"content": "y"' in lm.calls[0][0][-1].text


def test_a_trace_holds_no_more_than_it_may_and_keeps_the_latest() -> None:
    predict = Predict("a -> b")

    with context(lm=FakeLM(chat(b="x")), trace=[], max_trace_size=3):
        for number in range(9):
            predict(a=str(number))
        steps = list(settings.trace)
    with context(lm=FakeLM(chat(b="x")), trace=[], max_trace_size=0):
        predict(a="x")
        assert settings.trace == []

    assert [inputs["a"] for _, inputs, _ in steps] == ["6", "7", "8"]


@pytest.mark.parametrize("warn", [True, False])
def test_an_input_of_another_type_is_logged_if_wanted(
    warn: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with context(lm=FakeLM(chat(b="x")), warn_on_type_mismatch=warn):
        Predict("a: int -> b")(a="x")

    assert ("Type mismatch for field 'a': expected int" in caplog.text) is warn


def test_an_answer_from_the_cache_counts_no_tokens() -> None:
    class Remembering(FakeLM):
        def complete(self, messages: Any, settings: Any) -> Reply:
            return (
                super()
                .complete(messages, settings)
                .with_changes(cached=True, usage=Usage())
            )

    with context(lm=Remembering(chat(b="x"))), track_usage() as usage:
        Predict("a -> b")(a="x")

    assert usage.total() == {}


def test_tokens_are_added_to_a_tracker_in_dspys_shape_too() -> None:
    with track_usage() as usage:
        usage.add_usage("m", {"prompt_tokens": 3, "completion_tokens": None})
        usage.add_usage("m", {"completion_tokens": 2})

    assert usage.get_total_tokens() == {
        "m": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    }


def test_an_instruction_in_the_place_of_callbacks_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="belongs to the signature"):
        Predict("a -> b", "Be brief.")


@pytest.mark.parametrize("kind", [Predict, ChainOfThought])
def test_a_model_among_the_settings_says_where_it_belongs(
    kind: type[Predict | ChainOfThought],
) -> None:
    with pytest.raises(ConfigurationError, match=r"program\.set_lm\(lm\)"):
        kind("a -> b", lm=object())
