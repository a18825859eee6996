"""A study that goes on, as others see and steer it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import reduce

from dspex.evaluate.running.journal import Tally
from dspex.evaluate.running.live import LiveRun, live_runs
from dspex.evaluate.running.why import Explained
from dspex.runtime.runtime import Runtime
from dspex.teleprompt.studies.candidate import best_of
from dspex.teleprompt.studies.study import Study


class LiveStudy:
    """A `LiveRun` whose runs are those of a study.

    Stopping it does what Ctrl-C does for whoever waits for the study.

    Args:
        study: The study.
        runtime: Where it runs.
    """

    part_of = None

    def __init__(self, study: Study, runtime: Runtime) -> None:
        self._study = study
        self.runtime = runtime
        self.over = threading.Event()
        """Set when it has ended."""

    def __repr__(self) -> str:
        return f"<LiveRun {self.name}: {self.state}, {self.progress}>"

    @property
    def name(self) -> str:
        """The study's name."""
        return self._study.run

    @property
    def kind(self) -> str:
        """The optimiser."""
        return self._study.order.optimiser

    @property
    def state(self) -> str:
        """Where it is; `held` when all its open runs are."""
        if self._study.is_to_end:
            return "ending"
        if self._study.is_paused:
            return "paused"
        states = {run.state for run in self._parts()}
        return "held" if states == {"held"} else "running"

    @property
    def tally(self) -> Tally:
        """Its open runs together."""
        return reduce(_together, (run.tally for run in self._parts()), Tally())

    @property
    def total(self) -> int | None:
        """Nobody knows how many runs there will be."""
        return None

    @property
    def progress(self) -> str:
        """How far it is, in a few words."""
        candidates = self._study.candidates
        many, best = len(candidates), best_of(candidates)
        told = f"{many:,} candidate{'' if many == 1 else 's'}"
        return told if best is None else f"{told}, best {best.score:.1f}"

    def why(self, timeout: float = 1.0) -> Explained:
        """Why its open runs are not finished."""
        told = [run.why(timeout) for run in self._parts()]
        return Explained(
            waiting=tuple(each for one in told for each in one.waiting),
            silent=tuple(dict.fromkeys(name for one in told for name in one.silent)),
        )

    def pause(self) -> None:
        """Begin no further example in any of its runs."""
        self._study.pause(paused=True)

    def resume(self) -> None:
        """Begin examples again."""
        self._study.pause(paused=False)

    def stop(self, within: float = 10.0) -> bool:
        """End it as Ctrl-C does."""
        self._study.end_soon()
        return self.over.wait(within)

    def _parts(self) -> Sequence[LiveRun]:
        """Return its runs that go on."""
        return [run for run in live_runs() if run.part_of == self.name]


def _together(first: Tally, second: Tally) -> Tally:
    return Tally(
        accepted=first.accepted + second.accepted,
        refused=first.refused + second.refused,
        score=first.score + second.score,
        scored=first.scored + second.scored,
        errors=first.errors + second.errors,
    )
