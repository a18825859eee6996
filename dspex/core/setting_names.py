"""Names that no setting of a model may have: whoever means a key or an address by it.

Settings are shown by `repr`, saved with programs, kept with cached answers and sent in
the body of a request. None of these is a place for a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

WHERE_CALLS_GO: Final = frozenset(
    {
        *("api_base", "base_url", "api_version", "api_key", "allow_insecure"),
        *("model_list", "headers", "default_headers", "extra_headers"),
        *("extra_body", "extra_query", "proxy"),
    }
)
"""What says where calls, and keys, would go."""

_SECRET: Final = re.compile(
    r"(?:api|access|secret|private|auth)[-_]?key(?:_id)?$"
    r"|(?:access|auth|bearer|session|id|ad)[-_]?token$"
    r"|secret$|password$|passwd$|credentials?$|^authorization$",
    re.IGNORECASE,
)


def is_secret(name: str) -> bool:
    """Whether something of this name is a key, a token or a password.

    Example:
        >>> is_secret("openai_api_key"), is_secret("api_key_env"), is_secret("tokens")
        (True, False, False)
    """
    return _SECRET.search(name) is not None


def not_settings(names: Iterable[str]) -> list[str]:
    """Return the names that may not be those of settings, sorted.

    Example:
        >>> not_settings(["temperature", "max_tokens", "openai_api_key", "headers"])
        ['headers', 'openai_api_key']
    """
    return sorted(name for name in names if name in WHERE_CALLS_GO or is_secret(name))
