"""Imports point down: who may import whom, and which packages each layer may use.

The table is the one of `docs/explanation/layers.md`; `tests/docs/test_layers_page.py`
holds that the page agrees.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

DOOR = "dspex/__init__.py"
"""The public names. It may name every layer, because it loads them when asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One row of the table, from the lowest layer on."""

    path: str
    """The folder, or the file of a layer that is one module."""
    third_party: tuple[str, ...] = ()
    """Import names of the packages it may use."""
    not_these: tuple[str, ...] = ()
    """Layers further down that it may not import all the same."""
    optional: tuple[str, ...] = ()
    """Packages of extras, which it may import inside functions only."""
    is_face: bool = False
    """Whether it may use dspex through the public names, as a user does."""


LAYERS = (
    Layer(path="supervisors", third_party=("pykka", "structlog")),
    Layer(
        path="dspex/core",
        third_party=("pydantic", "json_repair"),
        not_these=("supervisors",),
        optional=("pyarrow", "rich"),
    ),
    Layer(path="dspex/metrics.py", not_these=("supervisors",)),
    Layer(path="dspex/programs", third_party=("pydantic",), not_these=("supervisors",)),
    Layer(path="dspex/streaming.py", not_these=("supervisors",)),
    Layer(
        path="dspex/client",
        third_party=("pykka", "aiohttp", "httpx", "pybreaker", "structlog", "yarl"),
        optional=("xllamacpp",),
    ),
    Layer(
        path="dspex/cache",
        third_party=("pykka", "cachetools", "structlog"),
        not_these=("dspex/client",),
    ),
    Layer(
        path="dspex/control", third_party=("structlog",), not_these=("dspex/client",)
    ),
    Layer(path="dspex/runtime", third_party=("pykka", "structlog")),
    Layer(path="dspex/configuration"),
    Layer(path="dspex/evaluate", third_party=("pykka", "structlog")),
    Layer(
        path="dspex/teleprompt",
        third_party=("structlog",),
        optional=("gepa", "optuna"),
    ),
    Layer(
        path="dspex/telemetry",
        third_party=("structlog",),
        optional=("opentelemetry", "prometheus_client"),
    ),
    Layer(path="dspex/testing", third_party=("click",), is_face=True),
    Layer(path="dspex/demo", third_party=("click",), is_face=True),
    Layer(path="dspex/migrate", is_face=True),
    Layer(
        path="dspex/serve",
        third_party=("aiohttp", "pydantic", "structlog"),
        is_face=True,
    ),
    Layer(path="dspex/repl", optional=("IPython", "rich"), is_face=True),
    Layer(path="dspex/cli", third_party=("click",), optional=("rich",), is_face=True),
    Layer(path="dspex/__main__.py"),
)

BROUGHT_ALONG = {"yarl": "aiohttp"}
"""Packages that are no dependencies by name, and the one that brings and pins them."""

OTHER_NAMES = {"opentelemetry_api": "opentelemetry", "ipython": "IPython"}
"""Import names that are not those of the packages."""

NEWER_STANDARD_LIBRARY = frozenset({"annotationlib"})
"""Standard modules that the oldest Python we run on does not know."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement's module."""

    module: str
    """The module, such as `dspex.core.errors`."""
    line: int
    """Where it stands."""
    in_function: bool
    """Whether it runs only when a function does."""


def imports_of(source: str) -> Iterator[Import]:
    """Yield every import, those in functions and under TYPE_CHECKING too."""

    def walk(node: ast.AST, *, in_function: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, child.lineno, in_function)
            elif isinstance(child, ast.ImportFrom):
                yield from _imported_from(child, in_function=in_function)
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from walk(child, in_function=in_function or inside)

    yield from walk(ast.parse(source), in_function=False)


def _imported_from(node: ast.ImportFrom, *, in_function: bool) -> Iterator[Import]:
    module = "." * node.level + (node.module or "")
    if module == "dspex":
        # `from dspex import metrics` may mean a layer or a public name.
        for alias in node.names:
            yield Import(f"dspex.{alias.name}", node.lineno, in_function)
    else:
        yield Import(module, node.lineno, in_function)


def layer_of_file(path: Path) -> Layer | None:
    """Return the row of a file, `None` when it has none."""
    name = path.relative_to(ROOT).as_posix()
    for layer in LAYERS:
        if name == layer.path or name.startswith(f"{layer.path}/"):
            return layer
    return None


def place_of_module(module: str) -> str:
    """Return the path of the layer a module of ours belongs to, or the door."""
    as_path = module.replace(".", "/")
    for layer in LAYERS:
        stem = layer.path.removesuffix(".py")
        if as_path == stem or as_path.startswith(f"{stem}/"):
            return layer.path
    return DOOR


