"""`dspex predict`: one question to a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dspex.cli.configured import configured
from dspex.cli.console import json_option, show, show_json, traceback_option
from dspex.cli.models import ModelChoice, model_options
from dspex.cli.programs import lm_for, program_of_signature, saved_option

if TYPE_CHECKING:
    from dspex.core.signature import Signature


@click.command()
@click.argument("signature")
@click.argument("inputs", nargs=-1, metavar="[NAME=VALUE]...")
@saved_option
@click.option("--cot", is_flag=True, help="Let the model reason before it answers.")
@model_options
@json_option
@traceback_option
def predict(
    signature: str,
    inputs: tuple[str, ...],
    saved: Path | None,
    cot: bool,  # noqa: FBT001 - click passes by name
    choice: ModelChoice,
    as_json: bool,  # noqa: FBT001 - click passes by name
) -> None:
    """Ask a model for the outputs of a SIGNATURE.

    Each input is NAME=VALUE. A value is taken as text where the signature says so, and
    that is the default; for any other type it is read as JSON.

    \b
      dspex predict "country -> capital" country=Peru
      dspex predict "numbers: list[int] -> total: int" "numbers=[1, 2, 3]"
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    import dspex
    from dspex.core.signature import make_signature

    program = program_of_signature(signature, cot=cot, saved=saved)
    values = input_values(make_signature(signature), inputs)
    with dspex.Runtime(configured().config), dspex.context(lm=lm_for(program, choice)):
        answer = program(**values)
    outputs = plain_outputs(answer)
    if as_json:
        show_json(outputs)
    else:
        show("\n".join(f"{name}: {_shown(value)}" for name, value in outputs.items()))


def input_values(signature: type[Signature], words: Sequence[str]) -> dict[str, Any]:
    """Read `NAME=VALUE` words as the inputs of a signature.

    Raises:
        click.UsageError: When one is missing, unknown, given twice or no such value.
    """
    fields = signature.input_fields
    given: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise click.UsageError(
                f"{word!r} is no input; expected NAME=VALUE. Write {_example(fields)}."
            )
        if name not in fields:
            raise click.UsageError(_unknown(name, fields))
        if name in given:
            raise click.UsageError(
                f"the input {name!r} was given twice; once is enough."
            )
        given[name] = text
    missing = [name for name in fields if name not in given]
    if missing:
        raise click.UsageError(
            f"the signature {signature.signature!r} needs {_listed(missing)} as well. "
            f"Write {_example(fields)}."
        )
    return {
        name: _value(name, given[name], field.annotation)
        for name, field in fields.items()
    }


def plain_outputs(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a prediction's outputs as JSON values."""
    from dspex.core.adapters.render import plain_value

    return {name: plain_value(value, fallback=str) for name, value in answer.items()}


def _value(name: str, text: str, annotation: Any) -> Any:
    from dspex.core.adapters.parse import parse_value
    from dspex.core.type_names import type_name

    if annotation is str:
        return text
    try:
        return parse_value(text, annotation)
    except ValueError as error:
        raise click.UsageError(
            f"{name}={text!r} is no {type_name(annotation)}, as which the signature "
            "declares it. Write the value as JSON, in quotes for the shell."
        ) from error


def _unknown(name: str, fields: Mapping[str, Any]) -> str:
    close = get_close_matches(name, fields, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"Write {_example(fields)}."
    return f"{name!r} is no input; the inputs are: {_listed(fields)}. {hint}"


def _example(names: Mapping[str, Any]) -> str:
    return " ".join(f"{name}=..." for name in names) or "no input"


def _listed(names: Any) -> str:
    return ", ".join(repr(name) for name in names) or "none"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
