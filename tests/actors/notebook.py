"""The ten lines of the design as the cell of a notebook; run by `test_notebook`.

A kernel runs each cell inside its own running event loop, so a plain call is made where
it must not wait for that loop.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dspex.testing import FakeProvider

CAPITALS = {"Peru": "Lima", "Chile": "Santiago", "Kenya": "Nairobi", "Ghana": "Accra"}

CELL = """
import dspex
from dspex.evaluate import Evaluate
from dspex.metrics import exact_match
from dspex.teleprompt import BootstrapFewShot

dspex.configure(lm=dspex.LM("openai/fake", api_base=BASE_URL))
train, dev = dspex.load("capitals.csv", inputs=["country"]).split(train=8, seed=0)
program = dspex.Predict("country -> capital")
evaluate = Evaluate(devset=dev, metric=exact_match("capital"))
optimiser = BootstrapFewShot(metric=exact_match("capital"))
better = optimiser.compile(program, trainset=train)
print(evaluate(program).score, evaluate(better).score)
better.save("capital.json")
"""
AWAITED = "print((await evaluate.acall(program)).score)"


def answer(messages: Sequence[Any]) -> str:
    """The capital of the last country that was asked for."""
    turn = messages[-1]
    text = turn["content"] if isinstance(turn, dict) else turn.content
    country = str(text).rpartition("[[ ## country ## ]]")[2].split()[0]
    capital = CAPITALS[country.rstrip("0123456789")]
    return f"[[ ## capital ## ]]\n{capital}\n\n[[ ## completed ## ]]"


async def in_a_plain_loop(base_url: str) -> None:
    """Run the cell in a coroutine."""
    names: dict[str, Any] = {"BASE_URL": base_url}
    exec(CELL, names)  # noqa: S102 - the cell above
    print((await names["evaluate"].acall(names["program"])).score)


async def in_ipython(base_url: str) -> None:
    """Run the cell as IPython does, without a kernel."""
    settings = importlib.import_module("traitlets.config").Config()
    settings.HistoryManager.enabled = False
    ipython = importlib.import_module("IPython.core.interactiveshell")
    shell = ipython.InteractiveShell(config=settings, user_ns={"BASE_URL": base_url})
    for cell in (CELL, AWAITED):
        ready = shell.transform_cell(cell)
        done = await shell.run_cell_async(cell, transformed_cell=ready)
        done.raise_error()


def main(way: str, folder: str) -> None:
    """Write the data, and run the cell in that way."""
    os.chdir(folder)
    rows = [
        f"{country}{n},{CAPITALS[country]}" for country in CAPITALS for n in range(5)
    ]
    Path("capitals.csv").write_text(
        "\n".join(["country,capital", *rows]), encoding="utf-8"
    )
    run = in_ipython if way == "ipython" else in_a_plain_loop
    with FakeProvider(answer=answer) as provider:
        asyncio.run(run(provider.base_url))


if __name__ == "__main__":
    main(*sys.argv[1:])
