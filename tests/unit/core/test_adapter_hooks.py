"""Adapters that people write: DSPy's hooks, and the call built on them."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from dspex.core import spawner
from dspex.core.adapters import Adapter, ChatAdapter
from dspex.core.adapters.chat import FieldInfoWithName
from dspex.core.callbacks import BaseCallback
from dspex.core.errors import AdapterParseError
from dspex.core.lm import Message, Reply
from dspex.core.signature import OutputField, make_signature

CAPITAL = make_signature("country -> capital", "Name the capital.")
LIMA = "[[ ## capital ## ]]\nLima\n\n[[ ## completed ## ]]\n"


class Model:
    """A model that answers what it was told to, and keeps what it was asked."""

    model = "home/made"
    adapter = None

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Sequence[Message], Mapping[str, Any]]] = []

    def complete(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Reply:
        self.asked.append((messages, settings))
        return Reply(texts=(self.answers.pop(0),))

    def dump_state(self) -> dict[str, Any]:
        return {}


class LoopModel(Model):
    """The same for a loop; it has to be asked there."""

    def complete(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Reply:
        raise AssertionError

    async def acomplete(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Reply:
        return super().complete(messages, settings)


class Shouting(ChatAdapter):
    """Overrides one hook of an existing format."""

    def format_task_description(self, signature: Any) -> str:
        return str(signature.instructions).upper()


class Bare(Adapter):
    """Has nothing of ours: dicts as turns, the whole reply as the answer."""

    def format(self, signature: Any, demos: Any, inputs: Any) -> Any:
        return [{"role": "user", "content": f"{inputs['country']}?"}]

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        return {"capital": completion}


class Stubborn(ChatAdapter):
    """Asks again through another adapter."""

    @property
    def fallback(self) -> Adapter:
        return Bare()


def test_an_adapter_is_called_with_model_settings_signature_demos_and_inputs() -> None:
    model = Model(LIMA)

    answers = ChatAdapter()(model, {"top_p": 1}, CAPITAL, [], {"country": "Peru"})

    assert answers == [{"capital": "Lima"}]
    messages, settings = model.asked[0]
    assert messages == tuple(ChatAdapter().format(CAPITAL, [], {"country": "Peru"}))
    assert settings == {"top_p": 1}


class Threads:
    """Does blocking work in threads of the standard library's."""

    async def in_thread(self, work: Callable[[], Any], *, label: str) -> Any:
        return await asyncio.to_thread(work)


