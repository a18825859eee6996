"""One side of `tests.benchmarks.programs`: the same lines, in the library named first.

It is run by a Python that has the library: `python programs_side.py dspex format 3`.
Whatever is written here works with both, because dspex keeps DSPy's names.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

LONG_PROMPT = "The river Amazon has many arms. " * 3200
"""About 100 kB."""

SECONDS = 0.15
"""CPU seconds one sample takes at least."""

PARTS = ("LM", "Signature", "ChainOfThought", "Evaluate", "BootstrapFewShot")
"""What a program names, once the library is imported."""

OUTPUTS = {
    "answer": "Lima",
    "population": 10_000_000,
    "landlocked": False,
    "tags": ["coast", "desert"],
    "size": "large",
}
"""What the typed signature is answered with."""


def memory_mb() -> float:
    """Return this process's memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) / 1024 for x in lines if x.startswith("VmRSS:"))


def cpu_us(work: Callable[[], object]) -> float:
    """Return the CPU microseconds of one call, without the first."""
    work()
    calls, began = 0, time.process_time()
    while (spent := time.process_time() - began) < SECONDS:
        work()
        calls += 1
    return 1e6 * spent / calls


def signatures(library: Any) -> dict[str, Any]:
    """Return the signatures that are formatted."""
    size: Any = Literal["small", "large"]
    fields = {
        "question": (str, library.InputField()),
        "answer": (str, library.OutputField(desc="the capital")),
        "population": (int, library.OutputField()),
        "landlocked": (bool, library.OutputField()),
        "tags": (list[str], library.OutputField()),
        "size": (size, library.OutputField()),
    }
    return {
        "plain": library.Signature("question -> answer"),
        "typed": library.Signature(fields, "Answer the question."),
    }


def demos(count: int, names: list[str]) -> list[dict[str, Any]]:
    """Return demos of a signature with these outputs."""
    values = {name: OUTPUTS[name] for name in names}
    return [{"question": f"Capital {n}?", **values} for n in range(count)]


def chat_answer(names: list[str]) -> str:
    """Return an answer as the chat adapter wants it."""
    sections = [
        f"[[ ## {name} ## ]]\n"
        + (value if isinstance(value, str) else json.dumps(value))
        for name, value in OUTPUTS.items()
        if name in names
    ]
    return "\n\n".join([*sections, "[[ ## completed ## ]]"])


def formatting(library: Any) -> dict[str, float]:
    """Measure `format` and `parse` of each adapter, as a predictor calls them."""
    cases = {
        "plain": ("plain", 0, "Capital of Peru?"),
        "typed": ("typed", 0, "Capital of Peru?"),
        "8 demos": ("typed", 8, "Capital of Peru?"),
        "200 demos": ("plain", 200, "Capital of Peru?"),
        "100 kB": ("plain", 0, LONG_PROMPT),
    }
    kinds = signatures(library)
    figures = {}
    for adapter_name in ("ChatAdapter", "JSONAdapter", "XMLAdapter"):
        adapter = getattr(library, adapter_name)()
        for name, (kind, count, question) in cases.items():
            signature = kinds[kind]
            outputs = list(signature.output_fields)
            shown = demos(count, outputs)
            answer = answer_for(adapter_name, outputs)
            inputs = {"question": question}
            work = partial(ask_and_read, adapter, signature, shown, inputs, answer)
            figures[f"{adapter_name} {name}"] = cpu_us(work)
    return figures


def ask_and_read(
    adapter: Any, signature: Any, shown: list[Any], inputs: Any, answer: str
) -> None:
    """Do what a predictor has an adapter do at each call."""
    adapter.format(signature, shown, inputs)
    adapter.parse(signature, answer)


def answer_for(adapter_name: str, names: list[str]) -> str:
    """Return an answer as an adapter wants it."""
    values = {name: OUTPUTS[name] for name in names}
    if adapter_name == "JSONAdapter":
        return json.dumps(values)
    if adapter_name == "XMLAdapter":
        written = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
        }
        tags = (f"<{name}>\n{text}\n</{name}>" for name, text in written.items())
        return "\n".join(tags)
    return chat_answer(names)


def first_answer(library: Any, base_url: str) -> None:
    """Ask a model for the first time."""
    settings = {"api_base": base_url, "api_key": "sk-bench", "cache": False}
    library.configure(lm=library.LM("openai/gpt-4o-mini", **settings))
    answer = library.Predict("question -> answer")(question="Capital of Peru?")
    assert answer.answer, answer


def main() -> None:
    """Measure what is asked for, and print it as JSON."""
    name, what, *words = sys.argv[1:]
    memory, wall, cpu = memory_mb(), time.perf_counter(), time.process_time()
    library = importlib.import_module(name)
    if what == "names":
        for used in (
            "LM",
            "Signature",
            "ChainOfThought",
            "Evaluate",
            "BootstrapFewShot",
        ):
            getattr(library, used)
    if what == "first":
        first_answer(library, words[0])
    if what != "format":
        figures = {
            "wall_s": time.perf_counter() - wall,
            "cpu_s": time.process_time() - cpu,
            "added_mb": memory_mb() - memory,
        }
    else:
        rounds = [formatting(library) for _ in range(int(words[0]))]
        figures = {
            case: statistics.median(each[case] for each in rounds) for case in rounds[0]
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
