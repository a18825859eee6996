"""`Embedder`: vectors of texts, through the client and cache of everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

from dspex.core import defaults
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Message
from dspex.programs.rehearsal import is_rehearsal
from dspex.runtime.calling import named
from dspex.runtime.embedding_models import FunctionModel, ProviderModel, VectorModel
from dspex.runtime.embedding_shelf import Shelf
from dspex.runtime.runtime import current_runtime

Vector = list[float]
"""One embedded text."""


class Embedder:
    """Turns texts into vectors.

    When to use it: for retrieval and clustering, with a provider's model or a function
    of your own. When not: to compare two texts now and then; a language model can.

    Each text is cached by itself, so it is paid once, whatever others it comes with. A
    function of your own is cached only when it has a name, as two functions without
    one cannot be told apart.

    Args:
        model: `provider/model`, such as `openai/text-embedding-3-small`, or a function
            that takes a list of texts and returns a vector for each; it may be `async`.
        batch_size: Texts in a request; 200 by default.
        caching: Whether texts are looked up and kept.
        name: For a function, what its vectors are kept under, beside its code. Change
            it when what the function calls changes.
        options: What else `LM` takes (`api_base`, `budget`, `timeout`, ...), and
            settings that are sent, such as `dimensions`.

    Raises:
        ConfigurationError: A model that gives no vectors, or an option that makes no
            sense.

    Example:
        >>> embed = Embedder(lambda texts: [[len(text)] for text in texts])
        >>> embed(["a", "abc"])
        [[1.0], [3.0]]
        >>> embed("ab")
        [2.0]
    """

    def __init__(
        self,
        model: str | Callable[..., Any],
        *,
        batch_size: int = defaults.EMBEDDING_BATCH,
        caching: bool = True,
        name: str | None = None,
        **options: Any,
    ) -> None:
        self.batch_size = _checked_size(batch_size)
        self._model: VectorModel
        if isinstance(model, str):
            if name is not None:
                raise ConfigurationError(
                    f"Embedder({model!r}) was given the name {name!r}; a provider's "
                    "model has one already. Leave it out."
                )
            self._model = ProviderModel(model, **options)
            self.caching = caching
        else:
            self._model = FunctionModel(model, name, **options)
            self.caching = caching and name is not None

    def __repr__(self) -> str:
        return f"Embedder({self._model.model!r})"

    @overload
    def __call__(self, inputs: str, **settings: Any) -> Vector: ...
    @overload
    def __call__(self, inputs: Sequence[str], **settings: Any) -> list[Vector]: ...
    def __call__(
        self, inputs: str | Sequence[str], **settings: Any
    ) -> Vector | list[Vector]:
        """Embed a text, or several: a vector for each, in the same order.

        Lists of floats are returned; `numpy.array()` takes them. Batches go one after
        another.

        Args:
            inputs: A text, or a sequence of texts.
            settings: Sent with this call.

        Raises:
            LMError: A request ended without an answer. What was answered is kept.
        """
        texts, shelf = self._begin(inputs, settings)
        try:
            with named(self._model.model):
                shelf.look_up()
            for batch in self._batches(shelf.missing):
                shelf.put(batch, self._model.ask(*_asked(batch, settings)))
        finally:
            shelf.leave()
        return _result(inputs, [shelf.vector(text) for text in texts])

    @overload
    async def acall(self, inputs: str, **settings: Any) -> Vector: ...
    @overload
    async def acall(self, inputs: Sequence[str], **settings: Any) -> list[Vector]: ...
    async def acall(
        self, inputs: str | Sequence[str], **settings: Any
    ) -> Vector | list[Vector]:
        """The same for coroutines; batches go side by side."""
        texts, shelf = self._begin(inputs, settings)

        async def fetch(batch: Sequence[str]) -> None:
            shelf.put(batch, await self._model.aask(*_asked(batch, settings)))

        try:
            with named(self._model.model):
                await shelf.alook_up()
            batches = self._batches(shelf.missing)
            # All of them end before an error is raised, as each may bring something.
            ends = await asyncio.gather(*map(fetch, batches), return_exceptions=True)
            for error in ends:
                if error is not None:
                    raise error
        finally:
            shelf.leave()
        return _result(inputs, [shelf.vector(text) for text in texts])

    def _begin(
        self, inputs: str | Sequence[str], settings: Mapping[str, Any]
    ) -> tuple[list[str], Shelf]:
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        for at, text in enumerate(texts):
            if not isinstance(text, str):
                raise ConfigurationError(
                    f"inputs[{at}] is {type(text).__name__!r}; only texts are embedded."
                    " Pass a text, or a list of texts."
                )
        asked = {text: self._model.vector_identity(text, settings) for text in texts}
        cache = current_runtime().cache if self.caching else None
        # What comes in a rehearsal are placeholders.
        return texts, Shelf(
            cache, asked, self._model.model, may_keep=not is_rehearsal()
        )

    def _batches(self, texts: Sequence[str]) -> Iterator[Sequence[str]]:
        for start in range(0, len(texts), self.batch_size):
            yield texts[start : start + self.batch_size]


def _asked(
    batch: Sequence[str], settings: Mapping[str, Any]
) -> tuple[tuple[Message, ...], dict[str, Any]]:
    # The texts are cached one by one, not as the batch they happen to come in.
    return tuple(Message("user", text) for text in batch), {**settings, "cache": False}


def _result(
    inputs: str | Sequence[str], vectors: list[Vector]
) -> Vector | list[Vector]:
    return vectors[0] if isinstance(inputs, str) else vectors


def _checked_size(batch_size: int) -> int:
    if batch_size < 1:
        raise ConfigurationError(
            f"batch_size is {batch_size!r}; it counts the texts in a request. Pass 1 or"
            " more, or leave it out."
        )
    return batch_size
