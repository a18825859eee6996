"""What comes out of a streamed program besides its answer, and who words it."""

# ruff: noqa: ARG002 - handlers and providers are given more than each of them needs

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dspex.core.callbacks import BaseCallback


@dataclass(frozen=True, slots=True)
class StreamResponse:
    """The next piece of a field."""

    predict_name: str | None
    """The predictor it comes from, by its name in the program."""
    signature_field_name: str
    """The field."""
    chunk: str
    """The piece; empty when only the end is to be told."""
    is_last_chunk: bool
    """Whether the field has ended."""


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """A sentence about what the program is doing."""

    message: str
    """The sentence."""


class StatusMessageProvider:
    """Words the status messages; subclass it and write those you want.

    Each method returns a text, or `None` for no message. Without a subclass the calls
    of tools are told.

    Example:
        >>> class Mine(StatusMessageProvider):
        ...     def lm_start_status_message(self, instance, inputs):
        ...         return f"asking {instance.model} ..."
    """

    def tool_start_status_message(
        self,
        instance: Any,
        inputs: Mapping[str, Any],
    ) -> str | None:
        """Say that a tool is called."""
        return f"Calling tool {instance.name}..."

    def tool_end_status_message(
        self,
        outputs: Any,
    ) -> str | None:
        """Say that a tool has returned."""
        return "The tool has returned; the model is shown what came."

    def module_start_status_message(
        self, instance: Any, inputs: Mapping[str, Any]
    ) -> str | None:
        """Say that a program is called."""

    def module_end_status_message(self, outputs: Any) -> str | None:
        """Say that a program has answered."""

    def lm_start_status_message(
        self, instance: Any, inputs: Mapping[str, Any]
    ) -> str | None:
        """Say that a language model is asked."""

    def lm_end_status_message(self, outputs: Any) -> str | None:
        """Say that a language model has answered."""


class StatusStreamingCallback(BaseCallback):
    """Puts the messages of a provider into a stream.

    Args:
        provider: Who words them; the default one unless given.
        put: Takes each message, from any thread.
    """

    def __init__(
        self,
        provider: StatusMessageProvider | None,
        put: Callable[[StatusMessage], None],
    ) -> None:
        self._provider = provider or StatusMessageProvider()
        self._put = put
        # Calls of `finish`, which is no tool to whoever watches a ReAct.
        self._silent: set[str] = set()

    def on_tool_start(
        self, call_id: str, instance: Any, inputs: Mapping[str, Any]
    ) -> None:
        """Tell that a tool is called."""
        if instance.name == "finish":
            self._silent.add(call_id)
        else:
            self._say(self._provider.tool_start_status_message(instance, inputs))

    def on_tool_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        """Tell that a tool has returned."""
        if call_id in self._silent:
            self._silent.discard(call_id)
        else:
            self._say(self._provider.tool_end_status_message(outputs))

    def on_module_start(
        self, call_id: str, instance: Any, inputs: Mapping[str, Any]
    ) -> None:
        """Tell that a program is called."""
        self._say(self._provider.module_start_status_message(instance, inputs))

    def on_module_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        """Tell that a program has answered."""
        self._say(self._provider.module_end_status_message(outputs))

    def on_lm_start(
        self, call_id: str, instance: Any, inputs: Mapping[str, Any]
    ) -> None:
        """Tell that a language model is asked."""
        self._say(self._provider.lm_start_status_message(instance, inputs))

    def on_lm_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        """Tell that a language model has answered."""
        self._say(self._provider.lm_end_status_message(outputs))

    def _say(self, message: str | None) -> None:
        if message:
            self._put(StatusMessage(message))
