"""The requests of a recorded run as a mapping: read when wanted, held nowhere."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView

from dspex.client.call import AttemptRecord
from dspex.evaluate.record.reader import RecordReader


class RecordedRequests(Mapping[str, AttemptRecord]):
    """The requests of a run by their id, in the order of the ids.

    Args:
        record: Where they lie; it may be closed.
    """

    def __init__(self, record: RecordReader) -> None:
        self._record = record

    def __len__(self) -> int:
        return self._record.request_count

    def __iter__(self) -> Iterator[str]:
        return (each.request_id for each in self._record.requests())

    def __getitem__(self, request_id: str) -> AttemptRecord:
        found = self._record.request(request_id)
        if found is None:
            raise KeyError(request_id)
        return found

    def __contains__(self, request_id: object) -> bool:
        is_id = isinstance(request_id, str)
        return is_id and self._record.request(str(request_id)) is not None

    def values(self) -> ValuesView[AttemptRecord]:
        """Return the requests; they are read in one go."""
        return _Values(self)

    def items(self) -> ItemsView[str, AttemptRecord]:
        """Return ids and requests; they are read in one go."""
        return _Items(self)

    def __repr__(self) -> str:
        return f"<{len(self)} requests in the record of {self._record.place.run!r}>"

    def read(self) -> Iterator[AttemptRecord]:
        """Yield the requests in the order of their ids."""
        return self._record.requests()


class _Values(ValuesView[AttemptRecord]):
    _mapping: RecordedRequests

    def __iter__(self) -> Iterator[AttemptRecord]:
        return self._mapping.read()


class _Items(ItemsView[str, AttemptRecord]):
    _mapping: RecordedRequests

    def __iter__(self) -> Iterator[tuple[str, AttemptRecord]]:
        return ((each.request_id, each) for each in self._mapping.read())
