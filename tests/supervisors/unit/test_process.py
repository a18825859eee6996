"""How an ended process is told of, and what its spec shows and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    CannotRun,
    ConfigError,
    NotReady,
    ProcessEnded,
    ProcessSpec,
)


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        (ProcessEnded(3, ()), "its process ended with exit code 3"),
        (ProcessEnded(-9, ()), "its process ended by signal 9"),
        (
            ProcessEnded(1, ("first", "last", "  ")),
            "its process ended with exit code 1, last saying: last",
        ),
        (
            NotReady(1.5, ("loading",)),
            (
                "its process was not ready within 1.5 s, last saying: loading; "
                "give it a longer ready_timeout if it needs one"
            ),
        ),
        (
            CannotRun("serve", "Permission denied"),
            (
                "the program 'serve' cannot be run (Permission denied); expected an "
                "executable file. Give its path, or its name on PATH, as the first "
                "word of argv"
            ),
        ),
    ],
)
def test_the_end_of_a_process_in_words(ended: object, text: str) -> None:
    assert str(ended) == text


def test_the_environment_is_not_in_the_repr() -> None:
    spec = ProcessSpec(argv=("x",), env={"API_KEY": "s3cret"})

    assert "s3cret" not in repr(spec)
    assert "API_KEY" not in repr(spec)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"argv": ()}, r"argv=\(\); expected a program"),
        ({"argv": ("", "x")}, r"argv=\('', 'x'\); expected a program"),
        ({"argv": "sleep 60"}, "argv='sleep 60'; expected a program"),
        ({"ready_timeout": -1.0}, "ready_timeout is -1.0"),
        ({"stdin_grace": float("nan")}, "stdin_grace is nan"),
        ({"ready_timeout": float("inf")}, "ready_timeout is inf"),
        ({"term_grace": -0.5}, "term_grace is -0.5"),
        ({"kept_lines": 0}, "kept_lines is 0"),
        ({"kept_bytes": -3}, "kept_bytes is -3"),
    ],
    ids=str,
)
def test_a_spec_that_makes_no_sense_is_refused(
    wrong: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        ProcessSpec(**{"argv": ("x",), **wrong})
