"""What a run writes into its record, and when.

Attempts and requests are announced before they begin, in the thread that begins them:
one line that a killed process leaves behind. Outcomes are committed by the aggregator,
and everything else with them. So what counts is on disk before anybody hears of it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dspex.client.call import AttemptRecord, Fate
from dspex.core.errors import RecordError, RecordUnwritableError, RunFencedError
from dspex.core.example import Example
from dspex.evaluate.record.entries import (
    Began,
    Decided,
    Entry,
    Intent,
    Noted,
    Refused,
    Requested,
)
from dspex.evaluate.record.fingerprint import row_digest, row_digest_and_text
from dspex.evaluate.record.reader import OWNED, Status
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.record.unrepeatable import noted
from dspex.evaluate.results.outcome import Outcome, Stamp
from dspex.evaluate.running.earlier import Earlier


class Recording:
    """The record of one run while it goes on.

    Args:
        record: Where it is written; owned by this process.
        wall_clock: Seconds since 1970.
    """

    def __init__(
        self,
        record: RunRecord,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.record = record
        self._now = wall_clock
        self.trouble: RecordUnwritableError | None = None
        """Why nothing can be written at present, such as a full disk."""
        self.fenced: RunFencedError | None = None
        """Who took the run over, once somebody has."""
        self.broken: RecordError | None = None
        """Why its end could not be written, and never can be."""
        # News of attempts and requests, until the next commit. Any thread adds.
        self._news: deque[Entry] = deque()
        # Requests under way by their ids, in single steps from any thread. Most end
        # before anybody looks, and then need one row and not two.
        self._under_way: dict[str, AttemptRecord] = {}

    # Before something begins, in the thread that begins it.

    def attempt_begins(self, stamp: Stamp, example: Example) -> None:
        """Announce an attempt.

        Raises:
            RunFencedError: Another owner took the run over; begin nothing.
        """
        digest, text = row_digest_and_text(example)
        is_first = stamp.attempt == 1 and stamp.trial == 0
        # First: `commit` takes what is announced for known.
        self._news.append(
            Began(
                stamp=stamp,
                at=self._now(),
                digest=digest,
                text=text if is_first else None,
            )
        )
        self._announce(Intent(stamp=stamp))

    def unrepeatable_begins(self, stamp: Stamp, name: str) -> None:
        """Announce that an attempt begins what is marked `retry=False`.

        Raises:
            RunFencedError: Another owner took the run over; begin nothing.
        """
        intent = Intent(stamp=stamp, unrepeatable=name)
        # First: `commit` takes what is announced for known.
        self._news.append(noted(intent, self._now()))
        self._announce(intent)

    def request_moved(self, request: AttemptRecord) -> None:
        """Announce a request that is about to be written, or tell its fate."""
        if request.fate is Fate.OPEN:
            self._under_way[request.request_id] = request
            self._announce(
                Intent(
                    stamp=_stamp_of(request.tags),
                    request_id=request.request_id,
                    call_id=request.call_id,
                    number=request.number,
                )
            )
        else:
            # In this order, so that it is never in neither.
            self._news.append(Requested(record=request))
            self._under_way.pop(request.request_id, None)

    def note(self, noted: Noted) -> None:
        """Have something else that happened written with the next commit."""
        self._news.append(noted)

    def _announce(self, intent: Intent) -> None:
        try:
            self.record.announce(intent)
        except RecordUnwritableError as error:
            # It is told with the next commit all the same; nothing more is begun.
            self.trouble = error
        except RunFencedError as error:
            self.fenced = error
            raise

    # For the aggregator.

    def commit(
        self,
        accepted: Sequence[Outcome],
        refused: Sequence[tuple[Stamp, str]] = (),
        *,
        whole: bool = False,
    ) -> bool:
        """Write outcomes, and what happened since the last time; whether it could be.

        Args:
            accepted: What counts.
            refused: What does not, and why.
            whole: Whether to write requests under way, too. Until then they stand only
                in the log of intents.

        Raises:
            RunFencedError: Another owner took the run over.
        """
        whole = whole or self.record.is_log_full or self.trouble is not None
        known = self.record.announced if whole else None
        under_way = tuple(self._under_way.values()) if whole else ()
        # Only this thread removes; what is added meanwhile waits for the next time.
        count = len(self._news)
        entries: list[Entry] = [Requested(record=each) for each in under_way]
        entries += [self._news[index] for index in range(count)]
        entries += [Decided(outcome=outcome) for outcome in accepted]
        entries += [Refused(stamp=stamp, why=why) for stamp, why in refused]
        try:
            self.record.commit(entries, known=known)
        except RecordUnwritableError as error:
            self.trouble = error
            return False
        except RunFencedError as error:
            self.fenced = error
            raise
        for _ in range(count):
            self._news.popleft()
        self.trouble = None
        return True

    # For the run.

    def take_over(self, earlier: Earlier, examples: Sequence[Example]) -> None:
        """Write what an earlier result has, which this run goes on from."""
        outcomes, now = earlier.outcomes, self._now()
        if not outcomes:
            return
        for outcome in outcomes:
            example = examples[outcome.stamp.example]
            self._news.append(
                Began(
                    stamp=outcome.stamp,
                    at=now,
                    digest=row_digest(example),
                    example=example,
                )
            )
        requests = earlier.requests.values()
        self._news.extend(Requested(record=request) for request in requests)
        took = {"seconds": earlier.seconds, "restarts": earlier.restarts}
        self._news.append(Noted(kind=OWNED, facts=took, at=now))
        self.commit(outcomes)

    def close(
        self,
        status: Status,
        facts: Mapping[str, Any],
        left_open: Sequence[Outcome] = (),
    ) -> None:
        """Write what is left, and give the run up, also where nothing can be written.

        Whoever goes on then finds what was committed, as after a death.

        Args:
            status: How the run is left.
            facts: What there is to say of it.
            left_open: Open outcomes of what was in hand.
        """
        try:
            if self.commit(left_open, whole=True):
                self.record.close(status, facts)
        except RunFencedError as error:
            self.fenced = error
        except RecordUnwritableError as error:
            self.trouble = error
        except RecordError as error:
            self.broken = error
        finally:
            self.record.let_go()


def _stamp_of(tags: Mapping[str, Any]) -> Stamp:
    return Stamp(
        run=str(tags["run"]),
        example=int(tags["example"]),
        trial=int(tags.get("trial", 0)),
        attempt=int(tags.get("attempt", 1)),
        configuration=int(tags.get("configuration", 1)),
    )
