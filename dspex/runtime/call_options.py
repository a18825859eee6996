"""How the calls of one language model are made: all that is not sent to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dspex.cache.key import Identity
from dspex.client.budget import Budget, active_budgets
from dspex.client.call import Call
from dspex.client.channel import Channel
from dspex.client.fair_queue import Priority
from dspex.client.limits import LimitPolicy
from dspex.client.price import Price
from dspex.client.providers.openai_request import is_reasoning_model
from dspex.client.retry import RetryPolicy
from dspex.core import defaults
from dspex.core.errors import ConfigurationError
from dspex.core.ids import new_id
from dspex.core.lm import Request
from dspex.core.setting_names import not_settings
from supervisors import current_scope

OPTIONS: Final = frozenset(
    {
        "adapter",
        "allow_insecure",
        "api_base",
        "api_key",
        "api_version",
        "budget",
        "cache",
        "callbacks",
        "deadline",
        "fallback_when",
        "fallbacks",
        "max_in_flight",
        "model",
        "model_type",
        "num_retries",
        "priority",
        "proxy",
        "requests_per_minute",
        "timeout",
        "tokens_per_minute",
    }
)
"""What an `LM` takes beside the settings that are sent."""

DSPYS_OPTIONS: Final = {
    "async_engine": "there is one way to a provider",
    "engine": "there is one way to a provider",
    "finetuning_model": "dspex trains nothing",
    "launch_kwargs": "a server is started by its own tools, or named `local/...`",
    "prompt_cache": "what the provider caches by itself is used, and counted",
    "train_kwargs": "dspex trains nothing",
    "use_developer_role": "a system message is sent as the provider's format has it",
}
"""What DSPy's `LM` takes beside settings and this one does not, and why. As a setting
it would be sent, and a provider refuses what it does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """What an `LM` was told about its calls.

    Raises:
        ConfigurationError: A span is not positive.
    """

    retries: RetryPolicy = field(default_factory=RetryPolicy)
    """Which errors are tried again, how often and when."""
    timeout: float | None = None
    """Seconds without a byte; `None` fits the model and the length of the answer."""
    deadline: float | None = None
    """Seconds for a whole call; `None` for no limit."""
    limits: LimitPolicy | None = None
    """What may be asked of the model in a minute."""
    priority: Priority | None = None
    """Who goes first; `None` is batch inside an evaluation, else interactive."""
    budget: Budget | None = None
    """What all its calls may cost together."""

    def __post_init__(self) -> None:
        for name, seconds in (("timeout", self.timeout), ("deadline", self.deadline)):
            if seconds is not None and not seconds > 0:
                raise ConfigurationError(
                    f"{name} is {seconds!r}; it is a span in seconds. "
                    "Pass a positive number, or leave it out."
                )

    def call(
        self,
        request: Request,
        identity: Identity | None,
        *,
        now: float,
        price: Price | None,
        channel: Channel | None,
        has_answers: bool = True,
    ) -> Call:
        """Make the call of a request, for the work that runs in this context.

        Args:
            request: What is asked.
            identity: What it is to the cache; `None` when it may not be cached.
            now: The tree's clock.
            price: What the model charges, if that is known.
            channel: Where the pieces of a streamed answer go.
            has_answers: Whether tokens come back; none do for texts to be embedded.
        """
        budgets = active_budgets(self.budget)
        if has_answers and any(budget.bounds_answers for budget in budgets):
            request = _bounded(request)
        scope = current_scope()
        tags: Mapping[str, Any] = scope.tags if scope is not None else {}
        usual = Priority.BATCH if "run" in tags else Priority.INTERACTIVE
        return Call(
            id=new_id() if identity is None else identity.key,
            request=request,
            cacheable=identity is not None,
            attempt_timeout=self._attempt_timeout(request),
            deadline=None if self.deadline is None else now + self.deadline,
            retries=self.retries,
            limits=self.limits,
            priority=self.priority or usual,
            share=str(tags.get("run", "")),
            budgets=budgets,
            price=price,
            channel=channel,
            tags=tags,
        )

    def _attempt_timeout(self, request: Request) -> float:
        if self.timeout is not None:
            return self.timeout
        longest = request.settings.get("max_tokens") or 0
        if longest > defaults.LONG_ANSWER or is_reasoning_model(request.model):
            return defaults.LONG_ATTEMPT_TIMEOUT
        return defaults.ATTEMPT_TIMEOUT


def _bounded(request: Request) -> Request:
    """A request whose answer has a longest length, as a cap on its cost needs one."""
    settings = request.settings
    if settings.get("max_tokens") or settings.get("max_completion_tokens"):
        return request
    bound = {"max_tokens": defaults.ASSUMED_ANSWER}
    return replace(request, settings={**settings, **bound})


def limits_of(
    requests_per_minute: int | None, tokens_per_minute: int | None
) -> LimitPolicy | None:
    """The limits a user named, or `None` when there are none.

    Raises:
        ConfigurationError: One of them is below 1.
    """
    if requests_per_minute is None and tokens_per_minute is None:
        return None
    return LimitPolicy(
        requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute
    )


def retries_of(number: int) -> RetryPolicy:
    """The policy for so many further attempts.

    Who wants none gets none, not even when the provider only puts a request off.

    Raises:
        ConfigurationError: The number is negative.
    """
    policy = RetryPolicy(
        retries=number, longest_retry_after=defaults.LONGEST_RETRY_AFTER
    )
    return policy if number else replace(policy, refusals=0)


def priority_of(name: str | None) -> Priority | None:
    """The priority of that name; `None` leaves it open.

    Raises:
        ConfigurationError: There is none of that name.
    """
    if name is None:
        return None
    try:
        return Priority[name.upper()]
    except KeyError:
        raise ConfigurationError(
            f"priority is {name!r}; it is 'interactive' or 'batch'. Pass one of them, "
            "or leave it out."
        ) from None


def check_model_type(name: str) -> None:
    """Refuse an API that is not spoken here.

    Raises:
        ConfigurationError: It is not "chat".
    """
    if name != "chat":
        raise ConfigurationError(
            f"model_type={name!r} is another API of OpenAI's; dspex asks every model "
            "by chat, also those that reason. Leave it out."
        )


def settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings among what an `LM` was given.

    A saved state names options of DSPy's also where they say nothing.
    """
    silent: tuple[Any, ...] = (None, "auto", {}, False)
    return {
        name: value
        for name, value in given.items()
        if name != "_dspy_lm_class" and not (name in DSPYS_OPTIONS and value in silent)
    }


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse what is a key, an address or an option of DSPy's, and no setting.

    Raises:
        ConfigurationError: There is one; its value is not shown.
    """
    for name in DSPYS_OPTIONS.keys() & settings.keys():
        raise ConfigurationError(
            f"{name!r} is an option of DSPy's LM and none of dspex's: "
            f"{DSPYS_OPTIONS[name]}. Leave it out."
        )
    # Fields of a provider's own, at its own address; a format without them refuses it.
    extra = settings.get("extra_body")
    names = settings.keys() - {"extra_body"}
    wrong = not_settings(names | set(extra if isinstance(extra, Mapping) else ()))
    if wrong:
        raise ConfigurationError(
            f"{wrong[0]!r} is no setting of a model: settings are shown, saved with "
            "programs and kept with cached answers, and may hold neither a key nor an "
            "address. Pass api_key= or api_base= to dspex.LM() instead."
        )
