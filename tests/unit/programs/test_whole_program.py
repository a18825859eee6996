"""Programs saved whole, to a folder, and made again without their constructor."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import gc
import json
import threading
import weakref
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

import dspex
from dspex.core.errors import ConfigurationError, DataError
from dspex.core.example import Example
from dspex.core.fields import InputField, OutputField
from dspex.core.prediction import Prediction
from dspex.core.signature import Signature
from dspex.core.types.code import Code
from dspex.core.types.history import History
from dspex.core.types.image import Image
from dspex.core.types.tool import Tool
from dspex.programs import ChainOfThought, Predict, Program
from dspex.programs.best_of_n import BestOfN
from dspex.programs.react import ReAct
from dspex.programs.refine import Refine
from dspex.programs.saving.made_parts import PartsReader
from dspex.programs.saving.parts import PartsWriter
from dspex.programs.saving.trust import Trust
from dspex.programs.saving.whole_program import load_program
from tests.unit.programs.fakes import FakeLM

JAVA: Any = Code["java"]  # type: ignore[misc] # the name of a language, not a type


class Colour(enum.Enum):
    RED = "red"


class Item(BaseModel):
    name: str = Field(alias="Name")
    when: dt.date | None = None


@dataclass
class Point:
    x: int


class Judge(Signature):
    """Say what it is."""

    items: list[Item] = InputField(min_length=1, desc="What there is.")
    colour: Colour | None = InputField(default=Colour.RED)
    picture: Image = InputField()
    code: JAVA = InputField()
    word: Literal["a", 1] | None = OutputField()
    sure: Annotated[float, annotated_types.Ge(0)] = OutputField(le=1)
    points: dict[str, tuple[Point, ...]] = OutputField()
    small: list[Annotated[int, annotated_types.Lt(5)]] = OutputField()


def double(x: int) -> int:
    """Twice as many."""
    return 2 * x


class Helper:
    """A plain object that a program holds."""

    def __init__(self) -> None:
        self.limit = 3


class Whole(Program):
    """A program with a bit of everything."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.think = ChainOfThought("question: list[int] -> answer: float", n=2)
        self.judge = Predict(Judge, temperature=0.5)
        self.judge.demos = [
            Example(items=[Item(Name="a")], word="a").with_inputs("items"),
            {"items": [], "augmented": True},
        ]
        self.steps = (self.think, {"judge": self.judge, 3: None})
        self.tool = Tool(double, name="twice", retry=False)
        self.helper = Helper()
        self.itself = self

    def forward(self, **inputs: Any) -> Any:
        return self.think(**inputs)


ALLOWED: list[Any] = [Whole, Item, Colour, Point, Helper, double]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "program.v1"


def test_dspexs_own_programs_load_without_being_allowed(folder: Path) -> None:
    program = ChainOfThought("question -> answer", temperature=0.5)
    program.predict.demos = [{"question": "1", "answer": "2"}]
    program.predict.adapter = dspex.LineAdapter()
    program.save(folder, save_program=True)

    loaded = load_program(folder)

    assert type(loaded) is ChainOfThought
    assert loaded.dump_state() == program.dump_state()
    assert loaded.predict.config == {"temperature": 0.5}
    assert loaded.predict.signature.equals(program.predict.signature)
    assert isinstance(loaded.predict.adapter, dspex.LineAdapter)


def test_a_signature_that_is_still_there_is_used_again(folder: Path) -> None:
    program = ChainOfThought(Judge)
    program.save(folder, save_program=True)

    loaded = load_program(folder, allow=ALLOWED)

    assert isinstance(loaded, ChainOfThought)
    assert loaded.predict.signature == program.predict.signature


def test_a_signature_that_changed_since_is_made_anew(folder: Path) -> None:
    program = Predict("question -> answer")
    program.save(folder, save_program=True)
    program.signature.instructions = "Now something else."

    loaded = load_program(folder)

    assert isinstance(loaded, Predict)
    assert loaded.signature.instructions != "Now something else."


