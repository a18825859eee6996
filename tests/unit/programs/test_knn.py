from __future__ import annotations

from typing import Any

import pytest

from dspex.core.errors import ConfigurationError, DataError, MissingInputError
from dspex.core.example import Example
from dspex.programs import UnexpectedInputError
from dspex.programs.knn import KNN


def row(question: str, answer: str) -> Example:
    return Example(question=question, answer=answer).with_inputs("question")


TRAIN = [row("aa", "two"), row("aaaa", "four"), row("b", "none")]


class Counting:
    """A vectorizer: how many a's and b's a text has. It keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, texts: list[str]) -> list[list[float]]:
        self.asked.append(texts)
        return [[text.count("a"), text.count("b")] for text in texts]


class Array:
    """As much of an array as is used: rows, a length, and a product with a vector."""

    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = rows
        self.products = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> list[float]:
        return self.rows[at]

    def __matmul__(self, vector: list[float]) -> list[float]:
        self.products += 1
        return [row[0] * vector[0] + row[1] * vector[1] for row in self.rows]


def test_the_nearest_comes_first() -> None:
    knn = KNN(k=2, trainset=TRAIN, vectorizer=Counting())

    assert [found.answer for found in knn(question="a")] == ["four", "two"]
    assert knn(question="bb")[0].answer == "none"


def test_of_equally_near_ones_the_earlier_comes_first() -> None:
    twins = [row("a", "first"), row("a", "second")]

    found = KNN(2, twins, Counting())(question="a")

    assert [each.answer for each in found] == ["first", "second"]


def test_the_training_set_is_embedded_once_and_by_its_inputs() -> None:
    vectorizer = Counting()
    knn = KNN(1, TRAIN, vectorizer)

    knn(question="x")
    knn(question="y")

    assert vectorizer.asked == [
        ["question: aa", "question: aaaa", "question: b"],
        ["question: x"],
        ["question: y"],
    ]


def test_inputs_are_written_in_the_order_of_the_training_set() -> None:
    vectorizer = Counting()
    knn = KNN(1, [Example(a=1, b=2).with_inputs("a", "b")], vectorizer)

    knn(b="x", a="y")

    assert vectorizer.asked == [["a: 1 | b: 2"], ["a: y | b: x"]]


def test_more_neighbours_than_rows_are_all_rows() -> None:
    assert len(KNN(9, TRAIN, Counting())(question="a")) == 3


def test_an_array_is_used_as_one() -> None:
    array = Array([[2.0, 0.0], [4.0, 0.0], [0.0, 1.0]])
    knn = KNN(1, TRAIN, lambda texts: array if len(texts) == 3 else [[1.0, 0.0]])

    assert knn(question="a")[0].answer == "four"
    assert array.products == 1


def test_a_missing_input_is_named() -> None:
    with pytest.raises(MissingInputError, match="lacks 'question'"):
        KNN(1, TRAIN, Counting())()


def test_an_unknown_input_is_named() -> None:
    with pytest.raises(UnexpectedInputError, match="'answer' is no input"):
        KNN(1, TRAIN, Counting())(question="a", answer="b")


@pytest.mark.parametrize(
    ("k", "rows", "vectorizer", "error", "said"),
    [
        (0, TRAIN, Counting(), ConfigurationError, "k=0 is no count"),
        (1, TRAIN, "openai/x", ConfigurationError, "cannot be called"),
        (1, [], Counting(), DataError, "empty"),
        (1, [Example(a=1)], Counting(), DataError, "inputs"),
        (1, TRAIN, lambda texts: [[1.0]], DataError, "given 3 texts"),
        (1, TRAIN, lambda texts: 7, DataError, "returned 'int'"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    k: Any, rows: Any, vectorizer: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        KNN(k, rows, vectorizer)
