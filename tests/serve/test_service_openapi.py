"""The OpenAPI document says what a service really takes and gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from jsonschema import (  # type: ignore[import-untyped] # its types are a package apart
    Draft202012Validator,
)
from pydantic import BaseModel

import dspex
from dspex.runtime.runtime import Runtime
from dspex.serve.contract import Contract
from dspex.serve.openapi import document
from dspex.serve.refusals import Refused
from dspex.serve.service import Service
from tests.serve.lab import STURDY, Client, saying, serve


class Place(BaseModel):
    name: str
    people: int


class Find(dspex.Signature):
    """Find places."""

    wish: str = dspex.InputField(desc="what is wanted")
    near: Place | None = dspex.InputField()
    kind: Literal["city", "lake"] = dspex.InputField(default="city")
    places: list[Place] = dspex.OutputField()
    sure: float = dspex.OutputField(ge=0, le=1)


ANSWER = {"places": [{"name": "Lima", "people": 10_000_000}], "sure": 0.9}

GOOD: tuple[dict[str, Any], ...] = (
    {"wish": "sea"},
    {"wish": "sea", "near": {"name": "Ica", "people": 1}, "kind": "lake"},
    {"wish": "sea", "near": None},
)
WRONG: tuple[dict[str, Any], ...] = (
    {},
    {"wish": 3},
    {"wish": "sea", "near": {"name": "Ica"}},
    {"wish": "sea", "kind": "sea"},
    {"wish": "sea", "wisch": "lake"},
)


@pytest.fixture(autouse=True)
def _runtime() -> Iterator[None]:
    with Runtime(STURDY):
        yield


def schema_of(told: dict[str, Any], name: str) -> Draft202012Validator:
    """What checks values by one schema of a document."""
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": told["components"]}
    )


def found() -> Contract:
    return Contract.of("find", dspex.Predict(Find))


@pytest.mark.parametrize("inputs", GOOD)
def test_the_schema_takes_what_the_service_takes(inputs: dict[str, Any]) -> None:
    checker = schema_of(document([found()], has_token=False), "find.inputs")

    assert list(checker.iter_errors(inputs)) == []
    assert set(found().read(inputs)) == set(inputs)


@pytest.mark.parametrize("inputs", WRONG)
def test_the_schema_refuses_what_the_service_refuses(inputs: dict[str, Any]) -> None:
    checker = schema_of(document([found()], has_token=False), "find.inputs")

    assert list(checker.iter_errors(inputs)) != []
    with pytest.raises(Refused):
        found().read(inputs)


def test_a_real_answer_and_a_real_error_fit_their_schemas() -> None:
    with dspex.context(lm=saying(ANSWER)):
        service = Service({"find": dspex.Predict(Find)})

    async def use(client: Client) -> None:
        told = (await client.get("/openapi.json")).json
        answer = (await client.post("/find", {"wish": "sea"})).json
        error = (await client.post("/find", {})).json

        outputs = schema_of(told, "find.outputs")
        assert answer == ANSWER
        outputs.validate(answer)
        assert list(outputs.iter_errors({**answer, "sure": 7})) != []
        schema_of(told, "dspex.Error").validate(error)
        assert list(told["paths"]) == ["/find"]
        assert told["openapi"] == "3.1.0"

    serve(service, use)


class Draws(dspex.Program):
    """Gives values that a model would get as parts of a message."""

    def forward(self, subject: str) -> dspex.Prediction:
        picture = dspex.Image(url=f"https://pictures.example/{subject}.png")
        said = dspex.Audio(data="AAAA", audio_format="wav")
        return dspex.Prediction(picture=picture, all=[picture], said=said)


def test_what_a_model_would_get_in_parts_is_answered_by_its_fields() -> None:
    with dspex.context(lm=saying()):
        service = Service({"draw": Draws()})

    async def use(client: Client) -> None:
        answer = (await client.post("/draw", {"subject": "sea"})).json

        url = {"url": "https://pictures.example/sea.png"}
        assert (answer["picture"], answer["all"]) == (url, [url])
        assert answer["said"] == {"data": "AAAA", "audio_format": "wav"}

    serve(service, use)


def test_a_picture_that_is_answered_fits_its_schema() -> None:
    signature = dspex.make_signature("subject -> picture: dspex.Image")
    url = {"url": "https://pictures.example/sea.png"}
    with dspex.context(lm=saying({"picture": url["url"]})):
        service = Service({"draw": dspex.Predict(signature)})

    async def use(client: Client) -> None:
        told = (await client.get("/openapi.json")).json
        answer = (await client.post("/draw", {"subject": "sea"})).json

        assert answer == {"picture": url}
        schema_of(told, "draw.outputs").validate(answer)

    serve(service, use)


def test_two_types_of_one_name_are_told_apart() -> None:
    def other() -> Any:
        class Place(BaseModel):
            street: str

        def program(place: Place) -> str:
            return place.street

        program.__annotations__["place"] = Place
        return program

    told = document([found(), Contract.of("other", other())], has_token=False)

    checker = schema_of(told, "other.inputs")
    assert list(checker.iter_errors({"place": {"street": "Jirón"}})) == []
    assert list(checker.iter_errors({"place": {"name": "Ica", "people": 1}})) != []


def test_a_type_that_is_called_error_keeps_its_schema() -> None:
    class Error(BaseModel):
        code: int

    def program(problem: Any) -> int:
        return int(problem.code)

    program.__annotations__["problem"] = Error
    told = document([Contract.of("program", program)], has_token=False)

    checker = schema_of(told, "program.inputs")
    assert list(checker.iter_errors({"problem": {"code": 1}})) == []
    assert list(checker.iter_errors({"problem": {"error": {"type": "x"}}})) != []


def test_a_token_is_told_of() -> None:
    told = document([found()], has_token=True)

    assert told["security"] == [{"token": []}]
    assert told["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_an_input_without_a_type_takes_any_value() -> None:
    contract = Contract.of("ask", dspex.Predict("context -> answer"))
    checker = schema_of(document([contract], has_token=False), "ask.inputs")

    assert list(checker.iter_errors({"context": ["a", "b"]})) == []
    assert contract.read({"context": ["a", "b"]}) == {"context": ["a", "b"]}


def test_the_programs_are_listed_for_people() -> None:
    service = Service({"find": dspex.Predict(Find)})

    async def use(client: Client) -> None:
        listed = (await client.get("/")).json

        assert listed["openapi"] == "/openapi.json"
        assert listed["programs"]["find"] == {
            "path": "/find",
            "description": "Find places.",
            "inputs": {
                "wish": "str",
                "near": "Place | None",
                "kind": "Literal['city', 'lake']",
            },
            "outputs": {"places": "list[Place]", "sure": "float"},
        }

    serve(service, use)