def test_a_signature_is_forgotten_with_its_last_program(folder: Path) -> None:
    program = Predict("question, forgotten_soon -> answer")
    program.save(folder, save_program=True)
    there = weakref.ref(program.signature)

    del program
    gc.collect()

    assert there() is None


def test_a_program_of_ones_own_comes_back_with_all_it_holds(folder: Path) -> None:
    program = Whole()
    program.save(folder, save_program=True)
    made = Whole.made

    loaded = load_program(folder, allow=ALLOWED)

    assert isinstance(loaded, Whole)
    assert Whole.made == made
    assert loaded.dump_state() == program.dump_state()
    assert loaded.judge.demos == program.judge.demos
    assert loaded.judge.demos[0].inputs().keys() == ["items"]
    assert loaded.judge.signature.equals(Judge)
    assert loaded.helper.limit == 3
    assert (loaded.tool.name, loaded.tool(x=4)) == ("twice", 8)
    assert not loaded.tool.retry


def test_a_program_with_tools_needs_its_tools_allowed_and_nothing_else(
    folder: Path,
) -> None:
    program = ReAct("question -> answer", tools=[double])
    program.save(folder, save_program=True)

    loaded = load_program(folder, allow=[double])

    assert isinstance(loaded, ReAct)
    assert loaded.tools.keys() == program.tools.keys()
    assert loaded.tools["double"](x=2) == 4
    assert loaded.react.signature.equals(program.react.signature)


def plus(point: Point, y: int) -> int:
    return point.x + y


def reward(_inputs: Any, answer: Prediction) -> bool:
    return bool(answer.answer == "yes")


@pytest.mark.parametrize("kind", [BestOfN, Refine])
def test_a_program_that_judges_its_answers_comes_back(
    folder: Path, kind: type[BestOfN]
) -> None:
    program = kind(Predict("question -> answer"), 3, reward, threshold=1.0)
    program.save(folder, save_program=True)

    loaded = load_program(folder, allow=[reward])

    assert isinstance(loaded, kind)
    assert loaded.reward_fn({}, Prediction(answer="yes"))
    assert (loaded.N, loaded.threshold) == (3, 1.0)


def test_arguments_that_a_function_has_already_come_back(folder: Path) -> None:
    program = Predict("a -> b")
    program.extra = functools.partial(plus, Point(x=1), y=2)  # type: ignore[attr-defined] # any attribute may be there
    program.save(folder, save_program=True)

    loaded: Any = load_program(folder, allow=[plus, Point])

    assert loaded.extra() == 3


def test_callbacks_and_history_are_not_saved(folder: Path) -> None:
    program = Predict("a -> b", callbacks=[threading.Lock()])
    program.save(folder, save_program=True)

    loaded = load_program(folder)

    assert loaded.callbacks == []
    assert len(loaded.history) == 0


def test_what_was_one_object_is_one_again(folder: Path) -> None:
    Whole().save(folder, save_program=True)

    loaded = load_program(folder, allow=[__name__])

    assert isinstance(loaded, Whole)
    assert loaded.itself is loaded
    assert loaded.steps[0] is loaded.think
    assert loaded.steps[1] == {"judge": loaded.judge, 3: None}


def test_models_come_back_by_their_state_and_shared_ones_shared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Two(Program):
        def __init__(self) -> None:
            self.first, self.second = Predict("a -> b"), Predict("a -> b")

    program = Two()
    program.set_lm(FakeLM("x"))
    program.save(folder, save_program=True)
    monkeypatch.setattr(
        "dspex.programs.saving.state._lm_factory", lambda _: FakeLM("y")
    )

    loaded = load_program(folder, allow=[Two])

    assert isinstance(loaded, Two)
    assert loaded.first.lm is loaded.second.lm is not None


def test_dspex_load_of_a_folder_is_the_program(folder: Path) -> None:
    Predict("a -> b").save(folder, save_program=True)

    assert isinstance(dspex.load(str(folder)), Predict)
    assert isinstance(dspex.load(folder, allow_pickle=True), Predict)
    assert isinstance(dspex.load(folder, allow=[]), Predict)
    with pytest.raises(ConfigurationError, match="a folder is a saved program"):
        dspex.load(folder, inputs=["a"])


