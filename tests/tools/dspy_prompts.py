"""Measure how long DSPy's prompts are, so that ours can be held against them.

Run it in an environment that has DSPy, from the project's root:

    python -m tests.tools.dspy_prompts > tests/data/dspy_prompt_sizes.json

No prompt is kept, only its size.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tests.tools.typical_signatures import TYPICAL_INPUTS, typical_signatures


def size_of(messages: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the size of a chat.

    Returns:
        Its characters, and its words and signs: what tokenizers start from.
    """
    text = "\n".join(message["content"] for message in messages)
    return {"characters": len(text), "pieces": len(re.findall(r"\w+|[^\w\s]", text))}


def sizes(api: Any, adapter: Any) -> dict[str, dict[str, int]]:
    """Return the size of the system and user turn of each typical signature.

    Args:
        api: The module `dspy` or `dspex`.
        adapter: One of its adapters.
    """
    return {
        name: size_of(adapter.format(signature, [], TYPICAL_INPUTS[name]))
        for name, signature in typical_signatures(api).items()
    }


def main() -> None:
    """Print the sizes of DSPy's prompts as JSON."""
    dspy: Any = importlib.import_module("dspy")
    adapters = {"chat": dspy.ChatAdapter(), "json": dspy.JSONAdapter()}
    adapters["xml"] = importlib.import_module("dspy.adapters").XMLAdapter()
    measured = {name: sizes(dspy, adapter) for name, adapter in adapters.items()}
    print(json.dumps({"dspy": dspy.__version__, **measured}, indent=2))


if __name__ == "__main__":
    main()
