"""DSPy's programming model on an OTP supervision tree.

Every public name is importable from here and loads when it is first used, so that
`import dspex` itself costs next to nothing and starts nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dspex.client.budget import Budget as Budget
    from dspex.client.prices import Price as Price
    from dspex.core.adapters import Adapter as Adapter
    from dspex.core.adapters import ChatAdapter as ChatAdapter
    from dspex.core.adapters import LineAdapter as LineAdapter
    from dspex.core.data import Dataset as Dataset
    from dspex.core.data import load as load
    from dspex.core.errors import AdapterParseError as AdapterParseError
    from dspex.core.errors import BudgetExceededError as BudgetExceededError
    from dspex.core.errors import ConfigurationError as ConfigurationError
    from dspex.core.errors import DataError as DataError
    from dspex.core.errors import DspexError as DspexError
    from dspex.core.errors import EvaluationError as EvaluationError
    from dspex.core.errors import EvaluationInterrupted as EvaluationInterrupted
    from dspex.core.errors import LMError as LMError
    from dspex.core.errors import MissingInputError as MissingInputError
    from dspex.core.errors import SignatureError as SignatureError
    from dspex.core.example import Example as Example
    from dspex.core.fields import InputField as InputField
    from dspex.core.fields import OutputField as OutputField
    from dspex.core.lm import LanguageModel
    from dspex.core.prediction import Completions as Completions
    from dspex.core.prediction import Prediction as Prediction
    from dspex.core.signature import Signature as Signature
    from dspex.core.signature import make_signature as make_signature
    from dspex.evaluate.evaluate import Evaluate as Evaluate
    from dspex.evaluate.result import EvaluationResult as EvaluationResult
    from dspex.programs.chain_of_thought import ChainOfThought as ChainOfThought
    from dspex.programs.predict import Predict as Predict
    from dspex.programs.predict import UnexpectedInputError as UnexpectedInputError
    from dspex.programs.program import Module as Module
    from dspex.programs.program import Program as Program
    from dspex.programs.settings import configure as configure
    from dspex.programs.settings import context as context
    from dspex.programs.settings import settings as settings
    from dspex.programs.trace import track_usage as track_usage
    from dspex.runtime.base_lm import BaseLM as BaseLM
    from dspex.runtime.config import Config as Config
    from dspex.runtime.dry_run import dry_run as dry_run
    from dspex.runtime.embedder import Embedder as Embedder
    from dspex.runtime.language_model import LM as LM
    from dspex.runtime.runtime import Runtime as Runtime
    from dspex.runtime.runtime import shutdown as shutdown
    from dspex.teleprompt import BootstrapFewShot as BootstrapFewShot
    from dspex.teleprompt import LabeledFewShot as LabeledFewShot

__version__ = "0.1.0"

_HOMES = {
    "Adapter": "dspex.core.adapters",
    "AdapterParseError": "dspex.core.errors",
    "BaseLM": "dspex.runtime.base_lm",
    "BootstrapFewShot": "dspex.teleprompt",
    "Budget": "dspex.client.budget",
    "BudgetExceededError": "dspex.core.errors",
    "ChainOfThought": "dspex.programs.chain_of_thought",
    "ChatAdapter": "dspex.core.adapters",
    "Completions": "dspex.core.prediction",
    "Config": "dspex.runtime.config",
    "ConfigurationError": "dspex.core.errors",
    "DataError": "dspex.core.errors",
    "Dataset": "dspex.core.data",
    "DspexError": "dspex.core.errors",
    "Embedder": "dspex.runtime.embedder",
    "Evaluate": "dspex.evaluate.evaluate",
    "EvaluationError": "dspex.core.errors",
    "EvaluationInterrupted": "dspex.core.errors",
    "EvaluationResult": "dspex.evaluate.result",
    "Example": "dspex.core.example",
    "InputField": "dspex.core.fields",
    "LM": "dspex.runtime.language_model",
    "LMError": "dspex.core.errors",
    "LabeledFewShot": "dspex.teleprompt",
    "LineAdapter": "dspex.core.adapters",
    "MissingInputError": "dspex.core.errors",
    "Module": "dspex.programs.program",
    "OutputField": "dspex.core.fields",
    "Predict": "dspex.programs.predict",
    "Prediction": "dspex.core.prediction",
    "Price": "dspex.client.prices",
    "Program": "dspex.programs.program",
    "Runtime": "dspex.runtime.runtime",
    "Signature": "dspex.core.signature",
    "SignatureError": "dspex.core.errors",
    "UnexpectedInputError": "dspex.programs.predict",
    "configure": "dspex.programs.settings",
    "context": "dspex.programs.settings",
    "dry_run": "dspex.runtime.dry_run",
    "load": "dspex.core.data",
    "make_signature": "dspex.core.signature",
    "settings": "dspex.programs.settings",
    "shutdown": "dspex.runtime.runtime",
    "track_usage": "dspex.programs.trace",
}
"""Where each public name lives."""

_SUBMODULES = frozenset({"evaluate", "metrics", "teleprompt", "testing"})

__all__ = [
    "LM",
    "Adapter",
    "AdapterParseError",
    "BaseLM",
    "BootstrapFewShot",
    "Budget",
    "BudgetExceededError",
    "ChainOfThought",
    "ChatAdapter",
    "Completions",
    "Config",
    "ConfigurationError",
    "DataError",
    "Dataset",
    "DspexError",
    "Embedder",
    "Evaluate",
    "EvaluationError",
    "EvaluationInterrupted",
    "EvaluationResult",
    "Example",
    "InputField",
    "LMError",
    "LabeledFewShot",
    "LineAdapter",
    "MissingInputError",
    "Module",
    "OutputField",
    "Predict",
    "Prediction",
    "Price",
    "Program",
    "Runtime",
    "Signature",
    "SignatureError",
    "UnexpectedInputError",
    "__version__",
    "configure",
    "context",
    "dry_run",
    "load",
    "make_signature",
    "settings",
    "shutdown",
    "track_usage",
]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"dspex.{name}")
    home = _HOMES.get(name)
    if home is None:
        msg = f"module 'dspex' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(home), name)
    if home.startswith("dspex.programs"):
        _join_layers()
    globals()[name] = value
    return value


def _join_layers() -> None:
    """Let saved programs restore their models, which `programs` cannot make."""
    from dspex.programs.state import use_lm_factory

    use_lm_factory(_restored_lm)


def _restored_lm(state: Mapping[str, Any]) -> LanguageModel:
    from dspex.runtime.language_model import LM

    return LM(**state)


def __dir__() -> list[str]:
    return sorted([*__all__, *_SUBMODULES])