@pytest.mark.parametrize("kind", [Model, LoopModel])
def test_an_adapter_is_called_on_a_loop_too(
    kind: type[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = ChatAdapter()
    monkeypatch.setattr(spawner, "_made", Threads())

    answers = asyncio.run(
        adapter.acall(kind(LIMA), {}, CAPITAL, [], {"country": "Peru"})
    )

    assert answers == [{"capital": "Lima"}]


def test_a_reply_nobody_can_read_is_an_error_and_no_second_call() -> None:
    model = Model("Lima.", LIMA)

    with pytest.raises(AdapterParseError, match="'capital' is missing"):
        ChatAdapter()(model, {}, CAPITAL, [], {"country": "Peru"})

    assert len(model.asked) == 1


def test_a_fallback_asks_again_when_there_is_one() -> None:
    model, loop_model = Model("Lima.", "Lima!"), LoopModel("Lima.", "Lima!")
    call: tuple[Any, ...] = ({}, CAPITAL, [], {"country": "Peru"})

    assert Stubborn()(model, *call) == [{"capital": "Lima!"}]
    assert asyncio.run(Stubborn().acall(loop_model, *call)) == [{"capital": "Lima!"}]
    assert model.asked[1][0] == (Message("user", "Peru?"),)


@pytest.mark.parametrize("is_async", [False, True])
def test_when_the_fallback_fails_too_the_first_error_is_its_cause(
    *, is_async: bool
) -> None:
    model = (LoopModel if is_async else Model)("Lima.", "Lima.")
    adapter = ChatAdapter(use_json_adapter_fallback=True)
    call: tuple[Any, ...] = (model, {}, CAPITAL, [], {"country": "Peru"})

    with pytest.raises(AdapterParseError) as caught:
        asyncio.run(adapter.acall(*call)) if is_async else adapter(*call)

    first = caught.value.__cause__
    assert caught.value.adapter_name == "JSONAdapter"
    assert isinstance(first, AdapterParseError)
    assert first.adapter_name == "ChatAdapter"


def test_one_hook_changes_its_own_part_only() -> None:
    plain = ChatAdapter().format(CAPITAL, [], {"country": "Peru"})

    shouted = Shouting().format(CAPITAL, [], {"country": "Peru"})

    assert shouted[0].text.endswith("NAME THE CAPITAL.")
    assert shouted[0].text.startswith(ChatAdapter().format_field_description(CAPITAL))
    assert shouted[1:] == plain[1:]


def test_an_adapter_of_ones_own_may_write_turns_as_dicts() -> None:
    assert Bare()(Model("Lima"), {}, CAPITAL, [], {"country": "Peru"}) == [
        {"capital": "Lima"}
    ]
    assert Bare().name == "custom"


def test_a_missing_hook_is_named() -> None:
    with pytest.raises(NotImplementedError, match=r"no format_field_description\(\)"):
        Adapter().format(CAPITAL, [], {})
    with pytest.raises(NotImplementedError, match=r"Adapter has no parse\(\)"):
        Adapter().parse(CAPITAL, "")


def test_prefix_and_suffix_stand_around_the_inputs() -> None:
    content = ChatAdapter().format_user_message_content(
        CAPITAL, {"country": "Peru"}, prefix="Before.", suffix="Behind."
    )

    assert content == "Before.\n\n[[ ## country ## ]]\nPeru\n\nBehind."


def test_an_absent_output_is_said_in_the_words_given() -> None:
    content = ChatAdapter().format_assistant_message_content(CAPITAL, {}, "Unknown.")

    assert content == "[[ ## capital ## ]]\nUnknown.\n\n[[ ## completed ## ]]\n"


def test_fields_with_values_are_written_under_their_headers() -> None:
    answer = FieldInfoWithName("answer", OutputField())

    assert ChatAdapter().format_field_with_value({answer: ["a", 1]}) == (
        '[[ ## answer ## ]]\n["a", 1]'
    )


def test_a_parse_error_is_made_as_in_dspy_and_can_be_copied() -> None:
    error = AdapterParseError("ChatAdapter", CAPITAL, "Lima", "no header", {"a": 1})

    again = copy.copy(error)

    assert str(again) == str(error)
    assert "does not fit through" in str(error)
    assert again.expected == ("capital",)
    assert (again.signature, again.parsed_result) == (CAPITAL, {"a": 1})


def test_a_turn_equals_its_dict() -> None:
    turn = Message("user", "Peru?")

    assert turn == {"role": "user", "content": "Peru?"}
    assert turn != {"role": "assistant", "content": "Peru?"}
    assert turn != "Peru?"
    assert {turn, Message("user", "Peru?")} == {turn}


class Listener(BaseCallback):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    def on_adapter_format_start(self, call_id: str, instance: Any, inputs: Any) -> None:
        self.heard.append(("format", inputs["inputs"]))

    def on_adapter_format_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        self.heard.append(("formatted", len(outputs)))

    def on_adapter_parse_start(self, call_id: str, instance: Any, inputs: Any) -> None:
        self.heard.append(("parse", inputs["completion"]))

    def on_adapter_parse_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        self.heard.append(("parsed", outputs))


class Deferring(ChatAdapter):
    """Overrides what callbacks hear of, and calls what it overrides."""

    def format(self, signature: Any, demos: Any, inputs: Any) -> list[Message]:
        return super().format(signature, demos, inputs)

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        return super().parse(signature, completion)


@pytest.mark.parametrize("kind", [ChatAdapter, Shouting, Deferring])
def test_callbacks_hear_once_of_each_writing_and_reading(
    kind: type[ChatAdapter],
) -> None:
    listener = Listener()

    kind(callbacks=[listener])(Model(LIMA), {}, CAPITAL, [], {"country": "Peru"})

    assert listener.heard == [
        ("format", {"country": "Peru"}),
        ("formatted", 2),
        ("parse", LIMA),
        ("parsed", {"capital": "Lima"}),
    ]
