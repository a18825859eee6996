"""Metrics: functions `(example, prediction, trace=None)` that score one answer.

`exact_match("capital")` makes the usual one, `f1("capital")` one that counts words.
`EM`, `F1`, `HotPotF1`, `answer_exact_match` and `answer_passage_match` score as DSPy's
functions of the same names do, so that numbers can be compared.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from dspex.core.errors import ConfigurationError, DataError
from dspex.core.example import Example
from dspex.core.passages import has_answer

Metric = Callable[..., Any]
"""Called as `metric(example, prediction)` to measure, and with the trace as third
argument to decide whether a run may become a demonstration. It gives a number or a
bool, a mapping of them of which the first is the score, or a `Prediction` with a
`score`; an async function will do too."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_PART_OF_A_NUMBER = "-.,/:"
_VERDICTS = frozenset({"yes", "no", "noanswer"})
"""Answers that HotPotQA counts as right or wrong, with nothing in between."""


def normalize_text(text: str) -> str:
    """Reduce a text to what DSPy's `EM` and `F1` compare.

    In this order: NFD, lower case, no ASCII punctuation, no articles (a, an, the), one
    space between words.

    It is blunt: "1.5" becomes "15", and "A" becomes nothing at all. `exact_match` has
    `normalize_answer` instead.
    """
    lowered = unicodedata.normalize("NFD", text).lower()
    words = lowered.translate(str.maketrans("", "", string.punctuation))
    return _single_spaced(_ARTICLES.sub(" ", words))


def normalize_answer(text: str) -> str:
    """Reduce an answer to what `exact_match` compares by default.

    In this order:

    1. NFD, case folded, a Unicode minus sign as "-", no comma of thousands;
    2. no punctuation (ASCII's, and Unicode's category P), except that one of `-.,/:`
       directly before a digit stays, because it is part of the number;
    3. no articles (a, an, the);
    4. one space between words.

    A step that would leave nothing is not done, so that "A" stays the answer to a
    multiple-choice question.

    Example:
        >>> [normalize_answer(text) for text in ("The  Hague.", "-1,200.5", "A", "a)")]
        ['hague', '-1200.5', 'a', 'a']
    """
    folded = (
        unicodedata.normalize("NFD", text).casefold().replace("\N{MINUS SIGN}", "-")
    )
    folded = _single_spaced(_THOUSANDS.sub("", folded))
    words = _single_spaced(_without_punctuation(folded)) or folded
    return _single_spaced(_ARTICLES.sub(" ", words)) or words


@dataclass(frozen=True, slots=True)
class ExactMatch:
    """The metric that `exact_match()` makes."""

    field: str
    """The field of example and prediction that is compared."""
    normalize: Callable[[str], str] | None = normalize_answer
    """What both texts go through first; `None` compares with `==` alone."""

    @property
    def __name__(self) -> str:
        """What reports call this metric."""
        return f"exact_match({self.field!r})"

    def __call__(
        self,
        example: Example,
        prediction: Example,
        trace: Any = None,  # noqa: ARG002 - part of what a metric is
    ) -> bool:
        """Say whether the prediction's field is that of the example.

        Raises:
            DataError: When the example or the prediction has no such field.
        """
        expected = field_of(example, self.field, "example")
        actual = field_of(prediction, self.field, "prediction")
        if self.normalize is None:
            return bool(expected == actual)
        return _agree(expected, actual, self.normalize)

    def __repr__(self) -> str:
        return self.__name__


