"""What a mutant changes, in words that stay the same when lines move."""

from __future__ import annotations

import re
from dataclasses import dataclass

# mutmut's name of a mutant: x_function__mutmut_7, or with the function's class.
_NAME = re.compile(r"x(?:ǁ(?P<owner>\w+)ǁ|_)(?P<function>\w+)__mutmut_\d+")


@dataclass(frozen=True, slots=True, order=True)
class Mutation:
    """One change, without its place in the file.

    Two mutants of one function are equal when the same line stands in it twice.
    """

    module: str
    """Such as `_decide`."""
    function: str
    """Such as `Machine.stop`."""
    before: str
    """The lines that the mutant replaces, without indentation."""
    after: str
    """What it has instead; empty when it drops them."""

    def __str__(self) -> str:
        lines = [f"{self.module}, {self.function}"]
        lines += [f"  - {line}" for line in self.before.splitlines()]
        lines += [f"  + {line}" for line in self.after.splitlines()]
        return "\n".join(lines)


def function_of(name: str) -> str:
    """The function in a name of mutmut's.

    >>> function_of("supervisors._decide.xǁMachineǁstop__mutmut_3")
    'Machine.stop'
    >>> function_of("supervisors._decide.x__start__mutmut_1")
    '_start'

    Raises:
        ValueError: The name has another form.
    """
    found = _NAME.fullmatch(name.rpartition(".")[2])
    if found is None:
        msg = (
            f"mutmut names a mutant {name!r}; expected module.x_function__mutmut_N. "
            "Mend tests/mutation/mutation.py, which reads its names."
        )
        raise ValueError(msg)
    owner, function = found["owner"], found["function"]
    return f"{owner}.{function}" if owner else function


def read_diff(module: str, name: str, diff: str) -> Mutation:
    """What a unified diff of mutmut's changes."""
    # Two lines name the file, twice.
    changes = diff.strip().splitlines()[2:]
    before = [line[1:].strip() for line in changes if line.startswith("-")]
    after = [line[1:].strip() for line in changes if line.startswith("+")]
    return Mutation(module, function_of(name), "\n".join(before), "\n".join(after))
