"""`Parallel`: many (program, example) pairs, several at a time."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.core.spawner import the_spawner
from dspex.programs.batch import BatchOptions, run_batch

Pair = tuple[Any, Any]
"""A program, and what it is called with."""


class Parallel:
    """Calls programs with examples, several at a time, and keeps the order.

    Each call runs in a copy of the caller's context: it sees the settings of that code,
    leaks none of its own, and what it spends is counted where the caller counts. Calls
    may use `Parallel` themselves.

    When to use it: different programs or different inputs side by side. When not: one
    program over many examples, which `program.batch` does; or to measure, which
    `Evaluate` does and survives more.

    Args:
        num_threads: Calls at a time; the setting `concurrency` unless given.
        max_errors: Failures at which the rest is given up; the setting unless given.
        access_examples: Whether an `Example` is unpacked, so that the program gets its
            inputs by name. Otherwise it gets the example itself.
        return_failed_examples: Whether to return the failures too.
        provide_traceback: Whether a failure is logged with its traceback; the setting
            unless given.
        disable_progress_bar: Whether to show no progress. It is shown on a terminal
            only.
        timeout: Seconds one call may take, then it has failed and is given up; no
            limit by default.
        straggler_limit: Taken for DSPy's sake. DSPy asks again for the last few that
            are slow; here nothing is asked, and paid, twice.
    """

    def __init__(
        self,
        num_threads: int | None = None,
        max_errors: int | None = None,
        access_examples: bool = True,  # noqa: FBT001, FBT002 - DSPy's signature
        return_failed_examples: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
        provide_traceback: bool | None = None,  # noqa: FBT001 - DSPy's signature
        disable_progress_bar: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
        timeout: float | None = None,
        straggler_limit: int = 3,
    ) -> None:
        self.num_threads = num_threads
        self.max_errors = max_errors
        self.access_examples = access_examples
        self.return_failed_examples = return_failed_examples
        self.provide_traceback = provide_traceback
        self.disable_progress_bar = disable_progress_bar
        self.timeout = timeout
        self.straggler_limit = straggler_limit

    def __repr__(self) -> str:
        told = [
            f"{each.name}={value!r}"
            for each in inspect.signature(Parallel).parameters.values()
            if (value := getattr(self, each.name)) != each.default
        ]
        return f"{type(self).__name__}({', '.join(told)})"

    def __call__(
        self, exec_pairs: Sequence[Pair], num_threads: int | None = None
    ) -> Any:
        """Make the calls.

        Args:
            exec_pairs: Programs, each with what it is called with: an `Example` that
                knows its inputs or a mapping (by name), a tuple (by position), or, for
                another `Parallel`, a list of pairs.
            num_threads: Calls at a time, for this call.

        Returns:
            The results in the order of the pairs, `None` where one failed. With
            `return_failed_examples`: results, failed examples, their errors.

        Raises:
            DataError: Something is no pair; nothing was called.
            BatchError: `max_errors` calls failed; `.results` has what was done, the
                last error is its cause.
            BatchInterrupted: Ctrl-C; `.results` has what was done.
        """
        return self.forward(exec_pairs, num_threads)

    def forward(
        self, exec_pairs: Sequence[Pair], num_threads: int | None = None
    ) -> Any:
        """Make the calls; see `__call__`."""
        pairs = [_checked(pair, number) for number, pair in enumerate(exec_pairs)]
        done = run_batch(
            self._run,
            pairs,
            BatchOptions.of(
                num_threads=self.num_threads if num_threads is None else num_threads,
                max_errors=self.max_errors,
                provide_traceback=self.provide_traceback,
                timeout=self.timeout,
                show_progress=not self.disable_progress_bar,
                label=type(self).__name__,
            ),
        )
        return done.told(
            [example for _, example in pairs],
            with_failures=self.return_failed_examples,
        )

    async def acall(
        self, exec_pairs: Sequence[Pair], num_threads: int | None = None
    ) -> Any:
        """Make the calls while the caller's loop goes on; cancelled, give them up."""
        return await the_spawner().in_thread(
            lambda: self.forward(exec_pairs, num_threads), label=type(self).__name__
        )

    def _run(self, pair: Pair) -> Any:
        program, example = pair
        match example:
            case Example() if self.access_examples:
                return program(**dict(example.inputs().items()))
            case Mapping():
                return program(**example)
            case tuple():
                return program(*example)
            case _:
                return program(example)


def _checked(pair: Any, number: int) -> Pair:
    """Return a pair.

    Raises:
        DataError: When it is none, or its example cannot be unpacked.
        ConfigurationError: When one of the two is DSPy's.
    """
    if not isinstance(pair, tuple) or len(pair) != 2 or not callable(pair[0]):
        raise DataError(
            f"exec_pairs[{number}] is of type {type(pair).__name__!r}; expected a pair "
            "of a program and its example. Write (program, example)."
        )
    program, example = pair
    refuse_dspy(program, f"the program of exec_pairs[{number}]")
    refuse_dspy(example, f"the example of exec_pairs[{number}]")
    is_nested = isinstance(program, Parallel) and isinstance(example, list)
    if not is_nested and not isinstance(example, Example | Mapping | tuple):
        raise DataError(
            f"the example of exec_pairs[{number}] is of type "
            f"{type(example).__name__!r}; expected an Example, a mapping or a tuple. "
            "Write (program, {'question': ...})."
        )
    return program, example
