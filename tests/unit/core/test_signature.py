from __future__ import annotations

import enum
from pathlib import PurePath
from typing import Any, Literal, NewType, Optional, TypeVar, Union

import pydantic
import pytest

from dspex.core.errors import SignatureError
from dspex.core.fields import (
    FieldDeclarationError,
    InputField,
    OutputField,
    extra_of,
)
from dspex.core.signature import (
    Signature,
    ensure_signature,
    infer_prefix,
    make_signature,
)


class Address(pydantic.BaseModel):
    street: str

    class Zone(enum.Enum):
        NORTH = "north"


class Rate(Signature):
    """Rate the review.

    Be fair.
    """

    review: str = InputField(desc="What a customer wrote.")
    stars: int = OutputField(ge=1, le=5)
    why = OutputField()


def annotation_of(text: str, **custom_types: Any) -> Any:
    signature = make_signature(f"a -> b: {text}", custom_types=custom_types)
    return signature.output_fields["b"].annotation


def test_text_gives_fields_in_order_with_str_as_the_default_type() -> None:
    signature = make_signature("a, b: list[int] -> c: dict[str, int], d")

    assert list(signature.fields) == ["a", "b", "c", "d"]
    assert list(signature.input_fields) == ["a", "b"]
    assert [f.annotation for f in signature.fields.values()] == [
        str,
        list[int],
        dict[str, int],
        str,
    ]
    assert signature.signature == "a, b -> c, d"
    assert signature.__name__ == "StringSignature"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("str | None", Optional[str]),  # noqa: UP045 - the form under test
        ("None | int", Optional[int]),  # noqa: UP045 - the form under test
        ("Optional[float]", Optional[float]),  # noqa: UP045 - the form under test
        ("Union[int, list[str]]", Union[int, list[str]]),  # noqa: UP007 - the same
        ("int | (str | bool)", int | str | bool),
        ("Literal['x', 'a -> b', -1, True]", Literal["x", "a -> b", -1, True]),
        ("tuple[int, ...]", tuple[int, ...]),
        ("typing.Any", Any),
        ("list", list),
        ("None", type(None)),
        ("set[frozenset[bytes]]", set[frozenset[bytes]]),
    ],
)
def test_types_of_the_text(text: str, expected: Any) -> None:
    assert annotation_of(text) == expected


def test_calling_signature_makes_one_as_dspy_does() -> None:
    # To mypy, calling a class gives an instance of it; make_signature() is typed.
    call: Any = Signature

    called = call("a: Address -> b", "Do.", custom_types={"Address": Address})

    assert called.equals(
        make_signature("a: Address -> b", "Do.", custom_types={"Address": Address})
    )
    assert issubclass(called, Signature)


def test_own_types_come_from_custom_types_dotted_ones_too() -> None:
    assert annotation_of("list[Address]", Address=Address) == list[Address]
    assert annotation_of("Address.Zone", Address=Address) is Address.Zone
    assert annotation_of("p.Path", **{"p.Path": PurePath}) is PurePath
    assert annotation_of("str", str=int) is int


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no arrow"),
        ("question", "no arrow"),
        ("a -> b -> c", "2 arrows"),
        ("a -> ", "no output"),
        ("value -> value", "distinct names"),
        ("a, a -> b", "'a' stands twice"),
        ("a: Foo -> b", "unknown type 'Foo'.*custom_types={'Foo': ...}"),
        ("a: list[Foo] -> b", "unknown type 'Foo'"),
        ("a: A.B -> b", "unknown type 'A.B'"),
        ("a: str.__class__ -> b", "unknown type"),
        ("a: __import__('os') -> b", "unknown type"),
        ("a: 'str' -> b", "unknown type"),
        ("a: int[str] -> b", "is no type"),
        ("a: Literal[x] -> b", "cannot stand in Literal"),
        ("a: Literal[1.5] -> b", "cannot stand in Literal"),
        ("1a -> b", "cannot be read as fields"),
        ("class -> b", "cannot be read as fields"),
        ("a b -> c", "cannot be read as fields"),
        ("a,, b -> c", "cannot be read as fields"),
        ("a=1 -> b", "cannot be read as fields"),
        ("*a -> b", "cannot be read as fields"),
        ("a, / -> b", "cannot be read as fields"),
        ("a): pass # -> b", "cannot be read as fields"),
        ("a\0 -> b", "cannot be read as fields"),
        ("a: list[] -> b", "cannot be read as fields"),
        ("_a -> b", "start neither with '_'"),
        ("a -> dspy_b", "nor with 'dspy_'"),
        ("lm -> b", "reserved name"),
        ("a, demos -> b", "reserved name"),
        ("a -> fields", "reserved name"),
        ("instructions -> b", "reserved name"),
        (f"a: {'list[' * 500}int{']' * 500} -> b", "cannot be read|nested too deeply"),
        (f"a: {'|'.join(['int'] * 50_000)} -> b", "nested too deeply"),
    ],
)
def test_wrong_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(SignatureError, match=message) as caught:
        make_signature(text)

    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(
    ("text", "pointed_at"),
    [
        ("a: Foo -> b", "Foo"),
        ("é: str, x: Foo -> b", "Foo"),
        ("a -> b, c: dict[str, Foo]", "Foo"),
        ("a -> b -> c", "-> c"),
        ("a\n,b:\tFoo -> c", "Foo"),
        (f"a, {'x' * 200}: Foo -> b", "Foo"),
    ],
)
def test_a_caret_points_at_the_place(text: str, pointed_at: str) -> None:
    with pytest.raises(SignatureError) as caught:
        make_signature(text)

    shown, caret = str(caught.value).splitlines()[-2:]
    assert shown[caret.index("^") :].startswith(pointed_at)


