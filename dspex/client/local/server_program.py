"""Serves one GGUF model over HTTP on loopback; runs as a child process of dspex.

It prints one line of JSON on standard output when it is ready (`address` and `pid`)
and nothing else there. It ends when its standard input closes, so that a parent that
was killed leaves no orphan, and on SIGTERM. `DSPEX_LOCAL_API_KEY` must hold the key
that callers have to send: other users of the machine can reach loopback too, and the
environment, unlike the command line, is not shown to them.

The file is run by its path and imports nothing of dspex: a server that dies and comes
back must be ready soon, and its memory is for the model.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from typing import Any

API_KEY_VARIABLE = "DSPEX_LOCAL_API_KEY"
"""The environment variable that carries the key of this server."""

LOOK_EVERY = 1.0
"""Seconds after which it looks for a signal again."""

PLAIN_TEMPLATE = r"""
{%- for message in messages -%}
{%- if message['role'] == 'user' -%}
{{- message['content'] -}}
{%- elif message['role'] == 'assistant' -%}
{{- ' ' + message['content'] + '\n\n---\n\n' -}}
{%- else -%}
{{- message['content'] + '\n\n---\n\n' -}}
{%- endif -%}
{%- endfor -%}
"""
"""Turns for a model that was trained on text and knows no chat format.

A user's turn ends with the name of the answer and a colon; what the model writes after
it is the answer, set off from the next example by `---`.
"""


def main(arguments: list[str] | None = None) -> int:
    """Serve until the parent goes away.

    Returns:
        0 after an ordinary end, 1 when the model could not be loaded, 2 for wrong
        arguments.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    key = os.environ.pop(API_KEY_VARIABLE, "")
    if not key:
        parser.error(f"{API_KEY_VARIABLE} is not set; it must hold the server's key")
    # Ctrl-C in a terminal reaches every process of the group; whether the server is
    # still needed is for its parent to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_standard_input()
    answers = _keep_standard_output()
    try:
        server = _start(options, key)
    except RuntimeError as error:
        sys.stderr.write(f"{options.model!r} was not loaded: {error}\n")
        return 1
    # Not earlier: Python would only see the signal after loading, the default ends it.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ready = {"address": server.listening_address, "pid": os.getpid()}
    os.write(answers, json.dumps(ready).encode() + b"\n")
    # In turns: a signal that comes just before a wait wakes nobody.
    while not threading.Event().wait(LOOK_EVERY):
        pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="server_program", allow_abbrev=False)
    parser.add_argument("--model", required=True, help="the GGUF file")
    parser.add_argument("--alias", required=True, help="the model's name for callers")
    parser.add_argument("--slots", type=int, default=4, help="answers at once")
    parser.add_argument("--context", type=int, default=8192, help="tokens, all slots")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--max-tokens", type=int, default=-1, help="where a caller sets no limit"
    )
    parser.add_argument(
        "--template",
        choices=("plain", "model"),
        default="model",
        help="'model' is the chat template in the file, 'plain' is for base models",
    )
    return parser


def _end_with_standard_input() -> None:
    """End the process, at once and in any state, when the parent's pipe closes."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _keep_standard_output() -> int:
    """Send all other output to standard error; return where the ready line goes."""
    answers = os.dup(1)
    os.dup2(2, 1)
    return answers


def _start(options: argparse.Namespace, key: str) -> Any:
    # Threads that spin while they wait are 1.5 times as fast on an idle machine and
    # five times as slow on a busy one, such as one that runs dspex beside them.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = {options.alias}
    params.api_keys = [key]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = options.slots
    params.n_ctx = options.context
    params.n_predict = options.max_tokens
    params.cont_batching = True
    params.cpuparams.n_threads = options.threads
    # Without it Gemma 3 cannot reuse the prompt that all examples share.
    params.swa_full = True
    # The default lets saved prompts grow to 8 GB.
    params.cache_ram_mib = 256
    params.offline = True
    params.ui = False
    params.verbosity = 1
    if options.template == "plain":
        params.chat_template = PLAIN_TEMPLATE
    return xllamacpp.Server(params)


if __name__ == "__main__":
    # Straight out: the threads of the server have nothing to put away.
    os._exit(main())
