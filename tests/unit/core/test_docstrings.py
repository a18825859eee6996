"""Docstrings under `python -OO`, which drops them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = '''
import dspex


class Sort(dspex.Signature):
    """Sort the mail."""

    mail: str = dspex.InputField()
    team: str = dspex.OutputField()


class Sorted(Sort):
    mood: str = dspex.OutputField()


class Plain(dspex.Signature):
    mail: str = dspex.InputField()
    team: str = dspex.OutputField()


def look(city: str) -> str:
    """Look out
    of the window."""
    return city


def of_a_function():
    class Sort(dspex.Signature):
        """Sort them."""

        mail: str = dspex.InputField()
        team: str = dspex.OutputField()

    return Sort


def silent(city: str) -> str:
    return city


for signature in (Sort, Sorted, Plain, of_a_function(), dspex.Signature("a -> b")):
    print(signature.instructions)
for function in (look, silent, lambda city: city):
    print(repr(dspex.Tool(function).desc))
print(dspex.SemanticF1().named_predictors()[0][1].signature.instructions[:20])
'''

ROOT = Path(__file__).parents[3]


def told(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        input=text,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def test_a_model_is_told_what_it_would_be_told_otherwise(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)

    plain = told("-W", "error", str(script))
    stripped = told("-W", "error", "-OO", str(script))

    assert plain.stdout.startswith("Sort the mail.\nSort the mail.\nRead `mail`")
    assert stripped.stdout == plain.stdout


def test_a_docstring_that_is_lost_is_said_to_be() -> None:
    stripped = told("-OO", "-", text=PROGRAM.partition("for signature in")[0])

    assert stripped.stderr.count("UserWarning: python -OO drops docstrings") == 3
    assert "the source of 'Sort' is not to be found" in stripped.stderr