def test_saving_again_replaces_the_program(folder: Path) -> None:
    Predict("a -> b").save(folder, save_program=True)
    Predict("c -> d").save(folder, save_program=True)

    assert repr(load_program(folder)) == "Predict(c -> d)"
    assert [file.name for file in folder.iterdir()] == ["program.json"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (threading.Lock(), r"program\.extra is a _thread\.lock"),
        (threading.Event(), r"program\.extra\._cond"),
        ([{"deep": lambda: 1}], r"program\.extra\[0\]\['deep'\] is a lambda"),
        (functools.partial(max, key=iter([])), r"list_iterator|builtin_function"),
        (json, r"program\.extra is a builtins\.module"),
        (Predict("a -> b").reset, "method, which a file cannot hold"),
        (iter([]), "list_iterator, which a file cannot hold"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_file_cannot_hold_is_named_and_nothing_is_written(
    folder: Path, value: Any, message: str
) -> None:
    program = Predict("a -> b")
    program.extra = value  # type: ignore[attr-defined] # any attribute may be there

    with pytest.raises(DataError, match=message):
        program.save(folder, save_program=True)

    assert not folder.exists()


def test_a_list_that_holds_itself_is_refused(folder: Path) -> None:
    program = Predict("a -> b")
    program.demos = [[program.demos]]
    program.demos[0].append(program.demos)

    with pytest.raises(DataError, match=r"program\.demos\[0\]\[1\] holds itself"):
        program.save(folder, save_program=True)


def test_what_is_nested_without_end_is_refused(folder: Path) -> None:
    program = Predict("a -> b")
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    program.demos = deep

    with pytest.raises(DataError, match="nested less deeply"):
        program.save(folder, save_program=True)


@pytest.mark.parametrize(
    ("annotation", "field", "message"),
    [
        (list, InputField(default_factory=list), "makes its default with a function"),
        (Annotated[int, annotated_types.Predicate(bool)], InputField(), "checked by"),
        (dt.date, InputField(ge=dt.date(2026, 1, 2)), "checked by"),
        (float, InputField(le=float("inf")), "checked by"),
        (Literal[b"a"], InputField(), "has the choice b'a'"),
        (st.SearchStrategy[int], InputField(), "has the type"),
    ],
)
def test_a_signature_that_a_file_cannot_hold_is_named(
    folder: Path, annotation: Any, field: Any, message: str
) -> None:
    signature = Judge.append("more", field, annotation)

    with pytest.raises(DataError, match=f"field 'more'.*{message}"):
        Predict(signature).save(folder, save_program=True)


@pytest.mark.parametrize("name", ["program.json", "program.pkl"])
def test_a_whole_program_is_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a directory"):
        Predict("a -> b").save(tmp_path / name, save_program=True)


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_text("mine")

    with pytest.raises(ConfigurationError, match="must be a directory"):
        Predict("a -> b").save(path, save_program=True)

    assert path.read_text() == "mine"


def test_code_does_not_go_into_the_file(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="names its code and never holds it"):
        Predict("a -> b").save(folder, save_program=True, modules_to_serialize=[json])


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.dates()
    | st.timedeltas()
    | st.uuids()
    | st.sampled_from(
        [
            *(Colour.RED, Item(Name="a"), Point(x=1), Decimal("1.50")),
            *(Path("/a"), Image("https://example.com/a.png"), str, list[int]),
            *(History(messages=[{"q": "a"}]), double, Point, int | None),
        ]
    ),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.dictionaries(st.text(), inner).map(Example)
        | st.dictionaries(st.sampled_from(["class", "same", "lm"]), inner).map(
            Prediction
        )
        | st.frozensets(st.integers())
    ),
    max_leaves=8,
)


@given(VALUES)
def test_any_value_comes_back_as_it_was(value: Any) -> None:
    node = json.loads(json.dumps(PartsWriter().node(value, "value")))
    reader = PartsReader(Trust(modules=frozenset({__name__})))

    made = reader.part(node)

    assert made == value
    assert type(made) is type(value)
