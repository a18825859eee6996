"""What a program answers: a `Prediction`, and the `Completions` it was chosen from."""

# ruff: noqa: SLF001 - the private members are those of another value of this module

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, overload

from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.core.lm import Usage
from dspex.core.scored import Scored

CompletionsLike = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]
"""Completions as rows (one mapping each) or as columns (one list per field)."""


class Completions:
    """Several answers to one call, kept as columns of the same length.

    `completions[0]` is the first answer as a `Prediction`, `completions["capital"]`
    (or `completions.capital`) the list of one field over all answers. Looping gives
    predictions; `in` asks for a field, as in DSPy.

    Args:
        answers: One mapping per answer, or one list per field.
        signature: What the answers answer, for whoever wants to look it up.

    Raises:
        DataError: When the answers differ in their fields.
    """

    __slots__ = ("_columns", "signature")

    _columns: dict[str, list[Any]]

    def __init__(self, answers: CompletionsLike, signature: Any = None) -> None:
        if isinstance(answers, Mapping):
            self._columns = {name: list(column) for name, column in answers.items()}
        else:
            self._columns = _columns_of(answers)
        self.signature = signature
        _check_lengths(self._columns)

    def items(self) -> list[tuple[str, list[Any]]]:
        """Return (field, values over all answers) pairs."""
        return [(name, list(column)) for name, column in self._columns.items()]

    @overload
    def __getitem__(self, key: int) -> Prediction: ...

    @overload
    def __getitem__(self, key: str) -> list[Any]: ...

    def __getitem__(self, key: int | str) -> Prediction | list[Any]:
        if isinstance(key, str):
            if key not in self._columns:
                raise KeyError(_no_column(self, key))
            return list(self._columns[key])
        if not -len(self) <= key < len(self):
            raise IndexError(
                f"no completion {key}; there are {len(self)}, counted from 0."
            )
        return Prediction(self._row(key))

    def _row(self, index: int) -> dict[str, Any]:
        return {name: column[index] for name, column in self._columns.items()}

    def __getattr__(self, name: str) -> list[Any]:
        # See Example.__getattr__: a half-built object has no `_columns` yet.
        if name.startswith("__") or name == "_columns":
            raise AttributeError(name)
        if name not in self._columns:
            raise AttributeError(_no_column(self, name), name=name, obj=self)
        return list(self._columns[name])

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def __iter__(self) -> Iterator[Prediction]:
        return (self[index] for index in range(len(self)))

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Completions):
            return NotImplemented
        return self._columns == other._columns

    __hash__ = None  # type: ignore[assignment] # columns are lists, so no hash

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *filter(str.isidentifier, self._columns)})

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._columns)

    def __repr__(self) -> str:
        return f"Completions({self._columns!r})"


class Prediction(Scored, Example):
    """One answer of a program: its output fields, read like an `Example`.

    A field called `score` makes a prediction a number: `float(prediction)`,
    comparisons, `+` and `/` use it, so that a metric may return a prediction.
    Equality is still that of the fields.

    Example:
        >>> answer = Prediction.from_completions({"capital": ["Lima", "Cusco"]})
        >>> answer.capital, answer.completions.capital
        ('Lima', ['Lima', 'Cusco'])
    """

    __slots__ = ("_completions", "_usage")

    _completions: Completions | None
    _usage: dict[str, dict[str, int]] | None

    def __init__(
        self, /, base: Example | Mapping[str, Any] | None = None, **fields: Any
    ) -> None:
        super().__init__(base, **fields)
        object.__setattr__(self, "_completions", None)
        object.__setattr__(self, "_usage", None)

    @classmethod
    def from_completions(cls, answers: CompletionsLike, signature: Any = None) -> Self:
        """Make a prediction of several answers; the first gives its fields.

        Args:
            answers: One mapping per answer, or one list per field.
            signature: What the answers answer; kept as `completions.signature`.

        Raises:
            DataError: When there is no answer, or the answers differ in their fields.
        """
        completions = Completions(answers, signature)
        if not len(completions):
            raise DataError(
                "there is no completion to make a prediction of; at least one with one "
                "field was expected. Pass the answers as a list of mappings."
            )
        prediction = cls(completions._row(0))
        prediction._completions = completions
        return prediction

    @property
    def completions(self) -> Completions:
        """All answers of the call; for a prediction made by hand, that one."""
        if self._completions is None:
            return Completions([self._store])
        return self._completions

    def get_lm_usage(self) -> dict[str, dict[str, int]] | None:
        """Return the tokens spent on this prediction by model, or `None`.

        Each entry has `prompt_tokens`, `completion_tokens` and `total_tokens`.
        """
        return self._usage

    def set_lm_usage(
        self, usage: Mapping[str, Usage | Mapping[str, int]] | None
    ) -> None:
        """Record the tokens spent on this prediction, by model."""
        self._usage = None if usage is None else _plain_usage(usage)

    def labels(self) -> Self:
        """Return the fields that are not inputs: all, unless some were said to be."""
        return self.copy() if self._input_keys is None else super().labels()

    def copy(self, **fields: Any) -> Self:
        """Return a copy, with `fields` replaced or added.

        Without `fields` the completions come along; a changed answer is its own only
        completion. The usage comes along in both cases.
        """
        copied = super().copy(**fields)
        copied._usage = self._usage
        copied._completions = None if fields else self._completions
        return copied

    def without(self, *keys: str) -> Self:
        """Return a copy that lacks `keys`; it is its own only completion."""
        copied = super().without(*keys)
        copied._completions = None
        return copied

    def __float__(self) -> float:
        if "score" not in self._store:
            raise DataError(
                "a prediction without a field 'score' is no number; its fields are: "
                f"{', '.join(map(repr, self._store)) or 'none'}. Return "
                "Prediction(score=...), or compare one of its fields."
            )
        return float(self._store["score"])

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._store.items())
        return f"{type(self).__name__}({fields})"


def _columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = list(rows[0]) if rows else []
    for number, row in enumerate(rows):
        if set(row) != set(names):
            raise DataError(
                f"completion {number} has the fields {list(row)!r}; completion 0 has "
                f"{names!r}. Give every completion the same fields."
            )
    return {name: [row[name] for row in rows] for name in names}


def _check_lengths(columns: Mapping[str, Sequence[Any]]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(
            f"the completions have columns of different length: {lengths!r}; one "
            "value per completion was expected. Fill the short columns."
        )


def _no_column(completions: Completions, name: str) -> str:
    names = ", ".join(repr(column) for column in completions._columns)
    return f"no field {name!r} in these completions; their fields are: {names}."


def _plain_usage(
    usage: Mapping[str, Usage | Mapping[str, int]],
) -> dict[str, dict[str, int]]:
    return {
        model: {
            "prompt_tokens": spent.prompt_tokens,
            "completion_tokens": spent.completion_tokens,
            "total_tokens": spent.total_tokens,
        }
        if isinstance(spent, Usage)
        else dict(spent)
        for model, spent in usage.items()
    }
