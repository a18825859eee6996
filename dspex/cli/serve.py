"""`dspex serve`: programs as a service over HTTP, in a process of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dspex.cli.console import json_option, show, traceback_option
from dspex.cli.models import ModelChoice, model_options
from dspex.cli.served import Served
from dspex.core import defaults

_SECONDS = click.FloatRange(min=0)


@click.command()
@click.argument("programs", nargs=-1, required=True, metavar="[NAME=]PROGRAM...")
@click.option(
    "--load",
    "saved",
    multiple=True,
    metavar="[NAME=]FILE.json",
    help="A saved program to load: its demos and instructions. Read again at SIGHUP.",
)
@model_options
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen. Where others reach it, want a token with --token-env, and "
    "have a proxy encrypt it.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port; 0 for any that is free.",
)
@click.option(
    "--unix-socket",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Listen on a socket in a folder, and on no port.",
)
@click.option(
    "--app-dir",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="FOLDER",
    help="Where modules are looked for first.  [default: the current folder]",
)
@click.option(
    "--drain-within",
    type=_SECONDS,
    default=defaults.DRAIN_WITHIN,
    show_default=True,
    metavar="SECONDS",
    help="How long to answer what was accepted, once asked to end.",
)
@click.option(
    "--max-requests",
    type=click.IntRange(min=1),
    default=defaults.SERVE_IN_FLIGHT,
    show_default=True,
    metavar="N",
    help="Requests worked on at a time; more are refused with 503.",
)
@click.option(
    "--request-timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=defaults.SERVE_TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="How long a request may take; then it is answered with 504.",
)
@click.option(
    "--token-env",
    metavar="VARIABLE",
    help="The environment variable with the token that requests have to bring.  "
    "[default: none is wanted]",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name the service answers to without a token, besides addresses and "
    "localhost; * for any.",
)
@click.option(
    "--text-logs",
    is_flag=True,
    help="Write the log for people; without it, a JSON object a line.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged: this and what is worse. With debug, each request has a line.",
)
@json_option
@traceback_option
def serve(
    programs: tuple[str, ...],
    saved: tuple[str, ...],
    choice: ModelChoice,
    host: str,
    port: int,
    unix_socket: Path | None,
    app_dir: Path | None,
    text_logs: bool,  # noqa: FBT001 - click passes by name
    log_level: str,
    as_json: bool,  # noqa: FBT001 - click passes by name
    **_read_at_each_load: Any,
) -> None:
    """Answer requests over HTTP by programs, until a signal ends that.

    Each PROGRAM is MODULE:NAME in your own code, or a signature with a name before it.
    It answers at the path of its name.

    \b
      dspex serve my_code:capital
      dspex serve capital="country -> capital" --model openai/gpt-4o-mini

    SIGTERM and Ctrl-C end it when what was accepted is answered; a second one ends it
    at once. SIGHUP reads the configuration, with the table [serve] in it, and the saved
    files again. How it is can be asked at /healthz and /readyz.
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    from dspex.serve.daemon import Daemon
    from dspex.serve.listening import Network, UnixSocket
    from dspex.serve.logs import logging_to_stderr
    from dspex.serve.signals import Starting

    def announce(address: str, serving: Mapping[str, Any]) -> None:
        names = list(serving)
        if as_json:
            told = {"address": address, "programs": names, "process": os.getpid()}
            # On one line, for whoever reads it of a process that goes on.
            show(json.dumps(told))
        else:
            show(f"serving {', '.join(names)} at {address}")

    with (
        logging_to_stderr(as_json=not text_logs, level=log_level.upper()),
        Starting() as starting,
    ):
        ctx = click.get_current_context()
        served = Served.ordered(
            programs, saved=saved, ctx=ctx, choice=choice, folder=app_dir
        )
        network = Network(host=host, port=port)
        daemon = Daemon(
            served.load,
            place=network if unix_socket is None else UnixSocket(path=unix_socket),
            announce=announce,
            environ=os.environ,
            wants_reload=lambda: starting.wants_reload,
        )
        daemon.run()
