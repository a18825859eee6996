"""An evaluation that runs while its caller does something else: watch it, and steer it.

A thread of its own waits for the end and cleans up, so a run that nobody asks for its
result leaves nothing behind either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from dspex.core.errors import ConfigurationError
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.running.journal import Tally
from dspex.evaluate.running.live import progress_of
from dspex.evaluate.running.plan import Ended
from dspex.evaluate.running.run import Run
from dspex.evaluate.running.why import Waiting
from supervisors import ReplyFuture

Conclude = Callable[[Ended], EvaluationResult]
"""Makes a run's result when it has ended; raises when it could not go on."""

TICK = 3600.0
"""Seconds between two looks of the thread that waits for the end; it is woken."""


class EvaluationRun:
    """An evaluation that was started. Its methods may be called from any thread.

    Made by `Evaluate.start()`. As a context manager it stops when the block is left.

    Example:
        >>> import dspex
        >>> rows = dspex.load([{"n": 1}, {"n": 2}], inputs=["n"])
        >>> evaluate = dspex.Evaluate(devset=rows, metric=lambda *_: 1.0)
        >>> run = evaluate.start(lambda n: n)
        >>> print(run.result(timeout=10))
        100.0 ± 0.0 (2 examples)
        >>> run.state, run.why()
        ('complete', ())
    """

    def __init__(
        self, run: Run, conclude: Conclude, needs: ExitStack | None = None
    ) -> None:
        """Begin a run.

        Args:
            run: What to begin.
            conclude: Makes its result.
            needs: What it needs until its end; closed then.
        """
        self._run = run
        self._needs = ExitStack() if needs is None else needs
        self._conclude = conclude
        self._over: ReplyFuture[Ended] = ReplyFuture()
        # Protects making the result, which two threads may ask for at once.
        self._concluding = threading.Lock()
        self._result: EvaluationResult | None = None
        run.__enter__()
        threading.Thread(
            target=self._see_it_end, name=f"waits for run {self.name}", daemon=True
        ).start()

    def _see_it_end(self) -> None:
        try:
            try:
                ended = self._run.wait(TICK, lambda _tally: None)
            finally:
                with self._needs:
                    self._run.__exit__(None, None, None)
        except BaseException as error:  # noqa: BLE001 - whoever waits for the result gets it
            self._over.reject(error)
        else:
            self._over.resolve(ended)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        told = progress_of(self.tally, self._run.plan.total)
        return f"<EvaluationRun {self.name}: {self.state}, {told}>"

    # What can be seen.

    @property
    def name(self) -> str:
        """The run's name, under which its record is kept."""
        return self._run.plan.run

    @property
    def tally(self) -> Tally:
        """How far it is: a value, replaced at each outcome."""
        return self._run.tally

    @property
    def done(self) -> bool:
        """Whether it has ended and everything of it is cleaned up."""
        return self._over.done()

    @property
    def state(self) -> str:
        """A word for where it is.

        `running`; `paused` by you; `held` while something all examples need is not
        there; `ending`; or how it ended: `complete`, `stopped`, `failed`.
        """
        if self._over.done():
            return self._end_word()
        return self._run.state

    def _end_word(self) -> str:
        try:
            reason = self._over.get().reason
        except Exception:  # noqa: BLE001 - `result` raises it
            return "failed"
        if reason == "cancelled":
            return "stopped"
        return "complete" if reason in ("complete", "enough") else "failed"

    def why(self) -> tuple[Waiting, ...]:
        """Why it is not finished: what each open example waits for.

        One stands for all that were not begun. Empty when it has ended. No worker is
        asked, so it answers while all of them hang.
        """
        return () if self._run.finished else self._run.why()

    # What can be done.

    def pause(self) -> None:
        """Begin no further example; those that run go on. Harmless when paused."""
        self._run.pause(paused=True)

    def resume(self) -> None:
        """Begin examples again."""
        self._run.pause(paused=False)

    def stop(self) -> None:
        """End it now, and wait until that is so. What was measured is kept.

        Its result is not `complete` then; `evaluate(program, resume=result)` goes on.
        """
        if not self.done:
            self._run.cancel()
        self._over.wait(None)

    @property
    def concurrency(self) -> int:
        """Examples worked on at a time. Set it to change that at once.

        With fewer, those that run go on until they are done.
        """
        return self._run.concurrency

    @concurrency.setter
    def concurrency(self, concurrency: int) -> None:
        if type(concurrency) is not int or concurrency < 1:
            raise ConfigurationError(
                f"concurrency is {concurrency!r}; expected a whole number from 1 on. "
                "To begin nothing for a while, call pause()."
            )
        self._run.set_concurrency(concurrency)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most `timeout` seconds; whether it has ended."""
        return self._over.wait(timeout)

    def result(self, timeout: float | None = None) -> EvaluationResult:
        """Wait for the end and return what was found.

        Ctrl-C ends only the waiting: the run goes on, and `stop()` ends it.

        Args:
            timeout: Seconds to wait at most; `None` waits for the end.

        Raises:
            TimeoutError: It had not ended by then; it goes on.
            EvaluationError: It could not go on; `.result` has what was measured.
        """
        if not self._over.wait(timeout):
            msg = (
                f"run {self.name} had not ended after {timeout:g} s. It goes on: ask "
                "why() what it waits for, wait longer, or stop() it."
            )
            raise TimeoutError(msg)
        with self._concluding:
            if self._result is None:
                self._result = self._conclude(self._over.get())
            return self._result
