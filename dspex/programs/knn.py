"""`KNN`: the training examples that are nearest to a call's inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import mul
from typing import Any

from dspex.core.errors import (
    ConfigurationError,
    DataError,
    MissingInputError,
    UnexpectedInputError,
)
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy

Vectorizer = Callable[[list[str]], Any]
"""Takes a list of texts, and returns a vector for each: lists, or an array."""


class KNN:
    """Finds the `k` training examples whose inputs are most like those of a call.

    The likeness is the dot product of the vectors, as in DSPy: use vectors of length
    1, which most embedding models give. The training set is embedded once, when the
    object is made.

    When to use it: to choose demos for each question. When not: for documents by the
    million, which want an index.

    Args:
        k: How many to find.
        trainset: Where to look; each example says which of its fields are inputs.
        vectorizer: `dspex.Embedder(...)`, or any function that takes a list of texts
            and returns a vector for each. No numpy is needed; an array is used as one.

    Raises:
        ConfigurationError: When `k` is no count, or `vectorizer` cannot be called.
        DataError: When there is no example, when one does not say its inputs, or when
            the vectorizer does not give a vector for each.

    Example:
        >>> rows = [Example(word=word).with_inputs("word") for word in ("a", "aaaa")]
        >>> nearest = KNN(1, rows, lambda texts: [[len(text)] for text in texts])
        >>> nearest(word="aaa")[0].word
        'aaaa'
    """

    def __init__(
        self, k: int, trainset: Sequence[Example], vectorizer: Vectorizer
    ) -> None:
        _check(k, vectorizer)
        self.k = k
        self.trainset = list(trainset)
        self.embedding = vectorizer
        if not self.trainset:
            raise DataError(
                "the training set is empty, so nothing is near to anything; at least "
                "one example was expected. Pass some."
            )
        for number, row in enumerate(self.trainset):
            refuse_dspy(row, f"trainset[{number}]")
        texts = [_text(row.inputs()) for row in self.trainset]
        self.trainset_vectors = self._vectors(texts)

    def __repr__(self) -> str:
        return f"KNN({self.k} of {len(self.trainset):,} examples)"

    def __call__(self, **inputs: Any) -> list[Example]:
        """Return the nearest examples, the nearest first; of equals the earlier first.

        Args:
            inputs: The inputs, by the names that the training examples have.

        Raises:
            MissingInputError: When an input of the first example is not given.
            UnexpectedInputError: When a name is no input of it.
        """
        query = self._vectors([_text(self._checked(inputs))])[0]
        scores = _products(self.trainset_vectors, query)
        order = sorted(range(len(scores)), key=lambda at: -scores[at])
        return [self.trainset[at] for at in order[: self.k]]

    def _checked(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs in the order of the training set, so that texts agree."""
        known = tuple(self.trainset[0].inputs().keys())
        if missing := tuple(name for name in known if name not in inputs):
            raise MissingInputError(
                f"the call lacks {_listed(missing)}; the inputs of the training set "
                f"are {_listed(known)}. Pass each by its name.",
                missing=missing,
            )
        if unexpected := tuple(name for name in inputs if name not in known):
            raise UnexpectedInputError(
                f"{_listed(unexpected)} is no input of the training set; its inputs "
                f"are {_listed(known)}. Leave the others out.",
                unexpected=unexpected,
                known=known,
            )
        return {name: inputs[name] for name in known}

    def _vectors(self, texts: list[str]) -> Any:
        vectors = self.embedding(texts)
        if not hasattr(vectors, "__len__") or len(vectors) != len(texts):
            raise DataError(
                f"the vectorizer was given {len(texts)} texts and returned "
                f"{type(vectors).__name__!r}; expected a vector for each. Return a "
                "list of lists of numbers."
            )
        return vectors


def _check(k: Any, vectorizer: Any) -> None:
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise ConfigurationError(
            f"k={k!r} is no count; expected a whole number from 1 on. Pass k=3."
        )
    refuse_dspy(vectorizer, "vectorizer")
    if not callable(vectorizer):
        raise ConfigurationError(
            f"the vectorizer {vectorizer!r} cannot be called; expected a function from "
            "texts to vectors. Write "
            'vectorizer=dspex.Embedder("openai/text-embedding-3-small").'
        )


def _text(inputs: Example | Mapping[str, Any]) -> str:
    return " | ".join(f"{name}: {value}" for name, value in inputs.items())


def _products(vectors: Any, query: Any) -> list[float]:
    if hasattr(vectors, "__matmul__"):
        return list(vectors @ query)
    return [sum(map(mul, vector, query)) for vector in vectors]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
