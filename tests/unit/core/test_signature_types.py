"""Which type a name in a signature's text means."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import sys
import types
import typing
from typing import Annotated, Any, NewType, Optional

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex import Predict
from dspex.core._caller_types import OWN_TYPES, is_type
from dspex.core.errors import SignatureError
from dspex.core.signature import Signature, make_signature
from dspex.core.types.code import Code
from dspex.core.types.image import Image


class Report(pydantic.BaseModel):
    class Part(pydantic.BaseModel):
        text: str

    title: str


class Risk(enum.Enum):
    HIGH = "high"


Reports = list[Report]
UserId = NewType("UserId", int)


def output_of(signature: type[Signature]) -> Any:
    return signature.output_fields["b"].annotation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Report", Report),
        ("Report.Part", Report.Part),
        ("list[Report]", list[Report]),
        ("Risk | None", Optional[Risk]),  # noqa: UP045 - what the text is made into
        ("Reports", list[Report]),
        ("UserId", UserId),
        ("dt.date", dt.date),
        ("dict[str, list[dt.date]]", dict[str, list[dt.date]]),
    ],
)
def test_types_of_the_callers_module_are_found(text: str, expected: Any) -> None:
    assert output_of(make_signature(f"a -> b: {text}")) == expected


def test_a_class_of_the_callers_function_is_found_also_through_a_program() -> None:
    @dataclasses.dataclass
    class Local:
        value: int

    assert output_of(make_signature("a -> b: Local")) is Local
    assert output_of(Predict("a -> b: Local").signature) is Local


def test_a_type_of_a_callers_caller_is_found() -> None:
    class Outer:
        pass

    def helper() -> Any:
        return output_of(make_signature("a -> b: Outer"))

    # A function of another module, which knows nothing of `Outer`.
    elsewhere = types.FunctionType(helper.__code__, {**globals()}, closure=())

    assert elsewhere() is Outer


def test_the_nearest_type_wins() -> None:
    class Report:
        pass

    assert output_of(make_signature("a -> b: Report")) is Report


def test_custom_types_win_over_what_is_in_sight() -> None:
    signature = make_signature("a -> b: Report", custom_types={"Report": int})

    assert output_of(signature) is int


def test_pythons_own_types_win_over_what_is_in_sight() -> None:
    list = Report  # noqa: A001 - the shadow is what is tested

    assert output_of(make_signature("a -> b: list[int]")) != list
    assert output_of(make_signature("a -> b: list")) is not Report


@pytest.mark.parametrize(
    "text", ["text", "output_of", "typing", "Risk.HIGH", "sys.maxsize"]
)
def test_what_is_no_type_is_not_taken(text: str) -> None:
    with pytest.raises(SignatureError, match="unknown type") as caught:
        make_signature(f"a -> b: {text}")

    shown, caret = str(caught.value).splitlines()[-2:]
    assert shown[caret.index("^") :] == text


def test_classes_of_dspex_itself_are_not_in_sight() -> None:
    with pytest.raises(SignatureError, match="unknown type 'TextSides'"):
        make_signature("a -> b: TextSides")


def test_a_variable_that_is_no_type_hides_none() -> None:
    Report = "a text"  # noqa: N806 - the shadow is what is tested

    assert Report
    assert output_of(make_signature("a -> b: Report")).__name__ == "Report"


def test_private_names_of_a_class_are_not_reached() -> None:
    with pytest.raises(SignatureError, match="unknown type"):
        make_signature("a -> b: Report.__class__")


def test_looking_a_name_up_runs_no_code_of_the_text() -> None:
    called = []

    class Trap:
        def __class_getitem__(cls, item: Any) -> Any:
            called.append(item)
            return int

    with pytest.raises(SignatureError):
        make_signature("a -> b: Trap()")

    assert called == []
    assert output_of(make_signature("a -> b: Trap[str]")) is int


def test_a_dotted_name_may_start_with_a_module_that_is_loaded() -> None:
    found = output_of(make_signature("a -> b: decimal.Decimal"))

    assert found is sys.modules["decimal"].Decimal


def test_no_module_is_loaded_for_a_name() -> None:
    rare = "xml.etree.ElementTree.Element"
    with pytest.MonkeyPatch.context() as patch:
        for loaded in [name for name in sys.modules if name.startswith("xml")]:
            patch.delitem(sys.modules, loaded)

        with pytest.raises(SignatureError, match="unknown type"):
            make_signature(f"a -> b: {rare}")

        assert "xml" not in sys.modules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MutableMapping[str, int]", typing.MutableMapping[str, int]),
        ("Deque[int]", typing.Deque[int]),  # noqa: UP006 - what the text is made into
        ("Text", str),
    ],
)
def test_rarer_names_of_typing_are_known(text: str, expected: Any) -> None:
    assert output_of(make_signature(f"a -> b: {text}")) == expected


@pytest.mark.parametrize("package", ["dspex", "dspy"])
@pytest.mark.parametrize("name", OWN_TYPES)
def test_own_types_are_known_by_their_dotted_names(package: str, name: str) -> None:
    found = output_of(make_signature(f"a -> b: {package}.{name}"))

    assert found.__name__ == name
    assert found.__module__.startswith("dspex.core.types.")


def test_own_types_are_known_inside_of_others() -> None:
    signature = make_signature("a: list[dspex.Image] -> b: dspex.Code['sql'] | None")

    assert signature.input_fields["a"].annotation == list[Image]
    assert set(typing.get_args(output_of(signature))) == {
        Code.__class_getitem__("sql"),
        type(None),
    }


def test_an_unknown_type_of_dspex_is_refused() -> None:
    with pytest.raises(SignatureError, match=r"unknown type 'dspex\.Picture'"):
        make_signature("a -> b: dspex.Picture")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (int, True),
        (list[int], True),
        (int | str, True),
        (Optional[int], True),  # noqa: UP045 - another kind than int | None
        (Annotated[int, 0], True),
        (UserId, True),
        ("int", False),
        (types, False),
        (None, False),
    ],
)
def test_types_are_told_from_other_values(value: Any, *, expected: bool) -> None:
    assert is_type(value) is expected


NAMES = st.sampled_from(
    [
        *("int", "list", "dict", "tuple", "Literal", "Optional", "Union", "None"),
        *("Callable", "Type", "Report", "Risk", "UserId", "typing.Any", "dspex.Code"),
        *("'a'", "3", "...", "Nowhere", "lambda", "(int)", "Risk.HIGH", "#"),
        *("\ud800", "\0"),
    ]
)
TYPES = st.recursive(
    NAMES,
    lambda inner: (
        st.tuples(inner, st.lists(inner, min_size=1, max_size=2)).map(
            lambda parts: f"{parts[0]}[{', '.join(parts[1])}]"
        )
        | st.tuples(inner, inner).map(" | ".join)
    ),
    max_leaves=5,
)


@given(TYPES.map("a -> b: {}".format) | st.text())
def test_every_text_is_a_signature_or_a_signature_error(text: str) -> None:
    try:
        signature = make_signature(text)
    except SignatureError as error:
        message = str(error)
    else:
        message = signature.signature

    assert message
