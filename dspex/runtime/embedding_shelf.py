"""The cache's part in embedding several texts at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dspex.cache.cache import Cache, new_caller
from dspex.cache.key import Identity
from dspex.core.errors import LMResponseError
from dspex.core.lm import Reply


class Shelf:
    """Which texts have their vectors, and which this caller has to bring.

    Texts are looked up in the order of their keys. So whoever waits for a text of
    another caller holds only texts that come before it, and no two wait for each other.

    Args:
        cache: Where to look and to keep; `None` for neither.
        asked: What each text is to the cache.
        label: The model as errors name it.
        may_keep: Whether the cache is given what is brought.
    """

    def __init__(
        self,
        cache: Cache | None,
        asked: Mapping[str, Identity],
        label: str,
        *,
        may_keep: bool = True,
    ) -> None:
        self._cache = cache
        self._asked = asked
        self._label = label
        self._may_keep = may_keep
        self._caller = new_caller()
        self._vectors: dict[str, tuple[float, ...]] = {}
        self._owed: set[str] = set()

    @property
    def missing(self) -> list[str]:
        """The texts without a vector."""
        return [text for text in self._asked if text not in self._vectors]

    def look_up(self) -> None:
        """Ask the cache for each text; those it has not are owed from now on."""
        if self._cache is None:
            return
        for text in self._in_order():
            found = self._cache.look_up(self._asked[text], self._caller)
            self._note(text, found)

    async def alook_up(self) -> None:
        """The same on an event loop."""
        if self._cache is None:
            return
        for text in self._in_order():
            found = await self._cache.alook_up(self._asked[text], self._caller)
            self._note(text, found)

    def put(self, texts: Sequence[str], reply: Reply) -> None:
        """Take the vectors of some texts, and have the cache keep each.

        Raises:
            LMResponseError: There are more or fewer than texts.
        """
        if len(reply.vectors) != len(texts):
            raise LMResponseError(
                f"{self._label!r} gave {len(reply.vectors)} vectors for {len(texts)} "
                "texts; one for each was expected. Ask again, or embed fewer at a time "
                "with batch_size=.",
                model=self._label,
                request_id=reply.request_id,
            )
        for text, vector in zip(texts, reply.vectors, strict=True):
            self._vectors[text] = vector
            if self._cache is not None and self._may_keep:
                kept = Reply(vectors=(vector,), model=reply.model)
                self._cache.settle(self._asked[text].key, kept)
                self._owed.discard(text)

    def leave(self) -> None:
        """Tell the cache of what will not be brought, so that others may bring it."""
        if self._cache is not None:
            for text in self._owed:
                self._cache.leave(self._asked[text].key, self._caller)

    def vector(self, text: str) -> list[float]:
        """The vector of a text that is not missing."""
        return list(self._vectors[text])

    def _in_order(self) -> list[str]:
        return sorted(self._asked, key=lambda text: self._asked[text].key)

    def _note(self, text: str, found: Reply | None) -> None:
        if found is None:
            self._owed.add(text)
        else:
            self._vectors[text] = found.vectors[0]