def test_an_unknown_type_lists_the_known_ones() -> None:
    with pytest.raises(SignatureError, match=r"str, int, float, bool, list") as caught:
        make_signature("a: Words -> b")

    assert "Literal" in str(caught.value)


def test_an_output_may_have_a_name_reserved_for_inputs() -> None:
    assert list(make_signature("a -> config").output_fields) == ["config"]


def test_fields_by_name_with_and_without_type() -> None:
    signature = make_signature({"a": InputField(), "b": (int, OutputField())}, "Do it.")

    assert signature.fields["a"].annotation is str
    assert signature.fields["b"].annotation is int
    assert signature.instructions == "Do it."


@pytest.mark.parametrize(
    "wrong", [{"a": 1}, {1: InputField()}, {"a b": OutputField()}, 5, None, ["a"]]
)
def test_what_is_neither_text_nor_fields_is_refused(wrong: Any) -> None:
    with pytest.raises(SignatureError):
        make_signature(wrong)


@pytest.mark.parametrize(
    "value",
    [[str], ["a", "b"], {"a": int}, (int, str), 3, b"x", Address.Zone.NORTH, len],
    ids=repr,
)
@pytest.mark.parametrize(
    "declare",
    [
        lambda value: make_signature({"a": (value, InputField())}),
        lambda value: Rate.append("a", OutputField(), value),
        lambda value: Rate.with_updated_fields("stars", value),
        lambda value: type(
            "Tags", (Signature,), {"__annotations__": {"a": value}, "a": InputField()}
        ),
    ],
    ids=["mapping", "append", "update", "class"],
)
def test_a_value_in_place_of_a_type_is_refused_at_once(
    declare: Any, value: Any
) -> None:
    with pytest.raises(SignatureError, match="which is a value; a type was expected"):
        declare(value)


@pytest.mark.parametrize(
    "kind",
    [Any, int | None, list[int], Literal["a"], TypeVar("T"), NewType("Number", int)],
    ids=repr,
)
def test_all_that_python_calls_a_type_is_one(kind: Any) -> None:
    signature = Rate.append("more", OutputField(), kind)

    assert signature.fields["more"].annotation == kind


def test_class_form_reads_docstring_types_and_extras() -> None:
    assert Rate.instructions == "Rate the review.\n\nBe fair."
    assert {name: f.annotation for name, f in Rate.fields.items()} == {
        "review": str,
        "stars": int,
        "why": str,
    }
    assert Rate.input_fields["review"].json_schema_extra == {
        "desc": "What a customer wrote.",
        "prefix": "Review:",
        "__dspy_field_type": "input",
    }
    stars = Rate.output_fields["stars"].json_schema_extra
    assert isinstance(stars, dict)
    assert (
        stars["constraints"] == "greater than or equal to: 1, less than or equal to: 5"
    )


def test_string_annotations_resolve_names_of_the_enclosing_function() -> None:
    class Local(pydantic.BaseModel):
        x: int

    class Find(Signature):
        text: str = InputField()
        found: list[Local] | None = OutputField()

    assert Find.output_fields["found"].annotation == list[Local] | None


def test_untyped_fields_keep_the_order_of_the_class() -> None:
    class Mixed(Signature):
        a: int = InputField()
        b = InputField()
        c: str = InputField()
        d = OutputField()

    assert list(Mixed.fields) == ["a", "b", "c", "d"]


