"""What the file of a whole saved program may make its reader run: nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.core.errors import ConfigurationError, DataError, MissingFileError
from dspex.core.lm import LanguageModel
from dspex.programs import Predict
from dspex.programs.saving.trust import UntrustedCodeError
from dspex.programs.saving.whole_program import load_program
from tests.unit.programs.fakes import FakeLM
from tests.unit.programs.test_whole_program import ALLOWED, Helper, Point, Whole

Change: TypeAlias = Callable[[str, str], Path]
"""Saves a predictor, writes something else for a part of the file."""

PROGRAMS = "tests.unit.programs.test_whole_program"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "program.v1"


@pytest.fixture
def changed(folder: Path) -> Change:
    """Save a predictor, and let the test write something else for a part of it."""

    def change(old: str, new: str) -> Path:
        Predict("a -> b").save(folder, save_program=True)
        file = folder / "program.json"
        text = json.dumps(json.loads(file.read_text("utf-8")))
        assert old in text
        file.write_text(text.replace(old, new), "utf-8")
        return folder

    return change


def test_all_that_must_be_allowed_is_named_at_once_and_nothing_is_imported(
    folder: Path,
) -> None:
    Whole().save(folder, save_program=True)
    file = folder / "program.json"
    text = file.read_text("utf-8").replace(PROGRAMS, "not_imported_yet")
    file.write_text(text, "utf-8")

    with pytest.raises(UntrustedCodeError, match="importing runs code") as caught:
        load_program(folder)

    assert {name.partition(":")[2] for name in caught.value.names} == {
        each.__qualname__ for each in ALLOWED
    }
    assert "not_imported_yet" not in sys.modules


@pytest.mark.parametrize(
    "allow", [["tests.unit.programs.test_whole"], ["tests.unit.program"], [Point]]
)
def test_a_name_that_begins_alike_is_not_allowed(folder: Path, allow: Any) -> None:
    Whole().save(folder, save_program=True)

    with pytest.raises(UntrustedCodeError):
        load_program(folder, allow=allow)


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "dspex.cli.main:main",
        "dspex.__main__:main",
        "dspex.programs.saving.trust:importlib.import_module",
        "dspex.core.errors:DataError",
        "dspex.programs.program:no_such",
        "dspex:Predict",
        "builtins:eval",
    ],
)
def test_a_file_cannot_name_other_code(changed: Change, name: str) -> None:
    folder = changed("dspex.programs.predict:Predict", name)

    with pytest.raises(UntrustedCodeError) as caught:
        load_program(folder)

    assert caught.value.names == (name,)


def test_a_module_of_dspex_that_holds_no_parts_is_not_even_imported(
    changed: Change,
) -> None:
    folder = changed("dspex.programs.predict:Predict", "dspex.__main__:main")
    sys.modules.pop("dspex.__main__", None)

    with pytest.raises(UntrustedCodeError):
        load_program(folder)

    assert "dspex.__main__" not in sys.modules


@pytest.mark.parametrize(
    "name",
    [f"{__name__}:sys.exit", f"{__name__}:json.loads", f"{__name__}:Path"],
)
def test_an_allowed_module_is_no_way_to_another_one(changed: Change, name: str) -> None:
    folder = changed("dspex.programs.predict:Predict", name)

    with pytest.raises(DataError, match="no class or function of that module"):
        load_program(folder, allow=[PROGRAMS, __name__])


@pytest.mark.parametrize(
    "name", ["no_such_module:X", f"{__name__}:NoSuch", f"{__name__}:"]
)
def test_allowed_code_that_is_not_there_is_named(changed: Change, name: str) -> None:
    folder = changed("dspex.programs.predict:Predict", name)

    with pytest.raises(DataError, match=f"{name.partition(':')[0]}.*cannot be found"):
        load_program(folder, allow=["no_such_module", __name__])


def test_a_pickle_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "program.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    (tmp_path / "metadata.json").write_text("{}")

    with pytest.raises(ConfigurationError, match="Load it in DSPy"):
        dspex.load(tmp_path, allow_pickle=True)


def test_addresses_and_keys_in_a_program_are_ignored_with_a_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Predict("a -> b")
    program.lm = FakeLM("x")
    program.save(folder, save_program=True)
    file = folder / "program.json"
    content = json.loads(file.read_text("utf-8"))
    attributes = dict(content["program"]["attributes"])
    attributes["lm"]["lm"]["dict"] += [["api_base", "http://elsewhere"]]
    file.write_text(json.dumps(content), "utf-8")
    states: list[Mapping[str, Any]] = []

    def make(state: Mapping[str, Any]) -> LanguageModel:
        states.append(state)
        return FakeLM("y")

    monkeypatch.setattr("dspex.programs.saving.state._lm_factory", make)

    with pytest.warns(UserWarning, match="'api_base'"):
        load_program(folder)
    load_program(folder, allow_unsafe_lm_state=True)

    assert "api_base" not in states[0]
    assert states[1]["api_base"] == "http://elsewhere"


def test_code_that_changed_since_is_told(folder: Path) -> None:
    Whole().save(folder, save_program=True)
    file = folder / "program.json"
    content = json.loads(file.read_text("utf-8"))
    content["sources"][f"{PROGRAMS}:Helper"] = "0" * 64
    file.write_text(json.dumps(content), "utf-8")

    with pytest.warns(UserWarning, match="the code of .*Helper' is another"):
        load_program(folder, allow=[PROGRAMS, __name__])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"dspex_program": 1', '"dspex_program": 2'),
        ('"program": {', '"other": {'),
        ('"checks": []', '"checks": [["default_factory", "x"]]'),
        ('"type": "str"', '"type": "nothing"'),
        ('"type": "str"', '"type": {"union": ["str"]}'),
        ('"name": "a"', '"name": 5'),
        ('["demos", []]', '["demos", {"nothing": 1}]'),
        ('["demos", []]', '["demos", {"same": 99}]'),
        ('["demos", []]', '["demos", {"bytes": "%"}]'),
        ('["demos", []]', '["demos", {"text": "x", "of": "date"}]'),
        ('["demos", []]', '["demos", {"set": [[]]}]'),
        ('["demos", []]', '["demos", {"tool": [["func", 1]]}]'),
        ('["demos", []]', '["de-mos", []]'),
        ('"dspex.programs.predict:Predict"', '"dspex.core.example:Example"'),
    ],
)
def test_a_file_that_is_no_program_ends_in_one_error(
    changed: Change, old: str, new: str
) -> None:
    folder = changed(old, new)

    with pytest.raises(DataError):
        load_program(folder)


def test_a_class_is_only_what_it_is(changed: Change) -> None:
    member = f'["demos", {{"class": "{PROGRAMS}:Helper", "member": "limit"}}]'
    folder = changed('["demos", []]', member)

    with pytest.raises(DataError, match="is no Enum"):
        load_program(folder, allow=[Helper])


def test_a_folder_without_a_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"program\.json'"):
        load_program(tmp_path)


@pytest.mark.parametrize("allow", ["my_app", [5], ["my app"], ["os:system"]])
def test_what_is_allowed_must_be_modules_or_code(folder: Path, allow: Any) -> None:
    Predict("a -> b").save(folder, save_program=True)

    with pytest.raises(ConfigurationError, match="allow"):
        load_program(folder, allow=allow)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "class",
                        "attributes",
                        "id",
                        "same",
                        "lm",
                        "tool",
                        "model",
                        "text",
                    ),
                    *(
                        "of",
                        "tuple",
                        "set",
                        "dict",
                        "float",
                        "bytes",
                        "type",
                        "example",
                    ),
                    *("signature", "instructions", "fields", "values", "member"),
                ]
            ),
            inner,
        )
    ),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_any_json_makes_a_program_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, node: Any
) -> None:
    folder = tmp_path_factory.mktemp("program")
    content = {"dspex_program": 1, "program": node}
    (folder / "program.json").write_text(json.dumps(content), "utf-8")

    with pytest.raises(DataError):
        load_program(folder)
