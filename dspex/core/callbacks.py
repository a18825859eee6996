"""Callbacks: objects that hear of the calls of programs, models, adapters and tools.

Nothing here knows the settings: who has callbacks for the whole process supplies them
with `use_global_callbacks`. Where there are none, a watched call pays for one look.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from typing import Any, Final, Self, TypeVar, cast
from weakref import WeakKeyDictionary

from dspex.core.blocks import put_back
from dspex.core.errors import ConfigurationError
from dspex.core.ids import new_id
from dspex.core.safe_text import safe_text, text_of_error

F = TypeVar("F", bound=Callable[..., Any])

ACTIVE_CALL_ID: Final[ContextVar[str | None]] = ContextVar(
    "dspex_active_call_id", default=None
)
"""The id of the watched call around this code: in a start handler, the parent's."""

KIND: Final = "callback_kind"
"""The class attribute that says what a watched object is: "module" (when it is absent),
"lm", "adapter", "tool", "evaluate" or "compile"."""

_logger = logging.getLogger(__name__)


class BaseCallback:
    """Hears of calls; subclass it and write the handlers you want.

    Give it to `dspex.configure(callbacks=[...])` or `dspex.context(...)` to hear of
    every call, or to one program, model or tool to hear of its own. Start handlers get
    `call_id`, `instance` and `inputs` (the arguments by name), end handlers `call_id`,
    `outputs` and `exception`, one of which is `None`.

    Handlers run in the thread or task of the call, one after another, and hold it up.
    What one raises is logged once for each handler and changes nothing else.

    Example:
        >>> from dspex.programs import Program, context
        >>> class Narrator(BaseCallback):
        ...     def on_module_start(self, call_id, instance, inputs):
        ...         print("asked with", inputs["kwargs"])
        >>> class Double(Program):
        ...     def forward(self, n):
        ...         return 2 * n
        >>> with context(callbacks=[Narrator()]):
        ...     Double()(n=2)
        asked with {'n': 2}
        4
    """

    def on_module_start(
        self, call_id: str, instance: Any, inputs: dict[str, Any]
    ) -> None:
        """A program is called."""

    def on_module_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        """A program has answered or raised."""

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        """A language model is asked: `prompt`, `messages` and `kwargs`."""

    def on_lm_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        """A language model has answered: a text, or a dict, for each completion."""

    def on_adapter_format_start(
        self, call_id: str, instance: Any, inputs: dict[str, Any]
    ) -> None:
        """An adapter writes the messages of a call."""

    def on_adapter_format_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        """An adapter has written the messages of a call."""

    def on_adapter_parse_start(
        self, call_id: str, instance: Any, inputs: dict[str, Any]
    ) -> None:
        """An adapter reads one completion."""

    def on_adapter_parse_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        """An adapter has read one completion, or refused it."""

    def on_tool_start(
        self, call_id: str, instance: Any, inputs: dict[str, Any]
    ) -> None:
        """A tool is called."""

    def on_tool_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        """A tool has answered or raised."""

    def on_evaluate_start(
        self, call_id: str, instance: Any, inputs: dict[str, Any]
    ) -> None:
        """An evaluation begins."""

    def on_evaluate_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        """An evaluation has ended."""

    def on_compile_start(
        self, call_id: str, instance: Any, inputs: dict[str, Any]
    ) -> None:
        """An optimiser begins to compile a program."""

    def on_compile_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        """An optimiser has ended."""


def _nobody() -> Sequence[Any]:
    return ()


_everywhere: Callable[[], Sequence[Any]] = _nobody


def use_global_callbacks(callbacks: Callable[[], Sequence[Any]]) -> None:
    """Say where the callbacks of every call are found; asked at each call."""
    global _everywhere  # noqa: PLW0603 - supplied once, by the module of the settings
    _everywhere = callbacks


def _no_tellers(_kind: str) -> Sequence[Any]:
    return ()


_tellers: Callable[[str], Sequence[Any]] = _no_tellers


def use_tellers(tellers: Callable[[str], Sequence[Any]]) -> None:
    """Say who tells others of the calls of a kind; asked at each call, so be quick.

    They hear of a call before anybody's callbacks do.
    """
    global _tellers  # noqa: PLW0603 - supplied once, by the module of the events
    _tellers = tellers


def checked_callbacks(callbacks: Sequence[Any] | None) -> list[Any]:
    """Return the callbacks of a program as a list of its own.

    Raises:
        ConfigurationError: They are a text: somebody meant an instruction.
    """
    if isinstance(callbacks, str):
        raise ConfigurationError(
            "callbacks is a text; objects that hear of calls were expected. An "
            "instruction belongs to the signature: "
            "Predict(dspex.Signature('question -> answer', 'The instruction.'))."
        )
    return list(callbacks or ())


def callbacks_of(instance: Any) -> Sequence[Any]:
    """Return who hears of this object's calls: the global ones, then its own."""
    own = getattr(instance, "callbacks", None)
    tellers = _tellers(getattr(instance, KIND, "module"))
    if own or tellers:
        return [*tellers, *_everywhere(), *(own or ())]
    return _everywhere()


