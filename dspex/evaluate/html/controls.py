"""What the script of a page makes work: which rows are shown, and in what order."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from dspex.core.elements import element


def controls(looks: Mapping[str, str], orders: Mapping[str, str]) -> Element:
    """Make the controls of a list of rows. They are hidden until the script runs.

    Args:
        looks: Classes of rows to show, with blanks between, and what to call them.
        orders: What to order by, and what to call it: `data-` names of rows, with `-`
            in front for the highest first.
    """
    return element(
        "div",
        _choice("show", "show", {"": "all rows", **looks}),
        _choice("order", "order", orders),
        element("label", "find ", element("input", id="find", type="search")),
        element("span", id="told", class_="faint", role="status"),
        id="controls",
        class_="controls",
        hidden=True,
    )


def _choice(name: str, label: str, options: Mapping[str, str]) -> Element:
    chosen = (element("option", text, value=key) for key, text in options.items())
    return element("label", f"{label} ", element("select", chosen, id=name))
