"""`DummyLM`: a language model whose answers a test has written down."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from dspex.core.adapters import Adapter, ChatAdapter
from dspex.core.adapters.chat import COMPLETED
from dspex.core.adapters.choice import ADAPTERS
from dspex.core.chat import messages_of
from dspex.core.fields import InputField, OutputField
from dspex.core.lm import Message, Reply
from dspex.core.signature import Signature, make_signature
from dspex.programs.settings import context
from dspex.testing._offline import OfflineLM

Scripted = Mapping[str, Any] | str
"""What to answer: the outputs by name, or a text that is the whole reply."""

NO_MORE: Final = "No more responses"
"""What is answered when nothing is left or nothing fits; DSPy's words."""


class DummyLM(OfflineLM):
    r"""Gives answers that were written down beforehand, in one of DSPy's three ways.

    - A list: each call takes the next answer.
    - A mapping: the first key that the last message contains says the answer.
    - `follow_examples=True`: a prompt that shows an example with the same first input
      gets that example's answer; the answers given are not used.

    An answer is a mapping of outputs, written as the program's adapter would show it
    in a demo, or a text that is the whole reply (to try what a program does with a
    malformed one). When no answer is left, the output `answer` is "No more responses";
    when no key fits, that text is the whole reply; when no example fits, the reply is
    empty.

    It answers at once, in the caller's thread: no runtime is started, nothing is cached
    or retried, no token is counted. `history` and `get_convo` tell what it was asked.
    Threads may share it; which of them gets which answer of a list is open.

    When to use it: to test a program's own logic. When not: to test how a program
    stands errors, delays and limits, which `FakeProvider` has; or to test with answers
    of a real model, which `Recorded` replays.

    Example:
        >>> lm = DummyLM([{"capital": "Lima"}])
        >>> lm("Capital of Peru?")
        ['[[ ## capital ## ]]\nLima']

    Args:
        answers: The answers, in a list or by what the last message contains.
        follow_examples: Whether to answer from the examples in the prompt.
        reasoning: Whether each reply has a line of hidden reasoning as well.
        adapter: Writes the answers; the chat adapter by default. A program without an
            adapter of its own uses the same, if it is one that has a name.
    """

    def __init__(
        self,
        answers: Iterable[Scripted] | Mapping[str, Scripted],
        follow_examples: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
        reasoning: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
        adapter: Adapter | None = None,
    ) -> None:
        super().__init__(
            "dummy",
            adapter=name_if_known(adapter),
            cache=False,
            temperature=0.0,
            max_tokens=1000,
        )
        self.answers = answers if isinstance(answers, Mapping) else iter(answers)
        self.follow_examples = follow_examples
        self.reasoning = reasoning
        self._writer = adapter or ChatAdapter()

    def forward(self, messages: list[dict[str, Any]], **settings: Any) -> Any:
        """Return the next answer, `n` of them if the settings say so."""
        turns = messages_of(messages)
        texts = [self._text(turns) for _ in range(settings.get("n") or 1)]
        thoughts = ("Some reasoning",) * len(texts) if self.reasoning else ()
        return Reply(
            texts=tuple(texts),
            model=self.model,
            finish_reasons=("stop",) * len(texts),
            reasoning=thoughts,
        )

    def get_convo(self, index: int) -> tuple[list[dict[str, Any]], list[Any]]:
        """Return what was asked in one call of the history, and what was answered.

        Raises:
            IndexError: There was no such call.
        """
        entry = self.history[index]
        return entry["messages"], entry["outputs"]

    def _text(self, turns: Sequence[Message]) -> str:
        if self.follow_examples:
            return _followed(turns)
        if isinstance(self.answers, Mapping):
            asked = turns[-1].text
            fitting = (a for key, a in self.answers.items() if key in asked)
            return self._written(next(fitting, NO_MORE))
        return self._written(next(self.answers, {"answer": NO_MORE}))

    def _written(self, answer: Scripted) -> str:
        return answer if isinstance(answer, str) else answer_text(self._writer, answer)


def answer_text(adapter: Adapter, answer: Mapping[str, Any]) -> str:
    r"""Return outputs as a model would write them for an adapter.

    It is what the adapter shows a model as an example's answer, without the chat
    adapter's closing mark.

    Example:
        >>> answer_text(ChatAdapter(), {"capital": "Lima", "rivers": ["Rímac"]})
        '[[ ## capital ## ]]\nLima\n\n[[ ## rivers ## ]]\n["Rímac"]'
    """
    if not answer:
        return ""
    signature = _signature_of(tuple(answer))
    asked = next(iter(signature.input_fields))
    demo = {asked: "?", **answer}
    # No call of the program's: its callbacks are not to hear of it.
    with context(callbacks=()):
        shown = adapter.format(signature, [demo], {asked: "?"})
    text = next(turn.text for turn in reversed(shown) if turn.role == "assistant")
    return text.rstrip().removesuffix(COMPLETED).rstrip()


# To make a signature takes far longer than to write an answer.
@lru_cache(maxsize=256)
def _signature_of(names: tuple[str, ...]) -> type[Signature]:
    """Return a signature with these outputs and an input of another name."""
    asked = "question"
    while asked in names:
        asked += "_"
    # `Any | None` because an answer of `None` is an answer too.
    outputs = {name: (Any | None, OutputField()) for name in names}
    return make_signature({asked: (str, InputField()), **outputs})


def _followed(turns: Sequence[Message]) -> str:
    """Return the answer of the last example that has the final turn's first input."""
    asked = turns[-1].text.split("\n\n")[0]
    examples = list(itertools.pairwise(turns))
    for question, answer in reversed(examples):
        if answer.role == "assistant" and asked in question.text:
            return answer.text
    return ""


def name_if_known(adapter: Adapter | None) -> str | None:
    """Return the adapter's name if a program can choose it by that."""
    if adapter is None or ADAPTERS.get(adapter.name) is not type(adapter):
        return None
    return adapter.name
