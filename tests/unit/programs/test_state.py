from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dspex.core.errors import ConfigurationError, DataError
from dspex.core.lm import LanguageModel
from dspex.core.signature import make_signature
from dspex.programs import ChainOfThought, Predict, Program
from dspex.programs.saving.state import StateError
from dspex.runtime.language_model import LM
from tests.unit.programs.fakes import FakeLM


class Two(Program):
    def __init__(self) -> None:
        self.think = ChainOfThought("question -> answer")
        self.label = Predict("answer -> label: bool")


def tuned() -> Two:
    program = Two()
    program.label.demos = [{"answer": "Peru — ¿sí?", "label": True, "augmented": True}]
    program.label.signature = program.label.signature.with_instructions("Judge.")
    return program


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """Make fake models of saved states, and keep the states."""
    states: list[Mapping[str, Any]] = []

    def make(state: Mapping[str, Any]) -> LanguageModel:
        states.append(state)
        return FakeLM("x")

    monkeypatch.setattr("dspex.programs.saving.state._lm_factory", make)
    return states


def test_a_saved_program_loads_into_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "program.json"
    program = tuned()
    program.save(path)

    loaded = Two().load(path)

    assert loaded.dump_state() == program.dump_state()
    assert loaded.label.demos == program.label.demos
    assert loaded.label.signature.instructions == "Judge."


def test_the_file_has_dspys_shape(tmp_path: Path) -> None:
    path = tmp_path / "program.json"
    tuned().save(str(path))

    saved = json.loads(path.read_text(encoding="utf-8"))

    assert list(saved) == ["think.predict", "label", "metadata"]
    assert list(saved["label"]) == ["traces", "train", "demos", "signature", "lm"]
    # DSPy's loader looks up each of these in its own list and knows no others.
    assert list(saved["metadata"]["dependency_versions"]) == ["python"]
    assert "dspex_version" in saved["metadata"]
    assert "¿sí?" in path.read_text(encoding="utf-8")


def test_a_file_that_dspy_wrote_loads(
    tmp_path: Path, made: list[Mapping[str, Any]]
) -> None:
    path = tmp_path / "dspy.json"
    state = tuned().dump_state()
    state["label"]["lm"] = {
        "_class": "dspy.clients.lm.LM",
        "model": "openai/gpt-4o-mini",
        "model_type": "chat",
        "temperature": 0.5,
        "max_tokens": None,
        "launch_kwargs": {},
        "train_kwargs": {},
        "finetuning_model": None,
        "engine": "lm15",
        "prompt_cache": {"mode": "auto"},
        "use_developer_role": True,
    }
    versions = {"python": "3.12", "dspy": "3.4.1", "cloudpickle": "3.1"}
    state["metadata"] = {"dependency_versions": versions}
    path.write_text(json.dumps(state), encoding="utf-8")

    loaded = Two().load(path)

    assert loaded.label.demos == tuned().label.demos
    assert made[-1] == {"model": "openai/gpt-4o-mini", "temperature": 0.5}


def test_a_bare_predictor_is_saved_flat(tmp_path: Path) -> None:
    path = tmp_path / "predict.json"
    predict = Predict("a -> b")
    predict.demos = [{"a": "1", "b": "2"}]
    predict.save(path)

    assert "demos" in json.loads(path.read_text(encoding="utf-8"))
    assert Predict("a -> b").load(path).demos == predict.demos


