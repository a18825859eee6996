"""`BestOfN`: several tries, and the one with the highest reward."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dspex.core.prediction import Prediction
from dspex.programs.program import Program
from dspex.programs.rollouts import Contest, Rollout, check_rounds

Reward = Callable[[dict[str, Any], Prediction], Any]
"""Called as `reward_fn(inputs, prediction)`; returns a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What came of one round."""

    answer: Any
    """What the program answered."""
    reward: Any
    """What the reward function said of it."""


class BestOfN(Program):
    """Runs a program up to `N` times and returns the answer with the highest reward.

    Each round asks the model anew: at temperature 1, as another rollout for the cache.
    The first answer whose reward reaches `threshold` ends it. Rounds go one after
    another; all of them are paid and counted.

    A round in which a tool marked `retry=False` was called is the last one, and a
    program marked so is refused.

    When to use it: when an answer is easily judged and the model often misses. When
    not: when the reward is a guess too; it only picks the answer that guesses alike.

    Args:
        module: The program.
        N: How many rounds there are at most.
        reward_fn: Called with the inputs, as a dict, and the prediction; returns a
            number, a bool, or a prediction with a field `score`. For `acall` it may be
            `async`.
        threshold: A reward that is good enough.
        fail_count: How many rounds may fail; all of them unless given. When one more
            fails, or none gave an answer, the last error is raised.

    Raises:
        ConfigurationError: When one of them makes no sense.

    Example:
        >>> from dspex.programs import Predict
        >>> def is_short(args, pred):
        ...     return len(pred.answer.split()) == 1
        >>> BestOfN(Predict("question -> answer"), 3, is_short, threshold=1.0)
        BestOfN(module=Predict(question -> answer))
    """

    def __init__(
        self,
        module: Program,
        N: int,  # noqa: N803 - DSPy's name
        reward_fn: Reward,
        threshold: float,
        fail_count: int | None = None,
    ) -> None:
        check_rounds(type(self).__name__, N, module, reward_fn)
        self.module = module
        # Wrapped, so that a program that rewards is no part of this one.
        self.reward_fn = functools.partial(reward_fn)
        self.threshold = threshold
        self.N = N
        self.fail_count = N if fail_count is None else fail_count

    def forward(self, **kwargs: Any) -> Any:
        """Run the rounds; the inputs go by name."""
        contest = self._contest()
        for rollout in contest.rollouts(self.module):
            with contest.round(rollout):
                self._run(rollout, contest, kwargs)
        return contest.winner()

    async def aforward(self, **kwargs: Any) -> Any:
        """The same for coroutines."""
        contest = self._contest()
        for rollout in contest.rollouts(self.module):
            with contest.round(rollout):
                await self._arun(rollout, contest, kwargs)
        return contest.winner()

    def _run(
        self, rollout: Rollout, contest: Contest, inputs: dict[str, Any]
    ) -> Judged:
        """Run one round and count its answer in."""
        answer = rollout.program(**inputs)
        reward = self.reward_fn(dict(inputs), answer)
        contest.judge(rollout, answer, reward)
        return Judged(answer=answer, reward=reward)

    async def _arun(
        self, rollout: Rollout, contest: Contest, inputs: dict[str, Any]
    ) -> Judged:
        """The same for coroutines; the reward may be one too."""
        answer = await rollout.program.acall(**inputs)
        reward = self.reward_fn(dict(inputs), answer)
        if inspect.isawaitable(reward):
            reward = await reward
        contest.judge(rollout, answer, reward)
        return Judged(answer=answer, reward=reward)

    def _contest(self) -> Contest:
        return Contest(
            type(self).__name__,
            rounds=self.N,
            threshold=self.threshold,
            may_fail=self.fail_count,
        )
