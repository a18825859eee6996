"""`dspex evaluate --dry-run`: what would be asked and what it would cost."""

from __future__ import annotations

from dspex.cli.configured import configured
from dspex.cli.console import show, show_json
from dspex.cli.evaluating import Prepared


def rehearse(made: Prepared, *, trials: int, as_json: bool) -> None:
    """Tell first prompt, calls, tokens, cost and share of the cache; no call is made.

    Args:
        made: Program, metric, examples and model.
        trials: How often each example would be measured.
        as_json: Whether it is printed as JSON.
    """
    import dspex
    from dspex.programs.settings import context

    changes = {} if made.lm is None else {"lm": made.lm}
    try:
        with dspex.Runtime(configured().config), context(**changes):
            found = dspex.dry_run(
                made.program, made.examples, metric=made.metric, trials=trials
            )
    finally:
        dspex.shutdown()
    if not as_json:
        show(str(found))
        return
    show_json(
        {
            "examples": found.examples,
            "trials": found.trials,
            "calls": found.calls,
            "cached": found.cached,
            "share_cached": found.share_cached,
            "prompt_tokens": found.usage.prompt_tokens,
            "completion_tokens": found.usage.completion_tokens,
            "dollars": found.dollars,
            "unpriced": found.unpriced,
            "stopped": found.stopped,
            "prompt": found.prompt,
        }
    )
