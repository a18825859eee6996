"""Draw the pictures of the documentation from a real run.

`python -m tests.pictures [--browser PATH]` writes `docs/pictures/`. The report's page
needs a browser to be drawn, a Chromium; without one its picture stays as it is.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from tests.docs.pages import ROOT
from tests.pictures.drawing import COLUMNS, drawn
from tests.pictures.runs import Shown, watched

FOLDER = ROOT / "docs/pictures"
EXAMPLES = 120
LATENCY = 0.15
"""Seconds: the progress line is written anew several times."""


def terminal_pictures(shown: Shown) -> dict[str, str]:
    """Return the pictures of the terminal, by the names of their files."""
    middle = shown.progress[len(shown.progress) // 2]
    told = f"{middle}\n\nand at the end\n\n{shown.progress[-1]}\n{shown.result}"
    return {
        "tree.svg": drawn(shown.tree, title="print(runtime)"),
        "top.svg": drawn(shown.top, title="dspex top"),
        "progress.svg": drawn(told, title="evaluate(program)"),
    }


def photograph(page: Path, picture: Path, browser: str) -> None:
    """Let a browser draw a page."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu"),
                *("--hide-scrollbars", "--window-size=1000,900", "--timeout=8000"),
                *(f"--user-data-dir={profile}", f"--screenshot={picture}"),
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", help="the path of a Chromium")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"DSPEX_HOME": home, "TERM": "xterm", "COLUMNS": str(COLUMNS)}
        shown = watched(EXAMPLES, latency=LATENCY)
        for name, svg in terminal_pictures(shown).items():
            (FOLDER / name).write_text(svg, encoding="utf-8")
        if options.browser:
            page = Path(home) / "report.html"
            shown.result.report(page)
            photograph(page, FOLDER / "report.png", options.browser)


if __name__ == "__main__":
    main()