def test_a_field_without_a_side_is_a_signature_error_and_a_type_error() -> None:
    with pytest.raises(
        FieldDeclarationError, match=r"'a' of Bare is neither"
    ) as caught:

        class Bare(Signature):
            a: int

    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, SignatureError)
    with pytest.raises(TypeError):

        class Plain(Signature):
            a: int = pydantic.Field()


def test_an_annotation_nobody_can_resolve_is_named() -> None:
    class Lost(Signature):
        a: Nowhere = InputField()  # type: ignore[name-defined] # noqa: F821 - the test

    with pytest.raises(SignatureError, match=r"'a' in Lost is unknown.*Nowhere"):
        ensure_signature(Lost)


def test_names_of_the_place_where_types_are_looked_up_are_no_types() -> None:
    class Lost(Signature):
        a: sides_of = InputField()  # type: ignore[name-defined] # noqa: F821 - the test

    with pytest.raises(SignatureError, match=r"'a' in Lost is unknown"):
        _ = Lost.fields


class Early(Signature):
    """Find them."""

    text: str = InputField()
    found: list[Later] = OutputField(desc="all of them", max_length=3)


class Earlier(Early):
    more: Later | None = OutputField()


class Later(pydantic.BaseModel):
    name: str


def test_a_type_may_be_defined_below_the_signature() -> None:
    assert Early.signature == "text -> found"

    found = Early.fields["found"]

    assert found.annotation == list[Later]
    assert extra_of(found)["desc"] == "all of them"
    assert extra_of(found)["constraints"] == "maximum length: 3"
    assert Earlier.output_fields["more"].annotation == Later | None
    assert Earlier.instructions == "Find them."


def test_reserved_and_private_names_are_refused_in_classes() -> None:
    with pytest.raises(SignatureError, match="reserved name"):

        class Reserved(Signature):
            demos: str = InputField()

    with pytest.raises(SignatureError, match="start neither"):

        class Private(Signature):
            _a: str = InputField()


def test_fields_may_be_called_like_methods_of_pydantic() -> None:
    signature = make_signature("copy, schema -> json, append, keys")

    assert list(signature.output_fields) == ["json", "append", "keys"]
    assert "copy" in signature.instructions


def test_a_subclass_inherits_written_instructions_only() -> None:
    class More(Rate):
        advice: str = OutputField()

    class Quiet(Signature):
        a: str = InputField()

    class Wider(Quiet):
        b: str = OutputField()

    assert More.instructions == Rate.instructions
    assert list(More.output_fields) == ["stars", "why", "advice"]
    assert Wider.instructions == "Read `a` and give `b`."


def test_a_signature_can_hold_values() -> None:
    signature: Any = make_signature("a -> b: int")

    assert signature(a="x", b=1).b == 1
    with pytest.raises(pydantic.ValidationError):
        signature(a="x", b="many")


def test_default_instructions_name_the_fields() -> None:
    assert make_signature("a, b -> c").instructions == "Read `a`, `b` and give `c`."
    assert make_signature("-> c").instructions == "Give `c`."


def test_instructions_can_be_set_on_a_class() -> None:
    signature = make_signature("a -> b")

    signature.instructions = "Do."

    assert signature.instructions == "Do."


def test_instructions_written_to_the_docstring_are_seen_as_well() -> None:
    signature = make_signature("a -> b", "Old.")
    before = signature.instructions

    signature.__doc__ = "New."

    assert before == "Old."
    assert signature.instructions == "New."


def test_a_dict_of_fields_can_be_changed_without_changing_the_signature() -> None:
    signature = make_signature("a -> b")

    for fields in (signature.fields, signature.input_fields, signature.output_fields):
        fields.clear()

    assert signature.signature == "a -> b"
    assert list(signature.fields) == ["a", "b"]
    assert list(signature.input_fields) == ["a"]
    assert list(signature.output_fields) == ["b"]


def test_fields_are_sorted_once_for_each_class() -> None:
    base = make_signature("a -> b")
    assert list(base.fields) == ["a", "b"]

    class More(base):  # type: ignore[misc, valid-type] # the class is made above
        c: int = OutputField()

    assert More.signature == "a -> b, c"
    assert base.signature == "a -> b"
    assert More.output_fields["c"] is More.output_fields["c"]


def test_the_repr_shows_instructions_and_fields() -> None:
    shown = repr(make_signature("a: int -> b", "Do it."))

    first, instructions, a, b, last = shown.splitlines()
    assert (first, last) == ("StringSignature(a -> b", ")")
    assert instructions == "    instructions='Do it.'"
    assert a.startswith("    a = Field(annotation=int")
    assert b.startswith("    b = Field(annotation=str")


