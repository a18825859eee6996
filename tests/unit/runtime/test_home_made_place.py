from collections.abc import Callable
from typing import Any

import pytest

from dspex.runtime.home_made_place import HomeMadePlace, digest_of_code


def one(text: str) -> str:
    return text.upper() + "!"


def made(source: str) -> Callable[..., Any]:
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102 - to write a function twice
    function: Callable[..., Any] = names["f"]
    return function


def test_function_that_moved_has_the_same_digest() -> None:
    source = "def f(x):\n    return [y + 1 for y in x if y in {1, 2, 3}]\n"

    first, moved = made(source), made("\n\n\n" + source)

    assert digest_of_code(first) == digest_of_code(moved) != ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return x + 1", "return x + 2"),
        ("return x + 1", "return x - 1"),
        ("return x.a", "return x.b"),
        ("return [y + 1 for y in x]", "return [y + 2 for y in x]"),
    ],
)
def test_function_that_was_changed_has_another(before: str, after: str) -> None:
    digests = {digest_of_code(made(f"def f(x): {body}")) for body in (before, after)}

    assert len(digests) == 2


def test_what_is_not_written_in_python_has_none() -> None:
    assert digest_of_code(len) == ""


@pytest.mark.parametrize(
    ("label", "provider", "model"),
    [("mine", "home-made", "mine"), ("acme/large/2", "acme", "large/2")],
)
def test_prefix_of_its_name_is_its_provider(
    label: str, provider: str, model: str
) -> None:
    place = HomeMadePlace(
        label=label,
        answer=one,  # type: ignore[arg-type] # nobody asks it
        is_async=False,
        describe=dict,
        kind="k",
        code="c",
        most=1,
    )

    assert (place.provider, place.model) == (provider, model)
    assert place.identity == "k c {}"
