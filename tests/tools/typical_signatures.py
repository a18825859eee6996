"""Five signatures as people write them, for DSPy and for dspex alike."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel


class Person(BaseModel):
    """Somebody named in a text."""

    name: str
    age: int | None
    roles: list[str]


def typical_signatures(api: Any) -> dict[str, Any]:
    """Return the signatures by name.

    Args:
        api: The module `dspy` or `dspex`.
    """
    given, asked = api.InputField, api.OutputField
    return {
        "question": api.Signature("question -> answer"),
        "reasoning": api.Signature(
            {
                "context": (list[str], given(desc="Passages that may help.")),
                "question": (str, given()),
                "reasoning": (str, asked()),
                "answer": (str, asked(desc="Often one to five words.")),
            },
            "Answer the question from the context.",
        ),
        "labels": api.Signature(
            {
                "review": (str, given(desc="What a customer wrote.")),
                "feeling": (Literal["good", "bad", "mixed"], asked()),
                "stars": (int, asked(ge=1, le=5)),
                "urgent": (bool, asked(desc="Whether somebody must call back.")),
            },
            "Judge the review.",
        ),
        "records": api.Signature(
            {
                "text": (str, given()),
                "people": (list[Person], asked(desc="Everybody the text names.")),
                "places": (dict[str, int], asked(desc="How often each is named.")),
            },
            "Collect who and what the text is about.",
        ),
        "step": api.Signature(
            {
                "question": (str, given()),
                "trajectory": (str, given()),
                "next_thought": (str, asked()),
                "next_tool_name": (Literal["search", "add", "finish"], asked()),
                "next_tool_args": (dict[str, Any], asked()),
            },
            "Choose the next tool, until the question can be answered.",
        ),
    }


TYPICAL_INPUTS: dict[str, dict[str, Any]] = {
    "question": {"question": "What is the capital of Peru?"},
    "reasoning": {
        "context": ["Lima is the capital of Peru.", "Cusco was the Incas' capital."],
        "question": "What is the capital of Peru?",
    },
    "labels": {"review": "It came late, but it works."},
    "records": {"text": "Ada, 36, an analyst, moved from London to Paris."},
    "step": {"question": "What is 2 + 2?", "trajectory": "Nothing so far."},
}
"""Inputs for each of them."""
