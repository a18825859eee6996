"""Adapters: how a signature becomes a prompt, and a reply becomes values.

All of it is pure: messages out, values in, no call to any model.
"""

from dspex.core.adapters.base import Adapter
from dspex.core.adapters.chat import ChatAdapter
from dspex.core.adapters.choice import adapter_named, chosen_adapter
from dspex.core.adapters.json import JSONAdapter
from dspex.core.adapters.line import LineAdapter
from dspex.core.adapters.reading import Asked
from dspex.core.adapters.xml import XMLAdapter

__all__ = [
    "Adapter",
    "Asked",
    "ChatAdapter",
    "JSONAdapter",
    "LineAdapter",
    "XMLAdapter",
    "adapter_named",
    "chosen_adapter",
]
