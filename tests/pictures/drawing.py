"""Draw what a terminal shows as a picture that needs no font from another host."""

from __future__ import annotations

import io
import re

from rich.console import Console
from rich.text import Text

COLUMNS = 92
"""Characters in a line of a drawn terminal."""

FORMAT = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})"
 clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""A window with text in it, in the reader's own fonts."""


def drawn(text: str, *, title: str) -> str:
    """Return a terminal with this text in it, as SVG.

    Args:
        text: What it shows; nothing in it is markup.
        title: What stands above.
    """
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text(text))
    svg = console.export_svg(title=title, code_format=FORMAT, unique_id="picture")
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


class FakeTerminal(io.StringIO):
    """A stream that is taken for a terminal, and keeps all that was written."""

    def isatty(self) -> bool:
        """Say that somebody is looking."""
        return True

    def lines(self) -> list[str]:
        """Return what stood in the line that is written over, one after another."""
        shown = self.getvalue().replace("\x1b[K", "").split("\r")
        return [line.strip() for line in shown if line.strip()]
