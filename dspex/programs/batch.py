"""Many calls at once: what `Program.batch` and `Parallel` share.

The calls run through the runtime's `Spawner`; what counts as done, as failed and as
enough is decided here, in the caller's thread.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from dspex.core.errors import BatchError, BatchInterrupted, ConfigurationError
from dspex.core.safe_text import text_of_error
from dspex.core.spawner import Finished, the_spawner
from dspex.programs.settings import in_force

I = TypeVar("I")  # noqa: E741 - the input

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How the items of a batch are worked through.

    Raises:
        ConfigurationError: A number is not above zero.
    """

    concurrency: int
    """Items worked on at a time."""
    max_errors: int
    """Failed items at which the rest is given up."""
    provide_traceback: bool = False
    """Whether a failure is logged with its traceback."""
    timeout: float | None = None
    """Seconds one item may take; `None` for no limit."""
    show_progress: bool = False
    """Whether to show on a terminal how far it is."""
    label: str = "batch"
    """What errors, logs and pictures call the work."""

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_errors", "timeout"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(
                    f"{name} is {value!r}; it must be above zero. Leave it out for the "
                    "default."
                )

    @classmethod
    def of(
        cls,
        *,
        num_threads: int | None,
        max_errors: int | None,
        provide_traceback: bool | None,
        **others: Any,
    ) -> Self:
        """Return options in which `None` is what the settings say."""

        def chosen(value: Any, key: str) -> Any:
            return in_force(key) if value is None else value

        return cls(
            concurrency=chosen(num_threads, "concurrency"),
            max_errors=chosen(max_errors, "max_errors"),
            provide_traceback=chosen(provide_traceback, "provide_traceback"),
            **others,
        )


@dataclass(slots=True)
class Batch:
    """What a batch has given so far."""

    results: list[Any]
    """What each item gave, in order; `None` for those not done."""
    failures: dict[int, BaseException] = field(default_factory=dict)
    """What failed: the error by the item's position, in order when all is done."""

    def told(self, examples: Sequence[Any], *, with_failures: bool) -> Any:
        """Return what a caller is given.

        Args:
            examples: What was worked on, as the caller gave it.
            with_failures: Whether that is results, failed examples and their errors;
                else the results alone.
        """
        if not with_failures:
            return self.results
        failed = [examples[position] for position in self.failures]
        return self.results, failed, list(self.failures.values())

    @property
    def so_far(self) -> str:
        """How far it came, for an error."""
        done = sum(result is not None for result in self.results)
        return f"{done} of {len(self.results)} done, {len(self.failures)} failed"


def run_batch(
    work: Callable[[I], Any], items: Sequence[I], options: BatchOptions
) -> Batch:
    """Do `work` on each item, several at a time.

    Args:
        work: Called with each item, in a copy of this code's context.
        items: What to work on.
        options: How many at a time, how long, how many errors.

    Raises:
        BatchError: As many failed as may; it holds what was done.
        BatchInterrupted: Ctrl-C; it holds what was done.
    """
    batch = Batch(results=[None] * len(items))
    ends = the_spawner().each(
        work,
        items,
        concurrency=options.concurrency,
        timeout=options.timeout,
        label=options.label,
    )
    try:
        with closing(ends), _progress(len(items), options) as step:
            for end in ends:
                _take(batch, end, options)
                step()
    except KeyboardInterrupt:
        raise BatchInterrupted(
            f"interrupted: {batch.so_far}. What was done is in .results.",
            results=batch.results,
            failures=batch.failures,
        ) from None
    batch.failures = dict(sorted(batch.failures.items()))
    return batch


def _take(batch: Batch, end: Finished[Any], options: BatchOptions) -> None:
    """Take one end in.

    Raises:
        BatchError: It was the last failure allowed.
    """
    if end.error is None:
        batch.results[end.position] = end.value
        return
    batch.failures[end.position] = end.error
    _logger.error(
        "%s %d failed: %s: %s",
        options.label,
        end.position,
        type(end.error).__name__,
        text_of_error(end.error),
        exc_info=end.error if options.provide_traceback else None,
    )
    if len(batch.failures) >= options.max_errors:
        first = min(batch.failures)
        told = text_of_error(batch.failures[first])
        raise BatchError(
            f"max_errors={options.max_errors} items failed, so the rest was given up: "
            f"{batch.so_far}. The first, item {first}: {told}. Mend "
            "the cause, or allow more with max_errors=.",
            results=batch.results,
            failures=dict(sorted(batch.failures.items())),
        ) from end.error


@contextmanager
def _progress(total: int, options: BatchOptions) -> Iterator[Callable[[], None]]:
    """Show how far a batch is, on a terminal only."""
    out = sys.stderr
    if not options.show_progress or not out.isatty():
        yield lambda: None
        return
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        out.write(f"\r{options.label}: {done} of {total}")
        out.flush()

    try:
        yield step
    finally:
        out.write("\n")