def reachable(layer: Layer) -> set[str]:
    """Return the paths a layer may import: itself, and what is above it."""
    paths = [other.path for other in LAYERS]
    above = set(paths[: paths.index(layer.path) + 1]) - set(layer.not_these)
    return above | {DOOR} if layer.is_face else above


def fault(layer: Layer, found: Import) -> str | None:
    """Say what is wrong with an import, if anything is."""
    top = found.module.split(".")[0]
    if top in sys.stdlib_module_names or top in NEWER_STANDARD_LIBRARY:
        return None
    if top in {"dspex", "supervisors"}:
        place = place_of_module(found.module)
        if place in reachable(layer):
            return None
        return f"{layer.path} may not import {found.module} ({place})"
    if top in layer.third_party:
        return None
    if top not in layer.optional:
        return f"{layer.path} may not use the package {top!r}"
    if not found.in_function:
        return f"{top!r} is optional: import it in the function that needs it"
    return None


def sources() -> list[Path]:
    """Return every file of both packages, but the door."""
    files = [
        path for top in ("supervisors", "dspex") for path in (ROOT / top).rglob("*.py")
    ]
    return sorted(path for path in files if path != ROOT / DOOR)


@pytest.mark.parametrize(
    "path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_a_file_imports_only_what_its_layer_may(path: Path) -> None:
    layer = layer_of_file(path)
    if layer is None:
        pytest.fail(
            f"{path.relative_to(ROOT)} is in no layer; give its folder a row in LAYERS "
            "and in docs/explanation/layers.md"
        )

    faults = [
        f"line {found.line}: {text}"
        for found in imports_of(path.read_text(encoding="utf-8"))
        if (text := fault(layer, found)) is not None
    ]

    assert not faults


def test_the_door_uses_no_package_and_loads_no_layer_by_itself() -> None:
    found = list(imports_of((ROOT / DOOR).read_text(encoding="utf-8")))
    tops = {each.module.split(".")[0] for each in found}

    # It names them under TYPE_CHECKING only; tests/test_import.py holds that.
    assert tops - sys.stdlib_module_names <= {"dspex"}


def test_every_row_has_files() -> None:
    known = {layer.path for path in sources() if (layer := layer_of_file(path))}

    assert known == {layer.path for layer in LAYERS}


def test_each_package_of_the_table_is_a_dependency_and_each_dependency_is_there() -> (
    None
):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base = {_import_name(line) for line in project["dependencies"]}
    extras = {
        _import_name(line)
        for extra in (
            *("gepa", "local", "optuna", "otel", "parquet", "prometheus"),
            *("repl", "rich"),
        )
        for line in project["optional-dependencies"][extra]
        if not line.startswith("dspex[")
    }

    used = {name for layer in LAYERS for name in layer.third_party}
    assert {BROUGHT_ALONG.get(name, name) for name in used} == base
    assert {name for layer in LAYERS for name in layer.optional} == extras


def _import_name(requirement: str) -> str:
    name = re.match(r"[\w-]+", requirement)
    assert name is not None
    imported = name.group().replace("-", "_")
    return OTHER_NAMES.get(imported, imported)


@pytest.mark.parametrize(
    ("layer_path", "source", "expected"),
    [
        ("dspex/core", "import supervisors", "may not import supervisors"),
        ("dspex/programs", "from supervisors import Actor", "may not import"),
        ("dspex/cache", "from dspex.client.call import Call", "may not import"),
        ("dspex/core", "def f():\n    import httpx", "may not use the package"),
        ("dspex/core", "from dspex import Predict", "may not import dspex.Predict"),
        ("dspex/core", "from . import errors", "may not use the package"),
        ("dspex/client", "import xllamacpp", "is optional"),
        ("supervisors", "from dspex.core import errors", "may not import"),
        (
            "dspex/evaluate",
            "if TYPE_CHECKING:\n    from dspex.cli.main import main",
            "may not import dspex.cli.main",
        ),
    ],
)
def test_the_rule_sees_a_wrong_import(
    layer_path: str, source: str, expected: str
) -> None:
    layer = next(layer for layer in LAYERS if layer.path == layer_path)

    faults = [fault(layer, found) for found in imports_of(source)]

    assert [text for text in faults if text and expected in text]


@pytest.mark.parametrize(
    ("layer_path", "source"),
    [
        ("dspex/client", "def f():\n    import xllamacpp"),
        ("dspex/cli", "from dspex import Predict\nimport click"),
        ("dspex/runtime", "from dspex.cache.memory import Cache"),
        ("dspex/core", "import json\nfrom dspex.core import errors"),
    ],
)
def test_the_rule_lets_a_right_import_pass(layer_path: str, source: str) -> None:
    layer = next(layer for layer in LAYERS if layer.path == layer_path)

    assert [fault(layer, found) for found in imports_of(source)].count(None) == len(
        list(imports_of(source))
    )
