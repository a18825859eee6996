"""DSPy's programming model on an OTP supervision tree.

Every public name is importable from here and loads when it is first used, so that
`import dspex` itself costs next to nothing and starts nothing.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dspex.cache.trouble import CacheFileError as CacheFileError
    from dspex.client.budget import Budget as Budget
    from dspex.client.httpx_transport import HttpxTransport as HttpxTransport
    from dspex.client.price import LongPrompt as LongPrompt
    from dspex.client.prices import Price as Price
    from dspex.client.providers.format import Chunk as Chunk
    from dspex.client.proxies import Proxies as Proxies
    from dspex.configuration.faults import (
        WrongConfigurationError as WrongConfigurationError,
    )
    from dspex.configuration.reading import Configuration as Configuration
    from dspex.configuration.reading import load_configuration as load_configuration
    from dspex.core.adapters import Adapter as Adapter
    from dspex.core.adapters import ChatAdapter as ChatAdapter
    from dspex.core.adapters import JSONAdapter as JSONAdapter
    from dspex.core.adapters import LineAdapter as LineAdapter
    from dspex.core.adapters import XMLAdapter as XMLAdapter
    from dspex.core.adapters.chat import FieldInfoWithName as FieldInfoWithName
    from dspex.core.adapters.parse import parse_value as parse_value
    from dspex.core.callbacks import ACTIVE_CALL_ID as ACTIVE_CALL_ID
    from dspex.core.callbacks import BaseCallback as BaseCallback
    from dspex.core.callbacks import with_callbacks as with_callbacks
    from dspex.core.data import Dataset as Dataset
    from dspex.core.errors import AdapterError as AdapterError
    from dspex.core.errors import AdapterParseError as AdapterParseError
    from dspex.core.errors import BatchError as BatchError
    from dspex.core.errors import BatchInterrupted as BatchInterrupted
    from dspex.core.errors import BudgetExceededError as BudgetExceededError
    from dspex.core.errors import CircuitOpenError as CircuitOpenError
    from dspex.core.errors import ConfigurationError as ConfigurationError
    from dspex.core.errors import ContentError as ContentError
    from dspex.core.errors import (
        ContextWindowExceededError as ContextWindowExceededError,
    )
    from dspex.core.errors import DataError as DataError
    from dspex.core.errors import DspexError as DspexError
    from dspex.core.errors import EvaluationCancelledError as EvaluationCancelledError
    from dspex.core.errors import EvaluationError as EvaluationError
    from dspex.core.errors import EvaluationInterrupted as EvaluationInterrupted
    from dspex.core.errors import IncompleteResultError as IncompleteResultError
    from dspex.core.errors import LMAuthError as LMAuthError
    from dspex.core.errors import LMBillingError as LMBillingError
    from dspex.core.errors import LMCancelledError as LMCancelledError
    from dspex.core.errors import LMConnectionError as LMConnectionError
    from dspex.core.errors import LMError as LMError
    from dspex.core.errors import LMInvalidRequestError as LMInvalidRequestError
    from dspex.core.errors import LMNotConfiguredError as LMNotConfiguredError
    from dspex.core.errors import LMProviderError as LMProviderError
    from dspex.core.errors import LMRateLimitError as LMRateLimitError
    from dspex.core.errors import LMResponseError as LMResponseError
    from dspex.core.errors import LMServerError as LMServerError
    from dspex.core.errors import LMStreamError as LMStreamError
    from dspex.core.errors import LMTimeoutError as LMTimeoutError
    from dspex.core.errors import LMUnexpectedError as LMUnexpectedError
    from dspex.core.errors import MetricArgumentsError as MetricArgumentsError
    from dspex.core.errors import MetricRangeError as MetricRangeError
    from dspex.core.errors import MissingFileError as MissingFileError
    from dspex.core.errors import MissingInputError as MissingInputError
    from dspex.core.errors import NotBetterError as NotBetterError
    from dspex.core.errors import QueueFullError as QueueFullError
    from dspex.core.errors import RecordDamagedError as RecordDamagedError
    from dspex.core.errors import RecordError as RecordError
    from dspex.core.errors import RecordFullError as RecordFullError
    from dspex.core.errors import RecordUnwritableError as RecordUnwritableError
    from dspex.core.errors import RecordVersionError as RecordVersionError
    from dspex.core.errors import RunBusyError as RunBusyError
    from dspex.core.errors import RunChangedError as RunChangedError
    from dspex.core.errors import RunError as RunError
    from dspex.core.errors import RunExistsError as RunExistsError
    from dspex.core.errors import RunFencedError as RunFencedError
    from dspex.core.errors import RunNotFoundError as RunNotFoundError
    from dspex.core.errors import RuntimeClosedError as RuntimeClosedError
    from dspex.core.errors import SignatureError as SignatureError
    from dspex.core.errors import ToolArgumentError as ToolArgumentError
    from dspex.core.errors import ToolExecutionError as ToolExecutionError
    from dspex.core.errors import UnexpectedInputError as UnexpectedInputError
    from dspex.core.errors import WorkLostError as WorkLostError
    from dspex.core.errors import WorkTimeoutError as WorkTimeoutError
    from dspex.core.errors.dspy_names import DSPyError as DSPyError
    from dspex.core.errors.dspy_names import (
        LMConfigurationError as LMConfigurationError,
    )
    from dspex.core.errors.dspy_names import (
        LMStreamAssemblyError as LMStreamAssemblyError,
    )
    from dspex.core.errors.dspy_names import LMTransportError as LMTransportError
    from dspex.core.errors.dspy_names import (
        LMUnsupportedFeatureError as LMUnsupportedFeatureError,
    )
    from dspex.core.errors.dspy_names import (
        LMUnsupportedModelError as LMUnsupportedModelError,
    )
    from dspex.core.errors.dspy_names import (
        is_retryable_lm_error as is_retryable_lm_error,
    )
    from dspex.core.example import Example as Example
    from dspex.core.fields import InputField as InputField
    from dspex.core.fields import OutputField as OutputField
    from dspex.core.fields import infer_prefix as infer_prefix
    from dspex.core.lm import LanguageModel
    from dspex.core.lm import Message as Message
    from dspex.core.lm import Reply as Reply
    from dspex.core.lm import Usage as Usage
    from dspex.core.prediction import Completions as Completions
    from dspex.core.prediction import Prediction as Prediction
    from dspex.core.signature import Signature as Signature
    from dspex.core.signature import SignatureMeta as SignatureMeta
    from dspex.core.signature import ensure_signature as ensure_signature
    from dspex.core.signature import make_signature as make_signature
    from dspex.core.spawner import Spawner as Spawner
    from dspex.core.types._tool_shape import (
        convert_input_schema_to_tool_args as convert_input_schema_to_tool_args,
    )
    from dspex.core.types.audio import Audio as Audio
    from dspex.core.types.audio import encode_audio as encode_audio
    from dspex.core.types.base import Type as Type
    from dspex.core.types.code import Code as Code
    from dspex.core.types.file import File as File
    from dspex.core.types.file import encode_file_to_dict as encode_file_to_dict
    from dspex.core.types.history import History as History
    from dspex.core.types.image import Image as Image
    from dspex.core.types.image import encode_image as encode_image
    from dspex.core.types.reasoning import Reasoning as Reasoning
    from dspex.core.types.tool import Tool as Tool
    from dspex.core.types.tool_calls import ToolCallResults as ToolCallResults
    from dspex.core.types.tool_calls import ToolCalls as ToolCalls
    from dspex.evaluate.compare import Comparison as Comparison
    from dspex.evaluate.compare import compare as compare
    from dspex.evaluate.evaluate import Evaluate as Evaluate
    from dspex.evaluate.record.listing import RunSummary as RunSummary
    from dspex.evaluate.record.listing import runs as runs
    from dspex.evaluate.record.unkept import Unkept as Unkept
    from dspex.evaluate.results.recorded import load_run as load_run
    from dspex.evaluate.results.result import EvaluationResult as EvaluationResult
    from dspex.evaluate.running.control import EvaluationRun as EvaluationRun
    from dspex.evaluate.running.why import Waiting as Waiting
    from dspex.evaluate.semantic import CompleteAndGrounded as CompleteAndGrounded
    from dspex.evaluate.semantic import SemanticF1 as SemanticF1
    from dspex.metrics import EM as EM
    from dspex.metrics import F1 as F1
    from dspex.metrics import HotPotF1 as HotPotF1
    from dspex.metrics import answer_exact_match as answer_exact_match
    from dspex.metrics import answer_passage_match as answer_passage_match
    from dspex.metrics import normalize_text as normalize_text
    from dspex.programs.aggregation import majority as majority
    from dspex.programs.best_of_n import BestOfN as BestOfN
    from dspex.programs.chain_of_thought import ChainOfThought as ChainOfThought
    from dspex.programs.concurrency import asyncify as asyncify
    from dspex.programs.concurrency import in_context as in_context
    from dspex.programs.concurrency import syncify as syncify
    from dspex.programs.history import GLOBAL_HISTORY as GLOBAL_HISTORY
    from dspex.programs.history import inspect_history as inspect_history
    from dspex.programs.history import pretty_print_history as pretty_print_history
    from dspex.programs.knn import KNN as KNN
    from dspex.programs.multi_chain_comparison import (
        MultiChainComparison as MultiChainComparison,
    )
    from dspex.programs.parallel import Parallel as Parallel
    from dspex.programs.predict import Predict as Predict
    from dspex.programs.program import BaseModule as BaseModule
    from dspex.programs.program import Module as Module
    from dspex.programs.program import Program as Program
    from dspex.programs.reaching import set_attribute_by_name as set_attribute_by_name
    from dspex.programs.react import ReAct as ReAct
    from dspex.programs.refine import Refine as Refine
    from dspex.programs.saving.demos import serialize_object as serialize_object
    from dspex.programs.saving.loading import load as load
    from dspex.programs.saving.state import LM_CLASS_STATE_KEY as LM_CLASS_STATE_KEY
    from dspex.programs.saving.state import StateError as StateError
    from dspex.programs.saving.trust import UntrustedCodeError as UntrustedCodeError
    from dspex.programs.saving.whole_program import load_program as load_program
    from dspex.programs.settings import configure as configure
    from dspex.programs.settings import context as context
    from dspex.programs.settings import settings as settings
    from dspex.programs.streaming.listener import StreamListener as StreamListener
    from dspex.programs.streaming.messages import StatusMessage as StatusMessage
    from dspex.programs.streaming.messages import (
        StatusMessageProvider as StatusMessageProvider,
    )
    from dspex.programs.streaming.messages import StreamResponse as StreamResponse
    from dspex.programs.streaming.reading import (
        apply_sync_streaming as apply_sync_streaming,
    )
    from dspex.programs.streaming.reading import (
        streaming_response as streaming_response,
    )
    from dspex.programs.streaming.streamify import streamify as streamify
    from dspex.programs.trace import UsageTracker as UsageTracker
    from dspex.programs.trace import track_usage as track_usage
    from dspex.programs.two_step import TwoStepAdapter as TwoStepAdapter
    from dspex.programs.walk import Parameter as Parameter
    from dspex.repl.status import Status as Status
    from dspex.repl.status import status as status
    from dspex.runtime.base_lm import BaseLM as BaseLM
    from dspex.runtime.config import Config as Config
    from dspex.runtime.dry_run import DryRun as DryRun
    from dspex.runtime.dry_run import dry_run as dry_run
    from dspex.runtime.embedder import Embedder as Embedder
    from dspex.runtime.language_model import LM as LM
    from dspex.runtime.mounting import Cache as Cache
    from dspex.runtime.mounting import Client as Client
    from dspex.runtime.runtime import Runtime as Runtime
    from dspex.runtime.runtime import shutdown as shutdown
    from dspex.runtime.stream import AsyncStream as AsyncStream
    from dspex.runtime.stream import Stream as Stream
    from dspex.serve.answering import RequestLostError as RequestLostError
    from dspex.serve.lifespan import lifespan as lifespan
    from dspex.serve.service import Service as Service
    from dspex.teleprompt import COPRO as COPRO
    from dspex.teleprompt import GEPA as GEPA
    from dspex.teleprompt import BootstrapFewShot as BootstrapFewShot
    from dspex.teleprompt import (
        BootstrapFewShotWithRandomSearch as BootstrapFewShotWithRandomSearch,
    )
    from dspex.teleprompt import BootstrapResult as BootstrapResult
    from dspex.teleprompt import BootstrapRS as BootstrapRS
    from dspex.teleprompt import Ensemble as Ensemble
    from dspex.teleprompt import KNNFewShot as KNNFewShot
    from dspex.teleprompt import LabeledFewShot as LabeledFewShot
    from dspex.teleprompt import MIPROv2 as MIPROv2
    from dspex.teleprompt import load_study as load_study

__version__ = "0.1.0"

_HOMES = {
    "ACTIVE_CALL_ID": "dspex.core.callbacks",
    "Adapter": "dspex.core.adapters",
    "AdapterError": "dspex.core.errors",
    "AdapterParseError": "dspex.core.errors",
    "AsyncStream": "dspex.runtime.stream",
    "Audio": "dspex.core.types.audio",
    "BaseCallback": "dspex.core.callbacks",
    "BaseLM": "dspex.runtime.base_lm",
    "BaseModule": "dspex.programs.program",
    "BatchError": "dspex.core.errors",
    "BatchInterrupted": "dspex.core.errors",
    "BestOfN": "dspex.programs.best_of_n",
    "BootstrapFewShot": "dspex.teleprompt",
    "BootstrapFewShotWithRandomSearch": "dspex.teleprompt",
    "BootstrapRS": "dspex.teleprompt",
    "BootstrapResult": "dspex.teleprompt",
    "Budget": "dspex.client.budget",
    "BudgetExceededError": "dspex.core.errors",
    "COPRO": "dspex.teleprompt",
    "Cache": "dspex.runtime.mounting",
    "CacheFileError": "dspex.cache.trouble",
    "ChainOfThought": "dspex.programs.chain_of_thought",
    "ChatAdapter": "dspex.core.adapters",
    "Chunk": "dspex.client.providers.format",
    "CircuitOpenError": "dspex.core.errors",
    "Client": "dspex.runtime.mounting",
    "Code": "dspex.core.types.code",
    "Comparison": "dspex.evaluate.compare",
    "CompleteAndGrounded": "dspex.evaluate.semantic",
    "Completions": "dspex.core.prediction",
    "Config": "dspex.runtime.config",
    "Configuration": "dspex.configuration.reading",
    "ConfigurationError": "dspex.core.errors",
    "ContentError": "dspex.core.errors",
    "ContextWindowExceededError": "dspex.core.errors",
    "DSPyError": "dspex.core.errors.dspy_names",
    "DataError": "dspex.core.errors",
    "Dataset": "dspex.core.data",
    "DryRun": "dspex.runtime.dry_run",
    "DspexError": "dspex.core.errors",
    "EM": "dspex.metrics",
    "Embedder": "dspex.runtime.embedder",
    "Ensemble": "dspex.teleprompt",
    "Evaluate": "dspex.evaluate.evaluate",
    "EvaluationCancelledError": "dspex.core.errors",
    "EvaluationError": "dspex.core.errors",
    "EvaluationInterrupted": "dspex.core.errors",
    "EvaluationResult": "dspex.evaluate.results.result",
    "EvaluationRun": "dspex.evaluate.running.control",
    "Example": "dspex.core.example",
    "F1": "dspex.metrics",
    "FieldInfoWithName": "dspex.core.adapters.chat",
    "File": "dspex.core.types.file",
    "GEPA": "dspex.teleprompt",
    "GLOBAL_HISTORY": "dspex.programs.history",
    "History": "dspex.core.types.history",
    "HotPotF1": "dspex.metrics",
    "HttpxTransport": "dspex.client.httpx_transport",
    "Image": "dspex.core.types.image",
    "IncompleteResultError": "dspex.core.errors",
    "InputField": "dspex.core.fields",
    "JSONAdapter": "dspex.core.adapters",
    "KNN": "dspex.programs.knn",
    "KNNFewShot": "dspex.teleprompt",
    "LM": "dspex.runtime.language_model",
    "LMAuthError": "dspex.core.errors",
    "LMBillingError": "dspex.core.errors",
    "LMCancelledError": "dspex.core.errors",
    "LMConfigurationError": "dspex.core.errors.dspy_names",
    "LMConnectionError": "dspex.core.errors",
    "LMError": "dspex.core.errors",
    "LMInvalidRequestError": "dspex.core.errors",
    "LMNotConfiguredError": "dspex.core.errors",
    "LMProviderError": "dspex.core.errors",
    "LMRateLimitError": "dspex.core.errors",
    "LMResponseError": "dspex.core.errors",
    "LMServerError": "dspex.core.errors",
    "LMStreamAssemblyError": "dspex.core.errors.dspy_names",
    "LMStreamError": "dspex.core.errors",
    "LMTimeoutError": "dspex.core.errors",
    "LMTransportError": "dspex.core.errors.dspy_names",
    "LMUnexpectedError": "dspex.core.errors",
    "LMUnsupportedFeatureError": "dspex.core.errors.dspy_names",
    "LMUnsupportedModelError": "dspex.core.errors.dspy_names",
    "LM_CLASS_STATE_KEY": "dspex.programs.saving.state",
    "LabeledFewShot": "dspex.teleprompt",
    "LineAdapter": "dspex.core.adapters",
    "LongPrompt": "dspex.client.price",
    "MIPROv2": "dspex.teleprompt",
    "Message": "dspex.core.lm",
    "MetricArgumentsError": "dspex.core.errors",
    "MetricRangeError": "dspex.core.errors",
    "MissingFileError": "dspex.core.errors",
    "MissingInputError": "dspex.core.errors",
    "Module": "dspex.programs.program",
    "MultiChainComparison": "dspex.programs.multi_chain_comparison",
    "NotBetterError": "dspex.core.errors",
    "OutputField": "dspex.core.fields",
    "Parallel": "dspex.programs.parallel",
    "Parameter": "dspex.programs.walk",
    "Predict": "dspex.programs.predict",
    "Prediction": "dspex.core.prediction",
    "Price": "dspex.client.prices",
    "Program": "dspex.programs.program",
    "Proxies": "dspex.client.proxies",
    "QueueFullError": "dspex.core.errors",
    "ReAct": "dspex.programs.react",
    "Reasoning": "dspex.core.types.reasoning",
    "RecordDamagedError": "dspex.core.errors",
    "RecordError": "dspex.core.errors",
    "RecordFullError": "dspex.core.errors",
    "RecordUnwritableError": "dspex.core.errors",
    "RecordVersionError": "dspex.core.errors",
    "Refine": "dspex.programs.refine",
    "Reply": "dspex.core.lm",
    "RequestLostError": "dspex.serve.answering",
    "RunBusyError": "dspex.core.errors",
    "RunChangedError": "dspex.core.errors",
    "RunError": "dspex.core.errors",
    "RunExistsError": "dspex.core.errors",
    "RunFencedError": "dspex.core.errors",
    "RunNotFoundError": "dspex.core.errors",
    "RunSummary": "dspex.evaluate.record.listing",
    "Runtime": "dspex.runtime.runtime",
    "RuntimeClosedError": "dspex.core.errors",
    "SemanticF1": "dspex.evaluate.semantic",
    "Service": "dspex.serve.service",
    "Signature": "dspex.core.signature",
    "SignatureError": "dspex.core.errors",
    "SignatureMeta": "dspex.core.signature",
    "Spawner": "dspex.core.spawner",
    "StateError": "dspex.programs.saving.state",
    "Status": "dspex.repl.status",
    "StatusMessage": "dspex.programs.streaming.messages",
    "StatusMessageProvider": "dspex.programs.streaming.messages",
    "Stream": "dspex.runtime.stream",
    "StreamListener": "dspex.programs.streaming.listener",
    "StreamResponse": "dspex.programs.streaming.messages",
    "Tool": "dspex.core.types.tool",
    "ToolArgumentError": "dspex.core.errors",
    "ToolCallResults": "dspex.core.types.tool_calls",
    "ToolCalls": "dspex.core.types.tool_calls",
    "ToolExecutionError": "dspex.core.errors",
    "TwoStepAdapter": "dspex.programs.two_step",
    "Type": "dspex.core.types.base",
    "UnexpectedInputError": "dspex.core.errors",
    "Unkept": "dspex.evaluate.record.unkept",
    "UntrustedCodeError": "dspex.programs.saving.trust",
    "Usage": "dspex.core.lm",
    "UsageTracker": "dspex.programs.trace",
    "Waiting": "dspex.evaluate.running.why",
    "WorkLostError": "dspex.core.errors",
    "WorkTimeoutError": "dspex.core.errors",
    "WrongConfigurationError": "dspex.configuration.faults",
    "XMLAdapter": "dspex.core.adapters",
    "answer_exact_match": "dspex.metrics",
    "answer_passage_match": "dspex.metrics",
    "apply_sync_streaming": "dspex.programs.streaming.reading",
    "asyncify": "dspex.programs.concurrency",
    "compare": "dspex.evaluate.compare",
    "configure": "dspex.programs.settings",
    "context": "dspex.programs.settings",
    "convert_input_schema_to_tool_args": "dspex.core.types._tool_shape",
    "dry_run": "dspex.runtime.dry_run",
    "encode_audio": "dspex.core.types.audio",
    "encode_file_to_dict": "dspex.core.types.file",
    "encode_image": "dspex.core.types.image",
    "ensure_signature": "dspex.core.signature",
    "in_context": "dspex.programs.concurrency",
    "infer_prefix": "dspex.core.fields",
    "inspect_history": "dspex.programs.history",
    "is_retryable_lm_error": "dspex.core.errors.dspy_names",
    "lifespan": "dspex.serve.lifespan",
    "load": "dspex.programs.saving.loading",
    "load_configuration": "dspex.configuration.reading",
    "load_program": "dspex.programs.saving.whole_program",
    "load_run": "dspex.evaluate.results.recorded",
    "load_study": "dspex.teleprompt",
    "majority": "dspex.programs.aggregation",
    "make_signature": "dspex.core.signature",
    "normalize_text": "dspex.metrics",
    "parse_value": "dspex.core.adapters.parse",
    "pretty_print_history": "dspex.programs.history",
    "runs": "dspex.evaluate.record.listing",
    "serialize_object": "dspex.programs.saving.demos",
    "set_attribute_by_name": "dspex.programs.reaching",
    "settings": "dspex.programs.settings",
    "shutdown": "dspex.runtime.runtime",
    "status": "dspex.repl.status",
    "streamify": "dspex.programs.streaming.streamify",
    "streaming_response": "dspex.programs.streaming.reading",
    "syncify": "dspex.programs.concurrency",
    "track_usage": "dspex.programs.trace",
    "with_callbacks": "dspex.core.callbacks",
}
"""Where each public name lives."""

_SUBMODULES = frozenset({"evaluate", "metrics", "streaming", "teleprompt", "testing"})

__all__ = [
    "ACTIVE_CALL_ID",
    "COPRO",
    "EM",
    "F1",
    "GEPA",
    "GLOBAL_HISTORY",
    "KNN",
    "LM",
    "LM_CLASS_STATE_KEY",
    "Adapter",
    "AdapterError",
    "AdapterParseError",
    "AsyncStream",
    "Audio",
    "BaseCallback",
    "BaseLM",
    "BaseModule",
    "BatchError",
    "BatchInterrupted",
    "BestOfN",
    "BootstrapFewShot",
    "BootstrapFewShotWithRandomSearch",
    "BootstrapRS",
    "BootstrapResult",
    "Budget",
    "BudgetExceededError",
    "Cache",
    "CacheFileError",
    "ChainOfThought",
    "ChatAdapter",
    "Chunk",
    "CircuitOpenError",
    "Client",
    "Code",
    "Comparison",
    "CompleteAndGrounded",
    "Completions",
    "Config",
    "Configuration",
    "ConfigurationError",
    "ContentError",
    "ContextWindowExceededError",
    "DSPyError",
    "DataError",
    "Dataset",
    "DryRun",
    "DspexError",
    "Embedder",
    "Ensemble",
    "Evaluate",
    "EvaluationCancelledError",
    "EvaluationError",
    "EvaluationInterrupted",
    "EvaluationResult",
    "EvaluationRun",
    "Example",
    "FieldInfoWithName",
    "File",
    "History",
    "HotPotF1",
    "HttpxTransport",
    "Image",
    "IncompleteResultError",
    "InputField",
    "JSONAdapter",
    "KNNFewShot",
    "LMAuthError",
    "LMBillingError",
    "LMCancelledError",
    "LMConfigurationError",
    "LMConnectionError",
    "LMError",
    "LMInvalidRequestError",
    "LMNotConfiguredError",
    "LMProviderError",
    "LMRateLimitError",
    "LMResponseError",
    "LMServerError",
    "LMStreamAssemblyError",
    "LMStreamError",
    "LMTimeoutError",
    "LMTransportError",
    "LMUnexpectedError",
    "LMUnsupportedFeatureError",
    "LMUnsupportedModelError",
    "LabeledFewShot",
    "LineAdapter",
    "LongPrompt",
    "MIPROv2",
    "Message",
    "MetricArgumentsError",
    "MetricRangeError",
    "MissingFileError",
    "MissingInputError",
    "Module",
    "MultiChainComparison",
    "NotBetterError",
    "OutputField",
    "Parallel",
    "Parameter",
    "Predict",
    "Prediction",
    "Price",
    "Program",
    "Proxies",
    "QueueFullError",
    "ReAct",
    "Reasoning",
    "RecordDamagedError",
    "RecordError",
    "RecordFullError",
    "RecordUnwritableError",
    "RecordVersionError",
    "Refine",
    "Reply",
    "RequestLostError",
    "RunBusyError",
    "RunChangedError",
    "RunError",
    "RunExistsError",
    "RunFencedError",
    "RunNotFoundError",
    "RunSummary",
    "Runtime",
    "RuntimeClosedError",
    "SemanticF1",
    "Service",
    "Signature",
    "SignatureError",
    "SignatureMeta",
    "Spawner",
    "StateError",
    "Status",
    "StatusMessage",
    "StatusMessageProvider",
    "Stream",
    "StreamListener",
    "StreamResponse",
    "Tool",
    "ToolArgumentError",
    "ToolCallResults",
    "ToolCalls",
    "ToolExecutionError",
    "TwoStepAdapter",
    "Type",
    "UnexpectedInputError",
    "Unkept",
    "UntrustedCodeError",
    "Usage",
    "UsageTracker",
    "Waiting",
    "WorkLostError",
    "WorkTimeoutError",
    "WrongConfigurationError",
    "XMLAdapter",
    "__version__",
    "answer_exact_match",
    "answer_passage_match",
    "apply_sync_streaming",
    "asyncify",
    "compare",
    "configure",
    "context",
    "convert_input_schema_to_tool_args",
    "dry_run",
    "encode_audio",
    "encode_file_to_dict",
    "encode_image",
    "ensure_signature",
    "in_context",
    "infer_prefix",
    "inspect_history",
    "is_retryable_lm_error",
    "lifespan",
    "load",
    "load_configuration",
    "load_program",
    "load_run",
    "load_study",
    "majority",
    "make_signature",
    "normalize_text",
    "parse_value",
    "pretty_print_history",
    "runs",
    "serialize_object",
    "set_attribute_by_name",
    "settings",
    "shutdown",
    "status",
    "streamify",
    "streaming_response",
    "syncify",
    "track_usage",
    "with_callbacks",
]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"dspex.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(_no_such_name(name))
    value = getattr(importlib.import_module(home), name)
    if home.startswith("dspex.programs"):
        _join_layers()
    globals()[name] = value
    return value


def _no_such_name(name: str) -> str:
    """Say what to write instead when DSPy has a name that is absent here."""
    from dspex.migrate.absent import ABSENT, explained
    from dspex.migrate.names import PACKAGES

    text = f"module 'dspex' has no attribute {name!r}"
    if name in ABSENT:
        return f"{text}: {explained(name)}"
    if name in PACKAGES:
        return (
            f"{text}: it is a package of DSPy, and dspex has all public names in one "
            f"module. Write dspex.NAME for dspy.{name}.NAME; what tests need, such as "
            "DummyLM, stands in dspex.testing."
        )
    return text


@functools.cache
def _join_layers() -> None:
    """Supply what `programs` cannot make: saved models, and work side by side.

    Once, so that what a user supplies instead stays.
    """
    from dspex.core.spawner import use_spawner
    from dspex.programs.saving.state import use_lm_factory

    use_lm_factory(_restored_lm)
    use_spawner(_tree_spawner)


def _restored_lm(state: Mapping[str, Any]) -> LanguageModel:
    from dspex.runtime.language_model import LM

    return LM(**state)


def _tree_spawner() -> Spawner:
    from dspex.runtime.spawning import TreeSpawner

    return TreeSpawner()


def __dir__() -> list[str]:
    return sorted([*__all__, *_SUBMODULES])