def exact_match(
    field: str, *, normalize: Callable[[str], str] | None = normalize_answer
) -> ExactMatch:
    """Make the metric that compares one field of prediction and example.

    - Two texts agree when they are equal after `normalize`.
    - A text and a number or a truth value agree when the text reads as that value:
      data from CSV is all text, while a typed output is not.
    - A list in the example and a text in the prediction agree when any item does.
    - All else is compared with `==`.

    Args:
        field: The field, the same in both.
        normalize: What both texts go through first, `normalize_answer` by default;
            `None` compares everything with `==`.

    Example:
        >>> from dspex.core.prediction import Prediction
        >>> metric = exact_match("capital")
        >>> metric(Example(capital="Lima"), Prediction(capital="lima."))
        True
        >>> metric
        exact_match('capital')
    """
    if not field:
        raise ConfigurationError(
            "exact_match got an empty name; the name of one field was expected. "
            "Write exact_match('answer')."
        )
    return ExactMatch(field, normalize)


@dataclass(frozen=True, slots=True)
class WordOverlap:
    """The metric that `f1()` makes."""

    field: str
    """The field of example and prediction that is compared."""

    @property
    def __name__(self) -> str:
        """What reports call this metric."""
        return f"f1({self.field!r})"

    def __call__(
        self,
        example: Example,
        prediction: Example,
        trace: Any = None,  # noqa: ARG002 - part of what a metric is
    ) -> float:
        """Return the overlap of words, from 0 to 1.

        Raises:
            DataError: When the example or the prediction has no such field.
        """
        expected = field_of(example, self.field, "example")
        actual = field_of(prediction, self.field, "prediction")
        answers = expected if isinstance(expected, list | tuple) else [expected]
        return F1(str(actual), [str(answer) for answer in answers])

    def __repr__(self) -> str:
        return self.__name__


def f1(field: str) -> WordOverlap:
    """Make the metric that gives the share of words two texts have in common.

    It is `F1` on one field of example and prediction; where the example has a list,
    its best item counts.

    Args:
        field: The field, the same in both. What is no text is taken by `str()`.

    Example:
        >>> from dspex.core.prediction import Prediction
        >>> metric = f1("capital")
        >>> metric(Example(capital="Lima"), Prediction(capital="the city of Lima"))
        0.5
    """
    if not field:
        raise ConfigurationError(
            "f1 got an empty name; the name of one field was expected. Write "
            "f1('answer')."
        )
    return WordOverlap(field)


def EM(prediction: str, answers: Sequence[str]) -> bool:  # noqa: N802 - DSPy's name
    """Say whether the text equals one of `answers` after `normalize_text`."""
    normalized = normalize_text(prediction)
    return any(normalized == normalize_text(answer) for answer in _texts(answers))


def F1(prediction: str, answers: Sequence[str]) -> float:  # noqa: N802 - DSPy's name
    """Return the best overlap of words with one of `answers`, from 0 to 1.

    The overlap is the harmonic mean of precision and recall over the words that
    `normalize_text` leaves, each counted as often as it occurs. Where no word is left
    on one side it is 0.
    """
    return max(_word_overlap(prediction, answer) for answer in _texts(answers))


def HotPotF1(prediction: str, answers: Sequence[str]) -> float:  # noqa: N802 - DSPy's name
    """Return `F1` as HotPotQA counts it: "yes", "no" and "noanswer" are all or nothing.

    Where one side is one of these after `normalize_text` and the other is not the
    same, the overlap is 0 whatever words they share.

    Example:
        >>> HotPotF1("yes", ["yes it is"]), round(F1("yes", ["yes it is"]), 2)
        (0.0, 0.5)
    """
    return max(_verdict_or_overlap(prediction, answer) for answer in _texts(answers))


def answer_exact_match(
    example: Example,
    prediction: Example,
    trace: Any = None,  # noqa: ARG001 - part of what a metric is
    frac: float = 1.0,
) -> bool:
    """Compare the field `answer`, a text or a list of accepted texts, as DSPy does.

    Args:
        example: Has the accepted answer or answers.
        prediction: Has the answer to judge.
        trace: Ignored.
        frac: Below 1, an overlap of words (`F1`) of at least this share is enough.
    """
    answers = _accepted(example)
    answer = field_of(prediction, "answer", "prediction")
    if frac >= 1:
        return EM(answer, answers)
    return F1(answer, answers) >= frac


