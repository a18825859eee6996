"""The OpenAPI 3.1 document of a service, made from what its programs take and give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from dspex.serve.contract import Contract, Field
from dspex.serve.requests import EVENTS, JSON, REQUEST_ID, TIMEOUT
from dspex.serve.responses import USAGE

_REF: Final = "#/components/schemas/{model}"
_OF_ERRORS: Final = "dspex.Error"
"""The name of the schema of errors; with a dot, as no class of a program has one."""
_ERRORS: Final = {
    "400": "The body is no JSON object, or a header makes no sense.",
    "401": "The token is missing or wrong.",
    "408": "The body did not arrive in time.",
    "413": "The body is too long.",
    "415": "The body does not say that it is JSON.",
    "421": "The request was sent to a name that is not this service's.",
    "422": "An input is missing, unknown, or of another type.",
    "429": "The provider asks to wait.",
    "500": "The program failed.",
    "502": "The model's answer could not be read, or its provider refused the request.",
    "503": "The service is busy or about to stop, or the provider is down.",
    "504": "The answer was not there in time.",
}
_ERROR: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {
                "type": {
                    "type": "string",
                    "description": "A word for the kind of error, which never changes.",
                },
                "message": {"type": "string"},
                "retry_after": {"type": "integer", "minimum": 1},
            },
        }
    },
}


def document(contracts: Sequence[Contract], *, has_token: bool) -> dict[str, Any]:
    """Return the document.

    Args:
        contracts: The programs.
        has_token: Whether a request needs the service's token.
    """
    written, shared = _schemas(contracts)
    components: dict[str, Any] = {"schemas": {**shared, **written, _OF_ERRORS: _ERROR}}
    told: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "dspex", "version": _version()},
        "paths": {f"/{one.name}": {"post": _operation(one)} for one in contracts},
        "components": components,
    }
    if has_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        told["security"] = [{"token": []}]
    return told


def listed(contracts: Sequence[Contract]) -> dict[str, Any]:
    """Return the programs as a person wants to see them."""
    return {
        "programs": {
            one.name: {
                "path": f"/{one.name}",
                "description": one.description,
                "inputs": {each.name: each.expected for each in one.inputs.values()},
                "outputs": {each.name: each.expected for each in one.outputs.values()},
            }
            for one in contracts
        },
        "openapi": "/openapi.json",
    }


def _version() -> str:
    from dspex import __version__

    return __version__


def _operation(one: Contract) -> dict[str, Any]:
    body = {JSON: {"schema": _ref(f"{one.name}.inputs")}}
    return {
        "operationId": one.name,
        "description": one.description,
        "parameters": [
            _header(TIMEOUT, "number", "Seconds within which the answer is wanted."),
            _header(REQUEST_ID, "string", "What the request is to be called."),
        ],
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": _answer(one),
            **{
                status: {
                    "description": said,
                    "content": {JSON: {"schema": _ref(_OF_ERRORS)}},
                }
                for status, said in _ERRORS.items()
            },
        },
    }


def _answer(one: Contract) -> dict[str, Any]:
    shown = {
        REQUEST_ID: "The request's id.",
        USAGE: "A JSON object: calls, cached, prompt_tokens, completion_tokens, cost.",
    }
    return {
        "description": "The outputs; as events when they were asked for.",
        "headers": {
            name: {"description": said, "schema": {"type": "string"}}
            for name, said in shown.items()
        },
        "content": {
            JSON: {"schema": _ref(f"{one.name}.outputs")},
            EVENTS: {"schema": {"type": "string"}},
        },
    }


def _header(name: str, kind: str, said: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": said,
        "schema": {"type": kind},
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(model=name)}


def _schemas(
    contracts: Sequence[Contract],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schemas of all inputs and outputs, and those they share."""
    fields = dict(_known(contracts))
    # All at once: two types of one name get different names then.
    mapped, shared = TypeAdapter.json_schemas(
        [(key, "validation", checker) for key, (_, checker) in fields.items()],
        ref_template=_REF,
    )
    described = {
        key: _described(field, mapped[key, "validation"])
        for key, (field, _) in fields.items()
    }
    written = {}
    for one in contracts:
        for side, each in (("inputs", one.inputs), ("outputs", one.outputs)):
            is_open = side == "outputs" or one.is_open
            written[f"{one.name}.{side}"] = {
                "type": "object",
                "properties": {
                    name: described.get((one.name, side, name), _described(field, {}))
                    for name, field in each.items()
                },
                "required": [name for name, field in each.items() if field.is_required],
                "additionalProperties": is_open,
            }
    return written, shared.get("$defs", {})


def _known(
    contracts: Sequence[Contract],
) -> Iterator[tuple[tuple[str, str, str], tuple[Field, TypeAdapter[Any]]]]:
    """Yield the fields whose types have a schema."""
    for one in contracts:
        for side, each in (("inputs", one.inputs), ("outputs", one.outputs)):
            for name, field in each.items():
                if field.checker is not None and _has_schema(field.checker):
                    yield (one.name, side, name), (field, field.checker)


def _has_schema(checker: TypeAdapter[Any]) -> bool:
    try:
        checker.json_schema()
    except PydanticUserError:
        return False
    return True


def _described(field: Field, schema: Mapping[str, Any]) -> dict[str, Any]:
    said = {"description": field.description} if field.description else {}
    return {**schema, **said}
