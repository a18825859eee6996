"""Gemini's batchEmbedContents: texts in, a vector for each; see `embedded_texts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.providers.embedded_texts import texts_of, vector_of
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import RateLimits, Sender, StreamReader
from dspex.client.providers.gemini import path_of
from dspex.client.providers.gemini_errors import error_for
from dspex.client.providers.json_body import JsonError, read_object
from dspex.client.providers.json_values import count_of, object_of, objects_of
from dspex.client.providers.openai_words import settings_asked
from dspex.client.providers.refusals import is_success, unreadable
from dspex.client.providers.request_body import written
from dspex.client.providers.request_headers import request_headers
from dspex.client.providers.whole_body import WholeBody
from dspex.core.lm import Reply, Request, Usage

_SETTINGS = {"dimensions": "outputDimensionality", "task_type": "taskType"}
_EXPECTED = "JSON with embeddings[0].values, a list of numbers"


class GeminiEmbeddings:
    """The format of `/v1beta/models/...:batchEmbedContents`."""

    def build(
        self,
        request: Request,
        endpoint: Endpoint,
        *,
        request_id: str,
        idempotency_key: str,
        stream: bool = False,
    ) -> HttpRequest:
        """Put a request into bytes.

        Args:
            request: What to embed; its settings are `dimensions` and `task_type`.
            endpoint: Where.
            request_id: Our own id of this attempt.
            idempotency_key: The same for all attempts of one call.
            stream: Not known here.

        Raises:
            ConfigurationError: When a turn is no text of a user, when a stream is asked
                for, or when a setting is no JSON value or not one of the two.
        """
        path = path_of(request.model or endpoint.model)
        asked = settings_asked(
            request.settings, known=_SETTINGS, format_name="Gemini's embeddings"
        )
        shared = {"model": path} | {
            _SETTINGS[name]: value for name, value in asked.items()
        }
        texts = texts_of(request, stream=stream)
        each = [{**shared, "content": {"parts": [{"text": text}]}} for text in texts]
        headers = request_headers(
            request_id=request_id, idempotency_key=idempotency_key, stream=False
        )
        if endpoint.api_key is not None:
            headers["x-goog-api-key"] = endpoint.api_key.reveal()
        return HttpRequest(
            method="POST",
            url=f"{endpoint.base_url}/{path}:batchEmbedContents",
            headers=headers,
            body=written({"requests": each}, request.settings),
        )

    def read(self, response: HttpResponse, sender: Sender) -> Reply:
        """Read a whole response.

        Raises:
            LMError: The class that fits the status and Gemini's own word. A success
                whose body holds no vectors is an `LMResponseError`.
        """
        if not is_success(response.status):
            raise error_for(response, sender)
        try:
            answer = read_object(response.body)
        except JsonError as error:
            raise unreadable(
                response, sender, problem=str(error), expected=_EXPECTED
            ) from None
        if "error" in answer:
            raise error_for(response, sender)
        rows = objects_of(answer.get("embeddings"))
        vectors = tuple(vector_of(row.get("values")) for row in rows)
        if not all(vectors) or len({len(vector) for vector in vectors}) != 1:
            raise unreadable(
                response,
                sender,
                problem="it has no vectors of one length",
                expected=_EXPECTED,
            )
        usage = object_of(answer.get("usageMetadata"))
        return Reply(
            vectors=vectors,
            usage=Usage(prompt_tokens=count_of(usage.get("promptTokenCount"))),
        )

    def reader(self, headers: Mapping[str, str], sender: Sender) -> StreamReader:
        """A reader for a body that comes whole, as vectors always do."""
        return WholeBody(headers, lambda response: self.read(response, sender))

    def limits(
        self, _headers: Mapping[str, str], _wall_clock: Callable[[], float], /
    ) -> RateLimits:
        """Nothing: Gemini's headers do not tell its limits."""
        return RateLimits()


GEMINI_EMBEDDINGS = GeminiEmbeddings()
"""The format, which keeps no state."""