def answer_passage_match(
    example: Example,
    prediction: Example,
    trace: Any = None,  # noqa: ARG001 - part of what a metric is
) -> bool:
    """Say whether a passage of `context` contains an accepted `answer`, as DSPy does.

    Both go through `normalize_text` and are compared word by word, so that "art" is
    not found in "start". An answer of which nothing is left (such as "A") is in every
    passage.

    Args:
        example: Has the accepted answer or answers, a text or a list of texts.
        prediction: Has the passages, a list of texts called `context`.
        trace: Ignored.

    Example:
        >>> from dspex.core.prediction import Prediction
        >>> found = Prediction(context=["The Eiffel Tower is in Paris.", "Lima"])
        >>> answer_passage_match(Example(answer="eiffel tower"), found)
        True
    """
    answers = _texts(_accepted(example))
    passages = field_of(prediction, "context", "prediction")
    return has_answer(
        [normalize_text(passage) for passage in passages],
        [normalize_text(answer) for answer in answers],
    )


def _accepted(example: Example) -> Sequence[str]:
    accepted = field_of(example, "answer", "example")
    return [accepted] if isinstance(accepted, str) else accepted


def _single_spaced(text: str) -> str:
    return " ".join(text.split())


def _without_punctuation(text: str) -> str:
    following = f"{text} "[1:]
    return "".join(
        character
        for character, after in zip(text, following, strict=True)
        if not _is_punctuation(character)
        or (character in _PART_OF_A_NUMBER and after.isdigit())
    )


def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(
        character
    ).startswith("P")


def _agree(expected: Any, actual: Any, normalize: Callable[[str], str]) -> bool:
    match expected, actual:
        case str(), str():
            return normalize(expected) == normalize(actual)
        case (str(), bool() | int() | float()):
            return _reads_as(expected, actual)
        case (bool() | int() | float(), str()):
            return _reads_as(actual, expected)
        case (list() | tuple(), str()):
            return any(_agree(item, actual, normalize) for item in expected)
        case _:
            return bool(expected == actual)


def _reads_as(text: str, value: float) -> bool:
    if isinstance(value, bool):
        return text.strip().lower() == str(value).lower()
    try:
        return float(_THOUSANDS.sub("", text)) == value
    except ValueError:
        return False


def field_of(
    row: Any, name: str, owner: str, *, advice: str = "Compare one of those."
) -> Any:
    """Return a field of an example, or of whatever else a program gave.

    Args:
        row: The example, or the answer.
        name: The field.
        owner: What the row is called in an error: "example" or "prediction".
        advice: The end of the error's text where no name is close.

    Raises:
        DataError: There is no such field.
    """
    if not isinstance(row, Example) and hasattr(row, name):
        return getattr(row, name)
    names = row.keys(include_dspy=True) if isinstance(row, Example) else []
    if name in names:
        return row[name]
    close = get_close_matches(name, names, n=1)
    raise DataError(
        f"the {owner} has no field {name!r} to compare; its fields are: "
        f"{', '.join(map(repr, names)) or 'none'}. "
        f"{f'Did you mean {close[0]!r}?' if close else advice}"
    )


def _texts(answers: Sequence[str]) -> Sequence[str]:
    if isinstance(answers, str) or not answers:
        raise ConfigurationError(
            f"the accepted answers are {answers!r}; a list of at least one text was "
            "expected. Write ['Lima']."
        )
    return answers


def _word_overlap(prediction: str, answer: str) -> float:
    said = Counter(normalize_text(prediction).split())
    wanted = Counter(normalize_text(answer).split())
    shared = (said & wanted).total()
    return 2 * shared / (said.total() + wanted.total()) if shared else 0.0


def _verdict_or_overlap(prediction: str, answer: str) -> float:
    said, wanted = normalize_text(prediction), normalize_text(answer)
    if said != wanted and not _VERDICTS.isdisjoint((said, wanted)):
        return 0.0
    return _word_overlap(prediction, answer)
