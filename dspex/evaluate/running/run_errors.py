"""What is said of a run that could not go on, or was not let go on."""

from __future__ import annotations

import math

from dspex.core.errors import (
    EvaluationCancelledError,
    EvaluationError,
    EvaluationInterrupted,
    RecordError,
)
from dspex.core.safe_text import text_of_error
from dspex.evaluate.results.outcome import Outcome, OutcomeKind
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.running.plan import Ended
from dspex.evaluate.scheduling.outage import Outage

CANCELLED = OutcomeKind.CANCELLED


def line_on(recorded_as: str | None, call: str = "evaluate") -> str:
    """Return the line of code that goes on with a run that was left.

    Args:
        recorded_as: The name of its record on disk; `None` when it has none.
        call: What is called.

    Example:
        >>> print(line_on("july"))
        evaluate(program, run='july')
        >>> print(line_on(None))
        evaluate(program, resume=error.result)
    """
    if recorded_as is None:
        return f"{call}(program, resume=error.result)"
    return f"{call}(program, run={recorded_as!r})"


def interrupted(
    result: EvaluationResult, recorded_as: str | None
) -> EvaluationInterrupted:
    """Return the error for a Ctrl-C."""
    text = (
        f"interrupted after {_measured(result)}; they are in .result. To go on where "
        f"it stopped: {line_on(recorded_as)}"
    )
    return EvaluationInterrupted(text, result=result)


def cancelled(
    result: EvaluationResult, recorded_as: str | None
) -> EvaluationCancelledError:
    """Return the cause of the `CancelledError` of whoever awaited the run."""
    text = (
        f"cancelled after {_measured(result)}; they are in .result. To go on where it "
        f"stopped: {line_on(recorded_as, 'await evaluate.acall')}"
    )
    return EvaluationCancelledError(text, result=result)


def stopped(
    ended: Ended, outcome: Outcome, result: EvaluationResult
) -> EvaluationError:
    """Return one error for the whole run: the cause, the counts, the first example."""
    if ended.reason == "fatal":
        message = "" if outcome.error is None else outcome.error.message
        text = (
            f"the evaluation stopped at example {outcome.stamp.example}, as every "
            f"other would end the same way: {message}"
        )
    else:
        # What was in hand then is in the line below, and no cause.
        causes = [each for each in result.causes if each.kind is not CANCELLED]
        lines = "\n  ".join(map(str, causes))
        text = (
            f"the evaluation stopped because max_errors was reached:\n  {lines}\n"
            "Mend the cause, or allow more with max_errors=."
        )
    in_short, _, _ = str(result).partition("\n")
    return EvaluationError(f"{text}\nSo far: {in_short}", result=result)


def away(
    outage: Outage,
    max_outage: float,
    result: EvaluationResult,
    recorded_as: str | None,
) -> EvaluationError:
    """Return one error for the whole run, and how to go on when it is over."""
    span = outage.look_at - outage.noticed
    why = f"has been away for more than {max_outage:g} s (max_outage)"
    on = f"When it is back, go on with {line_on(recorded_as)}."
    if outage.is_told and span > max_outage:
        why = f"wants no request for {span:.0f} s, and a run waits for {max_outage:g} s"
        on = (
            f"Go on after that time with {line_on(recorded_as)}; or let a run wait so "
            f"long, with max_outage={math.ceil(span)}."
        )
    elif not any(each is not None and each.is_settled for each in result.outcomes):
        on = f"It never answered; see that it runs, and where it is looked for. {on}"
    text = (
        f"the evaluation stopped because {outage.what} {why}: {outage.text}\n"
        f"Nothing that was measured is lost. {on}\nSo far: {result}"
    )
    return EvaluationError(text, result=result)


def broken(ended: Ended, result: EvaluationResult) -> EvaluationError:
    """Return the error for what ended a run from outside of its examples."""
    if ended.reason == "stream":
        text = (
            f"the stream of examples raised after {result.n}: {_sentence(ended.error)} "
            "What came before is measured and in .result. Mend the stream and evaluate "
            "again."
        )
    else:
        text = f"the evaluation stopped: {_sentence(ended.error)}"
    return EvaluationError(f"{text}\nSo far: {result}", result=result)


def unrecorded(broken: RecordError, result: EvaluationResult) -> EvaluationError:
    """Return the error for a run that is done and whose record is not."""
    text = (
        f"the evaluation is done, and its record is not: {broken}\nWhat was measured "
        f"is in .result alone; save it with .result.save_jsonl(path).\n{result}"
    )
    return EvaluationError(text, result=result)


def cause_of(outcome: Outcome) -> BaseException | None:
    """Return the exception an outcome is about, in the process that saw it."""
    return None if outcome.error is None else outcome.error.error


def _sentence(error: BaseException | None) -> str:
    text = text_of_error(error) if error is not None else ""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _measured(result: EvaluationResult) -> str:
    done = sum(one is not None and one.is_settled for one in result.outcomes)
    if result.trials == 1:
        return f"{done} of {result.n} examples"
    return f"{done} of {result.n * result.trials} trials"
