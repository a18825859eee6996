"""Where a run's examples come from: a sequence, or a stream that is taken one by one.

A stream is somebody else's code: it may be slow, hang, or raise. So an actor of its own
takes from it, never more than it was asked for, and the coordinator never waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, assert_never, cast

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.evaluate.running.aggregator import Recount
from supervisors import Actor, Estate, Handle

Check = Callable[[Any, int], Example]
"""Given what a stream gave and its number: the example, or an error that says why it is
none."""


def checked_example(value: Any, number: int) -> Example:
    """Take what a stream gives for an example, if it is one that knows its inputs.

    Raises:
        ConfigurationError: It is none.
        DataError: Nobody said which of its fields are inputs.
    """
    refuse_dspy(value, f"devset[{number}]")
    if not isinstance(value, Example):
        raise ConfigurationError(
            f"devset[{number}] is {type(value).__name__!r}; expected an Example. Let "
            "the stream give dspex.Example(...).with_inputs(...)."
        )
    value.inputs()
    return value


def unchecked(example: Any, number: int) -> Example:  # noqa: ARG001 - a `Check`
    """Take whatever a stream gives for an example."""
    return cast("Example", example)


class Source(Estate):
    """The examples of one run, and how far they have been taken.

    Args:
        examples: A sequence, of which nothing is copied; or any iterable, which is
            taken once.
        check: What each example of a stream has to pass.
    """

    def __init__(self, examples: Iterable[Example], check: Check) -> None:
        self._check = check
        self._sequence: Sequence[Example] | None = (
            examples if isinstance(examples, Sequence) else None
        )
        self._examples = examples
        self._iterator: Iterator[Any] | None = None
        self._waiting: dict[int, Example] = {}
        self.taken = 0
        """How many examples of the stream were taken."""
        self.is_used_up = False
        """Whether the stream has no more."""
        self.error: Exception | None = None
        """What it raised instead."""
        self.rung = False
        """Whether the coordinator knows that something came."""

    @property
    def is_stream(self) -> bool:
        """Whether examples have to be taken before they are there."""
        return self._sequence is None

    def example(self, number: int) -> Example:
        """The example of that number, which must have been taken and not forgotten."""
        if self._sequence is not None:
            return self._sequence[number]
        return self._waiting[number]

    def forget(self, before: int) -> None:
        """Keep no example of the stream with a number below this one.

        Whoever works on them has them.
        """
        waiting = self._waiting
        while waiting and (oldest := next(iter(waiting))) < before:
            del waiting[oldest]

    def take(self) -> bool:
        """Take the next example of the stream; `False` when there is none."""
        if self.is_used_up:
            return False
        try:
            if self._iterator is None:
                self._iterator = iter(self._examples)
            self._waiting[self.taken] = self._check(next(self._iterator), self.taken)
        except StopIteration:
            self.is_used_up = True
        except Exception as error:  # noqa: BLE001 - somebody else's code; the run tells it
            self.error = error
            self.is_used_up = True
        else:
            self.taken += 1
        return not self.is_used_up


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeExamples:
    """Take examples until there have been so many. Cast by the coordinator."""

    upto: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMoved:
    """Examples have come, or there are no more. Cast to the coordinator."""


Message = TakeExamples


class SourceActor(Actor):
    """Takes examples from a stream when it is asked to."""

    def __init__(self, source: Source, coordinator: str) -> None:
        super().__init__()
        self._source = source
        self._coordinator_name = coordinator

    def on_start(self) -> None:
        """Take the stream over; what was asked of the last owner may be lost."""
        owners = self._source.inherit(self)
        self._coordinator = Handle(self.surroundings.registry, self._coordinator_name)
        if owners > 1:
            # Whoever counts again asks again.
            self._coordinator.cast(Recount())

    def on_receive(self, message: Message) -> None:
        """Take what is wanted; each example is told at once."""
        match message:
            case TakeExamples():
                while self._source.taken < message.upto and self._source.take():
                    self._tell()
                self._tell()
            case _:
                assert_never(message)

    def _tell(self) -> None:
        if not self._source.rung:
            self._source.rung = True
            if not self._coordinator.cast(StreamMoved()):
                self._source.rung = False