class Announced:
    """Tells callbacks of one call: its start, and its end when the block ends.

    Args:
        callbacks: Who is told.
        event: What is called: "module", "lm", "adapter_parse", ...
        instance: The object that is called.
        inputs: The call's arguments by name.
    """

    __slots__ = (
        "_callbacks",
        "_event",
        "_inputs",
        "_instance",
        "_token",
        "id",
        "outputs",
    )

    def __init__(
        self,
        callbacks: Sequence[Any],
        event: str,
        instance: Any,
        inputs: Mapping[str, Any],
    ) -> None:
        self._callbacks = callbacks
        self._event = event
        self._instance = instance
        self._inputs = inputs
        self._token: Token[str | None] | None = None
        self.id = new_id()
        self.outputs: Any = None
        """What the call gave; set it in the block."""

    def __enter__(self) -> Self:
        for callback in self._callbacks:
            _tell(
                callback,
                f"on_{self._event}_start",
                call_id=self.id,
                instance=self._instance,
                inputs=self._inputs,
            )
        # After the handlers: to them the active call is this one's parent.
        self._token = ACTIVE_CALL_ID.set(self.id)
        return self

    def __exit__(
        self, _kind: object, error: BaseException | None, _traceback: object
    ) -> None:
        if self._token is not None:
            put_back(ACTIVE_CALL_ID, self._token)
        for callback in self._callbacks:
            _tell(
                callback,
                f"on_{self._event}_end",
                call_id=self.id,
                outputs=self.outputs,
                exception=error,
            )


def with_callbacks(function: F) -> F:
    """Have the calls of a method heard by callbacks; the method may be `async`.

    Which event it is, the class says with its attribute `callback_kind`; a class
    without one is a module. An override that calls the method it overrides, with
    `super()`, is one call.
    """
    name = function.__name__

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def announced_coroutine(instance: Any, *args: Any, **kwargs: Any) -> Any:
            callbacks = callbacks_of(instance)
            event = _event_of(instance, name) if callbacks else ""
            if not callbacks or _is_under_way(instance, event):
                return await function(instance, *args, **kwargs)
            inputs = _inputs_of(function, instance, args, kwargs)
            token = _under_way.set((instance, event))
            try:
                with Announced(callbacks, event, instance, inputs) as call:
                    call.outputs = await function(instance, *args, **kwargs)
                    return call.outputs
            finally:
                put_back(_under_way, token)

        return cast("F", announced_coroutine)

    @functools.wraps(function)
    def announced(instance: Any, *args: Any, **kwargs: Any) -> Any:
        callbacks = callbacks_of(instance)
        event = _event_of(instance, name) if callbacks else ""
        if not callbacks or _is_under_way(instance, event):
            return function(instance, *args, **kwargs)
        inputs = _inputs_of(function, instance, args, kwargs)
        token = _under_way.set((instance, event))
        try:
            with Announced(callbacks, event, instance, inputs) as call:
                call.outputs = function(instance, *args, **kwargs)
                return call.outputs
        finally:
            put_back(_under_way, token)

    return cast("F", announced)


# The innermost watched call. A program may call itself, and that is another call; an
# adapter or an optimiser that comes here again has called the method it overrides.
_under_way: ContextVar[tuple[Any, str] | None] = ContextVar(
    "dspex_call_under_way", default=None
)
_OVERRIDABLE: Final = ("adapter_format", "adapter_parse", "compile")


def _is_under_way(instance: Any, event: str) -> bool:
    inner = _under_way.get()
    if inner is None or event not in _OVERRIDABLE:
        return False
    return inner[0] is instance and inner[1] == event


def _event_of(instance: Any, method: str) -> str:
    kind: str = getattr(instance, KIND, "module")
    return f"adapter_{method}" if kind == "adapter" else kind


def _inputs_of(
    function: Callable[..., Any],
    instance: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> dict[str, Any]:
    """Return the arguments by name, defaults filled in."""
    try:
        bound = _signature_of(function).bind(instance, *args, **kwargs)
    except TypeError:
        # The call itself will say what is wrong with them.
        return {"args": args, "kwargs": kwargs}
    bound.apply_defaults()
    inputs = dict(bound.arguments)
    del inputs[next(iter(inputs))]
    return inputs


_signature_of = functools.lru_cache(maxsize=1024)(inspect.signature)

# Which handlers of a callback have raised already, so that a broken one says so once.
_broken: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


def _tell(callback: Any, handler: str, **news: Any) -> None:
    try:
        getattr(callback, handler)(**news)
    except Exception as error:  # noqa: BLE001 - a watcher must not break what it watches
        if _is_first(callback, handler):
            _logger.warning(
                "the callback %s raised in %s: %s: %s; the call goes on, and later "
                "errors of this handler are not reported. Mend the handler.",
                type(callback).__name__,
                handler,
                type(error).__name__,
                # As texts: a log record that is kept would keep the call's frames.
                safe_text(text_of_error(error), keep=""),
            )


def _is_first(callback: Any, handler: str) -> bool:
    try:
        known = _broken.setdefault(callback, set())
    except Exception:  # noqa: BLE001 - its __hash__ and __eq__ may do anything
        # It has no hash, or cannot be referred to weakly.
        return True
    if handler in known:
        return False
    known.add(handler)
    return True
