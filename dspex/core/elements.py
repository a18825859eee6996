"""HTML and SVG as trees of elements, so that no text can become markup.

Pages are never put together from strings: a text is the text of an element, and the
standard library's writer escapes it. What could steer a reader's eye (controls, marks
that turn the direction of writing) is written out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from xml.etree.ElementTree import Element, tostring

from dspex.core.safe_text import safe_text

Child: TypeAlias = "Element | str | Iterable[Element | str | None] | None"
"""What stands inside an element; `None` is nothing."""

Attribute: TypeAlias = str | int | float | bool | None
"""An attribute's value; `False` and `None` leave it out, `True` gives it no value."""

_LONGEST_VALUE: Final = 4_000
"""Characters of a value that a table shows."""

# XML has no escape for these two, and Unicode no meaning.
_NO_CHARACTERS: Final = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}


def element(tag: str, *children: Child, **attributes: Attribute) -> Element:
    """Make an element.

    Args:
        tag: Its name.
        children: What stands in it, in order.
        attributes: By name. `_` stands for `-`, and one at the end is left away, for
            names that Python keeps for itself.
    """
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None and value is not False:
            text = "" if value is True else _attribute(value)
            made.set(name.rstrip("_").replace("_", "-"), text)
    for child in children:
        _put(made, child)
    return made


def written(root: Element) -> str:
    """Return an element as HTML. That of an SVG drawing is XML as well."""
    return tostring(root, encoding="unicode", method="html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """An element whose children are made and written one by one."""

    outer: Element
    """The element, empty."""
    children: Iterable[Element]
    """What stands in it, each needed once."""


def pieces(part: Element | Filled) -> Iterator[str]:
    """Yield an element as HTML, in as many pieces as are made one by one."""
    if isinstance(part, Element):
        yield f"{written(part)}\n"
        return
    end = f"</{part.outer.tag}>"
    yield written(part.outer).removesuffix(end)
    for child in part.children:
        yield f"{written(child)}\n"
    yield f"{end}\n"


def fields_table(fields: Iterable[tuple[str, Any]]) -> Element:
    """Make a table of names and values: a text as it is, all else as its `repr`."""
    rows = (
        element("tr", element("th", name, scope="row"), element("td", _value(value)))
        for name, value in fields
    )
    return element("table", element("tbody", rows))


def _value(value: Any) -> Element:
    text = value if isinstance(value, str) else repr(value)
    left = len(text) - _LONGEST_VALUE
    more = f"\n… {left:,} more characters" if left > 0 else None
    return element("pre", text[:_LONGEST_VALUE], more)


def verbatim(tag: str, text: str, **attributes: Attribute) -> Element:
    """Make a `script` or a `style` of our own text, which HTML takes as it is."""
    made = element(tag, **attributes)
    made.text = text
    return made


def json_block(value: Any, name: str) -> Element:
    r"""Make a script of JSON, which runs nothing and cannot end its own element.

    Example:
        >>> written(json_block("</script>", "facts"))
        '<script type="application/json" id="facts">"\\u003c/script>"</script>'
    """
    text = json.dumps(value, allow_nan=False).replace("<", "\\u003c")
    return verbatim("script", text, type="application/json", id=name)


def _put(made: Element, child: Child) -> None:
    if child is None:
        return
    if isinstance(child, str):
        text = _readable(child, keep="\n\t")
        if len(made):
            made[-1].tail = (made[-1].tail or "") + text
        else:
            made.text = (made.text or "") + text
    elif isinstance(child, Element):
        made.append(child)
    else:
        for one in child:
            _put(made, one)


def _readable(text: str, *, keep: str) -> str:
    # Most texts need nothing.
    if text.isprintable():
        return text
    return safe_text(text, keep=keep).translate(_NO_CHARACTERS)


def _attribute(value: str | float) -> str:
    if isinstance(value, str):
        return _readable(value, keep="")
    if isinstance(value, int):
        return str(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")
