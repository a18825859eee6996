"""`Recorded`: answers of a real model, recorded once and replayed for ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import Any, Final, Self

from dspex.client.channel import Channel
from dspex.core.chat import messages_of
from dspex.core.errors import ConfigurationError
from dspex.core.history import Exchanged
from dspex.core.lm import LanguageModel, Message, Reply
from dspex.programs.rehearsal import is_rehearsal
from dspex.programs.settings import context, in_force, is_language_model
from dspex.runtime.language_model import LM
from dspex.runtime.one_model import merged
from dspex.testing._offline import OfflineLM
from dspex.testing._tape import Head, NotRecordedError, Tape

__all__ = ["NotRecordedError", "Recorded"]

_ABILITIES: Final = (
    "supports_function_calling",
    "supports_reasoning",
    "supports_response_schema",
)


class Recorded(OfflineLM):
    """A language model that plays back what a real one has answered before.

    Run the program once with `record=True`, which asks the real model and writes each
    request and its reply into a file; keep the file with the tests. From then on the
    program gets those replies, with no key, no network and no cost.

    In a `with` block it is the language model of every program that has none of its
    own. A program with several models needs a recording for each.

    Equal requests get their replies in the order in which they came, each once. A
    request that is not in the recording is an error that says in what it differs from
    the nearest one that is; `unused` counts the replies nobody has asked for. A
    streamed answer comes word by word. Calls that ended in an error are not recorded.

    The file is JSON Lines, for people to read: the model's name and settings, then
    prompts and replies as they were. Neither keys nor addresses nor headers are in it,
    and a picture stands there by its digest.

    When to use it: to test a program with what a real model says. When not: to test
    what your program does with one particular answer; `DummyLM` is shorter.

    Example:
        >>> import tempfile
        >>> from dspex.testing import DummyLM
        >>> path = Path(tempfile.mkdtemp()) / "capitals.jsonl"
        >>> real = DummyLM([{"capital": "Lima"}])
        >>> with Recorded(path, real, record=True) as lm:
        ...     answers = lm("Capital of Peru?")
        >>> Recorded(path)("Capital of Peru?") == answers
        True

    Args:
        path: The file.
        lm: Who is asked when recording: a model, a model string, or a function that
            makes a model. It is not looked at when replaying, so that no key is needed.
        record: Whether to ask and record. What the file held is replaced when the
            first reply comes.

    Raises:
        ConfigurationError: There is no file to replay, or nobody to record.
        DataError: The file is no recording.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        lm: LanguageModel | str | Callable[[], LanguageModel] | None = None,
        *,
        record: bool = False,
    ) -> None:
        self._real = _asked(lm) if record else None
        head = None if self._real is None else _head_of(self._real)
        self._tape = Tape(Path(path), head)
        super().__init__(
            self._tape.head.model,
            adapter=self._tape.head.adapter,
            cache=False,
            **self._tape.head.settings,
        )
        self._blocks = ExitStack()

    @property
    def unused(self) -> int:
        """Recorded replies that nobody has asked for yet; 0 while recording."""
        return self._tape.unused

    @property
    def supports_function_calling(self) -> bool:
        """Whether the recorded model takes tools."""
        return "supports_function_calling" in self._tape.head.supports

    @property
    def supports_reasoning(self) -> bool:
        """Whether the recorded model reasons by itself."""
        return "supports_reasoning" in self._tape.head.supports

    @property
    def supports_response_schema(self) -> bool:
        """Whether the recorded model takes a schema of its answer."""
        return "supports_response_schema" in self._tape.head.supports

    def __enter__(self) -> Self:
        """Be the language model of the programs in this block."""
        self._blocks.enter_context(context(lm=self))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._blocks.close()

    def forward(self, messages: list[dict[str, Any]], **settings: Any) -> Reply:
        """Return the next recorded reply to this request.

        Raises:
            NotRecordedError: There is none.
        """
        return self._tape.take(messages_of(messages), settings)

    def _complete(
        self,
        messages: Sequence[Message],
        settings: Mapping[str, Any],
        channel: Channel | None,
    ) -> Reply:
        """Answer a chat from the file, or from the real model when recording."""
        if self._real is None:
            return super()._complete(messages, settings, channel)
        reply = self._real.complete(
            messages, self._sent(settings), **_streamed(channel)
        )
        return self._kept(messages, settings, reply)

    async def _acomplete(
        self,
        messages: Sequence[Message],
        settings: Mapping[str, Any],
        channel: Channel | None,
    ) -> Reply:
        """The same for coroutines."""
        if self._real is None:
            return await super()._acomplete(messages, settings, channel)
        ask: Any = getattr(self._real, "acomplete", None)
        if ask is None:
            return self._complete(messages, settings, channel)
        reply = await ask(messages, self._sent(settings), **_streamed(channel))
        return self._kept(messages, settings, reply)

    def _sent(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        # A copy may have taken out a setting that the real model still has.
        taken_out = dict.fromkeys(self._tape.head.settings)
        return {**taken_out, **self.settings, **settings}

    def _kept(
        self, messages: Sequence[Message], settings: Mapping[str, Any], reply: Reply
    ) -> Reply:
        if not is_rehearsal():
            self._tape.add(messages, merged(self.settings, settings), reply)
        return self._remembered(messages, settings, reply)

    @property
    def _real_tells(self) -> bool:
        """Whether the real model tells of its calls, so that they are told already."""
        return isinstance(self._real, LM)

    def _hearers(self) -> Sequence[Any]:
        return self.callbacks if self._real_tells else super()._hearers()

    def _remember(self, call: Exchanged) -> None:
        if not self._real_tells:
            super()._remember(call)
        elif not in_force("disable_history"):
            self.history.add(call, in_force("max_history_size"))


def _asked(
    lm: LanguageModel | str | Callable[[], LanguageModel] | None,
) -> LanguageModel:
    if isinstance(lm, str):
        return LM(lm)
    found: Any = lm if lm is None or is_language_model(lm) else lm()  # type: ignore[operator] # no model, so a function
    if not is_language_model(found):
        raise ConfigurationError(
            f"Recorded was given {type(found).__name__!r} to record; a language model "
            "was expected. Write Recorded(path, 'openai/gpt-4o-mini', record=True)."
        )
    model: LanguageModel = found
    return model


def _head_of(lm: LanguageModel) -> Head:
    return Head(
        model=lm.model,
        adapter=lm.adapter,
        settings=dict(getattr(lm, "settings", {})),
        supports=tuple(one for one in _ABILITIES if getattr(lm, one, False)),
    )


def _streamed(channel: Channel | None) -> dict[str, Any]:
    """Return the argument only `LM` and its kin take; a plain model has none."""
    return {} if channel is None else {"channel": channel}
