"""What a program is made of: its parts by name, and what all of them are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from dspex.core.adapters import Adapter
from dspex.core.errors import ConfigurationError
from dspex.core.foreign import refuse_dspy
from dspex.core.lm import LanguageModel
from dspex.programs.settings import check_adapter, check_lm
from dspex.programs.walk import (
    Walkable,
    every_place,
    everything_in,
    parameter_places,
)

if TYPE_CHECKING:
    from dspex.programs.predict import Predict


class Composite(Walkable):
    """Whatever is made of predictors and other programs: every program."""

    if not TYPE_CHECKING:  # A type checker would let any name be assigned.

        def __setattr__(self, name: str, value: Any) -> None:
            """Keep an attribute; a part that is DSPy's own is refused at once.

            Raises:
                ConfigurationError: It is; called later, it would use DSPy's settings.
            """
            refuse_dspy(value, name)
            super().__setattr__(name, value)

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
        kind = type_ or Composite
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

    def set_adapter(self, adapter: Adapter | str | None) -> None:
        """Give every predictor this adapter, or its name; `None`: the configured one.

        Raises:
            ConfigurationError: It is no adapter.
        """
        check_adapter(adapter)
        for predictor in self.predictors():
            predictor.adapter = adapter

    def get_adapter(self) -> Adapter | str | None:
        """Return the adapter of the predictors, `None` for the configured one.

        Raises:
            ConfigurationError: When they have different adapters.
        """
        adapters = {id(one.adapter): one.adapter for one in self.predictors()}
        if len(adapters) > 1:
            raise ConfigurationError(
                f"get_adapter() answers for one adapter; the predictors use "
                f"{len(adapters)}. Multiple adapters are read one by one, as "
                "predictor.adapter."
            )
        return next(iter(adapters.values()), None)


def parts_told(program: Composite) -> Iterator[str]:
    """Yield a line for each predictor: where it is, what it asks, how many demos."""
    for name, predictor in program.named_predictors():
        count = len(predictor.demos)
        demos = f", {count} demo{'' if count == 1 else 's'}" if count else ""
        model = "" if predictor.lm is None else f", {predictor.lm!r}"
        yield f"{name}: {predictor.signature.signature}{demos}{model}"
