"""Saved programs: what of each predictor goes into the file, and what comes out.

The shape is DSPy's, so a program saved by one loads in the other. It is JSON and
nothing else: nothing is ever unpickled, and no address or key of a model is taken from
a file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from dspex.core.errors import ConfigurationError, DataError
from dspex.core.lm import LanguageModel
from dspex.core.setting_names import not_settings
from dspex.programs.saving.files import read_json, versions, write_json

LMFactory: TypeAlias = Callable[[Mapping[str, Any]], LanguageModel]
"""Makes a language model of the state its `dump_state()` returned."""

METADATA: Final = "metadata"
LM_ADAPTER: Final = "lm_adapter"
"""Where a predictor's state has the adapter of its own model."""

KNOWN: Final = frozenset(
    {"traces", "train", "demos", "signature", "lm", LM_ADAPTER, METADATA}
)
"""What a predictor's state may hold."""

LM_CLASS_STATE_KEY: Final = "_dspy_lm_class"
"""Where the state of a model says which class it is of, here as in DSPy."""

DSPY_LM: Final = "dspy.clients.lm.LM"
"""DSPy's own class, which is `dspex.LM` here."""

OWN_LM: Final = "dspex.runtime.language_model.LM"
"""The class of `dspex.LM`, which files call by DSPy's name."""

ADDRESSES: Final = frozenset({"api_base", "base_url"})
"""What of a file is taken only when its reader trusts it."""

FOREIGN: Final = frozenset(
    {
        *("model_type", "finetuning_model", "launch_kwargs", "train_kwargs"),
        *("engine", "async_engine", "prompt_cache", "use_developer_role"),
    }
)
"""What DSPy keeps of a model beside its settings; no provider wants to see it."""

_lm_factory: LMFactory | None = None


def use_lm_factory(factory: LMFactory | None) -> None:
    """Say how saved states become models; `dspex.runtime` does, with `LM`."""
    global _lm_factory  # noqa: PLW0603 - the layer above supplies the one factory
    _lm_factory = factory


