"""The port of all adapters: how one call is written, and how its answer is read.

The methods called `format_...` are DSPy's hooks: an adapter overrides those it needs,
and `format()` puts the chat together from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from dspex.core.adapters.conversation import earlier_turn, earlier_turns
from dspex.core.adapters.demos import Row, is_complete, usable_demos
from dspex.core.adapters.native import checked_types, planned
from dspex.core.adapters.parts import parts_kept, with_parts
from dspex.core.adapters.reading import Asked, read_reply
from dspex.core.adapters.special import special_fields, without_fields
from dspex.core.callbacks import with_callbacks
from dspex.core.chat import messages_of
from dspex.core.errors import AdapterParseError
from dspex.core.lm import LanguageModel, Message, Reply
from dspex.core.signature import Signature
from dspex.core.spawner import the_spawner
from dspex.core.types.reasoning import Reasoning

ABSENT: Final = "(not given in this example)"
"""What stands for an output that a demo lacks."""

INCOMPLETE: Final = "This example lacks some fields."
"""What comes before a demo that lacks a field."""

NOTHING: Final[Mapping[str, Any]] = {}
"""No settings."""


class Adapter:
    """Turns a signature into messages, and a reply into the signature's values.

    When to use it: as the base of your own format. Define `format()` and `parse()`, or
    the hooks that `format()` calls. When not: to change the words of an existing
    format, derive from that adapter.

    Args:
        callbacks: Objects that want to hear of this adapter's work.
        use_native_function_calling: Whether tools go to the provider as tools, when
            the model can call functions; otherwise they are told in the text.
        native_response_types: Types of outputs that are read from the reply itself and
            not from its text, where the model can; `Reasoning` when left out.
        parallel_tool_calls: Whether the model may want several tools called at once;
            `None` leaves it to the provider.
    """

    name: ClassVar[str] = "custom"
    """What `adapter_named()` and a model's `adapter` call it."""
    asks_to_read: ClassVar[bool] = False
    """Whether it asks another model to read a reply; the tokens of that are counted
    as the prediction's, too."""
    callback_kind: ClassVar[str] = "adapter"
    """What callbacks are told that this is."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __init_subclass__(cls, **options: Any) -> None:
        """Have callbacks hear of the subclass's own `format()` and `parse()`."""
        super().__init_subclass__(**options)
        for method in ("format", "parse"):
            if method in vars(cls):
                setattr(cls, method, with_callbacks(vars(cls)[method]))

    def __init__(
        self,
        callbacks: Sequence[Any] | None = None,
        use_native_function_calling: bool = False,  # noqa: FBT001, FBT002 - DSPy's order
        native_response_types: Sequence[type[Any]] | None = None,
        parallel_tool_calls: bool | None = None,  # noqa: FBT001 - DSPy's order
    ) -> None:
        self.callbacks = list(callbacks or ())
        self.use_native_function_calling = use_native_function_calling
        self.native_response_types = checked_types(native_response_types)
        self.parallel_tool_calls = parallel_tool_calls

    @property
    def fallback(self) -> Adapter | None:
        """Who asks again after a reply that could not be read; nobody by default."""
        return None

    def __call__(
        self,
        lm: LanguageModel,
        lm_kwargs: Mapping[str, Any],
        signature: type[Signature],
        demos: Sequence[Row],
        inputs: Row,
    ) -> list[dict[str, Any]]:
        """Write a call, make it, and read the answer.

        Args:
            lm: Who is asked.
            lm_kwargs: Settings of this call; they win.
            signature: What is asked for.
            demos: Worked examples.
            inputs: The inputs of this call.

        Returns:
            The values of all outputs, one mapping per completion.

        Raises:
            AdapterParseError: When a completion does not fit, and that of the
                `fallback`, if there is one, does not either; the first is its cause.
            LMError: When the call ended without an answer.
        """
        asked = self.ask(signature, demos, inputs, lm, lm_kwargs)
        try:
            return self.read(asked, lm.complete(asked.messages, asked.settings))
        except AdapterParseError as first:
            if (other := self.fallback) is None:
                raise
            try:
                return other(lm, lm_kwargs, signature, demos, inputs)
            except AdapterParseError as second:
                raise second from first

    async def acall(
        self,
        lm: LanguageModel,
        lm_kwargs: Mapping[str, Any],
        signature: type[Signature],
        demos: Sequence[Row],
        inputs: Row,
    ) -> list[dict[str, Any]]:
        """Do the same without blocking the loop; see `__call__`.

        A model without `acomplete()` is asked in a thread.
        """
        asked = self.ask(signature, demos, inputs, lm, lm_kwargs)
        acomplete = getattr(lm, "acomplete", None)
        try:
            if acomplete is None:
                reply = await the_spawner().in_thread(
                    lambda: lm.complete(asked.messages, asked.settings), label=lm.model
                )
            else:
                reply = await acomplete(asked.messages, asked.settings)
            return await self.aread(asked, reply)
        except AdapterParseError as first:
            if (other := self.fallback) is None:
                raise
            try:
                return await other.acall(lm, lm_kwargs, signature, demos, inputs)
            except AdapterParseError as second:
                raise second from first

    def ask(
        self,
        signature: type[Signature],
        demos: Sequence[Row],
        inputs: Row,
        model: LanguageModel,
        config: Mapping[str, Any] = NOTHING,
    ) -> Asked:
        """Write one call.

        Args:
            signature: What is asked for.
            demos: Worked examples.
            inputs: The inputs of this call.
            model: Who will be asked; what it can do decides what travels natively.
            config: The user's settings of this call.
        """
        plan = planned(
            signature,
            inputs,
            model,
            config,
            tools=self.use_native_function_calling,
            reasoning=Reasoning in self.native_response_types,
        )
        with parts_kept() as sink:
            turns = messages_of(self.format(plan.shown, demos, inputs))
            messages = with_parts(turns, sink)
        settings = {
            **_unset(self.settings(plan.shown), model),
            **plan.settings,
            **self._about_parallel_calls(plan.settings),
            **plan.config,
        }
        return Asked(
            signature=signature,
            shown=plan.shown,
            messages=tuple(messages),
            settings=settings,
        )

    def _about_parallel_calls(self, native: Mapping[str, Any]) -> dict[str, Any]:
        if self.parallel_tool_calls is None or "tools" not in native:
            return {}
        return {"parallel_tool_calls": self.parallel_tool_calls, "tool_choice": "auto"}

    def read(self, asked: Asked, reply: Reply) -> list[dict[str, Any]]:
        """Return the values of all outputs, one mapping per completion.

        Where the reply has log-probabilities, they stand under "logprobs".

        Raises:
            AdapterParseError: When a completion does not fit.
        """
        return read_reply(self, asked, reply)

    async def aread(self, asked: Asked, reply: Reply) -> list[dict[str, Any]]:
        """Do the same for coroutines.

        An adapter that makes a call of its own to read a reply makes it here.
        """
        return self.read(asked, reply)

    @with_callbacks
    def format(
        self, signature: type[Signature], demos: Sequence[Row], inputs: Row
    ) -> list[Message]:
        """Return the messages of one call.

        No value, however it is written, can look like another field or another turn.
        An input of the type `History` becomes turns of its own.

        Args:
            signature: What is asked for.
            demos: Worked examples. Those that lack a field come first, and those
                that lack every input or every output are left out.
            inputs: The inputs of this call.
        """
        history = special_fields(signature).history
        shown = without_fields(signature, history)
        given = dict(inputs)
        with parts_kept() as sink:
            system = self.format_system_message(shown)
            turns: list[Message] = [Message("system", system)] if system else []
            turns += self.format_demos(signature, demos)
            if history in given:
                turns += self.format_conversation_history(shown, history, given)
                given.pop(history, None)
            content = self.format_user_message_content(shown, given, main_request=True)
            if content:
                turns.append(Message("user", content))
            return with_parts(messages_of(turns), sink)

    def format_system_message(self, signature: type[Signature]) -> str:
        """Return what the model needs to know before the first example."""
        parts = (
            self.format_field_description(signature),
            self.format_field_structure(signature),
            self.format_task_description(signature),
        )
        return "\n\n".join(part for part in parts if part)

    def format_field_description(self, signature: type[Signature]) -> str:
        """Return what the fields mean."""
        raise NotImplementedError(_undefined(self, "format_field_description"))

    def format_field_structure(self, signature: type[Signature]) -> str:
        """Return how the fields are written."""
        raise NotImplementedError(_undefined(self, "format_field_structure"))

    def format_task_description(self, signature: type[Signature]) -> str:
        """Return what is to be done."""
        raise NotImplementedError(_undefined(self, "format_task_description"))

    def format_demos(
        self, signature: type[Signature], demos: Sequence[Row]
    ) -> list[Message]:
        """Return the demos worth showing, each as a user turn and an assistant turn."""
        shown = without_fields(signature, special_fields(signature).history)
        return [
            turn
            for demo in usable_demos(shown, demos)
            for turn in self.format_demo(signature, demo)
        ]

    def format_demo(self, signature: type[Signature], demo: Row) -> list[Message]:
        """Return a demo as a user turn and an assistant turn.

        A demo with a history has that in turns before.
        """
        history = special_fields(signature).history
        shown = without_fields(signature, history)
        turns = []
        if history is not None and history in demo:
            turns = self.format_conversation_history(shown, history, dict(demo))
        prefix = "" if is_complete(shown, demo) else INCOMPLETE
        content = self.format_user_message_content(shown, demo, prefix=prefix)
        answer = self.format_assistant_message_content(shown, demo, ABSENT)
        return [*turns, Message("user", content), Message("assistant", answer)]

    def format_conversation_history(
        self,
        signature: type[Signature],
        history_field_name: str,
        inputs: dict[str, Any],
    ) -> list[Message]:
        """Return the earlier turns of a conversation.

        A user's turn is written as it was when it was asked, so that a provider finds
        the beginning of the chat in its own cache.

        Args:
            signature: What the turns are about, without the history.
            history_field_name: The input with the history.
            inputs: The inputs; the history is taken out.
        """
        return [
            turn
            for values in earlier_turns(inputs.pop(history_field_name, None))
            for turn in earlier_turn(self, signature, values)
        ]

    def format_user_message_content(
        self,
        signature: type[Signature],
        inputs: Row,
        prefix: str = "",
        suffix: str = "",
        main_request: bool = False,  # noqa: FBT001, FBT002 - DSPy's order
    ) -> str:
        """Return the inputs as a user turn.

        Args:
            signature: Whose inputs these are.
            inputs: The values; those that are absent are left out.
            prefix: What comes before them.
            suffix: What comes behind everything.
            main_request: Whether this is the turn that the model is to answer.
        """
        raise NotImplementedError(_undefined(self, "format_user_message_content"))

    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Row,
        missing_field_message: str | None = None,
    ) -> str:
        """Return the outputs as the model is to write them.

        Args:
            signature: Whose outputs these are.
            outputs: The values.
            missing_field_message: What stands for an absent one.
        """
        raise NotImplementedError(_undefined(self, "format_assistant_message_content"))

    def settings(
        self,
        signature: type[Signature],  # noqa: ARG002 - for those who need it
    ) -> Mapping[str, Any]:
        """Return settings this adapter wants; the model's and the user's own win."""
        return {}

    def parse(self, signature: type[Signature], completion: str) -> dict[str, Any]:
        """Return the values of all outputs.

        Raises:
            AdapterParseError: When the reply does not fit; no other error comes from
                a text.
        """
        raise NotImplementedError(_undefined(self, "parse"))


def _unset(wanted: Mapping[str, Any], model: LanguageModel) -> dict[str, Any]:
    """Return the adapter's settings, without those the user gave the model itself."""
    if not wanted:
        return {}
    own = model.dump_state()
    return {key: value for key, value in wanted.items() if own.get(key) is None}


def _undefined(adapter: Adapter, method: str) -> str:
    return (
        f"{type(adapter).__name__} has no {method}(); an adapter says there how its "
        "format looks. Define it, or derive from dspex.ChatAdapter."
    )
