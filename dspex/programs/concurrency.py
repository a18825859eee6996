"""Programs between threads and event loops: `asyncify`, `syncify`, `in_context`."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import threading
from collections.abc import Callable, Coroutine
from types import MethodType
from typing import Any, Generic, Literal, ParamSpec, TypeVar, overload
from weakref import WeakKeyDictionary

from dspex.core.errors import ConfigurationError
from dspex.core.foreign import refuse_dspy
from dspex.core.loops import running_loop
from dspex.core.spawner import the_spawner
from dspex.programs.joining import join
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
    beside = _Beside(coroutine)
    thread = threading.Thread(
        target=in_context(beside.run), name="dspex syncify", daemon=True
    )
    try:
        # Ctrl-C may come while it starts, too.
        thread.start()
        join(thread)
    except BaseException:
        # Ctrl-C, as in a notebook: nobody waits for it any more.
        beside.give_up()
        raise
    return beside.result()


class _Beside(Generic[T]):
    """Runs a coroutine on an event loop of its own, in another thread."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._ended: list[tuple[Any, BaseException | None]] = []
        # Protects the two below: it may be given up before its loop runs.
        self._lock = threading.Lock()
        self._cancel: Callable[[], object] | None = None
        self._is_given_up = False

    def run(self) -> None:
        """Run it to its end; called once, in the thread."""
        try:
            self._ended.append((asyncio.run(self._run()), None))
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            self._ended.append((None, error))

    async def _run(self) -> T:
        task = asyncio.ensure_future(self._coroutine)
        with self._lock:
            self._cancel = functools.partial(
                asyncio.get_running_loop().call_soon_threadsafe, task.cancel
            )
            if self._is_given_up:
                task.cancel()
        return await task

    def give_up(self) -> None:
        """Cancel it; from another thread."""
        with self._lock:
            self._is_given_up = True
            # Its loop has closed when it has ended meanwhile.
            with contextlib.suppress(RuntimeError):
                if self._cancel is not None:
                    self._cancel()

    def result(self) -> T:
        """Return what it has given, once the thread has ended, or raise its error."""
        [(value, error)] = self._ended
        if error is not None:
            raise error
        typed: T = value
        return typed


# The places of each event loop, and how many there are. Only the loop's own thread
# looks at its entry.
_by_loop: WeakKeyDictionary[
    asyncio.AbstractEventLoop, tuple[int, asyncio.Semaphore]
] = WeakKeyDictionary()


def _places() -> asyncio.Semaphore:
    """Return the places of this loop; others when the setting has changed."""
    loop = running_loop()
    wanted: int = in_force("async_max_workers")
    found = _by_loop.get(loop)
    if found is None or found[0] != wanted:
        found = _by_loop[loop] = (wanted, asyncio.Semaphore(wanted))
    return found[1]


def _name_of(program: Any) -> str:
    return getattr(program, "__name__", type(program).__name__)
