"""Metrics that ask a language model: `SemanticF1` and `CompleteAndGrounded`.

Names, fields and arithmetic are DSPy's, so that programs and saved states carry over;
what the model is told is our own wording.
"""

from __future__ import annotations

from typing import Any, Final

from dspex.core.fields import InputField, OutputField
from dspex.core.metrics import field_of
from dspex.core.prediction import Prediction
from dspex.core.signature import Signature
from dspex.programs.chain_of_thought import ChainOfThought
from dspex.programs.program import Program

THRESHOLD: Final = 0.66
"""The score from which a run may become a demonstration; DSPy's default."""

ADVICE: Final = (
    "Give it one of that name, or write a metric that calls this one with other fields."
)
"""What to do where a field is missing: these metrics fix the names."""


OF_THE_REFERENCE: Final = (
    "share of the reference answer's points that the response makes, 0 to 1"
)
"""What a model is told of recall, and of completeness."""
OF_THE_RESPONSE: Final = (
    "share of the response's points that the reference answer makes, 0 to 1"
)
"""What a model is told of precision."""


class _Comparison(Signature):
    """The inputs of every signature that holds a response against a reference."""

    question: str = InputField()
    ground_truth: str = InputField(desc="the reference answer")
    system_response: str = InputField(desc="the response to judge")


class _PointByPoint(_Comparison):
    """What a model writes down before it gives its numbers."""

    ground_truth_key_ideas: str = OutputField(desc="the reference answer's points")
    system_response_key_ideas: str = OutputField(desc="the response's points")
    discussion: str = OutputField(desc="which points the two share")


class SemanticRecallPrecision(_Comparison):
    """Judge how far a response and a reference answer say the same.

    Go through the points that each of them makes, and check whether the other one makes
    them too. Wording and order do not matter.
    """

    recall: float = OutputField(desc=OF_THE_REFERENCE)
    precision: float = OutputField(desc=OF_THE_RESPONSE)


class DecompositionalSemanticRecallPrecision(_PointByPoint):
    """Judge how far a response and a reference answer say the same.

    First list the points that each of them makes, then say which of these they share,
    and only then give the two numbers.
    """

    recall: float = OutputField(desc=OF_THE_REFERENCE)
    precision: float = OutputField(desc=OF_THE_RESPONSE)


class AnswerCompleteness(_PointByPoint):
    """Judge how much of a reference answer a response covers.

    First list the points that each of them makes, then say which of these they share,
    and only then give the number.
    """

    completeness: float = OutputField(desc=OF_THE_REFERENCE)


class AnswerGroundedness(Signature):
    """Judge how much of a response follows from the documents it was given.

    First list the claims of the response that need support, then say for each whether
    the documents or common knowledge support it, and only then give the number.
    """

    question: str = InputField()
    retrieved_context: str = InputField(desc="the documents")
    system_response: str = InputField(desc="the response to judge")
    system_response_claims: str = OutputField(desc="claims that need support")
    discussion: str = OutputField(desc="what supports each claim, if anything does")
    groundedness: float = OutputField(
        desc="share of the response's claims that are supported, 0 to 1"
    )


class SemanticF1(Program):
    """A metric that asks a language model how far two answers say the same.

    The model estimates recall and precision, and the score is their harmonic mean. The
    example has a `question` and the wanted `response`, the prediction a `response`.

    It is a program: it asks the model of the context, `set_lm` gives it its own, and it
    can be saved and tuned.

    When to use it: answers of some sentences, where words may differ. When not: short
    answers, for which `exact_match` and `f1` cost nothing and never waver.

    Args:
        threshold: With a trace, the score is whether it reaches this; 0.66.
        decompositional: Whether the model lists the points of both answers first; that
            takes more tokens.

    Example:
        >>> from dspex.core.example import Example
        >>> from dspex.testing import DummyLM
        >>> metric = SemanticF1()
        >>> metric.set_lm(DummyLM([{"reasoning": "", "recall": 1, "precision": 0.5}]))
        >>> wanted = Example(question="Where is Lima?", response="In Peru.")
        >>> round(metric(wanted, Prediction(response="In Peru, by the sea.")).score, 2)
        0.67
    """

    def __init__(
        self,
        threshold: float = THRESHOLD,
        decompositional: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
    ) -> None:
        self.threshold = threshold
        self.module = ChainOfThought(
            DecompositionalSemanticRecallPrecision
            if decompositional
            else SemanticRecallPrecision
        )

    def forward(self, example: Any, pred: Any, trace: Any = None) -> Prediction:
        """Score a prediction; with a trace, the score is whether it is good enough.

        Raises:
            DataError: A field is missing.
        """
        said = self.module(
            question=_field(example, "question", "example"),
            ground_truth=_field(example, "response", "example"),
            system_response=_field(pred, "response", "prediction"),
        )
        return _scored(said.precision, said.recall, self.threshold, trace)


class CompleteAndGrounded(Program):
    """A metric that asks whether an answer is complete and based on its documents.

    A language model estimates how much of the wanted `response` the prediction's
    `response` covers, and how much of that follows from the prediction's `context`; the
    score is the harmonic mean of the two. The example has a `question` as well.

    When to use it: answers made from retrieved passages. When not: without passages;
    `SemanticF1` asks once instead of twice.

    Args:
        threshold: With a trace, the score is whether it reaches this; 0.66.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self.completeness_module = ChainOfThought(AnswerCompleteness)
        self.groundedness_module = ChainOfThought(AnswerGroundedness)

    def forward(self, example: Any, pred: Any, trace: Any = None) -> Prediction:
        """Score a prediction; with a trace, the score is whether it is good enough.

        Raises:
            DataError: A field is missing.
        """
        question = _field(example, "question", "example")
        response = _field(pred, "response", "prediction")
        context = _field(pred, "context", "prediction")
        completeness = self.completeness_module(
            question=question,
            ground_truth=_field(example, "response", "example"),
            system_response=response,
        ).completeness
        groundedness = self.groundedness_module(
            question=question, retrieved_context=context, system_response=response
        ).groundedness
        return _scored(groundedness, completeness, self.threshold, trace)


def f1_of(precision: float, recall: float) -> float:
    """Return the harmonic mean of two shares; what is outside 0 to 1 is cut off.

    Example:
        >>> f1_of(0.5, 2.0) == 2 / 3, f1_of(0.0, 0.0)
        (True, 0.0)
    """
    precision, recall = (max(0.0, min(1.0, share)) for share in (precision, recall))
    both = precision + recall
    return 2 * precision * recall / both if both else 0.0


def _scored(
    precision: float, recall: float, threshold: float, trace: Any
) -> Prediction:
    score = f1_of(precision, recall)
    return Prediction(score=score if trace is None else score >= threshold)


def _field(row: Any, name: str, owner: str) -> Any:
    return field_of(row, name, owner, advice=ADVICE)
