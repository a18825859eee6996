"""Answers questions about a small company's handbook, looking things up as it goes.

Each hop asks for what is still missing, searches the handbook, and takes a note. The
answer names its sources, so that a reader can check it.
"""

import re
from typing import Any

import dspex
from dspex import Evaluate

HANDBOOK = {
    "holidays": "Everyone has 28 days of holiday. Who manages a team has 30.",
    "travel": "Trips over 500 euros are approved by the head of finance.",
    "people": "Ines Duarte is the head of finance. Tom Okafor leads the warehouse.",
    "warehouse": "The warehouse is in Ghent and runs in two shifts.",
    "remote": "Office staff may work from home three days a week.",
}


class Hop(dspex.Signature):
    """Decide what to look up next, or say that the notes are enough."""

    question: str = dspex.InputField()
    notes: list[str] = dspex.InputField(desc="what is known so far")
    enough: bool = dspex.OutputField(desc="whether the notes answer the question")
    query: str = dspex.OutputField(desc="a few words to search for; empty if enough")


class Answer(dspex.Signature):
    """Answer from the notes alone."""

    question: str = dspex.InputField()
    notes: list[str] = dspex.InputField()
    answer: str = dspex.OutputField(desc="a name, a number or a few words")
    sources: list[str] = dspex.OutputField(desc="the pages the answer stands on")
    confidence: float = dspex.OutputField(ge=0, le=1)


def search(query: str, k: int = 1) -> list[str]:
    """Return the pages that share most words with the query."""
    words = set(re.findall(r"\w+", query.lower()))

    def overlap(page: str) -> int:
        text = f"{page} {HANDBOOK[page]}"
        return len(words & set(re.findall(r"\w+", text.lower())))

    return sorted(HANDBOOK, key=overlap, reverse=True)[:k]


class MultiHop(dspex.Module):
    """Looks up at most `max_hops` pages, then answers."""

    def __init__(self, max_hops: int = 3) -> None:
        super().__init__()
        self.max_hops = max_hops
        self.hop = dspex.ChainOfThought(Hop)
        self.answer = dspex.Predict(Answer)

    def forward(self, question: str) -> dspex.Prediction:
        """Answer one question."""
        notes: list[str] = []
        for _ in range(self.max_hops):
            step = self.hop(question=question, notes=notes)
            if step.enough:
                break
            for page in search(step.query):
                note = f"{page}: {HANDBOOK[page]}"
                if note not in notes:
                    notes.append(note)
        found = self.answer(question=question, notes=notes)
        return dspex.Prediction(
            answer=found.answer,
            sources=found.sources,
            confidence=found.confidence,
            notes=notes,
        )


def grounded(
    example: dspex.Example, prediction: dspex.Prediction, trace: Any = None
) -> float:
    """Half for the answer, half for naming a page that says so."""
    right = dspex.answer_exact_match(example, prediction)
    cited = set(prediction.sources) & set(example.pages)
    return 0.5 * bool(right) + 0.5 * bool(cited)


QUESTIONS = [
    dspex.Example(
        question="Who approves a trip of 800 euros?",
        answer="Ines Duarte",
        pages=["travel", "people"],
    ).with_inputs("question"),
    dspex.Example(
        question="How many days of holiday has Tom Okafor?",
        answer="30",
        pages=["holidays"],
    ).with_inputs("question"),
]


def main() -> dict[str, Any]:
    """Answer one question, and score the program on all."""
    program = MultiHop()
    first = program(**QUESTIONS[0].inputs())
    evaluate = Evaluate(devset=QUESTIONS, metric=grounded, num_threads=2)
    result = evaluate(program)
    return {
        "answer": first.answer,
        "sources": first.sources,
        "confidence": first.confidence,
        "notes": first.notes,
        "score": result.score,
        "predictors": [name for name, _ in program.named_predictors()],
    }


if __name__ == "__main__":
    dspex.configure(lm=dspex.LM("openai/gpt-4o-mini"))
    print(main())
