"""What DSPy has and dspex has not, each with the reason and what to use instead.

One table for `dspex migrate`, for the error of `dspex.NAME`, and for the reference
page. `tests/docs/test_dspy_page.py` holds that no name in it exists in dspex after all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """Why a name is not there."""

    reason: str
    """Half a sentence, to follow "dspex has no NAME: "."""
    instead: str
    """One sentence that says what to write."""


_SANDBOX: Final = Absent(
    reason="running code that a model wrote needs a sandbox that holds, and there is "
    "none to rely on",
    instead="Give the work to tools of your own with dspex.ReAct.",
)
_INTERPRETER: Final = Absent(
    reason="it belongs to running code that a model wrote, which dspex does not do",
    instead="Give the work to tools of your own with dspex.ReAct.",
)
_RETRIEVAL: Final = Absent(
    reason="a search is an ordinary function, and its service is not dspex's affair",
    instead="Call your search in forward(), or hand it to dspex.ReAct as a tool; "
    "dspex.KNN finds the nearest examples.",
)
_FINE_TUNING: Final = Absent(
    reason="it trains weights, and dspex only asks models",
    instead="Train with the provider's own tools, and use the model by its name.",
)
_OPTIMISER: Final = Absent(
    reason="this optimiser is not built",
    instead="Use dspex.MIPROv2 or dspex.GEPA, or dspex.BootstrapFewShot to begin with.",
)
_OLD_FIELD: Final = Absent(
    reason="it is the field of DSPy before version 2.5",
    instead="Write dspex.InputField() or dspex.OutputField().",
)
_LITELLM: Final = Absent(
    reason="dspex does not use LiteLLM", instead="Delete the line."
)
_LOGGING: Final = Absent(
    reason="dspex logs through the standard library and structlog",
    instead='Write logging.getLogger("dspex").setLevel(...).',
)
_DATA: Final = Absent(
    reason="dspex comes without data sets, and downloads none",
    instead="Read a file, rows of pandas or of Hugging Face's `datasets` with "
    'dspex.load(..., inputs=["question"]).',
)
_HELPER: Final = Absent(
    reason="it is a helper inside DSPy's own code",
    instead="Delete the use of it, or keep your own copy.",
)


_ASSERTION: Final = Absent(
    reason="it belongs to the assertions of DSPy before version 2.6",
    instead="Say what is wanted with a reward: dspex.Refine(program, N=3, "
    "reward_fn=..., threshold=1.0), or dspex.BestOfN.",
)
_OLD_CLIENT: Final = Absent(
    reason="it is a client of DSPy before version 2.6",
    instead="Write dspex.LM with provider and model, such as "
    'dspex.LM("openai/gpt-4o-mini").',
)
_OLD_CLIENTS: Final = (
    *("AWSAnthropic", "AWSMeta", "AWSMistral", "Anthropic", "AzureOpenAI", "Bedrock"),
    *("Claude", "Cohere", "Databricks", "GROQ", "Google", "GoogleVertexAI"),
    *("HFClientTGI", "HFClientVLLM", "HFModel", "Mistral", "MultiOpenAI"),
    *("OllamaLocal", "OpenAI", "Sagemaker", "Together"),
)


def _typed(name: str) -> Absent:
    return Absent(
        reason="since DSPy 2.5 every predictor keeps to the types of its signature",
        instead=f"Write dspex.{name}.",
    )


def _successor(name: str) -> Absent:
    return Absent(
        reason="it is an optimiser of DSPy before version 2.6",
        instead=f"Use dspex.{name}.",
    )


def _for_one_answer(name: str) -> Absent:
    return Absent(
        reason="one answer is the short case of several",
        instead=f"Write dspex.{name}(prediction, [answer]).",
    )


ABSENT: Final[dict[str, Absent]] = {
    **dict.fromkeys(_OLD_CLIENTS, _OLD_CLIENT),
    "AlfWorld": _DATA,
    "Assert": _ASSERTION,
    "AvatarOptimizer": _OPTIMISER,
    "BayesianSignatureOptimizer": _successor("MIPROv2"),
    "BetterTogether": _OPTIMISER,
    "BootstrapFewShotWithOptuna": _OPTIMISER,
    "BootstrapFinetune": _FINE_TUNING,
    "ChainOfThoughtWithHint": Absent(
        reason="a hint is an input like any other",
        instead="Add `hint` to the signature's inputs, and use dspex.ChainOfThought.",
    ),
    "ChromadbRM": _RETRIEVAL,
    "CodeAct": _SANDBOX,
    "CodeExecutionError": _INTERPRETER,
    "CodeInterpreter": _INTERPRETER,
    "CodeInterpreterError": _INTERPRETER,
    "ColBERTv2": _RETRIEVAL,
    "Colors": _DATA,
    "DataLoader": _DATA,
    "DatabricksRM": _RETRIEVAL,
    "Embeddings": _RETRIEVAL,
    "EmbeddingsWithScores": _RETRIEVAL,
    "FinalOutput": _INTERPRETER,
    "Flex": _SANDBOX,
    "GSM8K": _DATA,
    "HotPotQA": _DATA,
    "InferRules": _OPTIMISER,
    "LMCollectionLimitError": Absent(
        reason="no limit of this kind exists here",
        instead="Catch dspex.LMError; a budget raises dspex.BudgetExceededError.",
    ),
    "LMLockTimeoutError": Absent(
        reason="dspex keeps no credentials in files, so nothing waits for their lock",
        instead="Catch dspex.LMError.",
    ),
    "LocalInterpreter": _INTERPRETER,
    "MATH": _DATA,
    "MIPRO": _successor("MIPROv2"),
    "OldField": _OLD_FIELD,
    "OldInputField": _OLD_FIELD,
    "OldOutputField": _OLD_FIELD,
    "ProgramOfThought": _SANDBOX,
    "Provider": _FINE_TUNING,
    "PythonInterpreter": _INTERPRETER,
    "RLM": _SANDBOX,
    "ReActV2": Absent(
        reason="it is an experiment inside DSPy",
        instead="Use dspex.ReAct.",
    ),
    "Retrieve": _RETRIEVAL,
    "Retry": _ASSERTION,
    "SIMBA": _OPTIMISER,
    "SandboxSerializable": _INTERPRETER,
    "SignatureOptimizer": _successor("COPRO"),
    "Suggest": _ASSERTION,
    "TrainingJob": _FINE_TUNING,
    "TypedChainOfThought": _typed("ChainOfThought"),
    "TypedPredictor": _typed("Predict"),
    "WeaviateRM": _RETRIEVAL,
    "assert_transform_module": _ASSERTION,
    "backtrack_handler": _ASSERTION,
    "bootstrap_trace_data": _FINE_TUNING,
    "cache": Absent(
        reason="there is one cache for each runtime, and it is no global object",
        instead="Look into it with `dspex cache`, or mount a dspex.Cache.",
    ),
    "configure_cache": Absent(
        reason="a cache belongs to a runtime, and its defaults need no call",
        instead="Pass cache=False to dspex.LM, or persist=False to dspex.Config; "
        "DSPEX_HOME says where the file is.",
    ),
    "configure_dspy_loggers": _LOGGING,
    "datasets": _DATA,
    "disable_litellm_logging": _LITELLM,
    "disable_logging": _LOGGING,
    "download": _HELPER,
    "em_score": _for_one_answer("EM"),
    "enable_litellm_logging": _LITELLM,
    "enable_logging": _LOGGING,
    "experimental": _HELPER,
    "f1_score": _for_one_answer("F1"),
    "format_error_for_lm": _HELPER,
    "get_dependency_versions": _HELPER,
    "hotpot_f1_score": _for_one_answer("HotPotF1"),
    "lm15": Absent(
        reason="it is the client inside DSPy",
        instead="Use dspex.LM.",
    ),
    "load_settings": Absent(
        reason="DSPy keeps settings as a pickle, and dspex never unpickles anything",
        instead="Call dspex.configure(...) where the program starts.",
    ),
    "precision_score": Absent(
        reason="of shared words, dspex gives F1 only",
        instead="Write dspex.F1(prediction, [answer]).",
    ),
    "print_message": _HELPER,
    "resolve_interpreter_factory": _INTERPRETER,
    "retrieve": _RETRIEVAL,
    "retrievers": _RETRIEVAL,
}
"""By name. Whatever is neither here nor in dspex is unknown."""


def explained(name: str) -> str:
    """Return why a name is absent and what to write, as the end of an error's text.

    Example:
        >>> print(explained("ReActV2"))
        it is an experiment inside DSPy. Use dspex.ReAct.
    """
    absent = ABSENT.get(name)
    if absent is None:
        return (
            "no public name of DSPy 3.4 that dspex knows. See docs/reference/dspy.md "
            "for all names that are there."
        )
    return f"{absent.reason}. {absent.instead}"
