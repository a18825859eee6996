"""Fingerprints of all that decides what a run measures, the same in every process.

They are made of parts with names that a person understands, so that a run that cannot
go on can say what changed. No API key is in them, and none can be read out of them.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from dspex.core.example import Example
from dspex.core.signature import Signature
from dspex.core.type_names import type_name
from dspex.core.types.tool import Tool
from dspex.evaluate.metric import metric_name
from dspex.evaluate.record.code import CodeText, TextOf
from dspex.evaluate.record.codec import encode, encode_row
from dspex.evaluate.record.head import Fingerprints
from dspex.evaluate.record.memory import changed_by_methods
from dspex.evaluate.record.objects import name_of_type, without_addresses
from dspex.programs.program import Program
from dspex.programs.walk import Beside, Parameter

_SIZE: Final = 16
"""Bytes of a digest."""
_OF_PROGRAMS: Final = frozenset({"_compiled", "callbacks", "history"})
"""Attributes that every program has, and none of which says what it does."""
_OF_PREDICTORS: Final = frozenset(
    {"signature", "config", "lm", "adapter", "traces", "train", "demos"}
)
"""Those that every predictor has besides; what matters of them has parts of its own."""
_OF_TOOLS: Final = ("name", "desc", "args", "arg_desc", "has_kwargs", "retry")
"""What of a tool decides what it does, besides its function."""
_NOT_ASKED: Final = frozenset({"cache", "num_retries"})
"""What a model's state holds that does not change what it is asked."""


def row_digest(example: Example) -> str:
    """Return the digest of an example: its fields, and which of them are inputs.

    The order of the fields does not matter. It never raises: what JSON cannot hold
    counts by its fields.

    Example:
        >>> row_digest(Example(a=1, b=2)) == row_digest(Example(b=2, a=1))
        True
    """
    return row_digest_and_text(example)[0]


def row_digest_and_text(example: Example) -> tuple[str, str]:
    """Return an example's digest, and its text as a record keeps it."""
    text, ordered = encode_row(example)
    inputs = example._input_keys  # noqa: SLF001 - no copy
    return _digest(f"{ordered}\n{_inputs_text(inputs)}"), text


@lru_cache(maxsize=64)
def _inputs_text(inputs: frozenset[str] | None) -> str:
    # The same for all rows of nearly every set.
    return encode(None if inputs is None else sorted(inputs))


def rows_digest(rows: Iterable[Example]) -> str:
    """Return the digest of a set of examples, in their order."""
    return _digest("\n".join(map(row_digest, rows)))


def value_digest(value: Any) -> str:
    """Return the digest of any setting: a value, a function, a model, a program."""
    return _digest(_text(value))


def fingerprints(
    program: Any, metric: Any, *, lm: Any = None, adapter: Any = None
) -> Fingerprints:
    """Return the fingerprints of a run.

    Args:
        program: A `Program`, or any callable.
        metric: A callable, or a mapping of several by name.
        lm: The model of all predictors that have none of their own.
        adapter: The adapter, or its name, of all that have none.
    """
    program_parts = program_fingerprint(program)
    if adapter is not None:
        program_parts["the adapter"] = _digest(_text(adapter))
    return Fingerprints(
        program=program_parts,
        metric=metric_fingerprint(metric),
        models=dict(_models(program, metric, lm)),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
    )


def program_fingerprint(program: Any) -> dict[str, str]:
    """Return the digests of a program's parts, by what a person calls them."""
    if not isinstance(program, Program):
        name = getattr(program, "__qualname__", None) or name_of_type(type(program))
        return {f"the code of the program {name}": _digest(_text(program))}
    return {name: _digest(text) for name, text in _parts(program)}


def metric_fingerprint(metric: Any) -> dict[str, str]:
    """Return the digest of each metric, by what a person calls it."""
    metrics = metric if isinstance(metric, Mapping) else {metric_name(metric): metric}
    return {f"the metric {name}": _metric_digest(one) for name, one in metrics.items()}


def _metric_digest(metric: Any) -> str:
    if isinstance(metric, Program):
        # Its models have parts of their own, with their names.
        return _digest("\n".join(f"{name}: {text}" for name, text in _parts(metric)))
    return _digest(_text(metric))


def model_fingerprint(model: Any) -> str:
    """Return a model's name, and behind a space the digest of how it is asked.

    Temperature and the other settings count, and the address; keys do not, nor what
    only says how patiently it is asked.
    """
    name = str(getattr(model, "model", None) or name_of_type(type(model)))
    return f"{name} {_digest(_model_text(model))}"