def test_constraints_are_kept_in_words() -> None:
    field = OutputField(gt=0, multiple_of=5, allow_inf_nan=False)

    assert field.json_schema_extra["constraints"] == (
        "greater than: 0, multiple of: 5, infinity and NaN allowed: False"
    )


@pytest.mark.parametrize("name", ["format", "parser"])
@pytest.mark.parametrize("declare", [InputField, OutputField])
def test_an_argument_without_effect_is_warned_of(declare: Any, name: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"{name}= of a field has no effect"):
        field = declare(**{name: str})

    assert field.json_schema_extra[name] is str


def test_changes_return_new_signatures_and_leave_the_old() -> None:
    old = make_signature("a -> b", "Do.")

    told = old.with_instructions("Else.")
    more = old.append_instructions("  And more.")
    field = old.with_updated_fields("a", int, desc="A number.", prefix="N:")

    assert told.instructions == "Else."
    assert more.instructions == "Do.\n\nAnd more."
    assert field.fields["a"].annotation is int
    assert field.dump_state()["fields"][0] == {
        "prefix": "N:",
        "description": "A number.",
    }
    assert old.instructions == "Do."
    assert old.equals(make_signature("a -> b", "Do."))


def test_updating_an_absent_field_lists_the_fields() -> None:
    with pytest.raises(SignatureError, match=r"no field 'x'.*'a', 'b'"):
        make_signature("a -> b").with_updated_fields("x", desc="?")


def test_fields_are_added_on_their_own_side() -> None:
    old = make_signature("a, b -> c")

    assert old.prepend("x", InputField()).signature == "x, a, b -> c"
    assert old.append("x", InputField(), int).signature == "a, b, x -> c"
    assert old.prepend("x", OutputField()).signature == "a, b -> x, c"
    assert old.insert(1, "x", InputField()).signature == "a, x, b -> c"
    assert old.insert(-2, "x", InputField()).signature == "a, x, b -> c"
    assert old.append("a", OutputField()).signature == "b -> c, a"
    assert old.append("x", InputField(), int).fields["x"].annotation is int


def test_inserting_out_of_range_or_without_side_is_refused() -> None:
    with pytest.raises(SignatureError, match=r"index 4 is outside the input fields"):
        make_signature("a -> b").insert(4, "x", InputField())
    with pytest.raises(FieldDeclarationError):
        make_signature("a -> b").insert(0, "x", pydantic.Field())


def test_deleting_an_absent_field_changes_nothing() -> None:
    old = make_signature("a, b -> c")

    assert old.delete("b").signature == "a -> c"
    assert old.delete("x").equals(old)


def test_equality_looks_at_instructions_types_texts_and_order() -> None:
    base = make_signature("a, b -> c", "Do.")

    assert base.equals(make_signature("a, b -> c", "Do."))
    assert not base.equals(make_signature("b, a -> c", "Do."))
    assert not base.equals(make_signature("a, b: int -> c", "Do."))
    assert not base.equals(make_signature("a, b -> c", "Else."))
    assert not base.equals(base.with_updated_fields("a", desc="x"))
    assert not base.equals("a, b -> c")


def test_state_goes_from_one_signature_to_another() -> None:
    state = Rate.dump_state()
    other = make_signature("review -> stars: int, why", "Old.")

    loaded = other.load_state(state)

    assert loaded.dump_state() == state
    assert other.instructions == "Old."


def test_state_of_another_number_of_fields_is_refused() -> None:
    with pytest.raises(SignatureError, match="3 fields"):
        make_signature("a -> b").load_state(Rate.dump_state())


def test_ensure_signature_takes_texts_and_classes() -> None:
    assert ensure_signature("a -> b").signature == "a -> b"
    assert ensure_signature(Rate) is Rate
    assert ensure_signature(Rate, "New.").instructions == "New."
    with pytest.raises(SignatureError, match="is no signature"):
        ensure_signature(5)  # type: ignore[arg-type] # the mistake under test


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("someAttributeName42IsCool", "Some Attribute Name 42 Is Cool"),
        ("version2Update", "Version 2 Update"),
        ("modelT45Enhanced", "Model T 45 Enhanced"),
        ("some_attribute_name", "Some Attribute Name"),
        ("URLAddress", "URL Address"),
        ("isHTTPSSecure123", "Is HTTPS Secure 123"),
    ],
)
def test_prefixes_are_the_words_of_a_name(name: str, words: str) -> None:
    assert infer_prefix(name) == words
