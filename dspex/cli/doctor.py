"""`dspex doctor`: is the provider reachable, is the key accepted, is all well here?"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import click

from dspex.cli import completing
from dspex.cli.configured import configured
from dspex.cli.console import (
    Exit,
    exit_code,
    json_option,
    show,
    show_json,
    traceback_option,
)
from dspex.cli.models import ModelChoice

if TYPE_CHECKING:
    from dspex.client.examination import Finding
    from dspex.client.options import ClientView
    from dspex.client.providers.endpoint import Endpoint


@click.command()
@click.argument("model", required=False, shell_complete=completing.models)
@click.option(
    "--api-base",
    metavar="URL",
    help="The root of the API, if it is not the provider's own; MODEL then may be the "
    "bare name there.",
)
@click.option(
    "--api-key-env",
    metavar="VARIABLE",
    help="The environment variable that holds the key.  [default: the provider's own, "
    "such as OPENAI_API_KEY; none with --api-base]",
)
@click.option(
    "--ask",
    is_flag=True,
    help="Make a call of one token as well, which is paid for, and say what it told.",
)
@json_option
@traceback_option
def doctor(
    model: str | None,
    api_base: str | None,
    api_key_env: str | None,
    ask: bool,  # noqa: FBT001 - click passes by name
    as_json: bool,  # noqa: FBT001 - click passes by name
) -> None:
    """Find out whether MODEL can be reached, or whether all is well on this machine.

    With a MODEL, such as openai/gpt-4o-mini: the name is looked up, a connection made,
    and the list of models asked for with the key, which costs nothing. Without one:
    where files lie, whether the cache is sound, which keys are set, which models on
    this machine are ready. No key is ever shown.

    The exit code is that of the first thing that failed: 69 when the provider cannot be
    reached, 78 when the key or the configuration is wrong, 65 when the cache's file is
    damaged.
    """
    if model is None and (api_base or api_key_env or ask):
        raise click.UsageError(
            "--api-base, --api-key-env and --ask are about a model, and none was "
            "named. Add it: dspex doctor openai/gpt-4o-mini"
        )
    choice = ModelChoice(model=model, api_base=api_base, api_key_env=api_key_env)
    code, told = Exit.OK, []
    for finding in _findings(choice, ask=ask):
        told.append(finding)
        if finding.error is not None and code is Exit.OK:
            code = exit_code(finding.error)
        if not as_json:
            show(f"{finding.state.value:<9}{finding.name:<12}{finding.text}")
    if as_json:
        show_json({"model": model, "ok": code is Exit.OK, "findings": _plain(told)})
    click.get_current_context().exit(code)


def _findings(choice: ModelChoice, *, ask: bool) -> Iterator[Finding]:
    from dspex.cli.checkup import check_up
    from dspex.client.examination import State, failed
    from dspex.core.errors import ConfigurationError
    from dspex.core.home import home

    if choice.model is None:
        yield from check_up(home(), os.environ)
        yield _configuration()
        return
    try:
        for finding in _of_model(choice, choice.model):
            yield finding
            ask = ask and finding.state is not State.FAILED
        if ask:
            yield from _answered(choice)
    except ConfigurationError as error:
        yield failed("setup", error)


def _configuration() -> Finding:
    from dspex.client.examination import failed, ok
    from dspex.core.errors import ConfigurationError

    try:
        files = configured().read
    except ConfigurationError as error:
        return failed("config", error)
    return ok("config", ", ".join(map(str, files)) or "no file is read here")


def _of_model(choice: ModelChoice, model: str) -> Iterator[Finding]:
    from dspex.client.examination import ok
    from dspex.client.providers.model_strings import LocalModel

    found = choice.found(model)
    if isinstance(found, LocalModel):
        yield _local_model(found.name)
        return
    yield ok("address", found.base_url)
    yield from _examined(found)


def _local_model(name: str) -> Finding:
    from dspex.client.examination import ok
    from dspex.client.local.models import resolve_local
    from dspex.core.home import home

    model = resolve_local(name)
    what = "is ready" if model.is_ready(home()) else "will be made at the first call"
    return ok("file", f"{model.path(home())} {what}")


def _examined(endpoint: Endpoint) -> Iterator[Finding]:
    """The findings of an examination, each as soon as it is there."""
    from dspex.client.examination import examine
    from dspex.client.proxies import Proxies
    from dspex.client.transport import make_transport

    proxies = Proxies.from_environment(os.environ)
    transport = make_transport(proxies=proxies)
    with asyncio.Runner() as runner:
        findings = examine(endpoint, transport, proxies)
        try:
            while (finding := runner.run(_next(findings))) is not None:
                yield finding
        finally:
            runner.run(transport.aclose())


async def _next(findings: AsyncIterator[Finding]) -> Finding | None:
    return await anext(findings, None)


def _answered(choice: ModelChoice) -> Iterator[Finding]:
    """Make the smallest call there is, and say what is known after it."""
    from dspex.client.examination import failed, ok
    from dspex.core.errors import LMError
    from dspex.core.lm import Message
    from dspex.runtime.config import Config
    from dspex.runtime.runtime import Runtime

    lm = choice.lm(max_tokens=1, cache=False, num_retries=0)
    with Runtime(Config(persist=False)):
        try:
            reply = lm.complete((Message("user", "Hi"),))
        except LMError as error:
            yield failed("answer", error)
            return
        cost = "price not known" if reply.cost is None else f"${reply.cost:.6f}"
        yield ok(
            "answer",
            f"in {reply.latency:.2f} s, {reply.usage.total_tokens} tokens, {cost}",
        )
        yield _learned(lm.client().view())


def _learned(view: ClientView) -> Finding:
    """The limits that the client has learned from the call."""
    from dspex.client.examination import limits_found
    from dspex.client.providers.format import Allowance, RateLimits

    [lane] = view.lanes
    requests, tokens = (
        Allowance()
        if known is None
        else Allowance(limit=known.limit, remaining=int(known.left))
        for known in (lane.limits.announced_requests, lane.limits.announced_tokens)
    )
    limits = RateLimits(requests=requests, tokens=tokens)
    return limits_found(limits, "none were announced; refusals will teach them")


def _plain(findings: list[Finding]) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "state": one.state.value, "text": one.text}
        for one in findings
    ]