def test_half_a_character_survives(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    predict = Predict(make_signature("a -> b", "\ud800 \u00e9"))
    predict.save(path)

    assert Predict("a -> b").load(path).signature.instructions == "\ud800 \u00e9"


def test_a_save_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "program.json"
    Two().save(path)
    before = path.read_bytes()

    def full(_: int) -> None:
        message = "disk full"
        raise OSError(message)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        tuned().save(path)

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["program.json"]


@pytest.mark.parametrize("name", ["program.pkl", "program.pickle"])
def test_pickles_are_refused_both_ways(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")

    with pytest.raises(ConfigurationError, match="runs whatever code"):
        Two().load(path)
    with pytest.raises(ConfigurationError, match="JSON only"):
        Two().save(path)


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"does not end in \.json"):
        Two().save(tmp_path / "program.yaml")
    with pytest.raises(ConfigurationError, match=r"does not end in \.json"):
        Two().load(tmp_path / "program")


@pytest.mark.parametrize(
    ("content", "message", "line"),
    [
        ('{\n"a": }', "is no JSON, line 2", 2),
        ("[1]", "holds 'list'", None),
        ("[" * 200_000, "cannot be read|is no JSON", None),
    ],
)
def test_a_file_that_is_no_state_is_named(
    tmp_path: Path, content: str, message: str, line: int | None
) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(DataError, match=message) as caught:
        Two().load(path)

    assert caught.value.path == path
    assert line is None or caught.value.line == line


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nothing.json"

    with pytest.raises(FileNotFoundError, match=r"nothing\.json'") as caught:
        Two().load(path)

    assert isinstance(caught.value, DataError)
    assert caught.value.path == path


def test_other_predictors_are_named_and_nothing_is_changed() -> None:
    program = tuned()
    state = program.dump_state()
    state["other"] = state.pop("label")

    with pytest.raises(DataError, match="lacks 'label' and has 'other'"):
        program.load_state(state)

    assert program.dump_state() == tuned().dump_state()


def test_a_state_that_breaks_off_half_way_changes_nothing() -> None:
    program = Two()
    state = tuned().dump_state()
    state["think.predict"]["demos"] = [{"question": "new"}]
    state["label"] = {"demos": []}

    with pytest.raises(DataError):
        program.load_state(state)

    assert program.dump_state() == Two().dump_state()


def test_addresses_and_keys_in_a_file_are_ignored_with_a_warning(
    made: list[Mapping[str, Any]],
) -> None:
    state = Predict("a -> b").dump_state()
    state["lm"] = {
        "model": "openai/gpt-4o-mini",
        "api_base": "http://elsewhere",
        "allow_insecure": True,
        "api_key": "sk-secret",
        "proxy": "http://me:sk-secret@elsewhere",
        "seed": 1,
    }

    with pytest.warns(
        UserWarning, match="'allow_insecure', 'api_base', 'api_key', 'proxy'"
    ) as caught:
        predict = Predict("a -> b").load_state(state)

    assert predict.lm is not None
    assert made == [{"model": "openai/gpt-4o-mini", "seed": 1}]
    assert "sk-secret" not in str(caught[0].message)


def test_without_a_factory_the_configured_model_is_kept_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dspex.programs.saving.state._lm_factory", None)
    state = Predict("a -> b").dump_state()
    state["lm"] = {"model": "openai/gpt-4o-mini"}

    with pytest.warns(UserWarning, match="nothing here can make it"):
        predict = Predict("a -> b").load_state(state)

    assert predict.lm is None


def test_a_state_of_another_program_is_a_key_error_as_in_dspy() -> None:
    state = {"label": Two().dump_state()["label"], "more": {}}

    with pytest.raises(KeyError, match=r"lacks 'think\.predict'") as caught:
        Two().load_state(state)

    assert isinstance(caught.value, StateError)
    assert caught.value.missing == ("think.predict",)
    assert caught.value.unknown == ("more",)
    assert str(caught.value).startswith("the state does not belong")


@pytest.mark.parametrize("state", [None, [], "x", 3])
def test_what_is_no_mapping_is_no_state(state: Any) -> None:
    with pytest.raises(DataError, match="none of a program"):
        Two().load_state(state)


def test_the_address_is_taken_from_a_file_that_is_trusted_and_no_key_is(
    made: list[Mapping[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "program.json"
    state = Two().dump_state()
    state["label"]["lm"] = {
        "model": "openai/gpt-4o-mini",
        "base_url": "http://elsewhere",
        "api_key": "sk-secret",
    }
    path.write_text(json.dumps(state), encoding="utf-8")

    with pytest.warns(UserWarning, match="says 'api_key' for the model"):
        Two().load(path, allow_pickle=True, allow_unsafe_lm_state=True)

    assert made[-1] == {"model": "openai/gpt-4o-mini", "api_base": "http://elsewhere"}


@pytest.mark.parametrize("trusted", [False, True])
def test_a_model_of_somebodys_own_class_is_never_looked_up(
    made: list[Mapping[str, Any]], trusted: bool
) -> None:
    state = Predict("a -> b").dump_state()
    state["lm"] = {"_dspy_lm_class": "os.system", "model": "true"}

    with pytest.warns(UserWarning, match="of the class 'os.system'"):
        predict = Predict("a -> b").load_state(state, allow_unsafe_lm_state=trusted)

    assert predict.lm is None
    assert made == []


def test_the_adapter_of_a_model_stands_where_dspy_does_not_send_it(
    made: list[Mapping[str, Any]],
) -> None:
    predict = Predict("a -> b")
    predict.lm = LM("openai/gpt-4o-mini", api_key="sk-test", adapter="line")

    state = predict.dump_state()
    Predict("a -> b").load_state(state)

    assert "adapter" not in state["lm"]
    assert [each["adapter"] for each in made] == ["line"]


@pytest.mark.parametrize(
    "content", ['{"a": NaN}', '{"a": ' + "9" * 5000 + "}", "\udcff", ""]
)
def test_odd_json_is_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(DataError, match=r"odd\.json") as caught:
        Two().load(path)

    assert caught.value.path == path


def test_a_file_with_a_byte_order_mark_loads(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    tuned().save(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert Two().load(path).dump_state() == tuned().dump_state()


def test_a_frozen_sub_program_keeps_its_state_out_of_the_file() -> None:
    program = tuned()
    program.think._compiled = True

    assert list(program.dump_state()) == ["label"]
    assert list(program.load_state(program.dump_state()).dump_state()) == ["label"]


def test_what_a_file_of_a_newer_dspy_holds_besides_is_told() -> None:
    state = {**Predict("a -> b").dump_state(), "fields": {"b": {}}, "empty": {}}

    with pytest.warns(UserWarning, match="has 'fields', which dspex does not know"):
        Predict("a -> b").load_state(state)
