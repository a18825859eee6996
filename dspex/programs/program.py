"""`Program`: a class that calls predictors, and can be copied, tuned and saved."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from dspex.core.errors import ConfigurationError
from dspex.core.lm import LanguageModel
from dspex.core.prediction import Prediction
from dspex.programs import state as saved_state
from dspex.programs.settings import check_lm, is_language_model, settings
from dspex.programs.trace import track_usage
from dspex.programs.walk import (
    Walkable,
    every_place,
    everything_in,
    parameter_places,
)

if TYPE_CHECKING:
    from dspex.programs.predict import Predict


class Program(Walkable):
    """Base of all programs: subclass it, make predictors in `__init__`, call them.

    `super().__init__()` is not needed. Sub-programs and predictors are found in
    attributes, lists, tuples and dicts.

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

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work; subclasses write this, callers call the program itself."""
        raise NotImplementedError(
            f"{type(self).__name__} has no forward(); a program's work stands there. "
            "Write def forward(self, ...) and call predictors in it."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`; with `track_usage` on, the prediction carries all usage."""
        if not settings.track_usage:
            return self.forward(*args, **kwargs)
        with track_usage() as tracker:
            answer = self.forward(*args, **kwargs)
        if isinstance(answer, Prediction):
            answer.set_lm_usage(tracker.total())
        return answer

    def named_parameters(self) -> list[tuple[str, Any]]:
        """Return what an optimiser may change, by name, each object once.

        A sub-program that is compiled already is skipped with all it holds.
        """
        return [(place.name, place.value) for place in parameter_places(self)]

    def parameters(self) -> list[Any]:
        """Return what an optimiser may change."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_predictors(self) -> list[tuple[str, Predict]]:
        """Return the predictors by name, such as `find` or `steps[0].predict`."""
        from dspex.programs.predict import Predict  # the two modules need each other

        return [
            (name, parameter)
            for name, parameter in self.named_parameters()
            if isinstance(parameter, Predict)
        ]

    def predictors(self) -> list[Predict]:
        """Return the predictors."""
        return [predictor for _, predictor in self.named_predictors()]

    def named_sub_modules(
        self,
        type_: type | None = None,
        skip_compiled: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
    ) -> Iterator[tuple[str, Any]]:
        """Yield this program and all inside it, by name, each object once.

        Args:
            type_: What to yield; programs when left out.
            skip_compiled: Whether to look into compiled programs.
        """
        kind = type_ or Program
        for name, item in everything_in(self, skip_compiled=skip_compiled):
            if isinstance(item, kind):
                yield name, item

    def map_named_predictors(self, change: Callable[[Predict], Any]) -> Self:
        """Replace each predictor by what `change` makes of it, in place.

        Raises:
            ConfigurationError: When a predictor stands in a tuple, or is this program.
        """
        from dspex.programs.predict import Predict

        changed: dict[int, Any] = {}
        for place in list(every_place(self)):
            if isinstance(place.value, Predict):
                if id(place.value) not in changed:
                    changed[id(place.value)] = change(place.value)
                place.put(changed[id(place.value)])
        return self

    def set_lm(self, lm: LanguageModel | None) -> None:
        """Give every predictor this model; `None` means the configured one."""
        check_lm(lm)
        for predictor in self.predictors():
            predictor.lm = lm

    def get_lm(self) -> LanguageModel | None:
        """Return the model of the predictors, `None` for the configured one.

        Raises:
            ConfigurationError: When they have different models.
        """
        models = {id(predictor.lm): predictor.lm for predictor in self.predictors()}
        if len(models) > 1:
            shown = ", ".join(repr(getattr(lm, "model", lm)) for lm in models.values())
            raise ConfigurationError(
                f"the predictors use {len(models)} models: {shown}; get_lm() answers "
                "for one. Read predictor.lm of each."
            )
        return next(iter(models.values()), None)

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
        for name, value in self.__dict__.items():
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
        from dspex.programs.whole_program import save_program as save_whole

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
            DataError: When the file is no state of this program.
        """
        return self.load_state(
            saved_state.read(Path(path)), allow_unsafe_lm_state=allow_unsafe_lm_state
        )

    def __repr__(self) -> str:
        found = self.named_predictors()
        inside = ", ".join(f"{name}={predictor!r}" for name, predictor in found)
        return f"{type(self).__name__}({inside})"


Module = Program
"""DSPy's name of `Program`."""


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    """Copy deeply, else shallowly, else not at all: any object may refuse."""
    with suppress(Exception):
        return copy.deepcopy(value, dict(memo))
    with suppress(Exception):
        return copy.copy(value)
    return value
