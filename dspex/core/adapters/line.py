"""The adapter for base models, which continue text and follow no instructions.

A turn is a few lines "Label: value". The user's turn ends with the label of the first
output, so that the likeliest next words are the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic.fields import FieldInfo

from dspex.core.adapters.annotations import type_descriptions, type_note
from dspex.core.adapters.base import Adapter
from dspex.core.adapters.demos import Row, is_given
from dspex.core.adapters.outputs import read_outputs
from dspex.core.adapters.render import render_value, well_formed
from dspex.core.fields import description_of, extra_of, infer_prefix
from dspex.core.lm import Message
from dspex.core.signature import Signature

SEPARATOR: Final = "---"
"""What stands alone on a line between two turns."""

ANSWER_TOKENS: Final = 48
"""Room for one output; a base model that is not stopped would ramble on."""

MORE_TOKENS: Final = 96
"""Room for each output before it, which is mostly reasoning."""


class LineAdapter(Adapter):
    r"""Writes one line per field and stops the model after its answer.

    Every value is one line: line breaks in a value become spaces. Inputs and demos
    cannot forge another line, therefore.

    When to use it: base models, such as the embedded one. When not: chat models, which
    follow `ChatAdapter`'s headers and can write values of many lines.

    Example:
        >>> from dspex.core.signature import Signature
        >>> signature = Signature("country -> capital")
        >>> LineAdapter().format(signature, [], {"country": "Peru"})[-1].content
        'Country: Peru\nCapital:'
        >>> LineAdapter().parse(signature, " Lima")
        {'capital': 'Lima'}
    """

    name = "line"

    def format_system_message(self, signature: type[Signature]) -> str:
        """Return the task: the instructions, and what a field needs to be said of."""
        return _task(signature, signature.instructions)

    def format_user_message_content(
        self,
        signature: type[Signature],
        inputs: Row,
        prefix: str = "",
        suffix: str = "",
        main_request: bool = False,  # noqa: ARG002, FBT001, FBT002 - every turn asks
    ) -> str:
        """Return a line for each input, and the label of the first output."""
        asked = next(iter(signature.output_fields), "")
        return _question(signature, inputs, asked, prefix, suffix)

    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Row,
        missing_field_message: str | None = None,  # noqa: ARG002 - no line instead
    ) -> str:
        """Return the outputs that are given; the first one's label stands before."""
        labels = labels_of(signature)
        given = _given_outputs(signature, outputs)
        return _answer(labels, given, outputs)

    def format_demo(self, signature: type[Signature], demo: Row) -> list[Message]:
        """Return a demo as two turns.

        One without reasoning asks for what it has.
        """
        asked = next(iter(_given_outputs(signature, demo)), "")
        return [
            Message("user", _question(signature, demo, asked)),
            Message(
                "assistant", self.format_assistant_message_content(signature, demo)
            ),
        ]

    def settings(self, signature: type[Signature]) -> Mapping[str, Any]:
        """Return where to stop: behind the line, or behind the last of several."""
        more = max(0, len(signature.output_fields) - 1)
        stop = ["\n\n", f"\n{SEPARATOR}"] if more else ["\n"]
        return {"stop": stop, "max_tokens": ANSWER_TOKENS + MORE_TOKENS * more}

    def parse(self, signature: type[Signature], completion: str) -> dict[str, Any]:
        """Return the values of the lines.

        The first line answers the label the prompt ended with; each further line has
        its own label. The first line of a label counts; lines without one are skipped.
        """
        texts = {
            name: text
            for name, text in _answers(signature, completion)
            if not is_placeholder(name, text)
        }
        return read_outputs(type(self).__name__, signature, texts, completion)


@lru_cache(maxsize=256)
def _task(signature: type[Signature], instructions: str) -> str:
    """Return the instructions, and a sentence for each field that needs one."""
    labels = labels_of(signature)
    sentences = [
        f"About {labels[name]}: {said}."
        for name, field in signature.fields.items()
        if (said := _said_about(signature, name, field))
    ]
    return _without_separators("\n".join([instructions, *sentences]))


