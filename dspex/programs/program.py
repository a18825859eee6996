"""`Program`: a class that calls predictors, and can be copied, tuned and saved."""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self, TextIO

from dspex.core import defaults
from dspex.core.callbacks import checked_callbacks, with_callbacks
from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.core.history import History
from dspex.core.once import began_unrepeatable
from dspex.core.prediction import Prediction
from dspex.core.rich_text import as_rich
from dspex.core.spawner import the_spawner
from dspex.programs.batch import BatchOptions, run_batch
from dspex.programs.history import inside, is_inside, pretty_print_history
from dspex.programs.parts import Composite, parts_told
from dspex.programs.saving import state as saved_state
from dspex.programs.settings import (
    in_force,
    is_language_model,
)
from dspex.programs.trace import UsageTracker, track_usage
from dspex.programs.walk import Beside, everything_in


class Program(Composite):
    """Base of all programs: subclass it, make predictors in `__init__`, call them.

    `super().__init__()` is not needed. Sub-programs and predictors are found in
    attributes, lists, tuples and dicts.

    A program whose calls do something in the world that must not be done twice sets
    `retry = False` on its class or object: nothing here runs it a second time then.

    Args:
        callbacks: Objects that want to hear of this program's calls.

    Attributes:
        callbacks: Those objects.
        history: The last calls to models made in this program, oldest first.

    Example:
        >>> from dspex.programs import Predict
        >>> class Capital(Program):
        ...     def __init__(self):
        ...         self.find = Predict("country -> capital")
        ...
        ...     def forward(self, country):
        ...         return self.find(country=country)
        >>> Capital()
        Capital(find=Predict(country -> capital))
    """

    callback_kind: ClassVar[str] = "module"
    retry: bool = True
    """Whether a call may be made again, by whoever tries again what has failed."""
    callbacks: list[Any]
    history: History

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        """Make a program that works although its class forgets `super().__init__()`."""
        program = super().__new__(cls)
        program._compiled = False
        program.callbacks = []
        program.history = History(defaults.HISTORY)
        return program

    def __init__(self, callbacks: Sequence[Any] | None = None) -> None:
        self.callbacks = checked_callbacks(callbacks)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Have a `forward` that is called directly say so once."""
        super().__init_subclass__(**kwargs)
        if "forward" in cls.__dict__:
            cls.forward = _called_as_program(cls.forward)  # type: ignore[method-assign] # the same function, watched

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy takes over: its parts, and no history or callbacks."""
        held = self.__dict__.items()
        state = {key: value for key, value in held if not isinstance(value, Beside)}
        state.pop("history", None)
        state.pop("callbacks", None)
        return state

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work; subclasses write this, callers call the program itself."""
        raise NotImplementedError(
            f"{type(self).__name__} has no forward(); a program's work stands there. "
            "Write def forward(self, ...) and call predictors in it. Where there is an "
            "aforward(), await program.acall(...), or call dspex.syncify(program)."
        )

    async def aforward(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work as a coroutine; subclasses may write this as well.

        Without it, `forward` runs in a thread, so that the caller's loop goes on.
        """
        return await the_spawner().in_thread(
            lambda: self.forward(*args, **kwargs), label=type(self).__name__
        )

    @with_callbacks
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`; with `track_usage` on, the prediction carries all usage."""
        self._say_if_unrepeatable()
        with inside(self):
            if not in_force("track_usage"):
                return self.forward(*args, **kwargs)
            with track_usage() as tracker:
                answer = self.forward(*args, **kwargs)
            return _with_usage(answer, tracker)

    @with_callbacks
    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        """Run `aforward` on the caller's loop; else as a call.

        Cancelled, it withdraws the calls to models that it has open.
        """
        self._say_if_unrepeatable()
        with inside(self):
            if not in_force("track_usage"):
                return await self.aforward(*args, **kwargs)
            with track_usage() as tracker:
                answer = await self.aforward(*args, **kwargs)
            return _with_usage(answer, tracker)

    def _say_if_unrepeatable(self) -> None:
        if not self.retry:
            began_unrepeatable(type(self).__name__)

    def batch(
        self,
        examples: Sequence[Any],
        num_threads: int | None = None,
        max_errors: int | None = None,
        return_failed_examples: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
        provide_traceback: bool | None = None,  # noqa: FBT001 - DSPy's signature
        disable_progress_bar: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
        timeout: float | None = None,
        straggler_limit: int = 3,  # noqa: ARG002 - DSPy's; nothing is asked twice here
    ) -> Any:
        """Call the program for many examples, several at a time.

        Each call sees the settings of this code and leaks none of its own.

        Args:
            examples: Examples that know their inputs, or mappings of inputs by name.
            num_threads: Calls at a time; else the setting `concurrency`.
            max_errors: Failed examples at which the rest is given up; else the setting.
            return_failed_examples: Whether to return the failures too.
            provide_traceback: Whether a failure is logged with its traceback; else the
                setting.
            disable_progress_bar: Whether to show no bar. There is one on a terminal
                only.
            timeout: Seconds one example may take, then it has failed and is given up;
                `None` for no limit.
            straggler_limit: Taken for DSPy's sake. DSPy asks again for the last few
                that are slow; here nothing is asked, and paid, twice.

        Returns:
            The results in the order of the examples, `None` where one failed. With
            `return_failed_examples`: results, failed examples, their errors.

        Raises:
            BatchError: `max_errors` examples failed; `.results` has what was done.
            BatchInterrupted: Ctrl-C; `.results` has what was done.
        """
        rows = [_inputs_of(example, number) for number, example in enumerate(examples)]
        done = run_batch(
            lambda row: self(**row),
            rows,
            BatchOptions.of(
                num_threads=num_threads,
                max_errors=max_errors,
                provide_traceback=provide_traceback,
                timeout=timeout,
                show_progress=not disable_progress_bar,
                label=type(self).__name__,
            ),
        )
        return done.told(examples, with_failures=return_failed_examples)

    def inspect_history(self, n: int = 1, file: TextIO | None = None) -> None:
        """Print the last calls to models made in this program.

        Args:
            n: How many, the latest last.
            file: Where to; `None` is the standard output.
        """
        pretty_print_history(self.history, n, file)

    def deepcopy(self) -> Self:
        """Return a copy that shares its language models and nothing that changes.

        An attribute that cannot be copied is shared.
        """
        found = (item for _, item in everything_in(self, skip_compiled=False))
        memo = {id(item): item for item in found if is_language_model(item)}
        try:
            return copy.deepcopy(self, dict(memo))
        except Exception:  # noqa: BLE001 - any object may refuse, in any way
            return self._copy_by_attribute(memo)

    def _copy_by_attribute(self, memo: dict[int, Any]) -> Self:
        twin = self.__class__.__new__(self.__class__)
        for name, value in self.__getstate__().items():
            inner = isinstance(value, Program)
            twin.__dict__[name] = value.deepcopy() if inner else _copied(value, memo)
        return twin

    def reset_copy(self) -> Self:
        """Return a copy whose predictors have no demos, traces or models."""
        twin = self.deepcopy()
        for parameter in twin.parameters():
            parameter.reset()
        return twin

    def dump_state(self, json_mode: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002 - DSPy's signature
        """Return what tuning changed, as JSON values by predictor name.

        Args:
            json_mode: Is there for DSPy's callers; the values are JSON's always.

        Raises:
            DataError: When a demo holds what JSON cannot.
        """
        return saved_state.dump_predictors(self.named_parameters())

    def load_state(
        self, state: Mapping[str, Any], *, allow_unsafe_lm_state: bool = False
    ) -> Self:
        """Take over a dumped state, wholly or, after an error, not at all.

        Args:
            state: What `dump_state` returned, here or in DSPy.
            allow_unsafe_lm_state: Whether the addresses of models are taken too.

        Raises:
            StateError: When the state's predictors are not those of this program.
            DataError: When a part of it is no state of a predictor.
        """
        for program in (self.deepcopy(), self):  # the first one breaks, if one does
            saved_state.load_predictors(
                program.named_parameters(),
                state,
                allow_unsafe_lm_state=allow_unsafe_lm_state,
            )
        return self

    def save(
        self,
        path: str | Path,
        save_program: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
        modules_to_serialize: Any = None,
    ) -> None:
        """Write the state to a JSON file, or the whole program to a folder.

        A file or the folder's content is written whole, or not at all. Nothing is
        ever pickled: a program's folder holds JSON that names classes, not their code.

        Args:
            path: A path that ends in `.json`; with `save_program`, a folder.
            save_program: Whether `load_program` shall be able to make the program
                without its constructor, from the folder alone.
            modules_to_serialize: Refused: code does not go into a file.

        Raises:
            ConfigurationError: When the path is of the wrong kind, or code was to be
                saved.
            DataError: When a demo or an attribute holds what JSON cannot; it is named.
        """
        if not save_program:
            saved_state.write(Path(path), self.dump_state())
            return
        from dspex.programs.saving.whole_program import save_program as save_whole

        save_whole(self, Path(path), modules_to_serialize=modules_to_serialize)

    def load(
        self,
        path: str | Path,
        allow_pickle: bool = False,  # noqa: ARG002, FBT001, FBT002 - DSPy's signature
        allow_unsafe_lm_state: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
    ) -> Self:
        """Take over the state of a file that `save` wrote, here or in DSPy.

        Args:
            path: A path that ends in `.json`.
            allow_pickle: Is there for DSPy's callers; a pickle is refused always.
            allow_unsafe_lm_state: Whether the addresses of models (`api_base`) are
                taken from the file. Only for a file you trust: your keys go there.

        Raises:
            ConfigurationError: When the path does not end in `.json`.
            MissingFileError: When there is no file.
            DataError: When the file is no state of this program.
        """
        return self.load_state(
            saved_state.read(Path(path)), allow_unsafe_lm_state=allow_unsafe_lm_state
        )

    def __rich__(self) -> Any:
        return as_rich("\n".join([type(self).__name__, *parts_told(self)]))

    def _repr_html_(self) -> str:
        from dspex.core.elements import element, written

        parts = (element("li", line) for line in parts_told(self))
        return written(element("div", type(self).__name__, element("ul", parts)))

    def __repr__(self) -> str:
        found = self.named_predictors()
        inside = ", ".join(f"{name}={predictor!r}" for name, predictor in found)
        return f"{type(self).__name__}({inside})"


Module = Program
"""DSPy's name of `Program`."""
BaseModule = Program
"""DSPy's name of what a `Module` is made of; here the two are one."""


_logger = logging.getLogger(__name__)


def _called_as_program(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Have a `forward` say once when it is called, and not its program."""
    said = False

    @functools.wraps(forward)
    def watched(self: Program, *args: Any, **kwargs: Any) -> Any:
        nonlocal said
        if not said and not is_inside(self):
            said = True
            _logger.warning(
                "%s.forward() was called directly, so callbacks, history and usage of "
                "the program do not see the call. Write program(...) instead.",
                type(self).__name__,
            )
        return forward(self, *args, **kwargs)

    return watched


def _with_usage(answer: Any, tracker: UsageTracker) -> Any:
    if isinstance(answer, Prediction):
        answer.set_lm_usage(tracker.total())
    return answer


def _inputs_of(example: Any, number: int) -> dict[str, Any]:
    """Return what to call a program with.

    Raises:
        ConfigurationError: The example is none, or DSPy's.
        DataError: Nobody said which of its fields are the inputs.
    """
    refuse_dspy(example, f"examples[{number}]")
    if isinstance(example, Example):
        return dict(example.inputs().items())
    if isinstance(example, Mapping):
        return dict(example)
    raise ConfigurationError(
        f"examples[{number}] is {type(example).__name__!r}; expected an Example that "
        "knows its inputs, or a mapping of inputs by name. Write "
        "dspex.Example(question=...).with_inputs('question')."
    )


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    """Copy deeply, else shallowly, else not at all: any object may refuse."""
    with suppress(Exception):
        return copy.deepcopy(value, dict(memo))
    with suppress(Exception):
        return copy.copy(value)
    return value
