"""Programs between threads and event loops: `asyncify`, `syncify`, `in_context`."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable, Coroutine
from types import MethodType
from typing import Any, Literal, ParamSpec, TypeVar, overload
from weakref import WeakKeyDictionary

from dspex.core.errors import ConfigurationError
from dspex.core.foreign import refuse_dspy
from dspex.core.spawner import the_spawner
from dspex.programs.program import Program
from dspex.programs.settings import in_force

P = ParamSpec("P")
T = TypeVar("T")
Synced = TypeVar("Synced", bound=Program)


def in_context(work: Callable[P, T]) -> Callable[P, T]:
    """Return a function that runs in a copy of this code's context, in any thread.

    A plain `threading.Thread`, or a pool, begins with an empty context: it sees
    `dspex.configure(...)`, and none of what `with dspex.context(...)` says, no runtime
    opened with `with`, and no tracker of usage. Wrap what it runs. What the function
    sets in its context is seen by nobody else.

    Example:
        >>> import threading
        >>> from dspex.programs import context, settings
        >>> with context(max_errors=3):
        ...     look = in_context(lambda: print(settings.max_errors))
        >>> thread = threading.Thread(target=look)
        >>> thread.start()
        3
        >>> thread.join()
    """
    around = contextvars.copy_context()

    @functools.wraps(work)
    def carried(*args: P.args, **kwargs: P.kwargs) -> T:
        # A copy for each call: two at a time cannot be in one context.
        return around.copy().run(work, *args, **kwargs)

    return carried


def asyncify(
    program: Callable[P, T], *, cancellable: bool = True
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return a coroutine function that runs a blocking program in a thread.

    When to use it: a program without `aforward`, or any function that asks models, in
    code that must not block its loop. When not: a program that has `acall`, which
    needs no thread.

    At most `async_max_workers` calls (8) run at a time on each loop; more wait. Each
    sees the settings of its caller. Cancelled, a call gives its work up.

    Args:
        program: A program or a function.
        cancellable: Taken for DSPy's sake; a call can always be cancelled.
    """
    del cancellable
    refuse_dspy(program, "program")

    @functools.wraps(program)
    async def in_a_thread(*args: P.args, **kwargs: P.kwargs) -> T:
        async with _places():
            return await the_spawner().in_thread(
                lambda: program(*args, **kwargs), label=_name_of(program)
            )

    return in_a_thread


@overload
def syncify(program: Synced, in_place: Literal[True] = ...) -> Synced: ...
@overload
def syncify(program: Program, in_place: bool) -> Program: ...  # noqa: FBT001 - DSPy's
def syncify(program: Program, in_place: bool = True) -> Program:  # noqa: FBT001, FBT002 - DSPy's signature
    """Return a program with an `aforward` alone as one that can be called.

    Each call has an event loop of its own. Where a loop runs already, as in a
    notebook, the call runs in another thread and holds that loop up until it is done.

    Args:
        program: The program.
        in_place: Whether to give the program itself a `forward`. Otherwise it is
            wrapped in another, where it is the attribute `program`.

    Raises:
        ConfigurationError: It has no `aforward`.
    """
    if type(program).aforward is Program.aforward:
        raise ConfigurationError(
            f"{type(program).__name__} has no aforward(), so there is nothing to make "
            "synchronous. Call it as it is."
        )
    if not in_place:
        return _Synchronous(program)
    # DSPy's way; a copy of the program takes it along.
    program.forward = MethodType(_forward, program)  # type: ignore[method-assign] # said above
    return program


class _Synchronous(Program):
    """Calls another program's `aforward`."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program's coroutine to its end."""
        return run_coroutine(self.program.acall(*args, **kwargs))


def _forward(self: Program, *args: Any, **kwargs: Any) -> Any:
    return run_coroutine(self.aforward(*args, **kwargs))


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, from code that is none, in this code's context."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    # A loop cannot run inside another one of the same thread.
    ended: list[tuple[T | None, BaseException | None]] = []

    def run() -> None:
        try:
            ended.append((asyncio.run(coroutine), None))
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            ended.append((None, error))

    thread = threading.Thread(target=in_context(run), name="dspex syncify", daemon=True)
    thread.start()
    thread.join()
    [(value, error)] = ended
    if error is not None:
        raise error
    result: Any = value
    typed: T = result
    return typed


# The places of each event loop, and how many there are. Only the loop's own thread
# looks at its entry.
_by_loop: WeakKeyDictionary[
    asyncio.AbstractEventLoop, tuple[int, asyncio.Semaphore]
] = WeakKeyDictionary()


def _places() -> asyncio.Semaphore:
    """Return the places of this loop; others when the setting has changed."""
    loop = asyncio.get_running_loop()
    wanted: int = in_force("async_max_workers")
    found = _by_loop.get(loop)
    if found is None or found[0] != wanted:
        found = _by_loop[loop] = (wanted, asyncio.Semaphore(wanted))
    return found[1]


def _name_of(program: Any) -> str:
    return getattr(program, "__name__", type(program).__name__)
