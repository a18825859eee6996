"""Saved programs: what goes into the file, what comes out, and how it is written.

The shape is DSPy's, so a program saved by one loads in the other. It is JSON and
nothing else: nothing is ever unpickled, and no address or key of a model is taken from
a file.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from dspex.core.adapters.render import plain_value
from dspex.core.errors import ConfigurationError, DataError
from dspex.core.example import Example
from dspex.core.lm import LanguageModel
from dspex.core.setting_names import not_settings

LMFactory: TypeAlias = Callable[[Mapping[str, Any]], LanguageModel]
"""Makes a language model of the state its `dump_state()` returned."""

METADATA: Final = "metadata"
HOME_MADE: Final = "home_made"
"""Where the state of a model in the user's own code says which class that is."""

FOREIGN: Final = frozenset(
    {"model_type", "finetuning_model", "launch_kwargs", "train_kwargs"}
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


def load_predictors(named: Iterable[tuple[str, Any]], state: Mapping[str, Any]) -> None:
    """Give each predictor its state.

    Raises:
        DataError: When the names are not the same on both sides.
    """
    predictors = dict(named)
    saved = {name: part for name, part in state.items() if name != METADATA}
    missing = [name for name in predictors if name not in saved]
    unknown = [name for name in saved if name not in predictors]
    if missing or unknown:
        raise DataError(
            f"the state does not belong to this program: it lacks {_listed(missing)} "
            f"and has {_listed(unknown)} besides; the program's predictors are "
            f"{_listed(predictors)}. Load it into a program of the same shape."
        )
    for name, predictor in predictors.items():
        predictor.load_state(saved[name])


def dump_demo(demo: Example | Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a demo as JSON values.

    Raises:
        DataError: When a field holds what JSON cannot; it is named.
    """
    fields = (
        demo.items(include_dspy=True) if isinstance(demo, Example) else demo.items()
    )
    return {
        name: _json_value(value, f"{where}, field {name!r}") for name, value in fields
    }


def _json_value(value: Any, where: str) -> Any:
    try:
        plain = plain_value(value, fallback=None)
        json.dumps(plain, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"{where} cannot be saved: {error}; a saved demo holds what JSON can. "
            "Replace the value, or leave the demo out."
        ) from error
    return plain


def restored_lm(state: Mapping[str, Any] | None) -> LanguageModel | None:
    """Return the model of a saved state, without its address and its keys."""
    if not state:
        return None
    if HOME_MADE in state:
        _warn(
            f"the file names the home-made model {state.get('model')!r} of the class "
            f"{state[HOME_MADE]!r}; no class is ever looked up by what a file says, so "
            "the configured model is used. Call program.set_lm() with your own."
        )
        return None
    ignored = not_settings(state)
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
    dropped = FOREIGN.union(ignored)
    return _lm_factory(
        {
            key: value
            for key, value in state.items()
            if key not in dropped and not key.startswith("_") and value is not None
        }
    )


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state to a file: whole, or not at all.

    Raises:
        ConfigurationError: When the path does not end in `.json`.
    """
    _check_suffix(path)
    content = _encoded({**state, METADATA: _metadata()})
    # In the same folder, because a rename across file systems is no longer one step.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _encoded(state: Mapping[str, Any]) -> bytes:
    try:
        return (json.dumps(state, indent=2, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:
        # Half a character (of a broken text) has no UTF-8; JSON's escape holds it.
        return (json.dumps(state, indent=2) + "\n").encode()


def _sync_folder(folder: Path) -> None:
    """Make the rename last through a power cut, where a folder can be opened."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path) -> dict[str, Any]:
    """Return the state in a file.

    Raises:
        ConfigurationError: When the path does not end in `.json`.
        DataError: When the file is missing or holds no state.
    """
    _check_suffix(path)
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} is no JSON, line {error.lineno}: {error.msg}; expected a file "
            "that save() wrote. Save the program again.",
            path=path,
            line=error.lineno,
        ) from error
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(
            f"{path} cannot be read: {error}; expected a file that save() wrote. Check "
            "the path.",
            path=path,
        ) from error
    if not isinstance(state, dict):
        raise DataError(
            f"{path} holds {type(state).__name__!r}; expected an object of predictors. "
            "Save the program again.",
            path=path,
        )
    return cast("dict[str, Any]", state)


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


def _metadata() -> dict[str, Any]:
    # `dependency_versions` holds names DSPy knows and no other: its loader looks each
    # of them up in its own list and ends with a KeyError for one it does not know.
    return {
        "dependency_versions": {"python": _python_version()},
        "dspex_version": _own_version(),
    }


def _python_version() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _own_version() -> str:
    try:
        return metadata.version("dspex")
    except metadata.PackageNotFoundError:
        return "unknown"


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=4)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
