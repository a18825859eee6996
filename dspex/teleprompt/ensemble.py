"""`Ensemble`: several programs that answer together."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from dspex.core.callbacks import with_callbacks
from dspex.core.errors import ConfigurationError
from dspex.core.foreign import refuse_dspy
from dspex.core.spawner import the_spawner
from dspex.evaluate.record.fingerprint import value_digest
from dspex.programs.program import Program
from dspex.teleprompt.teleprompter import Teleprompter


class EnsembledProgram(Program):
    """Asks several programs the same, side by side; see `Ensemble`.

    Args:
        programs: The programs.
        reduce_fn: Makes one answer of theirs; `None` returns all of them.
        size: How many are asked each time; `None` for all.
        deterministic: Whether the same question is always put to the same ones.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        reduce_fn: Callable[[list[Any]], Any] | None = None,
        size: int | None = None,
        deterministic: bool = False,
    ) -> None:
        self.programs = list(programs)
        self.reduce_fn = reduce_fn
        self.size = size
        self.deterministic = deterministic

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Ask, and return what `reduce_fn` makes of the answers."""
        chosen = self._chosen(args, kwargs)
        calls = [partial(program, *args, **kwargs) for program in chosen]
        answers: list[Any] = [None] * len(calls)
        ends = the_spawner().each(
            lambda call: call(), calls, concurrency=len(calls), label="program"
        )
        for end in ends:
            if end.error is not None:
                raise end.error
            answers[end.position] = end.value
        return answers if self.reduce_fn is None else self.reduce_fn(answers)

    def _chosen(self, args: Any, kwargs: Any) -> Sequence[Program]:
        if self.size is None:
            return self.programs
        if not self.deterministic:
            return random.sample(self.programs, self.size)
        rng = random.Random(value_digest([args, kwargs]))  # noqa: S311 - no secret
        return rng.sample(self.programs, self.size)


class Ensemble(Teleprompter):
    """Makes one program of several, such as the candidates of a search.

    When to use it: where programs fail at different questions, and a few times the
    calls are affordable. When not: where one of them is simply better.

    Its programs are asked side by side. They are copied, so that the ensemble can be
    saved and tuned as a whole.

    Args:
        reduce_fn: Makes one answer of theirs, such as `dspex.majority`; `None` returns
            a list.
        size: How many are asked each time, drawn anew; `None` for all.
        deterministic: Whether the same question is always put to the same ones; DSPy
            has no such thing yet.

    Raises:
        ConfigurationError: `size` is below one.
    """

    def __init__(
        self,
        *,
        reduce_fn: Callable[[list[Any]], Any] | None = None,
        size: int | None = None,
        deterministic: bool = False,
    ) -> None:
        if size is not None and size < 1:
            raise ConfigurationError(
                f"size is {size}; it counts the programs that are asked. Pass 1 or "
                "more, or leave it out for all."
            )
        self.reduce_fn = reduce_fn
        self.size = size
        self.deterministic = deterministic

    @with_callbacks
    def compile(self, programs: Sequence[Program]) -> EnsembledProgram:
        """Return a program that asks these; they stay as they are.

        Raises:
            ConfigurationError: There is none, or there are fewer than `size`.
        """
        programs = list(programs)
        for number, program in enumerate(programs):
            refuse_dspy(program, f"programs[{number}]")
        if len(programs) < (self.size or 1):
            raise ConfigurationError(
                f"there are {len(programs)} programs, and {self.size or 1} are to be "
                "asked each time. Pass more of them, or a smaller size."
            )
        return EnsembledProgram(
            [_open_copy(program) for program in programs],
            reduce_fn=self.reduce_fn,
            size=self.size,
            deterministic=self.deterministic,
        )


def _open_copy(program: Program) -> Program:
    """Return a copy whose predictors are part of whatever holds it.

    A compiled program is frozen inside another one, and would not be saved with it.
    """
    copy = program.deepcopy()
    copy._compiled = False  # noqa: SLF001 - DSPy's mark, read by programs
    return copy
