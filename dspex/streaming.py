"""Streamed programs under the name people know: `dspex.streaming.StreamListener`."""

from __future__ import annotations

from dspex.programs.streaming.listener import (
    StreamListener,
    find_predictor_for_stream_listeners,
)
from dspex.programs.streaming.messages import (
    StatusMessage,
    StatusMessageProvider,
    StreamResponse,
)
from dspex.programs.streaming.reading import apply_sync_streaming, streaming_response
from dspex.programs.streaming.streamify import streamify

__all__ = [
    "StatusMessage",
    "StatusMessageProvider",
    "StreamListener",
    "StreamResponse",
    "apply_sync_streaming",
    "find_predictor_for_stream_listeners",
    "streamify",
    "streaming_response",
]
