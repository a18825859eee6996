"""What the keys of providers look like, for those who must not show one by mistake."""

from __future__ import annotations

import re
from typing import Final

LOOKS_LIKE_A_KEY: Final = re.compile(
    r"\b(?:(?:sk|csk|pk|xai|pplx|nvapi)-|(?:sk|gsk|hf|r8|fw|gh[opsu]|github_pat)_|AIza)"
    r"[\w\-./+=]{12,}|(?i:\bbearer\s+)[\w\-./+~=]{12,}"
)
"""How keys begin that can be told by their beginning, and what stands behind Bearer."""