def dump_predictors(named: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the state of each predictor by its name.

    Raises:
        DataError: When a demo holds what JSON cannot.
    """
    return {name: predictor.dump_state() for name, predictor in named}


class StateError(DataError, KeyError):
    """A saved state does not belong to the program it is loaded into.

    It is a `KeyError` too, because DSPy raises one here.

    Attributes:
        missing: The program's predictors that the state lacks.
        unknown: What the state has besides.
    """

    def __init__(
        self, message: str, *, missing: Sequence[str], unknown: Sequence[str]
    ) -> None:
        super().__init__(message)
        self.missing = tuple(missing)
        self.unknown = tuple(unknown)

    def __str__(self) -> str:
        # KeyError would show the text in quotes, with its own quotes escaped.
        return str(self.args[0])


def load_predictors(
    named: Iterable[tuple[str, Any]],
    state: Mapping[str, Any],
    *,
    allow_unsafe_lm_state: bool = False,
) -> None:
    """Give each predictor its state.

    Args:
        named: The predictors by name.
        state: The states by the same names.
        allow_unsafe_lm_state: Whether addresses of models are taken as well.

    Raises:
        StateError: When the names are not the same on both sides.
        DataError: When one of them is no state of a predictor.
    """
    if not isinstance(state, Mapping):
        raise DataError(
            f"a state of the type {type(state).__name__!r} is none of a program; "
            "expected what dump_state() returned. Save the program again."
        )
    predictors = dict(named)
    saved = {name: part for name, part in state.items() if name != METADATA}
    missing = [name for name in predictors if name not in saved]
    unknown = [name for name in saved if name not in predictors]
    if missing or unknown:
        raise StateError(
            f"the state does not belong to this program: it lacks {_listed(missing)} "
            f"and has {_listed(unknown)} besides; the program's predictors are "
            f"{_listed(predictors)}. Load it into a program of the same shape.",
            missing=missing,
            unknown=unknown,
        )
    # A parameter of somebody's own need not know the word.
    trust = {"allow_unsafe_lm_state": True} if allow_unsafe_lm_state else {}
    for name, predictor in predictors.items():
        predictor.load_state(saved[name], **trust)


def warn_of_unknown(state: Mapping[str, Any]) -> None:
    """Say what a predictor's state holds that nothing here takes over."""
    unknown = [key for key, part in state.items() if part and key not in KNOWN]
    if unknown:
        _warn(
            f"the state of a predictor has {_listed(unknown)}, which dspex does not "
            "know; that part is left out. Load it in the DSPy that saved it, to see "
            "what it does there."
        )


def lm_state(
    kind: str,
    model: str,
    *,
    cache: bool,
    num_retries: int,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the state of a model in DSPy's shape.

    Args:
        kind: Its class, from `class_path`.
        model: The model string.
        cache: Whether equal calls share one answer.
        num_retries: Further attempts after a failed one.
        settings: Sent with each call.
    """
    return {
        "model": model,
        "model_type": "chat",
        "cache": cache,
        "num_retries": num_retries,
        **settings,
        # What DSPy writes of a model that nobody trained.
        "finetuning_model": None,
        "launch_kwargs": {},
        "train_kwargs": {},
        # Last, so that no setting passes for the class.
        LM_CLASS_STATE_KEY: kind,
    }


def class_path(kind: type) -> str:
    """Return the name of a class as states of models have it."""
    path = f"{kind.__module__}.{kind.__qualname__}"
    return DSPY_LM if path == OWN_LM else path


def dump_lm(lm: LanguageModel | None) -> dict[str, Any]:
    """Return what a predictor's state says of its own model.

    The model's adapter stands beside it: DSPy would send what it does not know of a
    model to the provider.
    """
    state = dict(lm.dump_state()) if lm else None
    adapter = state.pop("adapter", None) if state else None
    return {"lm": state, **({LM_ADAPTER: adapter} if adapter else {})}


def restored_lm_of(
    state: Mapping[str, Any], *, allow_unsafe_lm_state: bool = False
) -> LanguageModel | None:
    """Return the model of a predictor's state; `None` for the configured one."""
    lm, adapter = state.get("lm"), state.get(LM_ADAPTER)
    whole = {**lm, "adapter": adapter} if lm and adapter else lm
    return restored_lm(whole, allow_unsafe_lm_state=allow_unsafe_lm_state)


def restored_lm(
    state: Mapping[str, Any] | None, *, allow_unsafe_lm_state: bool = False
) -> LanguageModel | None:
    """Return the model of a saved state, without its address and its keys.

    Args:
        state: What `dump_state()` of the model returned, here or in DSPy.
        allow_unsafe_lm_state: Whether its address is taken after all, because the file
            is trusted. Keys, headers and classes of one's own never are.

    Warns:
        UserWarning: When a part of the state is left out, or all of it.
    """
    if not state:
        return None
    if home_made := _home_made_class(state):
        _warn(
            f"the file names the home-made model {state.get('model')!r} of the class "
            f"{home_made!r}; no class is ever looked up by what a file says, so "
            "the configured model is used. Call program.set_lm() with your own."
        )
        return None
    trusted = ADDRESSES if allow_unsafe_lm_state else frozenset()
    ignored = [name for name in not_settings(state) if name not in trusted]
    if ignored:
        _warn(
            f"the file says {_listed(ignored)} for the model {state.get('model')!r}; "
            "a file may not say where calls go, so that is ignored. Set it in your "
            "own LM(...)."
        )
    if _lm_factory is None:
        _warn(
            f"the file names the model {state.get('model')!r}, and nothing here can "
            "make it; the configured one is used. Call use_lm_factory() first."
        )
        return None
    addresses = [state[name] for name in sorted(trusted) if state.get(name)]
    address = {"api_base": addresses[0]} if addresses else {}
    return _lm_factory({**_settings_of(state), **address})


def _home_made_class(state: Mapping[str, Any]) -> str | None:
    """Return the class of a model in the user's own code, if it is one."""
    named = state.get(LM_CLASS_STATE_KEY)
    return None if named in {None, DSPY_LM} else str(named)


def _settings_of(state: Mapping[str, Any]) -> dict[str, Any]:
    dropped = FOREIGN.union(not_settings(state))
    return {
        key: value
        for key, value in state.items()
        if key not in dropped and not key.startswith("_") and value is not None
    }


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state to a file: whole, or not at all.

    Raises:
        ConfigurationError: When the path does not end in `.json`.
    """
    _check_suffix(path)
    write_json(path, {**state, METADATA: versions()})


def read(path: Path) -> dict[str, Any]:
    """Return the state in a file.

    Raises:
        ConfigurationError: When the path does not end in `.json`.
        MissingFileError: When there is no file.
        DataError: When the file holds no state.
    """
    _check_suffix(path)
    return read_json(path)


def _check_suffix(path: Path) -> None:
    if path.suffix in {".pkl", ".pickle"}:
        raise ConfigurationError(
            f"{path} is a pickle, and loading one runs whatever code it holds; dspex "
            "reads and writes programs as JSON only. Use a path that ends in .json."
        )
    if path.suffix != ".json":
        raise ConfigurationError(
            f"{path} does not end in .json; programs are saved as JSON. Use "
            f"{path.with_suffix('.json')}."
        )


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=4)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
