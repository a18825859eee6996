"""The names of what dspex tells of itself, and what comes with each.

Values only: who tells stands where it happens, and `supervisors.Events` carries them.
Names go from the general to the special, as in Erlang's `:telemetry`, so whoever wants
all of a kind attaches to the beginning of their names. Spans are in seconds. `span` is
the same for the events of one block and different for all others.
"""

from __future__ import annotations

from typing import Final

PROGRAM_START: Final = ("dspex", "program", "start")
"""A program is called. Metadata: span, parent (the span around it or None), name (its
class), instance, inputs."""
PROGRAM_STOP: Final = ("dspex", "program", "stop")
"""It has answered. Metadata: as at its start, and outputs. Measurements: seconds."""
PROGRAM_EXCEPTION: Final = ("dspex", "program", "exception")
"""It has raised. Metadata: as at its start, and error. Measurements: seconds."""

TOOL_START: Final = ("dspex", "tool", "start")
"""A tool is called. Metadata: as for a program, name is the tool's own."""
TOOL_STOP: Final = ("dspex", "tool", "stop")
"""It has answered. Metadata: as for a program. Measurements: seconds."""
TOOL_EXCEPTION: Final = ("dspex", "tool", "exception")
"""It has raised. Metadata: as for a program. Measurements: seconds."""

LM_REQUEST_START: Final = ("dspex", "lm", "request", "start")
"""A model is asked, the cache first. Told in the caller's thread. Metadata: span, model
(as the user wrote it), provider, address, operation ("chat" or
"embeddings"), request (a Request), stream (whether the answer comes in pieces)."""
LM_REQUEST_STOP: Final = ("dspex", "lm", "request", "stop")
"""There is a reply. Metadata: as at its start, reply (a Reply) and cache ("hit",
"miss", or "off" where it was not asked). Measurements: seconds, input_tokens,
output_tokens (0 for a hit), attempts, and cost in dollars where it is known."""
LM_REQUEST_EXCEPTION: Final = ("dspex", "lm", "request", "exception")
"""It ended without an answer. Metadata: as at its start, error, and status (of HTTP, or
None). Measurements: seconds."""

LM_ATTEMPT_START: Final = ("dspex", "lm", "attempt", "start")
"""A request goes to the provider: one of those made for a call. Told in the client's
thread, in the context of whoever asked first. Metadata: record (an AttemptRecord),
provider, model (as the provider knows it)."""
LM_ATTEMPT_STOP: Final = ("dspex", "lm", "attempt", "stop")
"""It was answered, or broken off or lost: record.fate says which. Metadata: as at its
start. Measurements: seconds."""
LM_ATTEMPT_EXCEPTION: Final = ("dspex", "lm", "attempt", "exception")
"""It has failed. Metadata: as at its start, error, and status (of HTTP, or None).
Measurements: seconds."""

CACHE_HIT: Final = ("dspex", "cache", "hit")
"""A look-up was answered. Metadata: key, and tier ("memory", "store", or "shared" for
one that followed another's call)."""
CACHE_MISS: Final = ("dspex", "cache", "miss")
"""A look-up led to a call. Metadata: key."""
CACHE_TROUBLE: Final = ("dspex", "cache", "trouble")
"""The first trouble of each kind with the file. Metadata: trouble (a Trouble), path."""
CACHE_DROPPED: Final = ("dspex", "cache", "dropped")
"""Answers were not stored. Measurements: count."""

BREAKER_OPEN: Final = ("dspex", "breaker", "open")
"""No call passes to a model until a probe may look. Metadata: provider, label, model.
Measurements: failures in a row."""
BREAKER_HALF_OPEN: Final = ("dspex", "breaker", "half_open")
"""One call may look whether it is well again. Metadata and measurements: as above."""
BREAKER_CLOSE: Final = ("dspex", "breaker", "close")
"""Calls pass again. Metadata and measurements: as above."""

LIMITER_WAIT: Final = ("dspex", "limiter", "wait")
"""The calls to a model wait for a rate limit. Metadata: provider, label, model, reason
(a WaitReason). Measurements: seconds until it is looked at again."""

EVALUATE_START: Final = ("dspex", "evaluate", "start")
"""`Evaluate` is called. Metadata: as for a program. One that is started in the
background has the events of its run only."""
EVALUATE_STOP: Final = ("dspex", "evaluate", "stop")
"""It has ended. Metadata: as for a program. Measurements: seconds."""
EVALUATE_EXCEPTION: Final = ("dspex", "evaluate", "exception")
"""It has raised. Metadata: as for a program. Measurements: seconds."""
RUN_START: Final = ("dspex", "evaluate", "run", "start")
"""A run begins, or goes on. Metadata: run (its name). Measurements: trials, and
examples where their number is known."""
RUN_STOP: Final = ("dspex", "evaluate", "run", "stop")
"""A run has ended. Metadata: run, status ("complete", "stopped" or "interrupted").
Measurements: seconds, and outcomes that count."""
EXAMPLE_START: Final = ("dspex", "evaluate", "example", "start")
"""Program and metric are about to run on an example. Told by the worker. Metadata:
span, stamp (run, example, trial and attempt), example."""
EXAMPLE_STOP: Final = ("dspex", "evaluate", "example", "stop")
"""The worker has its outcome, a failure too. One that was killed tells nothing.
Metadata: as at its start, outcome (an Outcome). Measurements: seconds."""

COMPILE_START: Final = ("dspex", "compile", "start")
"""An optimiser begins. Metadata: as for a program."""
COMPILE_STOP: Final = ("dspex", "compile", "stop")
"""It has ended. Metadata: as for a program. Measurements: seconds."""
COMPILE_EXCEPTION: Final = ("dspex", "compile", "exception")
"""It has raised. Metadata: as for a program. Measurements: seconds."""
OPTIMISER_STEP: Final = ("dspex", "optimiser", "step")
"""A candidate was tried. Metadata: study (its run's name), candidate (a Candidate)."""

SERVE_REQUEST_START: Final = ("dspex", "serve", "request", "start")
"""A request has come to a service, not to a page that others have mounted there. Told
on the loop of the sockets, in the context that its program is begun in. Metadata: span,
request (its id), method, route ("/{name}" for all programs, None where there is no such
page), scheme, traceparent (that header, or None)."""
SERVE_REQUEST_STOP: Final = ("dspex", "serve", "request", "stop")
"""Its answer is written, or it was given up. Metadata: as at its start, program (its
name, or None), status (of HTTP; 499 when the client left, None when it was broken off)
and error_type (the error's `type`, or None). Measurements: seconds."""
