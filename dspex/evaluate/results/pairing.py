"""Which example of one result is which of another. Pure, by digests of the rows."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence

from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.evaluate.record.fingerprint import row_digest
from dspex.evaluate.results.recorded import RecordedExamples


def paired_places(first: Sequence[Example], second: Sequence[Example]) -> Sequence[int]:
    """Return for each example of the first the place of the same in the second.

    Same content is the same example; of identical rows the first goes with the first.
    A row that a recorded run never began is not known, and stands for any.

    Raises:
        DataError: They are not the same examples.
    """
    if len(first) != len(second):
        raise DataError(
            f"the first result is of {len(first)} examples and the second of "
            f"{len(second)}; the same examples were expected. Evaluate both on the "
            "same set."
        )
    places = range(len(first))
    if first is second or _agree(zip(_digests(first), _digests(second), strict=True)):
        return places
    return _by_content(list(_digests(first)), list(_digests(second)))


def _digests(examples: Sequence[Example]) -> Iterator[str | None]:
    if isinstance(examples, RecordedExamples):
        return map(examples.digest, range(len(examples)))
    return map(row_digest, examples)


def _agree(pairs: Iterable[tuple[str | None, str | None]]) -> bool:
    return all(one is None or other is None or one == other for one, other in pairs)


def _by_content(
    first: Sequence[str | None], second: Sequence[str | None]
) -> Sequence[int]:
    places: defaultdict[str | None, deque[int]] = defaultdict(deque)
    for place, digest in enumerate(second):
        places[digest].append(place)
    order = []
    for number, digest in enumerate(first):
        if digest is None or not places[digest]:
            raise DataError(
                f"example {number} of the first result is not among those of the "
                "second; the same examples were expected. Evaluate both on the same "
                "set."
            )
        order.append(places[digest].popleft())
    return order
