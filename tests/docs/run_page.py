"""Run the Python blocks of one page, top to bottom, as a reader would paste them.

`python -m tests.docs.run_page PAGE` runs in the working folder of the caller. Unless
the page needs the embedded model, the known providers' addresses lead to a fake one, so
that a page can say `openai/gpt-4o-mini` and no request leaves this machine.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from dspex.client.providers import model_strings
from dspex.testing import FakeProvider, chat_answer, inputs_of
from tests.docs.pages import NEEDS_MODEL, ROOT, Block, blocks

CAPITALS = ROOT / "examples/capitals.csv"

WRONG = "Kenya"
"""The country whose capital the fake provider does not know."""
PROSE = "Norway"
"""The country about which it chats instead of answering in the asked form."""


def answer(messages: Sequence[Mapping[str, Any]]) -> str:
    """Answer as a chat model would that knows capitals, and little else."""
    inputs = inputs_of(messages)
    country = inputs.get("country", "")
    with CAPITALS.open(encoding="utf-8", newline="") as file:
        table = {row["country"]: row["capital"] for row in csv.DictReader(file)}
    if country == PROSE:
        return "What a beautiful country! Have you been there?"
    capital = "Mombasa" if country == WRONG else table.get(country, "no idea")
    fields = {"reasoning": "I looked it up.", "capital": capital}
    return chat_answer(**fields, answer=capital)


@contextlib.contextmanager
def fake_providers() -> Iterator[None]:
    """Lead every known provider's address to one fake provider on loopback."""
    known = cast("dict[str, Any]", model_strings.KNOWN_PROVIDERS)
    with FakeProvider(answer=answer) as provider:
        for prefix, entry in list(known.items()):
            known[prefix] = replace(entry, base_url=provider.base_url)
            os.environ[entry.key_variable] = "a key for the documentation"
        yield


def run(page: Path) -> list[str]:
    """Run a page and return what went wrong."""
    faults: list[str] = []
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    for block in blocks(page):
        if block.language == "python" and "no-run" not in block.notes:
            printed, fault = _run_block(block, namespace)
            faults += [fault] if fault else []
        elif "output" in block.notes and printed.strip() != block.text.strip():
            faults.append(
                f"{block.where}: the page shows\n{block.text}\nand the code printed\n"
                f"{printed}"
            )
    return faults


def _run_block(block: Block, namespace: dict[str, Any]) -> tuple[str, str | None]:
    """Run one block; return what it printed, and what went wrong."""
    # Empty lines in front: a traceback then names the page's own line.
    code = compile("\n" * (block.line - 1) + block.text, str(block.page), "exec")
    expected = block.notes.get("raises")
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(code, namespace)  # noqa: S102 - the code of our own documentation
    except BaseException as error:
        if type(error).__name__ == expected:
            return f"{out.getvalue()}{type(error).__name__}: {error}", None
        return out.getvalue(), f"{block.where}:\n{traceback.format_exc()}"
    if expected:
        return out.getvalue(), f"{block.where}: expected {expected}, nothing was raised"
    return out.getvalue(), None


def main() -> int:
    """Run the page named on the command line."""
    page = Path(sys.argv[1])
    real = NEEDS_MODEL in page.read_text(encoding="utf-8")
    with contextlib.nullcontext() if real else fake_providers():
        faults = run(page)
    print("\n\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
