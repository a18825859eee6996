"""What a program would ask and what that would cost, without asking anything."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from dspex.cache.cache import new_caller
from dspex.cache.key import Identity
from dspex.client.estimate import worst_case
from dspex.client.prices import cost_of
from dspex.core.draws import another_draw
from dspex.core.errors import ConfigurationError, LMError
from dspex.core.example import Example
from dspex.core.lm import Message, Reply, Usage
from dspex.programs.concurrency import run_coroutine
from dspex.programs.program import Program
from dspex.programs.settings import context, settings
from dspex.runtime.language_model import LM
from dspex.runtime.recording import EMBEDS, Recorded, recording
from dspex.runtime.runtime import current_runtime

_A_MOMENT = 1.0
"""Seconds to wait for a call that somebody else makes at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a program would do on some examples. Printed, it is a short report."""

    examples: int
    """Examples the program was run on."""
    calls: int
    """Calls it makes, answers from the cache included."""
    cached: int
    """How many of them need no request: the cache has the answer, or an equal call of
    this run brings it. After the first placeholder of an example, equal calls are not
    told, as they may differ in truth."""
    usage: Usage
    """Tokens of the others at most: prompts by an estimate that errs on the high side,
    answers by `max_tokens`, or 4,096 where that is not set."""
    dollars: float
    """What they cost at most, by the price table; without those that are `unpriced`."""
    unpriced: int
    """Calls to models whose price is not known."""
    stopped: int
    """Examples on which the program stopped, since a placeholder was no answer it could
    go on with; what it would have asked after that is not counted."""
    trials: int = 1
    """How often it was run on each."""
    problem: BaseException | None = None
    """Why it stopped, for the first of them."""
    messages: tuple[Message, ...] = field(default=(), repr=False)
    """The first prompt, as it would be sent."""

    @property
    def share_cached(self) -> float:
        """The part of the calls that need no request, from 0 to 1."""
        return self.cached / self.calls if self.calls else 0.0

    @property
    def prompt(self) -> str:
        """The first prompt, for a person: each turn under its role."""
        return "\n\n".join(f"{turn.role}:\n{turn.text}" for turn in self.messages)

    def __str__(self) -> str:
        sent = self.calls - self.cached
        beside = f" beside {self.unpriced} of unknown price" if self.unpriced else ""
        trials = "" if self.trials == 1 else f", {self.trials} trials each"
        report = (
            f"{self.calls} calls for {self.examples} examples{trials}; {self.cached} "
            f"({self.share_cached:.0%}) need no request.\n"
            f"The other {sent} take at most {self.usage.prompt_tokens:,} tokens sent "
            f"and {self.usage.completion_tokens:,} received, and cost at most "
            f"${self.dollars:.4f}{beside}."
        )
        parts = [self.prompt, report] if self.messages else [report]
        if self.stopped:
            parts.append(
                f"On {self.stopped} examples the program stopped early, at a "
                f"placeholder ({self.problem!r}); it may ask more than this."
            )
        return "\n\n".join(parts)


def dry_run(
    program: Callable[..., Any],
    examples: Iterable[Example],
    *,
    metric: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None,
    trials: int = 1,
) -> DryRun:
    """Find out what a program would ask on some examples, without asking.

    The program runs for real, in this thread and one example after another; only its
    calls of models are not made. Each predictor gets placeholders of the types its
    signature promises, so a program that chooses its way by an answer goes one way
    only. The cache is looked at and nothing is put into it. Threads that do not run in
    a copy of this context make their calls.

    Args:
        program: Called with each example's inputs by name.
        examples: With inputs, as for `Evaluate`.
        metric: Called with each example and prediction, if it asks models as well; or
            several by name.
        trials: How often each example will be measured.

    Raises:
        ConfigurationError: There are no examples, no model is set, or a model is none
            of dspex's (`LM`, `BaseLM`), so that its calls cannot be held back.
    """
    rows = list(examples)
    if not rows:
        raise ConfigurationError(
            "dry_run() was given no examples; there is nothing to rehearse. Pass at "
            "least one."
        )
    _check_models(program)
    several = metric if isinstance(metric, Mapping) else {"metric": metric}
    metrics = [one for one in several.values() if one is not None]
    problems: list[BaseException] = []
    with recording(_look) as recorder, context(trace=None):
        for row, trial in itertools.product(rows, range(trials)):
            recorder.begin()
            try:
                with another_draw(f"trial {trial}") if trial else nullcontext():
                    prediction = _called(program, **row.inputs())
                    for one in metrics:
                        _called(one, row, prediction)
            except ConfigurationError:
                raise
            except Exception as error:  # noqa: BLE001 - the user's code met a placeholder
                problems.append(error)
    return _summed(recorder.calls, len(rows), trials, problems)


def _called(program: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a program or a metric, be it async or not."""
    call = program
    if isinstance(program, Program) and type(program).forward is Program.forward:
        # All it has is an `aforward`.
        call = program.acall
    value = call(*args, **kwargs)
    return run_coroutine(value) if inspect.iscoroutine(value) else value


def _check_models(program: Callable[..., Any]) -> None:
    models = [settings.lm]
    if isinstance(program, Program):
        models += [predictor.lm for predictor in program.predictors()]
    for model in models:
        if model is not None and not isinstance(model, LM):
            raise ConfigurationError(
                f"{type(model).__name__} is no LM of dspex, so its calls cannot be "
                "held back; nothing was run. Make it a subclass of dspex.BaseLM."
            )


def _summed(
    calls: Sequence[Recorded],
    examples: int,
    trials: int,
    problems: Sequence[BaseException],
) -> DryRun:
    sent = [recorded.call for recorded in calls if recorded.needs_request]
    worst = [worst_case(call.request, answers=EMBEDS not in call.tags) for call in sent]
    costs = [
        None if call.price is None else cost_of(usage, call.price)
        for call, usage in zip(sent, worst, strict=True)
    ]
    return DryRun(
        examples=examples,
        trials=trials,
        calls=len(calls),
        cached=len(calls) - len(sent),
        usage=sum(worst, Usage()),
        dollars=math.fsum(cost for cost in costs if cost is not None),
        unpriced=costs.count(None),
        stopped=len(problems),
        problem=problems[0] if problems else None,
        messages=calls[0].call.request.messages if calls else (),
    )


def _look(identity: Identity) -> Reply | None:
    runtime, caller = current_runtime(), new_caller()
    cache = runtime.cache
    try:
        found = cache.look_up(identity, caller, runtime.clock.monotonic() + _A_MOMENT)
    except LMError:
        # Somebody else is at it, and has no answer yet.
        return None
    if found is None:
        cache.leave(identity.key, caller)
    return found
