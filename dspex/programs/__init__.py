"""Programs over the language-model protocol, and the settings they run under.

Nothing here knows the supervision tree; what a program needs of it arrives through
`settings` and the `LanguageModel` it was given.
"""

from dspex.core.errors import UnexpectedInputError
from dspex.programs.chain_of_thought import ChainOfThought
from dspex.programs.concurrency import asyncify, in_context, syncify
from dspex.programs.history import inspect_history
from dspex.programs.predict import Predict
from dspex.programs.program import Module, Program
from dspex.programs.saving.state import use_lm_factory
from dspex.programs.settings import Settings, ambient, configure, context, settings
from dspex.programs.tool_runner import ProgramToolRunner
from dspex.programs.trace import UsageTracker, track_usage
from dspex.programs.walk import Parameter

__all__ = [
    "ChainOfThought",
    "Module",
    "Parameter",
    "Predict",
    "Program",
    "ProgramToolRunner",
    "Settings",
    "UnexpectedInputError",
    "UsageTracker",
    "ambient",
    "asyncify",
    "configure",
    "context",
    "in_context",
    "inspect_history",
    "settings",
    "syncify",
    "track_usage",
    "use_lm_factory",
]
