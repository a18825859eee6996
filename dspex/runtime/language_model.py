"""`LM`: a language model as people hold it.

It holds settings only; the parts it talks to are found by name at each call, so it
survives their restarts, copies freely, and costs nothing until it is used. How one
model is asked stands in `one_model`, and who else is asked and told in `told_model`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, TextIO

from dspex.client.budget import Budget
from dspex.client.channel import Channel
from dspex.core import defaults
from dspex.core.errors import ConfigurationError
from dspex.core.history import History
from dspex.core.lm import Message, Reply
from dspex.core.outputs import outputs_of
from dspex.programs.history import pretty_print_history
from dspex.programs.trace import record_usage
from dspex.runtime.by_call import ask_by_call, is_asked_by_call, real_method
from dspex.runtime.call_options import (
    OPTIONS,
    CallOptions,
    check_model_type,
    check_settings,
    limits_of,
    priority_of,
    retries_of,
    settings_of,
)
from dspex.runtime.fallback import Fallbacks
from dspex.runtime.home_made_place import unreachable
from dspex.runtime.one_model import merged
from dspex.runtime.places import Place, Reach
from dspex.runtime.stream import AsyncStream, Stream
from dspex.runtime.told_model import ToldModel
from dspex.runtime.turns import turns_of


class LM(ToldModel):
    """A language model.

    When to use it: always; OpenAI's chat format and all that speak it, Anthropic and
    Gemini are reached with it. When not: a model of your own in this process;
    `BaseLM` gives that the same cache, limits, retries and breaker.

    Example:
        >>> LM("openai/gpt-4o-mini", api_key="sk-1", temperature=0)
        LM('openai/gpt-4o-mini', temperature=0)

    Args:
        model: `provider/model`, such as `openai/gpt-4o-mini`, `local/gemma-3-270m` or
            `local/FILE.gguf`.
        api_base: The root of another API of the same format.
        api_key: The key, or a function that returns it: it is called in a thread when
            a key is first needed, and once more when one was refused. Without it, the
            provider's environment variable is read.
        api_version: Azure's version of its API.
        allow_insecure: Whether the key may go unencrypted to another machine; only on
            a network you trust as you trust this machine.
        proxy: The proxy of every request to this endpoint, such as
            `http://user:password@proxy.example:3128`; an empty text for none. `None`
            is the runtime's, which reads `HTTPS_PROXY` and its like.
        cache: Whether equal calls share one answer.
        num_retries: Further attempts after a failed one.
        timeout: Seconds without a byte after a request was written. `None` is 60, and
            600 for reasoning models and for `max_tokens` above 4,096.
        deadline: Seconds for a whole call, waiting and retries included; `None` for no
            limit.
        adapter: "chat", "json", "xml" or "line"; `None` is the model's own (a local
            base model has the line adapter) or the chat adapter.
        max_in_flight: Requests out at a time to this endpoint; the first LM that calls
            it decides. A local server never gets more than its slots.
        requests_per_minute: Requests to this model in any 60 seconds; `None` learns
            the provider's own limit.
        tokens_per_minute: Tokens, sent and received, in any 60 seconds; likewise.
        budget: A cap on what all requests of this LM may cost together.
        fallbacks: Models to ask, in this order, when this one ends in an error: LMs,
            or model strings.
        fallback_when: Told each reply; where it returns `True`, the next of the
            fallbacks is asked as well.
        callbacks: Objects that want to hear of this model's calls.
        priority: "interactive" calls pass "batch" ones where there is a queue. `None`
            is batch inside an evaluation, else interactive.
        model_type: "chat", for DSPy's sake; every model is asked so.
        settings: Sent with each call: temperature, max_tokens, stop, seed, ...

    Raises:
        ConfigurationError: An unknown model string (the known prefixes are listed), no
            key, a wrong address or proxy, an option of DSPy's that is none here, or a
            missing extra (with the line that installs it).
    """

    callback_kind: ClassVar[str] = "lm"
    model_type: ClassVar[str] = "chat"
    """The API that is spoken, by DSPy's name."""

    def __init__(
        self,
        model: str,
        *,
        api_base: str | None = None,
        api_key: str | Callable[[], str] | None = None,
        api_version: str | None = None,
        allow_insecure: bool = False,
        proxy: str | None = None,
        cache: bool = True,
        num_retries: int = defaults.RETRIES,
        timeout: float | None = None,
        deadline: float | None = None,
        adapter: str | None = None,
        max_in_flight: int | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        budget: Budget | None = None,
        fallbacks: Sequence[LM | str] = (),
        fallback_when: Callable[[Reply], bool] | None = None,
        priority: Literal["interactive", "batch"] | None = None,
        callbacks: Sequence[Any] | None = None,
        model_type: str = "chat",
        **settings: Any,
    ) -> None:
        check_model_type(model_type)
        super().__init__(
            model,
            settings_of(settings),
            cache=cache,
            options=CallOptions(
                retries=retries_of(num_retries),
                timeout=timeout,
                deadline=deadline,
                limits=limits_of(requests_per_minute, tokens_per_minute),
                priority=priority_of(priority),
                budget=budget,
            ),
            reach=Reach(
                api_base=api_base,
                api_key=api_key,
                api_version=api_version,
                allow_insecure=allow_insecure,
                max_in_flight=max_in_flight,
                proxy=proxy,
            ),
        )
        self._adapter = adapter
        self._fallbacks = Fallbacks(
            models=tuple(LM(one) if isinstance(one, str) else one for one in fallbacks),
            when=fallback_when,
        )
        self.callbacks = list(callbacks or ())
        self.history = History(defaults.HISTORY)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Have a subclass that overrides `__call__` or `acall` be asked through them.

        Raises:
            ConfigurationError: It has a method that nothing would call.
        """
        super().__init_subclass__(**kwargs)
        ask_by_call(cls)

    def __repr__(self) -> str:
        shown = "".join(f", {key}={value!r}" for key, value in self.settings.items())
        return f"LM({self.model!r}{shown})"

    def _find_place(self, reach: Reach) -> Place:
        try:
            return super()._find_place(reach)
        except ConfigurationError as error:
            if not is_asked_by_call(type(self)):
                raise
            return unreachable(self.model, str(error))

    @property
    def kwargs(self) -> dict[str, Any]:
        """The settings sent with each call, by DSPy's name."""
        return dict(self.settings)

    def inspect_history(self, n: int = 1, file: TextIO | None = None) -> None:
        """Print the last calls of this model.

        Args:
            n: How many, the latest last.
            file: Where to; `None` is the standard output.
        """
        pretty_print_history(self.history, n, file)

    @property
    def adapter(self) -> str | None:
        """The adapter this model wants, or `None` for the default."""
        return self._adapter or self._place.adapter

    def __call__(
        self,
        prompt: str | None = None,
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        **settings: Any,
    ) -> list[Any]:
        """Answer a prompt or a chat; one text per completion, as in DSPy.

        Where a completion has more than a text, each is a dict with `text` and what
        there is of `reasoning_content`, `logprobs` and `tool_calls`.

        Raises:
            LMError: The call ended without an answer.
        """
        complete = real_method(self, "complete")
        reply: Reply = complete(turns_of(prompt, messages), settings)
        return outputs_of(self._counted(reply))

    async def acall(
        self,
        prompt: str | None = None,
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        **settings: Any,
    ) -> list[Any]:
        """The same for coroutines, on the caller's loop; cancelled, it withdraws."""
        acomplete = real_method(self, "acomplete")
        reply: Reply = await acomplete(turns_of(prompt, messages), settings)
        return outputs_of(self._counted(reply))

    def stream(
        self,
        prompt: str | None = None,
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        patience: float = defaults.STREAM_PATIENCE,
        **settings: Any,
    ) -> Stream:
        """Answer a prompt or a chat in pieces: `for chunk in lm.stream("...")`.

        Args:
            prompt: The question, or `messages` instead.
            messages: The chat, oldest turn first.
            patience: Seconds in which nothing may be read while the queue is full.
            settings: Settings of this call.
        """
        turns = turns_of(prompt, messages)

        def answer(channel: Channel) -> Reply:
            return self._counted(self.complete(turns, settings, channel=channel))

        return Stream(answer, patience=patience)

    def astream(
        self,
        prompt: str | None = None,
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        patience: float = defaults.STREAM_PATIENCE,
        **settings: Any,
    ) -> AsyncStream:
        """The same for coroutines: `async for chunk in lm.astream("...")`."""
        turns = turns_of(prompt, messages)

        async def answer(channel: Channel) -> Reply:
            reply = await self.acomplete(turns, settings, channel=channel)
            return self._counted(reply)

        return AsyncStream(answer, patience=patience)

    def pieces(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Stream:
        """Answer a chat in pieces, for programs, which count what is spent themselves.

        Read it in a `with` block: callbacks hear of the call when the block begins and
        ends, so all its pieces come in between.

        Args:
            messages: The chat, oldest turn first.
            settings: Settings of this call.
        """
        return Stream(
            lambda channel: self._complete(messages, settings, channel),
            call=self._announced(messages, settings),
        )

    def apieces(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> AsyncStream:
        """The same for coroutines."""
        return AsyncStream(
            lambda channel: self._acomplete(messages, settings, channel),
            call=self._announced(messages, settings),
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> LM:
        """A handle is never changed, so copies of a program share it."""
        return self

    def copy(self, **changes: Any) -> LM:
        """A copy with other settings; a setting given as `None` is taken out.

        Raises:
            ConfigurationError: One of the changes is no setting.
        """
        wrong = sorted(OPTIONS & changes.keys())
        if wrong:
            raise ConfigurationError(
                f"copy() was given {wrong[0]!r}; it takes settings that are sent to "
                "the model, such as temperature. Make another LM for anything else."
            )
        check_settings(changes)
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.settings = merged(self.settings, changes)
        twin.callbacks = list(self.callbacks)
        twin.history = History(defaults.HISTORY)
        return twin

    def dump_state(self) -> dict[str, Any]:
        """Model string and settings as JSON values, as in DSPy; no key, no address."""
        adapter = {} if self._adapter is None else {"adapter": self._adapter}
        return {**super().dump_state(), **adapter}

    def _counted(self, reply: Reply) -> Reply:
        """Add a reply to this context's usage; programs count what they ask for."""
        record_usage(self.model, reply)
        return reply