def _model_text(model: Any) -> str:
    dump = getattr(model, "dump_state", None)
    state = dump() if callable(dump) else {"class": name_of_type(type(model))}
    told = {key: state[key] for key in sorted(state) if key not in _NOT_ASKED}
    place = getattr(getattr(model, "_place", None), "identity", None)
    fallbacks = getattr(getattr(model, "_fallbacks", None), "models", ())
    others = [_model_text(other) for other in fallbacks]
    return f"{encode(told)} {encode(place)} {encode(others)}"


def _models(program: Any, metric: Any, lm: Any) -> Iterator[tuple[str, str]]:
    if lm is not None:
        yield "the model", model_fingerprint(lm)
    if isinstance(program, Program):
        yield from _own_models(program, "")
    judges = metric.values() if isinstance(metric, Mapping) else [metric]
    for judge in judges:
        if isinstance(judge, Program):
            yield from _own_models(judge, " of a metric")


def _own_models(program: Program, where: str) -> Iterator[tuple[str, str]]:
    for name, predictor in program.named_predictors():
        if (own := getattr(predictor, "lm", None)) is not None:
            words = f"the model of the predictor {name!r}{where}"
            yield words, model_fingerprint(own)


def _parts(program: Program, of: TextOf | None = None) -> Iterator[tuple[str, str]]:
    """Yield the parts of a program, as text.

    Args:
        program: The program.
        of: Returns the text of an attribute, within a walk that came by the program; a
            walk of its own for each by default.
    """
    text_of = of or _text
    for name, each in _programs(program):
        whose = "" if name == "self" else f" of {name!r}"
        yield f"the code of {type(each).__name__}{whose}", text_of(type(each))
        apart = _OF_PROGRAMS | changed_by_methods(type(each))
        if isinstance(each, Parameter):
            apart |= _OF_PREDICTORS
        for key, value in sorted(vars(each).items()):
            is_apart = key in apart or isinstance(value, Beside)
            if not is_apart and not _is_walked(value):
                yield f"the attribute {key!r}{whose}", text_of(value)
    for name, predictor in program.named_predictors():
        yield from _predictor_parts(name, predictor)


def _programs(program: Program) -> Iterator[tuple[str, Any]]:
    yield from program.named_sub_modules(type_=Program)


def _is_walked(value: Any) -> bool:
    """Whether an attribute has parts of its own: a program, or several."""
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_walked, value))
    if isinstance(value, dict):
        return bool(value) and all(map(_is_walked, value.values()))
    return isinstance(value, Program | Parameter)


def _predictor_parts(name: str, predictor: Any) -> Iterator[tuple[str, str]]:
    of = f"of the predictor {name!r}"
    signature = getattr(predictor, "signature", None)
    if signature is None:
        # A parameter of somebody's own.
        yield f"the state {of}", encode(predictor.dump_state())
        return
    yield f"the instructions {of}", signature.instructions
    for field, text in _fields(signature):
        yield f"the field {field!r} {of}", text
    yield f"the demos {of}", encode(list(predictor.demos))
    yield f"the settings {of}", encode(dict(predictor.config))
    if predictor.adapter is not None:
        yield f"the adapter {of}", _text(predictor.adapter)


def _fields(signature: type[Signature]) -> Iterator[tuple[str, str]]:
    for place, (name, field) in enumerate(signature.fields.items()):
        extra = field.json_schema_extra
        told = extra if isinstance(extra, dict) else {}
        kind = _type_text(field.annotation)
        yield name, f"{place} {kind} {field.metadata} {encode(dict(told))}"


def _type_text(annotation: Any) -> str:
    """Return a type by its name, and a model of the user's by its fields as well."""
    schema = getattr(annotation, "model_json_schema", None)
    try:
        inside = encode(schema()) if callable(schema) else ""
    except Exception:  # noqa: BLE001 - a type may hold what no schema can say
        inside = ""
    return without_addresses(f"{type_name(annotation)} {inside}")


def _text(value: Any) -> str:
    return CodeText(_known).of(value)


def _known(value: Any, of: TextOf) -> str | None:
    """Return the text of what is more than its code: programs, signatures, models."""
    if isinstance(value, Program):
        told = [*_parts(value, of), *_own_models(value, "")]
        return "\n".join(f"{name}: {text}" for name, text in told)
    if isinstance(value, Tool):
        told = [getattr(value, name) for name in _OF_TOOLS]
        return f"a tool {encode(told)}\n{of(value.func)}"
    if isinstance(value, type) and issubclass(value, Signature):
        return f"{value.instructions} {list(_fields(value))}"
    if callable(getattr(value, "complete", None)) and hasattr(value, "model"):
        return model_fingerprint(value)
    return None


def _digest(text: str) -> str:
    made = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_SIZE)
    return made.hexdigest()
