import array
from types import SimpleNamespace
from typing import Any

import pytest

from dspex.client.returned import reply_from, vectors_from
from dspex.core.errors import LMError
from dspex.core.lm import Reply, Usage


def test_texts_become_completions() -> None:
    one, two = reply_from("a", "mine"), reply_from(("a", "b"), "mine")

    assert one == Reply(texts=("a",), finish_reasons=("stop",))
    assert two == Reply(texts=("a", "b"), finish_reasons=("stop", "stop"))


def test_reply_is_taken_as_it_is() -> None:
    reply = Reply(texts=("a",), usage=Usage(prompt_tokens=3))

    assert reply_from(reply, "mine") is reply


def test_answer_in_openais_shape_is_read() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    as_dict: dict[str, Any] = {
        "model": "m-1",
        "choices": [
            {"message": {"content": "a"}, "finish_reason": "length"},
            {"message": {"content": None}},
        ],
        "usage": usage,
    }
    as_object = SimpleNamespace(
        model="m-1",
        choices=[
            SimpleNamespace(
                message=SimpleNamespace(content="a"), finish_reason="length"
            ),
            SimpleNamespace(message=SimpleNamespace(content=None)),
        ],
        usage=SimpleNamespace(**usage),
    )

    expected = Reply(
        texts=("a", ""),
        finish_reasons=("length", "stop"),
        model="m-1",
        usage=Usage(prompt_tokens=3, completion_tokens=2),
    )
    assert reply_from(as_dict, "mine") == expected
    assert reply_from(as_object, "mine") == expected


def test_odd_usage_counts_as_none() -> None:
    choices = [{"message": {"content": "a"}}]
    odd = {"choices": choices, "usage": {"prompt_tokens": "3", "completion_tokens": -1}}

    assert reply_from(odd, "mine").usage == Usage()


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "returned 'NoneType'"),
        (7, "returned 'int'"),
        ({"text": "a"}, "returned 'dict'"),
        ([], "returned no text at all"),
        ({"choices": []}, "returned no text at all"),
        (["a", 7], "returned a list with 'int'"),
    ],
)
def test_what_is_no_reply_is_refused_for_good(returned: object, said: str) -> None:
    with pytest.raises(LMError, match="a text, a list of texts or a Reply") as refused:
        reply_from(returned, "mine")

    assert f"'mine' {said}" in str(refused.value)
    assert not refused.value.retryable


@pytest.mark.parametrize(
    "returned",
    [
        [[1, 2.5], [3, 4]],
        (array.array("d", [1.0, 2.5]), array.array("d", [3.0, 4.0])),
    ],
)
def test_vectors_are_tuples_of_numbers(returned: object) -> None:
    assert vectors_from(returned, 2, "mine") == ((1.0, 2.5), (3.0, 4.0))


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "returned 'NoneType'"),
        ("12", "returned 'str'"),
        ([[1.0]], "returned 1 vectors for 2 texts"),
        ([[1.0], ["x"]], "no numbers"),
        ([1.0, 2.0], "no numbers"),
        ([[1.0], []], "empty or not finite"),
        ([[1.0], [float("nan")]], "empty or not finite"),
    ],
)
def test_what_are_no_vectors_is_refused_for_good(returned: object, said: str) -> None:
    with pytest.raises(LMError, match="a list of numbers for each text") as refused:
        vectors_from(returned, 2, "mine")

    assert said in str(refused.value)
    assert not refused.value.retryable