def _said_about(signature: type[Signature], name: str, field: FieldInfo) -> str:
    note = type_note(field.annotation) if name in signature.output_fields else ""
    constraints = str(extra_of(field).get("constraints") or "")
    told = [" ".join(text.split()) for text in type_descriptions(field.annotation)]
    parts = [description_of(name, field), *told, note, constraints]
    return ", ".join(part for part in parts if part).rstrip(".")


def _without_separators(text: str) -> str:
    """Keep a text in its own turn: a blank line or "---" would end it."""
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(line for line in lines if line.strip() != SEPARATOR)


def _question(signature: type[Signature], inputs: Row, asked: str, *around: str) -> str:
    labels = labels_of(signature)
    lines = _lines(labels, signature.input_fields, inputs)
    more = [text for text in around if text]
    return "\n".join([*more, *lines, f"{labels.get(asked, '')}:"])


def _given_outputs(signature: type[Signature], row: Row) -> dict[str, FieldInfo]:
    outputs = signature.output_fields.items()
    return {name: field for name, field in outputs if is_given(row, name, field)}


def _answer(labels: Mapping[str, str], given: Mapping[str, FieldInfo], row: Row) -> str:
    if not given:
        return ""
    first, *rest = given
    answer = _text(row, first, given[first])
    if answer == SEPARATOR or label_of(answer, labels.values()):
        answer = f"{labels[first]}: {answer}"
    more = _lines(labels, {name: given[name] for name in rest}, row)
    return "\n".join([answer, *more])


def _lines(
    labels: Mapping[str, str], fields: Mapping[str, FieldInfo], row: Row
) -> list[str]:
    return [
        f"{labels[name]}: {_text(row, name, field)}".rstrip()
        for name, field in fields.items()
        if name in row
    ]


def _text(row: Row, name: str, field: FieldInfo) -> str:
    """Return a value on one line."""
    return " ".join(render_value(row[name], field.annotation).splitlines()).strip()


def _answers(signature: type[Signature], completion: str) -> Iterator[tuple[str, str]]:
    """Yield (output, text) for the lines of a reply, each output once."""
    labels = labels_of(signature)
    named = {label.casefold(): name for name, label in labels.items()}
    seen = set()
    asked = next(iter(signature.output_fields), "")
    for line in _lines_of_answer(completion):
        label = label_of(line, labels.values())
        name = named[label.casefold()] if label else asked
        # Only the first line may do without a label.
        asked = ""
        text = line.partition(":")[2] if label else line
        if name in signature.output_fields and name not in seen:
            seen.add(name)
            yield name, text.strip()


def _lines_of_answer(completion: str) -> Iterator[str]:
    for line in well_formed(completion).strip().splitlines():
        if not line.strip() or line.strip() == SEPARATOR:
            return
        yield line.strip()


def label_of(line: str, labels: Iterable[str]) -> str:
    """Return the label a line starts with, or an empty text."""
    start = line.partition(":")[0].strip().casefold() if ":" in line else ""
    return next((label for label in labels if label.casefold() == start), "")


def is_placeholder(name: str, text: str) -> bool:
    """Say whether a model left a place to fill in instead of filling it in."""
    words = re.escape(name), re.escape(infer_prefix(name))
    pattern = rf"\$?[{{<\[(]+\s*(?:{'|'.join(words)}|\.+)\s*[}}>\])]+|\.\.\.|…|_+|"
    return bool(re.fullmatch(pattern, text.strip(), re.IGNORECASE))


@lru_cache(maxsize=256)
def labels_of(signature: type[Signature]) -> Mapping[str, str]:
    """Return a label for each field; no two are the same."""
    fields = signature.fields
    for labelled in (_given_label, lambda name, _: infer_prefix(name)):
        labels = {name: labelled(name, field) for name, field in fields.items()}
        if len({label.casefold() for label in labels.values()} - {""}) == len(fields):
            return labels
    return {name: f"{number} {name}" for number, name in enumerate(fields, 1)}


def _given_label(name: str, field: FieldInfo) -> str:
    prefix = str(extra_of(field).get("prefix") or infer_prefix(name))
    return " ".join(prefix.replace(":", " ").split())
