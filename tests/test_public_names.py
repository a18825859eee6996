"""The public names: what is listed is there, documented, and what DSPy users expect."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dspex
import supervisors
from dspex.programs.saving import state

ROOT = Path(__file__).parents[1]

PUBLIC_MODULES = (
    "dspex",
    "dspex.evaluate",
    "dspex.metrics",
    "dspex.streaming",
    "dspex.teleprompt",
    "dspex.testing",
    "supervisors",
    "supervisors.testing",
)
"""Where users import from."""

DSPY_NAMES = {
    "dspex": (
        "Adapter",
        "BootstrapFewShot",
        "ChainOfThought",
        "ChatAdapter",
        "Completions",
        "Evaluate",
        "Example",
        "InputField",
        "LM",
        "LabeledFewShot",
        "Module",
        "OutputField",
        "Predict",
        "Prediction",
        "Signature",
        "configure",
        "context",
        "make_signature",
        "settings",
        "track_usage",
    ),
    "dspex.evaluate": ("Evaluate", "EvaluationResult"),
    "dspex.teleprompt": ("BootstrapFewShot", "LabeledFewShot"),
}
"""Names of DSPy, at the places where its users import them."""

MODULES = [importlib.import_module(name) for name in PUBLIC_MODULES]


def public(module: ModuleType) -> list[tuple[str, Any]]:
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
        and not name.startswith("_")
    ]
    return [(name, getattr(module, name)) for name in names]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_each_listed_name_is_there_once(module: ModuleType) -> None:
    names = [name for name, _ in public(module)]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_each_public_class_and_function_is_documented(module: ModuleType) -> None:
    bare = [
        name
        for name, value in public(module)
        if (inspect.isclass(value) or inspect.isroutine(value))
        and value is not dspex.Signature  # a signature's docstring is its instructions
        and not _own_docstring(value)
    ]

    assert not bare
    assert module.__doc__


def _own_docstring(value: Any) -> str | None:
    # A dataclass without a docstring gets its signature as one.
    text = value.__dict__.get("__doc__") if inspect.isclass(value) else value.__doc__
    return text if text and not text.startswith(f"{value.__name__}(") else None


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_each_public_method_is_documented(module: ModuleType) -> None:
    bare = [
        f"{name}.{method}"
        for name, value in public(module)
        if inspect.isclass(value) and value.__module__.startswith(("dspex", "superv"))
        for method, member in vars(value).items()
        if not method.startswith("_")
        and (inspect.isroutine(member) or isinstance(member, property))
        and not inspect.getdoc(getattr(value, method))
    ]

    assert not bare


def test_the_lists_of_the_door_agree() -> None:
    door = ast.parse((ROOT / "dspex/__init__.py").read_text(encoding="utf-8"))
    typed = {
        alias.asname
        for node in ast.walk(door)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dspex.")
        for alias in node.names
        if alias.asname  # `import X as X`: for others, not for itself
    }

    assert set(dspex.__all__) == {*dspex._HOMES, "__version__"}
    assert typed == set(dspex._HOMES)
    assert list(dspex._HOMES) == sorted(dspex._HOMES)


def test_dir_lists_the_public_names_in_order() -> None:
    names = dir(dspex)

    assert names == sorted(names)
    assert set(dspex.__all__) <= set(names)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'dspex' has no attribute 'Predictt'"):
        dspex.Predictt  # noqa: B018 - that is the test


def test_supervisors_lists_every_name_it_imports() -> None:
    imported = {
        name
        for name, value in vars(supervisors).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }

    assert imported == set(supervisors.__all__)


@pytest.mark.parametrize(
    ("module", "name"),
    [(module, name) for module, names in DSPY_NAMES.items() for name in names],
)
def test_a_name_of_dspy_is_where_its_users_look(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


def test_dspys_module_is_our_program() -> None:
    assert dspex.Module is dspex.Program


def test_the_next_name_leaves_what_a_user_supplied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert dspex.Predict is not None
    mine = object()
    monkeypatch.setattr("dspex.programs.saving.state._lm_factory", mine)
    monkeypatch.delitem(vars(dspex), "ChainOfThought", raising=False)

    assert dspex.ChainOfThought is not None

    assert state._lm_factory is mine
