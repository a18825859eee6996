"""Where dspex keeps what DSPy's users ask for."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Final

PACKAGES: Final = frozenset(
    {
        "adapters",
        "clients",
        "core",
        "datasets",
        "dsp",
        "evaluate",
        "predict",
        "primitives",
        "propose",
        "retrievers",
        "signatures",
        "streaming",
        "teleprompt",
        "utils",
    }
)
"""The packages inside DSPy; what follows one of them in a chain is deeper still."""

_ELSEWHERE: Final = ("dspex.testing", "dspex.metrics")
"""Where a name is looked for that `dspex` itself has not, in this order."""


@cache
def _public() -> dict[str, str]:
    return {
        name: home
        for home in (*reversed(_ELSEWHERE), "dspex")
        for name in importlib.import_module(home).__all__
    }


def home_of(name: str) -> str | None:
    """Return the module that has a public name, `None` when dspex has no such name.

    Example:
        >>> home_of("Predict"), home_of("FakeProvider"), home_of("ProgramOfThought")
        ('dspex', 'dspex.testing', None)
    """
    return _public().get(name)


def split_chain(chain: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """Split what follows `dspy` into the modules in between and the name meant.

    Returns:
        The modules, and the name; `None` when the chain ends inside the modules.

    Example:
        >>> split_chain(("utils", "dummies", "DummyLM", "copy"))
        (('utils', 'dummies'), 'DummyLM')
        >>> split_chain(("settings", "configure"))
        ((), 'settings')
        >>> split_chain(("teleprompt",))
        (('teleprompt',), None)
    """
    for index, part in enumerate(chain):
        is_last = index + 1 == len(chain)
        inside = index == 0 and part in PACKAGES
        deeper = index > 0 and part.islower() and not is_last and not home_of(part)
        if not inside and not deeper:
            return chain[:index], part
    return chain, None
